//! What KDCs answered, kept for a while, so that further connections of an attempt cost them no
//! further questions.
//!
//! The library asks anew for every connection and has no cache of its own. But a KDC's answers are
//! sealed, and it opens them with what it makes of the password, so that they can be given to it
//! again: it compares no answer with the number in its question. Nothing kept here is a secret;
//! whoever has it and not the password has nothing.
//!
//! It does not look at the time in a server's proof either, so that one and the same ticket would take
//! an old proof for a new one. Where a proof is insisted on, tickets are therefore not kept.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::Client;
use crate::auth::krb_message::RequestKind;

/// How long answers are kept. Their real end is sealed; sites hardly make it shorter than this.
const AGE_MAX: Duration = Duration::from_secs(5 * 60);
/// Users whose tickets are kept. A job has one for the server and one for the proxy.
const USERS_MAX: usize = 8;
/// Services kept for one user: the hosts of a job's files.
const SERVICES_MAX: usize = 32;

/// Kerberos tickets that can be used for several connections. Clones share them.
#[derive(Clone, Default)]
pub struct Tickets(Arc<Mutex<Vec<User>>>);

struct User {
    client: Client,
    since: Instant,
    logon: Vec<Exchange>,
    /// By the names of the services.
    services: Vec<(String, Vec<Exchange>)>,
}

/// A question to a KDC, and its answer as the library takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) kind: RequestKind,
    pub(super) realm: String,
    pub(super) reply: Vec<u8>,
}

impl Tickets {
    /// Whether there is anything for `client`.
    pub(super) fn has(&self, client: &Client) -> bool {
        self.users().iter().any(|user| user.client == *client)
    }

    /// The answers for `client`, in the order of the questions: to its logon, and if it has asked for
    /// `service` before, to that.
    pub(super) fn answers(&self, client: &Client, service: &str) -> Vec<Exchange> {
        let users = self.users();
        let Some(user) = users.iter().find(|user| user.client == *client) else { return Vec::new() };
        let known = user.services.iter().find(|(name, _)| name == service);
        user.logon.iter().chain(known.iter().flat_map(|(_, exchanges)| exchanges)).cloned().collect()
    }

    /// Keeps what has led to a ticket for `service`. Answers about a service belong to one logon and
    /// cannot be opened with the key of another.
    pub(super) fn keep(&self, client: &Client, service: &str, exchanges: Vec<Exchange>) {
        let (logon, about_service): (Vec<_>, Vec<_>) =
            exchanges.into_iter().partition(|exchange| exchange.kind == RequestKind::Logon);
        let mut users = self.users();
        let at = match users.iter().position(|user| user.client == *client && user.logon == logon) {
            Some(at) => at,
            None => {
                users.retain(|user| user.client != *client);
                if users.len() >= USERS_MAX {
                    users.remove(0);
                }
                let since = Instant::now();
                users.push(User { client: client.clone(), since, logon, services: Vec::new() });
                users.len() - 1
            }
        };
        let services = &mut users[at].services;
        services.retain(|(name, _)| name != service);
        if services.len() >= SERVICES_MAX {
            services.remove(0);
        }
        services.push((service.to_owned(), about_service));
    }

    /// Drops what is kept for `client`, because it did not serve.
    pub(super) fn forget(&self, client: &Client) {
        self.users().retain(|user| user.client != *client);
    }

    /// What is kept and not too old.
    fn users(&self) -> MutexGuard<'_, Vec<User>> {
        let mut users = self.0.lock().expect("nobody panics while holding tickets");
        users.retain(|user| user.since.elapsed() < AGE_MAX);
        users
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tickets")
    }
}

/// What is kept does not count when settings are compared.
impl PartialEq for Tickets {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Tickets {}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> Client {
        Client { name: name.to_owned(), realm: "EXAMPLE.TEST".to_owned() }
    }

    fn exchange(kind: RequestKind, reply: &str) -> Exchange {
        Exchange { kind, realm: "EXAMPLE.TEST".to_owned(), reply: reply.as_bytes().to_vec() }
    }

    fn logon(reply: &str) -> Exchange {
        exchange(RequestKind::Logon, reply)
    }

    fn service(reply: &str) -> Exchange {
        exchange(RequestKind::Service, reply)
    }

    #[tokio::test(start_paused = true)]
    async fn tickets_serve_for_some_minutes() {
        let tickets = Tickets::default();
        tickets.clone().keep(&client("alice"), "HTTP/a", vec![logon("1"), service("2")]);
        assert!(tickets.has(&client("alice")) && !tickets.has(&client("bob")));
        assert_eq!(tickets.answers(&client("alice"), "HTTP/a"), [logon("1"), service("2")]);
        assert_eq!(tickets.answers(&client("alice"), "HTTP/b"), [logon("1")]);
        tokio::time::advance(AGE_MAX).await;
        assert_eq!(tickets.answers(&client("alice"), "HTTP/a"), []);
    }

    #[tokio::test(start_paused = true)]
    async fn answers_about_services_go_with_their_logon() {
        let tickets = Tickets::default();
        let alice = client("alice");
        tickets.keep(&alice, "HTTP/a", vec![logon("1"), service("2")]);
        tickets.keep(&alice, "HTTP/b", vec![logon("1"), service("3")]);
        assert_eq!(tickets.answers(&alice, "HTTP/a"), [logon("1"), service("2")]);
        tickets.keep(&alice, "HTTP/b", vec![logon("4"), service("5")]);
        assert_eq!(tickets.answers(&alice, "HTTP/a"), [logon("4")]);
        assert_eq!(tickets.answers(&alice, "HTTP/b"), [logon("4"), service("5")]);
        tickets.forget(&alice);
        assert!(!tickets.has(&alice));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_is_kept_than_a_job_needs() {
        let tickets = Tickets::default();
        for number in 0..USERS_MAX + 1 {
            tickets.keep(&client(&number.to_string()), "HTTP/a", vec![logon("1")]);
        }
        assert!(!tickets.has(&client("0")) && tickets.has(&client("1")));
        for number in 0..SERVICES_MAX + 1 {
            tickets.keep(&client("1"), &number.to_string(), vec![logon("1"), service("2")]);
        }
        assert_eq!(tickets.answers(&client("1"), "0"), [logon("1")]);
        assert_eq!(tickets.answers(&client("1"), "1"), [logon("1"), service("2")]);
    }
}
