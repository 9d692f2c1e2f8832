//! A server that says on each connection what a script tells it to, byte for byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// What the server does on one connection, one step after the other; then it closes it.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Takes one request and answers with these bytes.
    Answer(Vec<u8>),
    /// Takes one request, answers 200, and passes on what follows to and from a port of this machine.
    Tunnel(u16),
    /// Says nothing more and waits for the other side to hang up.
    Hold,
}

/// An answer with a body of known length.
pub(crate) fn answer(head: &str, body: &[u8]) -> Step {
    let mut bytes = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    Step::Answer(bytes)
}

/// An answer, byte for byte.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Step {
    Step::Answer(bytes.as_ref().to_vec())
}

/// A server on this machine.
#[derive(Debug)]
pub(crate) struct Origin {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Origin {
    /// Serves one connection after the other as `script` says, and refuses those behind.
    pub(crate) async fn start(script: Vec<Vec<Step>>) -> Self {
        Self::start_over(script, |stream| async { Some(stream) }).await
    }

    /// The same over something that `secure` makes of each connection.
    pub(crate) async fn start_over<S, F>(
        script: Vec<Vec<Step>>,
        secure: impl Fn(tokio::net::TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: Future<Output = Option<S>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            for steps in script {
                let (stream, _) = listener.accept().await.unwrap();
                if let Some(stream) = secure(stream).await {
                    serve(stream, steps, &seen).await;
                }
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until there is a request.
    pub(crate) async fn is_asked(&self) {
        let asked = async {
            while self.requests().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), asked).await.expect("somebody asks");
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// What all requests so far said in the field `name`.
    pub(crate) fn asked(&self, name: &str) -> Vec<Option<String>> {
        let prefix = format!("{name}: ");
        let field =
            |request: &String| request.lines().find_map(|line| line.strip_prefix(&prefix)).map(str::to_owned);
        self.requests().iter().map(field).collect()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, steps: Vec<Step>, seen: &Mutex<Vec<String>>) {
    for step in steps {
        match step {
            Step::Answer(bytes) => {
                let Some(request) = request(&mut stream).await else { return };
                seen.lock().unwrap().push(request);
                // The client may hang up before all is said.
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Step::Tunnel(port) => {
                let Some(request) = request(&mut stream).await else { return };
                seen.lock().unwrap().push(request);
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut to).await;
            }
            Step::Hold => {
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
            }
        }
    }
    let _ = stream.shutdown().await;
}

async fn request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}
