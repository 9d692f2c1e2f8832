//! The peers of the rows: where each is, what it was asked, and who judges the secrets.

use std::fmt;
use std::path::PathBuf;

use bits_e2e::{Domain, Peers, Proxies, Proxy, Request, Server};

use super::rows::Row;

/// Where nobody listens: the discard port.
pub(super) const NOBODY: &str = "127.0.0.1:9";

/// Who has the file, and at which location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Apache(&'static str),
    ApacheTls(&'static str),
    Lighttpd(&'static str),
    /// Apache that asks the domain.
    ApacheAd(&'static str),
    ApacheAdTls(&'static str),
    Nginx,
    NginxTls,
    /// nginx that asks for a certificate.
    NginxMtls,
    Nobody,
}
use Place::*;

/// A proxy on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Via {
    Open,
    Basic,
    Digest,
    Negotiate,
    Multi,
    DomainNegotiate,
    DomainNtlm,
    DomainSpnego,
    DomainMulti,
    Nobody,
}

/// Who keeps the secrets of the accounts, and a log of each time it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authority {
    Kdc,
    Domain,
}

impl Place {
    fn server(self, peers: &Peers) -> Option<&Server> {
        match self {
            Apache(_) | ApacheTls(_) => Some(&peers.apache),
            Lighttpd(_) => Some(&peers.lighttpd),
            ApacheAd(_) | ApacheAdTls(_) => Some(&domain(peers).apache),
            Nginx | NginxTls | NginxMtls => Some(&peers.nginx),
            Nobody => None,
        }
    }

    fn path(self) -> String {
        let location = match self {
            Apache(location)
            | ApacheTls(location)
            | Lighttpd(location)
            | ApacheAd(location)
            | ApacheAdTls(location) => location,
            Nginx | NginxTls | NginxMtls => "files",
            Nobody => "nowhere",
        };
        format!("/{location}/1k.bin")
    }

    fn base(self, peers: &Peers) -> String {
        match self {
            ApacheTls(_) => peers.line("APACHE_TLS_URL").to_owned(),
            ApacheAdTls(_) => domain(peers).line("APACHE_AD_TLS_URL").to_owned(),
            NginxTls => peers.line("NGINX_TLS_URL").to_owned(),
            NginxMtls => peers.line("NGINX_MTLS_URL").to_owned(),
            Nobody => format!("http://{NOBODY}").replace("127.0.0.1", "localhost"),
            Apache(_) | Lighttpd(_) | ApacheAd(_) | Nginx => {
                self.server(peers).expect("somebody is there").url("")
            }
        }
    }

    pub(super) fn is_of_the_domain(self) -> bool {
        matches!(self, ApacheAd(_) | ApacheAdTls(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Apache(location) => write!(f, "apache {location}"),
            ApacheTls(location) => write!(f, "apache {location}, TLS"),
            Lighttpd(location) => write!(f, "lighttpd {location}"),
            ApacheAd(location) => write!(f, "apache {location}"),
            ApacheAdTls(location) => write!(f, "apache {location}, TLS"),
            Nginx => f.write_str("nginx"),
            NginxTls => f.write_str("nginx, TLS"),
            NginxMtls => f.write_str("nginx mTLS"),
            Nobody => f.write_str("nobody"),
        }
    }
}

impl Via {
    fn proxy(self, peers: &Peers) -> Option<&Proxy> {
        match self {
            Self::Open => Some(&proxies(peers).none),
            Self::Basic => Some(&proxies(peers).basic),
            Self::Digest => Some(&proxies(peers).digest),
            Self::Negotiate => Some(&proxies(peers).negotiate),
            Self::Multi => Some(&proxies(peers).multi),
            Self::DomainNegotiate => Some(&domain(peers).negotiate),
            Self::DomainNtlm => Some(&domain(peers).ntlm),
            Self::DomainSpnego => Some(&domain(peers).spnego),
            Self::DomainMulti => Some(&domain(peers).multi),
            Self::Nobody => None,
        }
    }

    pub(super) fn url(self, peers: &Peers) -> String {
        self.proxy(peers).map_or_else(|| format!("http://{NOBODY}"), |proxy| proxy.url().to_owned())
    }

    pub(super) fn is_of_the_domain(self) -> bool {
        matches!(self, Self::DomainNegotiate | Self::DomainNtlm | Self::DomainSpnego | Self::DomainMulti)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "squid",
            Self::Basic => "squid basic",
            Self::Digest => "squid digest",
            Self::Negotiate => "squid negotiate",
            Self::Multi => "squid multi",
            Self::DomainNegotiate => "squid negotiate-ad",
            Self::DomainNtlm => "squid ntlm-ad",
            Self::DomainSpnego => "squid spnego-ad",
            Self::DomainMulti => "squid multi-ad",
            Self::Nobody => "nobody",
        })
    }
}

impl Authority {
    /// What it said each time it was asked about the account.
    pub(super) fn sign_ins(self, peers: &Peers, name: &str) -> Vec<String> {
        match self {
            Self::Kdc => peers.kdc.sign_ins(name),
            Self::Domain => domain(peers).sign_ins(name).into_iter().map(|each| each.status).collect(),
        }
    }
}

/// The name of the account alone, of `DOMAIN\name` or `name@realm`.
pub(super) fn account_name(user: &str) -> String {
    let name = user.rsplit('\\').next().expect("a text has a last part");
    name.split('@').next().expect("a text has a first part").to_owned()
}

/// Where the KDC of a row is told of.
pub(super) fn kerberos_config(peers: &Peers, row: &Row) -> PathBuf {
    match row.needs_domain() {
        true => domain(peers).config().to_owned(),
        false => peers.kdc.config().to_owned(),
    }
}

/// What one row asks for, in the words of the logs.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) url: String,
    target: String,
    /// What the proxy calls it.
    proxied: String,
    place: Place,
    proxy: Option<Via>,
}

impl Asked {
    pub(super) fn by(peers: &Peers, row: &Row) -> Self {
        let target = match row.server.server(peers) {
            Some(server) => server.unique(&row.server.path()),
            None => peers.nginx.unique(&row.server.path()),
        };
        let base = row.server.base(peers);
        let (url, proxied) = if row.proxy.is_some() && base.starts_with("https://") {
            peers.tunnelled_to(&base, &target)
        } else {
            let url = format!("{base}{target}");
            (url.clone(), url)
        };
        Self { url, target, proxied, place: row.server, proxy: row.proxy }
    }

    pub(super) fn at_server(&self, peers: &Peers) -> Vec<Request> {
        self.place.server(peers).map(|server| server.requests(&self.target)).unwrap_or_default()
    }

    pub(super) fn at_proxy(&self, peers: &Peers) -> Vec<Request> {
        let proxy = self.proxy.and_then(|proxy| proxy.proxy(peers));
        proxy.map(|proxy| proxy.requests(&self.proxied)).unwrap_or_default()
    }

    /// The file, where there is a server that has it.
    pub(super) fn content(&self, peers: &Peers) -> Option<PathBuf> {
        self.place.server(peers).map(|server| server.file("1k.bin"))
    }
}

fn proxies(peers: &Peers) -> &Proxies {
    peers.proxies().expect("rows that need them are left out where there are none")
}

pub(super) fn domain(peers: &Peers) -> &Domain {
    peers.domain().expect("rows that need it are left out where there is none")
}
