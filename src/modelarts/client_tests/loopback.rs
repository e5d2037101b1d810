//! A server on loopback that keeps what it was sent, byte by byte, and answers in one set way.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How a server answers a request.
#[derive(Clone)]
pub(super) enum Script {
    /// With these bytes, then the connection ends.
    Bytes(Vec<u8>),
    /// With the bytes for the request of this number, then the connection ends.
    Numbered(fn(usize) -> Vec<u8>),
    /// With these bytes, then it falls silent until the client goes away.
    Silence(Vec<u8>),
    /// With `head`, then `again` without end; a client that goes away ends it.
    Endless { head: Vec<u8>, again: Vec<u8> },
    /// With `head`, then one byte after each pause, without end.
    Drip { head: Vec<u8>, pause: Duration },
}

impl Script {
    /// A whole answer with this body.
    pub(super) fn ok(body: &str) -> Self {
        Self::answer("200 OK", "", body.as_bytes())
    }

    pub(super) fn answer(status: &str, headers: &str, body: &[u8]) -> Self {
        let mut answer = head(status, headers, Some(body.len()));
        answer.extend_from_slice(body);
        Self::Bytes(answer)
    }
}

/// The head of an answer; `headers` end with a line break each.
pub(super) fn head(status: &str, headers: &str, length: Option<usize>) -> Vec<u8> {
    let length = length
        .map(|n| format!("content-length: {n}\r\n"))
        .unwrap_or_default();
    format!("HTTP/1.1 {status}\r\n{length}connection: close\r\nx-request-id: r1\r\n{headers}\r\n")
        .into_bytes()
}

#[derive(Default)]
struct Counts {
    connections: usize,
    open: usize,
}

/// It ends when this is dropped.
pub(super) struct Loopback {
    pub(super) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    counts: watch::Sender<Counts>,
    _tasks: JoinSet<()>,
}

impl Loopback {
    pub(super) async fn start(script: Script) -> Self {
        Self::start_with(script, None).await
    }

    pub(super) async fn start_with(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let counts = watch::Sender::new(Counts::default());
        let mut tasks = JoinSet::new();
        let (kept, counted) = (heads.clone(), counts.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.send_modify(|c| (c.connections, c.open) = (c.connections + 1, c.open + 1));
                let (script, tls) = (script.clone(), tls.clone());
                let (kept, counted) = (kept.clone(), counted.clone());
                connections.spawn(async move {
                    // A client that goes away is what some tests are about.
                    let _ = handle(stream, script, tls, &kept).await;
                    counted.send_modify(|c| c.open -= 1);
                });
            }
        });
        Self {
            address,
            heads,
            counts,
            _tasks: tasks,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of the requests so far, as they were sent.
    pub(super) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("no panic").clone()
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.counts.borrow().connections
    }

    /// Waits until some connection was made and all are closed.
    pub(super) async fn closed(&self) {
        let mut counts = self.counts.subscribe();
        let closed = counts.wait_for(|c| c.connections > 0 && c.open == 0);
        let closed = super::ends(closed).await;
        closed.expect("self holds the sender");
    }

    /// Waits until a connection is open.
    pub(super) async fn opened(&self) {
        let mut counts = self.counts.subscribe();
        let opened = super::ends(counts.wait_for(|c| c.open > 0)).await;
        opened.expect("self holds the sender");
    }
}

async fn handle(
    stream: TcpStream,
    script: Script,
    tls: Option<TlsAcceptor>,
    heads: &Mutex<Vec<String>>,
) -> io::Result<()> {
    match tls {
        Some(tls) => serve(tls.accept(stream).await?, script, heads).await,
        None => serve(stream, script, heads).await,
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    script: Script,
    heads: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let number = {
        let mut heads = heads.lock().expect("no panic");
        heads.push(head);
        heads.len()
    };
    match script {
        Script::Numbered(answer) => stream.write_all(&answer(number)).await?,
        Script::Bytes(bytes) => stream.write_all(&bytes).await?,
        Script::Silence(before) => {
            stream.write_all(&before).await?;
            stream.read_u8().await?;
        }
        Script::Endless { head, again } => {
            stream.write_all(&head).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
        Script::Drip { head, pause } => {
            stream.write_all(&head).await?;
            loop {
                tokio::time::sleep(pause).await;
                stream.write_all(b" ").await?;
            }
        }
    }
    stream.shutdown().await
}
