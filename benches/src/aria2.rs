//! aria2 as a queue: its own remote interface, with its session saved as often as it can be.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::http::Connection;

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// aria2 with a queue in `home`; killed when dropped.
pub(crate) struct Aria2 {
    home: PathBuf,
    address: SocketAddr,
    child: Child,
}

impl Aria2 {
    /// None where it is not installed.
    pub(crate) fn start(home: &Path) -> Result<Option<Self>, String> {
        if Command::new("aria2c").arg("--version").stdout(Stdio::null()).status().is_err() {
            return Ok(None);
        }
        // Whoever lets a port go gets it again, as a rule.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
        let address = free.map_err(|error| error.to_string())?;
        let session = home.join("aria2.session");
        if !session.exists() {
            std::fs::write(&session, "").map_err(|error| error.to_string())?;
        }
        let mut command = Command::new("aria2c");
        command
            .args(["--no-conf", "--enable-rpc", "--save-session-interval=1", "--quiet"])
            // Downloads whose server says nothing stay for as long as this is looked at.
            .args(["--timeout=600", "--max-tries=0"])
            .arg(format!("--rpc-listen-port={}", address.port()))
            .arg(format!("--dir={}", home.display()))
            .arg(format!("--save-session={}", session.display()))
            .arg(format!("--input-file={}", session.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("aria2c: {error}"))?;
        let aria2 = Self { home: home.into(), address, child };
        let deadline = Instant::now() + PATIENCE;
        while Connection::to_address(address).is_err() {
            if Instant::now() > deadline {
                return Err("aria2c does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Some(aria2))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Result<Connection, String> {
        Connection::to_address(self.address)
    }

    /// Adds a download, which waits behind the five that it runs at a time; the id that the answer gives it.
    pub(crate) fn add(&self, connection: &mut Connection, url: &str) -> Result<String, String> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":"1","method":"aria2.addUri","params":[["{url}"]]}}"#);
        let answer = connection.ask("POST", "/jsonrpc", &body)?;
        ids(&answer, "result").next().ok_or_else(|| format!("aria2 gave no id: {answer}"))
    }

    /// The ids of all downloads it has, whatever became of them.
    pub(crate) fn downloads(&self) -> Result<HashSet<String>, String> {
        let mut connection = self.connect()?;
        let mut all = HashSet::new();
        for (method, page) in
            [("tellActive", ""), ("tellWaiting", "0,1000000,"), ("tellStopped", "0,1000000,")]
        {
            let body =
                format!(r#"{{"jsonrpc":"2.0","id":"1","method":"aria2.{method}","params":[{page}["gid"]]}}"#);
            all.extend(ids(&connection.ask("POST", "/jsonrpc", &body)?, "gid"));
        }
        Ok(all)
    }

    /// Ends it as a crash would, and starts it again with what it had saved.
    pub(crate) fn crash(self) -> Result<Self, String> {
        let home = self.home.clone();
        drop(self);
        Self::start(&home)?.ok_or_else(|| "aria2c is gone".to_owned())
    }
}

impl Drop for Aria2 {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The texts that are called `name` in an answer of aria2, which writes them without blanks.
fn ids(answer: &str, name: &str) -> impl Iterator<Item = String> {
    let before = format!("\"{name}\":\"");
    let values = answer.split(&before).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(str::to_owned).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_where_they_stand() {
        let added = r#"{"id":"1","jsonrpc":"2.0","result":"2089b05ecca3d829"}"#;
        assert_eq!(ids(added, "result").collect::<Vec<_>>(), ["2089b05ecca3d829"]);
        let waiting = r#"{"id":"1","jsonrpc":"2.0","result":[{"gid":"a1"},{"gid":"b2"}]}"#;
        assert_eq!(ids(waiting, "gid").collect::<Vec<_>>(), ["a1", "b2"]);
        assert_eq!(ids(r#"{"result":[]}"#, "gid").count(), 0);
    }
}
