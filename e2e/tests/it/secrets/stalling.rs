//! A server, or a proxy, that wants a proof and, when it has one, says nothing until it is told to.
//!
//! It looks at no proof; how proofs are judged is tested against real servers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bits_testkit::ntlm_challenge;

const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Digest,
    Ntlm,
    /// By NTLM within it.
    Negotiate,
}

impl Scheme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::Ntlm => "ntlm",
            Self::Negotiate => "negotiate",
        }
    }

    /// What it says to a request without a proof.
    fn challenge(self) -> &'static str {
        match self {
            Self::Basic => "Basic realm=\"r\"",
            Self::Digest => "Digest realm=\"r\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256",
            Self::Ntlm => "NTLM",
            Self::Negotiate => "Negotiate",
        }
    }

    /// What it says to the first of two messages; nothing when there is one.
    fn second_challenge(self, token: &[u8]) -> Option<String> {
        let is_first = |token: &[u8]| token.get(8) == Some(&1);
        match self {
            Self::Ntlm if is_first(token) => Some(format!("NTLM {}", STANDARD.encode(ntlm_challenge()))),
            Self::Negotiate if token.starts_with(b"NTLMSSP\0") && is_first(token) => {
                Some(format!("Negotiate {}", STANDARD.encode(ntlm_challenge())))
            }
            _ => None,
        }
    }
}

/// The words in which it asks.
#[derive(Debug, Clone, Copy)]
struct Words {
    status: &'static str,
    challenge: &'static str,
    /// In lower case.
    proof: &'static str,
}

const SERVERS: Words = Words { status: "401 U", challenge: "WWW-Authenticate", proof: "authorization" };
const PROXIES: Words =
    Words { status: "407 P", challenge: "Proxy-Authenticate", proof: "proxy-authorization" };

pub(super) struct StallingServer {
    url: String,
    proved: Receiver<()>,
    go: Sender<()>,
}

impl StallingServer {
    pub(super) fn start(scheme: Scheme) -> Self {
        Self::start_asking(scheme, SERVERS)
    }

    /// A proxy; it has every file itself.
    pub(super) fn start_proxy(scheme: Scheme) -> Self {
        Self::start_asking(scheme, PROXIES)
    }

    fn start_asking(scheme: Scheme, words: Words) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/file", listener.local_addr().expect("an address"));
        let (has_proof, proved) = channel();
        let (go, may_go) = channel();
        let may_go = Arc::new(Mutex::new(may_go));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (has_proof, may_go) = (has_proof.clone(), Arc::clone(&may_go));
                thread::spawn(move || serve(&stream, scheme, words, &has_proof, &may_go));
            }
        });
        Self { url, proved, go }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until somebody has proved who they are.
    pub(super) fn wait_until_proved(&self) {
        self.proved.recv_timeout(PATIENCE).expect("a request with a proof comes");
    }

    /// Lets it answer.
    pub(super) fn go_on(&self) {
        // Nobody waits any more after a cancelled job.
        let _ = self.go.send(());
    }
}

fn serve(
    stream: &TcpStream,
    scheme: Scheme,
    words: Words,
    has_proof: &Sender<()>,
    may_go: &Mutex<Receiver<()>>,
) {
    let mut lines = BufReader::new(stream);
    let mut answer = stream;
    loop {
        let Some(authorization) = proof_in_head(&mut lines, words.proof) else { return };
        let token = authorization.as_deref().and_then(|value| value.split_once(' '));
        let token = token.map(|(_, token)| STANDARD.decode(token).unwrap_or_default());
        let challenge = match (&authorization, token) {
            (None, _) => Some(scheme.challenge().to_owned()),
            (Some(_), token) => scheme.second_challenge(&token.unwrap_or_default()),
        };
        let head = match challenge {
            Some(challenge) => {
                let Words { status, challenge: field, .. } = words;
                format!("HTTP/1.1 {status}\r\n{field}: {challenge}\r\nContent-Length: 0\r\n\r\n")
            }
            None => {
                let _ = has_proof.send(());
                let told = may_go.lock().expect("no thread panics").recv_timeout(PATIENCE);
                if told.is_err() {
                    return;
                }
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_owned()
            }
        };
        if answer.write_all(head.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads the head of a request; its proof, if it has one. Nothing when there is no request any more.
#[expect(clippy::option_option, reason = "no request, or one without a proof")]
fn proof_in_head(lines: &mut BufReader<&TcpStream>, field: &str) -> Option<Option<String>> {
    let mut found = None;
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Some(found);
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case(field)
        {
            found = Some(value.to_owned());
        }
    }
}
