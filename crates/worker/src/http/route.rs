//! How a connection leads to a server, and by what name each end is called in a sentence.

use std::fmt;

use bits_core::proxy::ProxyAddress;
use bits_core::remote_name::RemoteName;

/// The way from here to the server of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Direct,
    /// The proxy reads each request and sends it on: plain http.
    Forwarded(ProxyAddress),
    /// The proxy passes bytes on without reading them: TLS to the server inside.
    Tunnelled(ProxyAddress),
}

impl Route {
    /// The proxy that reads the requests on this way.
    pub(super) fn reader(&self) -> Option<&ProxyAddress> {
        match self {
            Self::Forwarded(proxy) => Some(proxy),
            Self::Direct | Self::Tunnelled(_) => None,
        }
    }

    /// What the server of `name` is called in a sentence.
    pub(super) fn shown(&self, name: &RemoteName) -> String {
        match self {
            Self::Direct => name.authority(),
            Self::Forwarded(proxy) | Self::Tunnelled(proxy) => {
                format!("{} (by the proxy {proxy})", name.authority())
            }
        }
    }
}

/// Where a connection of TCP goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Server(&'a RemoteName),
    Proxy(&'a ProxyAddress),
}

impl Place<'_> {
    pub(super) fn is_tls(&self) -> bool {
        match self {
            Self::Server(name) => name.is_tls(),
            Self::Proxy(proxy) => proxy.is_tls(),
        }
    }

    pub(super) fn host(&self) -> &str {
        match self {
            Self::Server(name) => name.host(),
            Self::Proxy(proxy) => proxy.host(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Server(name) => name.port(),
            Self::Proxy(proxy) => proxy.port(),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(name) => f.write_str(&name.authority()),
            Self::Proxy(proxy) => write!(f, "the proxy {proxy}"),
        }
    }
}
