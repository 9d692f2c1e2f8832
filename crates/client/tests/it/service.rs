//! A service that answers from a script, one request after the other.

use std::future::pending;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::vec::IntoIter;

use bits_client::{Client, ConnectOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Such as `GET /v1/jobs?limit=1`.
    pub(crate) line: String,
    /// Its headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// The number of the connection it came over, from 0; those that asked nothing count.
    pub(crate) connection: usize,
}

/// What to do with a connection once its request has been read.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Answer(u16, Value),
    /// The same, and the connection stays for the next request.
    AnswerAndStay(u16, Value),
    /// The same, and the connection ends as soon as another request has come over it.
    AnswerAndLeave(u16, Value),
    /// Sends this in chunks, and ends the stream in good order.
    Stream(Vec<&'static str>),
    /// Sends this in chunks, and the stream goes on.
    KeepStream(Vec<&'static str>),
    /// Sends this in chunks, and cuts the stream off in the middle.
    CutStream(Vec<&'static str>),
    /// Leaves without an answer.
    BreakOff,
}

/// The scripted service. The last act is repeated.
pub(crate) struct Service {
    pub(crate) folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Service {
    pub(crate) fn acting(acts: Vec<Act>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("s")).expect("a socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, acts, Arc::clone(&asked)));
        Self { folder, asked }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(at(&self.socket())).await.expect("the service answers")
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics in there").clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

pub(crate) fn at(socket: &Path) -> ConnectOptions {
    ConnectOptions::new().variable("BITS_SOCKET", socket)
}

/// What is left of the script, and what was asked.
#[derive(Clone)]
struct Script {
    acts: Arc<Mutex<Peekable<IntoIter<Act>>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn serve(listener: UnixListener, acts: Vec<Act>, asked: Arc<Mutex<Vec<Asked>>>) {
    let script = Script { acts: Arc::new(Mutex::new(acts.into_iter().peekable())), asked };
    for connection in 0.. {
        let (stream, _) = listener.accept().await.expect("the socket stays");
        tokio::spawn(serve_one(stream, connection, script.clone()));
    }
}

async fn serve_one(mut stream: UnixStream, connection: usize, script: Script) {
    // A client that only looks whether somebody is there asks nothing.
    while let Some(request) = read(&mut stream, connection).await {
        script.asked.lock().expect("no test panics in there").push(request);
        let act = {
            let mut acts = script.acts.lock().expect("no test panics in there");
            let act = acts.next().expect("there is an act");
            if acts.peek().is_none() {
                *acts = vec![act.clone()].into_iter().peekable();
            }
            act
        };
        perform(&mut stream, &act).await;
        match act {
            Act::AnswerAndStay(..) => {}
            Act::KeepStream(_) => pending().await,
            Act::AnswerAndLeave(..) => {
                let _ = read(&mut stream, connection).await;
                return;
            }
            _ => return,
        }
    }
}

async fn read(stream: &mut UnixStream, connection: usize) -> Option<Asked> {
    let mut bytes = Vec::new();
    let head_ends = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_ends].to_vec()).expect("heads are text");
    let mut lines = head.split("\r\n");
    let line = lines.next()?.strip_suffix(" HTTP/1.1")?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, value)| value.parse().expect("a number"));
    let mut body = bytes.split_off(head_ends + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Asked { line, headers, body: String::from_utf8(body).expect("bodies are text"), connection })
}

async fn perform(stream: &mut UnixStream, act: &Act) {
    let text = match act {
        Act::BreakOff => return,
        Act::Answer(status, Value::Null)
        | Act::AnswerAndStay(status, Value::Null)
        | Act::AnswerAndLeave(status, Value::Null) => {
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n")
        }
        Act::Answer(status, body) | Act::AnswerAndStay(status, body) | Act::AnswerAndLeave(status, body) => {
            let body = body.to_string();
            format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        }
        Act::Stream(pieces) => chunked(pieces) + "0\r\n\r\n",
        Act::KeepStream(pieces) | Act::CutStream(pieces) => chunked(pieces),
    };
    // A client that has left does not mind.
    let _ = stream.write_all(text.as_bytes()).await;
}

fn chunked(pieces: &[&str]) -> String {
    let mut text = "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for piece in pieces {
        text.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
    }
    text
}

pub(crate) const ID: &str = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";

pub(crate) fn job(state: &str) -> Value {
    json!({
        "id": ID, "revision": 1, "display_name": "n", "description": "", "type": "download",
        "state": state, "priority": "normal", "owner": { "id": "1000", "name": "anna" },
        "progress": {
            "bytes_total": null, "bytes_transferred": 0, "files_total": 0, "files_transferred": 0
        },
        "times": { "created": "1970-01-01T00:00:00.000Z", "modified": "1970-01-01T00:00:00.000Z",
            "transfer_completed": null },
        "error": null, "error_count": 0, "wait": null, "minimum_retry_delay": null,
        "no_progress_timeout": 1_209_600, "complete_when_done": false
    })
}

pub(crate) fn answered(state: &str) -> Value {
    json!({ "job": job(state), "outcome": null })
}

pub(crate) fn problem(code: &str) -> Value {
    json!({ "code": code, "name": "N", "message": "said no", "request": "r" })
}
