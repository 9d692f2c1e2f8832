//! Which versions of HTTP a server is offered over TLS, and what is known of servers in this respect.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bits_core::remote_name::RemoteName;

use super::http2;
use super::settings::Http2;

/// Servers of which something is remembered.
const SERVERS_MAX: usize = 256;

/// What a server may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    Http1,
    Both,
    Http2,
}

impl Offer {
    /// The names by which TLS knows them, the preferred one first.
    pub(super) fn protocols(self) -> Vec<Vec<u8>> {
        const HTTP_1: &[u8] = b"http/1.1";
        let names: &[&[u8]] = match self {
            Self::Http1 => &[HTTP_1],
            Self::Both => &[http2::ALPN, HTTP_1],
            Self::Http2 => &[http2::ALPN],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }

    /// What the server of `name` is offered, of which `known` is known. `among_many`: other files of
    /// it come at the same time.
    pub(super) fn to(name: &RemoteName, setting: Http2, known: Option<Known>, among_many: bool) -> Self {
        match (setting, known) {
            _ if !name.is_tls() => Self::Http1,
            (Http2::Off, _) | (_, Some(Known::Http1)) => Self::Http1,
            (_, Some(Known::Http2)) => Self::Http2,
            (Http2::On, None) => Self::Both,
            (Http2::Auto, None) if among_many => Self::Both,
            (Http2::Auto, None) => Self::Http1,
        }
    }
}

/// What a server has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It chose HTTP/1.1, requires it, or asks for what proves who one is to a connection.
    Http1,
    /// It speaks nothing else.
    Http2,
}

/// What is known of servers.
#[derive(Debug, Default)]
pub(super) struct Protocols(Mutex<VecDeque<(RemoteName, Known)>>);

impl Protocols {
    pub(super) fn of(&self, name: &RemoteName) -> Option<Known> {
        let servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.iter().find(|(known, _)| known.same_origin(name)).map(|(_, known)| *known)
    }

    /// Remembers something new; the oldest is forgotten for it where there is too much.
    pub(super) fn remember(&self, name: &RemoteName, known: Known) {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.retain(|(other, _)| !other.same_origin(name));
        if servers.len() == SERVERS_MAX {
            servers.pop_front();
        }
        servers.push_back((name.clone(), known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RemoteName {
        RemoteName::stored(text).expect("a URL")
    }

    #[test]
    fn what_is_offered_depends_on_the_setting_the_server_and_how_many_files_come() {
        use Http2::{Auto, Off, On};
        let (tls, plain) = (name("https://h.example/"), name("http://h.example/"));
        for (name, setting, known, among_many, expected) in [
            (&tls, Auto, None, false, Offer::Http1),
            (&tls, Auto, None, true, Offer::Both),
            (&tls, Auto, Some(Known::Http1), true, Offer::Http1),
            (&tls, Auto, Some(Known::Http2), false, Offer::Http2),
            (&tls, On, None, false, Offer::Both),
            (&tls, On, Some(Known::Http1), false, Offer::Http1),
            (&tls, Off, None, true, Offer::Http1),
            (&tls, Off, Some(Known::Http2), true, Offer::Http1),
            (&plain, On, None, true, Offer::Http1),
        ] {
            let found = Offer::to(name, setting, known, among_many);
            assert_eq!(found, expected, "{setting:?} {known:?} {among_many}");
        }
    }

    #[test]
    fn what_was_learnt_last_of_a_server_counts_and_no_more_servers_are_remembered_than_a_few() {
        let protocols = Protocols::default();
        let server = name("https://h.example/a");
        protocols.remember(&server, Known::Http2);
        protocols.remember(&name("https://h.example/b"), Known::Http1);
        assert_eq!(protocols.of(&server), Some(Known::Http1));
        assert_eq!(protocols.of(&name("https://h.example:444/a")), None);
        for port in 1..=SERVERS_MAX {
            protocols.remember(&name(&format!("https://i.example:{port}/")), Known::Http1);
        }
        assert_eq!(protocols.of(&server), None);
    }
}
