//! A server that takes webhooks, and answers as it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver as Channel, Sender};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Receiver {
    place: SocketAddr,
    status: Arc<AtomicU16>,
    came: Mutex<Channel<Request>>,
}

/// What has come.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let place = listener.local_addr().expect("it is bound");
        let status = Arc::new(AtomicU16::new(200));
        let (says, came) = mpsc::channel();
        let answers = Arc::clone(&status);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let status = answers.load(Ordering::SeqCst);
                // One that breaks off has said nothing.
                let _ = serve(stream, status, &says);
            }
        });
        Self { place, status, came: Mutex::new(came) }
    }

    pub(crate) fn authority(&self) -> String {
        self.place.to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.place)
    }

    /// What every request is answered from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn next(&self) -> Request {
        self.came.lock().expect("one reads").recv_timeout(PATIENCE).expect("a webhook comes")
    }

    pub(crate) fn try_next(&self) -> Option<Request> {
        self.came.lock().expect("one reads").try_recv().ok()
    }
}

fn serve(stream: TcpStream, status: u16, says: &Sender<Request>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let mut request = Request { line: lines[0].clone(), headers, body: String::new() };
    let length = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_string(&mut request.body)?;
    let place = stream.local_addr()?;
    let answer = format!(
        "HTTP/1.1 {status} x\r\nContent-Length: 2\r\nLocation: http://{place}/elsewhere\r\nConnection: close\r\n\r\nno"
    );
    says.send(request).expect("the test listens");
    (&stream).write_all(answer.as_bytes())
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The same request with something else in it.
    pub(crate) fn with_body(&self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self.clone() }
    }

    /// As `docs/notifications.md` has a receiver find out, by just that program.
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        const PAGE: &str = include_str!("../../../../docs/notifications.md");
        let (_, code) = PAGE.split_once("```python\n").expect("the page has a program");
        let (code, _) = code.split_once("```").expect("it has an end");
        let headers: serde_json::Map<_, _> =
            self.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let mut python = Command::new("python3")
            .args(["-c", &[code, ASK].concat(), secret, &serde_json::Value::Object(headers).to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is Python");
        python.stdin.take().expect("piped").write_all(self.body.as_bytes()).expect("it reads");
        match python.wait().expect("it ends").code() {
            Some(0) => true,
            Some(3) => false,
            other => panic!("the program of the page does not work: {other:?}"),
        }
    }
}

/// Has a message be checked at the time it says it was sent, then again, and once when it is too late.
const ASK: &str = "
import json, sys
headers, body = json.loads(sys.argv[2]), sys.stdin.buffer.read()
seconds = int(headers['webhook-timestamp'])
time.time = lambda: seconds
seen = set()
taken = is_to_be_taken(headers, body, sys.argv[1], seen)
assert not is_to_be_taken(headers, body, sys.argv[1], seen), 'it is taken twice'
time.time = lambda: seconds + 301
assert not is_to_be_taken(headers, body, sys.argv[1], set()), 'it is taken too late'
sys.exit(0 if taken else 3)
";
