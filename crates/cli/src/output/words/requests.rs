//! How the requests of a job are made, in words: only what somebody has said.

use bits_client::api::http_options::{
    AUTODETECT, ClientCertificate, Header, NO_PROXY, OVERRIDE, PRECONFIG, Proxy,
};
use bits_client::api::job::{Environment, Job};

use crate::requests::words as security_words;

/// Names and values, in the order they are told.
pub(super) fn fields(job: &Job) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if job.http_method != "GET" {
        fields.push(("method", job.http_method.clone()));
    }
    if job.custom_headers_write_only {
        fields.push(("headers", "not shown: they can only be replaced".to_owned()));
    }
    for Header { name, value } in job.custom_headers.iter().flatten() {
        fields.push(("header", format!("{name}: {value}")));
    }
    for name in job.secret_headers.iter().flatten() {
        fields.push(("header", format!("{name}: (secret)")));
    }
    if let Some(proxy) = proxy(&job.proxy, job.environment.as_ref()) {
        fields.push(("proxy", proxy));
    }
    if job.use_stored_credentials.is_some() {
        fields.push(("stored", "saved credentials may answer the proxy".to_owned()));
    }
    if job.security_flags != 0 {
        fields.push(("security", security_words(job.security_flags)));
    }
    if let Some(certificate) = certificate(&job.client_certificate) {
        fields.push(("certificate", certificate));
    }
    if job.no_ntlm {
        fields.push(("ntlm", "never".to_owned()));
    }
    if let Some(name) = &job.service_name {
        fields.push(("service name", name.clone()));
    }
    if let Some(cache) = job.environment.as_ref().and_then(|environment| environment.krb5_ccname.clone()) {
        fields.push(("tickets", cache));
    }
    fields
}

fn proxy(proxy: &Proxy, environment: Option<&Environment>) -> Option<String> {
    match proxy.usage.as_str() {
        NO_PROXY => Some("none".to_owned()),
        AUTODETECT => Some("found automatically".to_owned()),
        OVERRIDE => {
            let list = proxy.list.clone().unwrap_or_default();
            Some(match &proxy.bypass {
                Some(bypass) => format!("{list} (not for {bypass})"),
                None => list,
            })
        }
        PRECONFIG => from_environment(environment?),
        // One of a later version, by its own word.
        usage => Some(usage.to_owned()),
    }
}

fn from_environment(environment: &Environment) -> Option<String> {
    let Environment { http_proxy, https_proxy, all_proxy, no_proxy, .. } = environment;
    let named = [(http_proxy, "http"), (https_proxy, "https"), (all_proxy, "all else")];
    let proxies: Vec<String> = named
        .into_iter()
        .filter_map(|(proxy, what)| proxy.as_ref().map(|proxy| format!("{proxy} for {what}")))
        .collect();
    if proxies.is_empty() {
        return None;
    }
    let exceptions = no_proxy.as_ref().map_or_else(String::new, |hosts| format!("; not for {hosts}"));
    Some(format!("{} (from the environment{exceptions})", proxies.join(", ")))
}

fn certificate(certificate: &ClientCertificate) -> Option<String> {
    match certificate {
        ClientCertificate::None => None,
        ClientCertificate::File { path, key: None } => Some(path.clone()),
        ClientCertificate::File { path, key: Some(key) } => Some(format!("{path}, key {key}")),
        ClientCertificate::ById { folder, fingerprint } => {
            Some(format!("the one with fingerprint {fingerprint} in {folder}"))
        }
        ClientCertificate::ByName { folder, subject } => {
            Some(format!("the first one of “{subject}” in {folder}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::words::tests::a_job;

    #[test]
    fn what_nobody_has_said_is_not_told() {
        assert_eq!(fields(&a_job("queued")), []);
        let job = Job { environment: Some(Environment::default()), ..a_job("queued") };
        assert_eq!(fields(&job), []);
    }

    #[test]
    fn all_that_was_said_is_told_but_for_secrets() {
        let text = |text: &str| Some(text.to_owned());
        let job = Job {
            http_method: "REPORT".to_owned(),
            custom_headers: Some(vec![Header { name: "X-A".to_owned(), value: "1".to_owned() }]),
            secret_headers: Some(vec!["Authorization".to_owned()]),
            proxy: Proxy {
                usage: OVERRIDE.to_owned(),
                list: text("http://p:3128"),
                bypass: text("<local> *.test"),
            },
            use_stored_credentials: text("proxy"),
            security_flags: 0x0802,
            client_certificate: ClientCertificate::File { path: "/c/me.pem".to_owned(), key: text("/c/k") },
            no_ntlm: true,
            service_name: text("HTTP/h"),
            environment: Some(Environment { krb5_ccname: text("FILE:/tmp/cc"), ..Environment::default() }),
            ..a_job("queued")
        };
        let told: Vec<String> = fields(&job).iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(
            told,
            [
                "method: REPORT",
                "header: X-A: 1",
                "header: Authorization: (secret)",
                "proxy: http://p:3128 (not for <local> *.test)",
                "stored: saved credentials may answer the proxy",
                "security: ignore-certificate-name, redirect-https-to-http",
                "certificate: /c/me.pem, key /c/k",
                "ntlm: never",
                "service name: HTTP/h",
                "tickets: FILE:/tmp/cc",
            ]
        );
        let hidden = Job { custom_headers: None, custom_headers_write_only: true, ..job };
        assert!(fields(&hidden).contains(&("headers", "not shown: they can only be replaced".to_owned())));
    }

    #[test]
    fn a_proxy_of_the_environment_is_told_as_such() {
        let text = |text: &str| Some(text.to_owned());
        let environment = Environment {
            http_proxy: text("http://p:1"),
            https_proxy: text("http://p:2"),
            no_proxy: text("localhost"),
            ..Environment::default()
        };
        let told = |proxy| fields(&Job { environment: Some(environment.clone()), proxy, ..a_job("queued") });
        let expected = "http://p:1 for http, http://p:2 for https (from the environment; not for localhost)";
        assert_eq!(told(Proxy::default()), [("proxy", expected.to_owned())]);
        let none = Proxy { usage: NO_PROXY.to_owned(), ..Proxy::default() };
        assert_eq!(told(none), [("proxy", "none".to_owned())]);
    }
}
