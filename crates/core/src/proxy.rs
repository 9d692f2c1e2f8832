//! Through which proxies a request goes (`bits.md` §6.7): what the owner has said of the job, the
//! proxy variables of the owner's environment, and the settings, as one list of rules.
//!
//! Nobody is asked here: there is no auto-detection, and whether a proxy answers is the worker's
//! affair. User names and passwords of proxies are credentials and have no place in these texts.

mod exception;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;

use url::Url;

use self::exception::Exception;
use crate::conditions::Way;
use crate::error::{Code, ErrorContext, JobError};
use crate::http_options::{ProxyEnvironment, ProxyUse};
use crate::remote_name::{RemoteName, is_loopback};

/// Where a proxy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyAddress {
    is_tls: bool,
    host: String,
    port: u16,
    is_local: bool,
}

impl ProxyAddress {
    /// Reads `[http://|https://]host[:port]`, which may end in a slash. Without a port it is the
    /// protocol's own.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong, to be put after the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        let whole = match text.split_once("://") {
            Some((protocol, _)) if is_one_of(protocol, &["http", "https"]) => text.to_owned(),
            Some((protocol, _)) if protocol.to_ascii_lowercase().starts_with("socks") => {
                return Err("is a SOCKS proxy, which is not served");
            }
            Some(_) => return Err("is reached by a protocol that no proxy here speaks"),
            None => format!("http://{text}"),
        };
        let url = Url::parse(&whole).map_err(|_| "is no address of a proxy")?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a user name in it, which belongs among the credentials for the proxy");
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("has more in it than a host and a port");
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?.to_owned();
        let port = url.port_or_known_default().expect("http and https have default ports");
        let is_local = url.host().is_some_and(|host| is_loopback(&host));
        Ok(Self { is_tls: url.scheme() == "https", host, port, is_local })
    }

    /// Whether the proxy itself is spoken to over TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The host, in lower case, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// `host:port`, always with the port: proxies have no usual one.
impl fmt::Display for ProxyAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Which proxies there are for which requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProxyRules {
    entries: Vec<Entry>,
    exceptions: Vec<Exception>,
}

/// A proxy, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    requests: Requests,
    proxy: ProxyAddress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    All,
    Http,
    Https,
}

/// Why it cannot be said which proxies there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    #[error("`{text}` in {place} {why}; a proxy is written [http=|https=][http://|https://]server[:port]")]
    Proxy { place: &'static str, text: String, why: &'static str },
    #[error("`{text}` in {place} {why}; write names, addresses, *.names or <local>, with spaces between")]
    Bypass { place: &'static str, text: String, why: &'static str },
    #[error("a proxy is to be used and {place} names none")]
    Empty { place: &'static str },
    #[error("proxies cannot be detected here; name one, or use none")]
    Autodetect,
}

impl From<ProxyError> for JobError {
    fn from(error: ProxyError) -> Self {
        Self {
            code: match error {
                ProxyError::Autodetect => Code::PROXY_AUTODETECT_FAILED,
                ProxyError::Proxy { .. } | ProxyError::Bypass { .. } | ProxyError::Empty { .. } => {
                    Code::INVALID_PROXY_INFO
                }
            },
            context: ErrorContext::GeneralTransport,
            transient: false,
            message: error.to_string(),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        }
    }
}

impl ProxyRules {
    /// The rules of a job. Where the job has none of its own, `environment` counts if it names a
    /// proxy, else `settings`.
    ///
    /// # Errors
    /// [`ProxyError`]. What is wrong in a list of hosts that need no proxy is an error in the job's
    /// own, and passed over in an environment, as everybody does who reads that.
    pub fn new(
        proxy: &ProxyUse,
        environment: &ProxyEnvironment,
        settings: &ProxyEnvironment,
    ) -> Result<Self, ProxyError> {
        match proxy {
            ProxyUse::Direct => Ok(Self::default()),
            ProxyUse::Autodetect => Err(ProxyError::Autodetect),
            ProxyUse::Override { list, bypass } => Self::of_lists(list, bypass),
            ProxyUse::Preconfigured => {
                let names_one = |known: &ProxyEnvironment| {
                    [&known.http, &known.https, &known.all]
                        .into_iter()
                        .flatten()
                        .any(|text| !text.trim().is_empty())
                };
                Self::of_variables(if names_one(environment) { environment } else { settings })
            }
        }
    }

