//! A name server that knows the KDCs, for clients whose configuration names none.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::set::Lines;

/// The name server: `_kerberos._tcp.REALM` and `_kerberos._udp.REALM` of the KDC's realm, the first
/// KDC before the second.
#[derive(Debug)]
pub struct NameServer {
    lines: Lines,
}

impl NameServer {
    pub(super) fn new(lines: Lines) -> Self {
        Self { lines }
    }

    /// A client's `KRB5_CONFIG`, which has the realm and no KDC.
    pub fn config(&self) -> &Path {
        Path::new(self.lines.get("DNS_KRB5_CONFIG"))
    }

    /// The words for [`crate::Run::through`] that make a program, and whatever it starts, ask this
    /// name server: it sees another `/etc/resolv.conf`.
    pub fn words(&self) -> [OsString; 6] {
        let script = r#"mount --bind "$0" /etc/resolv.conf && exec "$@""#;
        ["unshare", "--mount", "sh", "-c", script, self.lines.get("DNS_RESOLV_CONF")].map(Into::into)
    }

    /// The lines of its log that have `text` in them, oldest first:
    /// `query[SRV] _kerberos._tcp.EXAMPLE.TEST from 127.0.0.1`.
    pub fn log_lines(&self, text: &str) -> Vec<String> {
        let log = fs::read_to_string(self.lines.get("DNS_LOG")).unwrap_or_default();
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}
