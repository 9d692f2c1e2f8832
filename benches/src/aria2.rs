//! aria2 as a queue: its own remote interface, with its session saved as often as it can be.

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
            .args(["--no-conf", "--enable-rpc", "--pause=true", "--save-session-interval=1", "--quiet"])
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

    /// Adds a download that waits.
    pub(crate) fn add(&self, connection: &mut Connection, url: &str) -> Result<(), String> {
        let body = format!(r#"{{"jsonrpc":"2.0","id":"1","method":"aria2.addUri","params":[["{url}"]]}}"#);
        connection.ask("POST", "/jsonrpc", &body).map(drop)
    }

    /// How many downloads it has.
    pub(crate) fn count(&self) -> Result<usize, String> {
        let body = r#"{"jsonrpc":"2.0","id":"1","method":"aria2.getGlobalStat","params":[]}"#;
        let answer = self.connect()?.ask("POST", "/jsonrpc", body)?;
        let number = answer.split("\"numWaiting\":\"").nth(1).and_then(|rest| rest.split('"').next());
        number.and_then(|digits| digits.parse().ok()).ok_or(answer)
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