    /// By what way the requests of a job go, as far as it is known without the settings.
    pub fn way(proxy: &ProxyUse, environment: &ProxyEnvironment) -> Way {
        if *proxy == ProxyUse::Preconfigured && *environment == ProxyEnvironment::default() {
            return Way::OfSettings;
        }
        match Self::new(proxy, environment, &ProxyEnvironment::default()) {
            Ok(rules) if rules.are_local() => Way::LocalProxy,
            Ok(rules) if rules.entries.is_empty() && *proxy == ProxyUse::Preconfigured => Way::OfSettings,
            Ok(_) | Err(_) => Way::Network,
        }
    }

    /// Whether there are proxies, and all of them are on this machine.
    pub fn are_local(&self) -> bool {
        !self.entries.is_empty() && self.entries.iter().all(|entry| entry.proxy.is_local)
    }

    /// The proxies for `name`, to be tried in this order; none means the server itself.
    pub fn proxies_for(&self, name: &RemoteName) -> Vec<&ProxyAddress> {
        if self.exceptions.iter().any(|exception| exception.covers(name.host())) {
            return Vec::new();
        }
        let is_meant = |entry: &&Entry| match entry.requests {
            Requests::All => true,
            Requests::Http => !name.is_tls(),
            Requests::Https => name.is_tls(),
        };
        self.entries.iter().filter(is_meant).map(|entry| &entry.proxy).collect()
    }

    fn of_lists(list: &str, bypass: &str) -> Result<Self, ProxyError> {
        let place = "the list of proxies";
        let mut is_empty = true;
        let mut entries = Vec::new();
        for text in items(list) {
            is_empty = false;
            let failed = |why| ProxyError::Proxy { place, text: without_user_info(text), why };
            let (requests, address) = match text.split_once('=') {
                None => (Requests::All, text),
                Some((protocol, address)) if is_one_of(protocol, &["http"]) => (Requests::Http, address),
                Some((protocol, address)) if is_one_of(protocol, &["https"]) => (Requests::Https, address),
                // Lists that Windows shows have one for each protocol; those for others mean nothing.
                Some((protocol, _)) if is_one_of(protocol, &["ftp", "socks"]) => continue,
                Some(_) => return Err(failed("is for a protocol that is not known")),
            };
            entries.push(Entry { requests, proxy: ProxyAddress::parse(address).map_err(failed)? });
        }
        if is_empty {
            return Err(ProxyError::Empty { place });
        }
        let exception = |text: &str| {
            Exception::in_bypass_list(text).map_err(|why| ProxyError::Bypass {
                place: "the list of hosts that need no proxy",
                text: text.to_owned(),
                why,
            })
        };
        let exceptions = items(bypass).map(exception).collect::<Result<_, _>>()?;
        Ok(Self { entries, exceptions })
    }

    fn of_variables(known: &ProxyEnvironment) -> Result<Self, ProxyError> {
        let address = |place, text: &Option<String>| {
            let Some(text) = text.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
                return Ok(None);
            };
            let failed = |why| ProxyError::Proxy { place, text: without_user_info(text), why };
            ProxyAddress::parse(text).map(Some).map_err(failed)
        };
        let http = address("http_proxy", &known.http)?;
        let https = address("https_proxy", &known.https)?;
        let all = address("all_proxy", &known.all)?;
        let entry = |requests, proxy: Option<ProxyAddress>| {
            proxy.or_else(|| all.clone()).map(|proxy| Entry { requests, proxy })
        };
        let entries = entry(Requests::Http, http).into_iter().chain(entry(Requests::Https, https)).collect();
        let exceptions = known.none_for.as_deref().unwrap_or_default();
        let exceptions = exceptions.split(|c: char| c == ',' || c.is_whitespace());
        let exceptions = exceptions.filter_map(Exception::in_variable).collect();
        Ok(Self { entries, exceptions })
    }
}

/// The items of a list: apart by spaces, and by semicolons where it was copied from Windows.
fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ';' || c.is_whitespace()).filter(|item| !item.is_empty())
}

fn is_one_of(protocol: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(protocol))
}

/// `text` without what may be a password, for a message.
fn without_user_info(text: &str) -> String {
    match text.rfind('@') {
        Some(at) => ["…", &text[at..]].concat(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
