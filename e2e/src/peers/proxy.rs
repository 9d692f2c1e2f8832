//! Forward proxies, by squid: one for each way to sign in, and what each was asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::requests::{self, Request};
use super::set::Lines;
use crate::until;

/// How long squid may take to close its side of a connection whose client has gone.
const CLOSE_DEADLINE: Duration = Duration::from_secs(60);

/// How many names a server behind a proxy has, in the file of hosts that `tests/peers/squid` writes.
const NAMES: u32 = 100;

/// The proxies of the machine's own users, `alice` and `bob` with the password `secret`.
#[derive(Debug)]
pub struct Proxies {
    /// Open to everybody.
    pub none: Proxy,
    /// Basic.
    pub basic: Proxy,
    /// Digest (MD5).
    pub digest: Proxy,
    /// Kerberos by Negotiate, for users of [`crate::Kdc`].
    pub negotiate: Proxy,
    /// Negotiate, Digest and Basic.
    pub multi: Proxy,
}

impl Proxies {
    pub(super) fn new(lines: &Lines) -> Self {
        let proxy = |name: &str, log: &str| Proxy::new(lines, "SQUID", name, log);
        Self {
            none: proxy("NONE", "none"),
            basic: proxy("BASIC", "basic"),
            digest: proxy("DIGEST", "digest"),
            negotiate: proxy("NEGOTIATE", "negotiate"),
            multi: proxy("MULTI", "multi"),
        }
    }
}

/// One forward proxy.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    address: String,
    port: String,
    log: PathBuf,
}

impl Proxy {
    pub(super) fn new(lines: &Lines, prefix: &str, name: &str, log: &str) -> Self {
        let url = lines.get(&format!("{prefix}_{name}"));
        let port = url.rsplit(':').next().expect("a text has a last part");
        Self {
            url: url.to_owned(),
            address: format!("127.0.0.1:{port}"),
            port: port.to_owned(),
            log: Path::new(lines.get(&format!("{prefix}_LOGS"))).join(format!("{log}.access.log")),
        }
    }

    /// Its URL, by the name its tickets are for: `http://localhost:17501`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens, as `HOST:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The requests for `target` that are over, from its own log, oldest first: an absolute URL, or
    /// `HOST:PORT` of a tunnel, which is over when both of its ends have closed it. With a query,
    /// `target` is meant exactly; without, with any query. `scheme` and `user` are those of the
    /// proxy, and not of the server behind it.
    #[track_caller]
    pub fn requests(&self, target: &str) -> Vec<Request> {
        until(CLOSE_DEADLINE, "squid closes what its clients have closed", || {
            let table = fs::read_to_string("/proc/net/tcp").expect("this is Linux");
            let mut sockets = table.lines().skip(1);
            (!sockets.any(|socket| waits_to_be_closed(socket, &self.port))).then_some(())
        });
        requests::of(&self.log, &self.address, target)
    }
}

/// Whether a line of the system's table of sockets is one of `port` whose other side has closed it,
/// and this side not yet: a tunnel whose end squid has not logged.
fn waits_to_be_closed(socket: &str, port: &str) -> bool {
    const CLOSE_WAIT: &str = "08";
    let mut fields = socket.split_whitespace().skip(1);
    let local = fields.next().and_then(|address| u16::from_str_radix(address.split_once(':')?.1, 16).ok());
    local.is_some_and(|local| local.to_string() == port) && fields.nth(1) == Some(CLOSE_WAIT)
}

/// `url`, of a server with TLS that is named `localhost`, by a name for it that nobody else uses,
/// so that tunnels to it can be counted while other tests run. Only the proxies know the name;
/// the server's certificate is good for it.
///
/// # Panics
/// When a test process has used up the names there are.
#[track_caller]
pub(super) fn by_unique_name(url: &str) -> String {
    static USED: AtomicU32 = AtomicU32::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    assert!(number < NAMES, "all {NAMES} names for servers behind a proxy are used up");
    url.replacen("//localhost:", &format!("//t{number}.peers.localhost:"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_its_client_alone_has_closed_is_told_from_the_others() {
        for (socket, waits) in [
            ("0: 0100007F:445D 0100007F:C001 08 00000000:00000000", true),
            ("0: 0100007F:445D 0100007F:C001 01 00000000:00000000", false),
            ("0: 0100007F:445E 0100007F:C001 08 00000000:00000000", false),
            ("0: 0100007F:C001 0100007F:445D 08 00000000:00000000", false),
            ("", false),
        ] {
            assert_eq!(waits_to_be_closed(socket, "17501"), waits, "{socket}");
        }
    }
}
