//! How the requests of a job are made, and what of the owner's environment they need, as columns.

use bits_core::http_options::{
    ClientCertificate, Header, HeaderName, HttpOptions, Method, ProxyEnvironment, ProxyUse, SecurityFlags,
};
use bits_core::job::Environment;
use bits_core::ports::StoreError;
use rusqlite::types::Value;

use super::{Columns, meaningless};

/// Reads the fourteen columns of the options.
pub(super) fn options(columns: &mut Columns<'_>) -> Result<HttpOptions, StoreError> {
    Ok(HttpOptions {
        method: match columns.next::<Option<String>>()? {
            None => Method::default(),
            Some(text) => Method::parse(&text).map_err(|wrong| meaningless("HTTP method", wrong))?,
        },
        headers: match columns.next::<Option<String>>()? {
            None => Vec::new(),
            Some(text) => headers(&text).ok_or_else(|| meaningless("list of headers", text))?,
        },
        headers_write_only: columns.next()?,
        security: columns.known("set of security flags", |mask| SecurityFlags::from_mask(mask).ok())?,
        client_certificate: client_certificate(columns)?,
        proxy: proxy(columns)?,
        stored_proxy_credentials: columns.next()?,
        no_ntlm: columns.next()?,
        service_name: columns.next()?,
    })
}

pub(super) fn option_values(options: &HttpOptions) -> Vec<Value> {
    // Taken apart whole, so that no field can be added and not kept.
    let HttpOptions {
        method,
        headers,
        headers_write_only,
        security,
        client_certificate,
        proxy,
        stored_proxy_credentials,
        no_ntlm,
        service_name,
    } = options;
    let [path, key, fingerprint, subject] = certificate_values(client_certificate.as_ref());
    let [usage, list, bypass] = proxy_values(proxy);
    vec![
        (!method.is_default()).then(|| method.as_str().to_owned()).into(),
        (!headers.is_empty()).then(|| header_lines(headers)).into(),
        (*headers_write_only).into(),
        security.mask().into(),
        path,
        key,
        fingerprint,
        subject,
        usage,
        list,
        bypass,
        (*stored_proxy_credentials).into(),
        (*no_ntlm).into(),
        service_name.clone().into(),
    ]
}

/// Reads the seven columns of the environment.
pub(super) fn environment(columns: &mut Columns<'_>) -> Result<Environment, StoreError> {
    Ok(Environment {
        krb5_config: columns.next()?,
        umask: columns.next()?,
        krb5_ccname: columns.next()?,
        proxies: ProxyEnvironment {
            http: columns.next()?,
            https: columns.next()?,
            all: columns.next()?,
            none_for: columns.next()?,
        },
    })
}

pub(super) fn environment_values(environment: &Environment) -> [Value; 7] {
    let Environment { krb5_config, krb5_ccname, proxies, umask } = environment;
    let ProxyEnvironment { http, https, all, none_for } = proxies;
    [
        krb5_config.clone().into(),
        (*umask).into(),
        krb5_ccname.clone().into(),
        http.clone().into(),
        https.clone().into(),
        all.clone().into(),
        none_for.clone().into(),
    ]
}

fn headers(lines: &str) -> Option<Vec<Header>> {
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Header::new(HeaderName::parse(name).ok()?, value).ok()
    };
    lines.split("\r\n").map(header).collect()
}

fn header_lines(headers: &[Header]) -> String {
    let lines: Vec<_> =
        headers.iter().map(|header| format!("{}: {}", header.name().as_str(), header.value())).collect();
    lines.join("\r\n")
}

fn client_certificate(columns: &mut Columns<'_>) -> Result<Option<ClientCertificate>, StoreError> {
    let Some(path) = columns.next::<Option<String>>()? else {
        columns.skip(3);
        return Ok(None);
    };
    let key = columns.next()?;
    let fingerprint: Option<Vec<u8>> = columns.next()?;
    let subject: Option<String> = columns.next()?;
    let certificate = match (fingerprint, subject) {
        (None, None) => ClientCertificate::File { path, key },
        (Some(fingerprint), _) => ClientCertificate::ById { folder: path, fingerprint },
        (None, Some(subject)) => ClientCertificate::ByName { folder: path, subject },
    };
    match certificate.check() {
        Ok(()) => Ok(Some(certificate)),
        Err(wrong) => Err(meaningless("client certificate", wrong)),
    }
}

fn certificate_values(certificate: Option<&ClientCertificate>) -> [Value; 4] {
    match certificate.cloned() {
        None => [const { Value::Null }; 4],
        Some(ClientCertificate::File { path, key }) => [path.into(), key.into(), Value::Null, Value::Null],
        Some(ClientCertificate::ById { folder, fingerprint }) => {
            [folder.into(), Value::Null, fingerprint.into(), Value::Null]
        }
        Some(ClientCertificate::ByName { folder, subject }) => {
            [folder.into(), Value::Null, Value::Null, subject.into()]
        }
    }
}

/// By the numbers BITS gives (`bits.md` §2.1).
fn proxy(columns: &mut Columns<'_>) -> Result<ProxyUse, StoreError> {
    let usage: u32 = columns.next()?;
    let list: Option<String> = columns.next()?;
    let bypass: Option<String> = columns.next()?;
    match (usage, list) {
        (0, _) => Ok(ProxyUse::Preconfigured),
        (1, _) => Ok(ProxyUse::Direct),
        (2, Some(list)) => Ok(ProxyUse::Override { list, bypass: bypass.unwrap_or_default() }),
        (3, _) => Ok(ProxyUse::Autodetect),
        (usage, _) => Err(meaningless("use of a proxy", usage)),
    }
}

fn proxy_values(proxy: &ProxyUse) -> [Value; 3] {
    let number = |number: u32| [number.into(), Value::Null, Value::Null];
    match proxy {
        ProxyUse::Preconfigured => number(0),
        ProxyUse::Direct => number(1),
        ProxyUse::Override { list, bypass } => {
            let bypass = (!bypass.is_empty()).then(|| bypass.clone());
            [2_u32.into(), list.clone().into(), bypass.into()]
        }
        ProxyUse::Autodetect => number(3),
    }
}
