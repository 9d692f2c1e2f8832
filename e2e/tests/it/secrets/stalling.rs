//! A server that wants a proof and, when it has one, says nothing until it is told to.
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

const PATIENCE: Duration = Duration::from_secs(20);

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

pub(super) struct StallingServer {
    url: String,
    proved: Receiver<()>,
    go: Sender<()>,
}

impl StallingServer {
    pub(super) fn start(scheme: Scheme) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/file", listener.local_addr().expect("an address"));
        let (has_proof, proved) = channel();
        let (go, may_go) = channel();
        let may_go = Arc::new(Mutex::new(may_go));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (has_proof, may_go) = (has_proof.clone(), Arc::clone(&may_go));
                thread::spawn(move || serve(&stream, scheme, &has_proof, &may_go));
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

fn serve(stream: &TcpStream, scheme: Scheme, has_proof: &Sender<()>, may_go: &Mutex<Receiver<()>>) {
    let mut lines = BufReader::new(stream);
    let mut answer = stream;
    loop {
        let Some(authorization) = authorization(&mut lines) else { return };
        let token = authorization.as_deref().and_then(|value| value.split_once(' '));
        let token = token.map(|(_, token)| STANDARD.decode(token).unwrap_or_default());
        let challenge = match (&authorization, token) {
            (None, _) => Some(scheme.challenge().to_owned()),
            (Some(_), token) => scheme.second_challenge(&token.unwrap_or_default()),
        };
        let head = match challenge {
            Some(challenge) => {
                format!("HTTP/1.1 401 U\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n")
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
fn authorization(lines: &mut BufReader<&TcpStream>) -> Option<Option<String>> {
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
            && name.eq_ignore_ascii_case("authorization")
        {
            found = Some(value.to_owned());
        }
    }
}

/// A challenge of NTLM version 2 (MS-NLMP 2.2.1.2): Unicode, extended session security, key
/// exchange, 128 bits; and a domain, a server and a time as target information.
fn ntlm_challenge() -> Vec<u8> {
    const FLAGS: u32 = 0xE289_8215;
    const HEAD_BYTES: u32 = 56;
    let name: Vec<u8> = "DOM".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut info = Vec::new();
    for (kind, value) in
        [(2, name.clone()), (1, name.clone()), (7, vec![1, 2, 3, 4, 5, 6, 7, 1]), (0, Vec::new())]
    {
        info.extend(u16::to_le_bytes(kind));
        info.extend(u16::try_from(value.len()).expect("short").to_le_bytes());
        info.extend(value);
    }
    let field = |length: usize, place: u32| {
        let length = u16::try_from(length).expect("short").to_le_bytes();
        [&length[..], &length, &place.to_le_bytes()].concat()
    };
    [
        b"NTLMSSP\0".to_vec(),
        2u32.to_le_bytes().to_vec(),
        field(name.len(), HEAD_BYTES),
        FLAGS.to_le_bytes().to_vec(),
        vec![1, 2, 3, 4, 5, 6, 7, 8],
        vec![0; 8],
        field(info.len(), HEAD_BYTES + u32::try_from(name.len()).expect("short")),
        vec![10, 0, 0, 0, 0, 0, 0, 15],
        name,
        info,
    ]
    .concat()
}
