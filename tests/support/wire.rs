//! The wire between one process and the API server. It can stop to carry anything, in either direction,
//! without a word to either end; what is on it then arrives when it goes on.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A wire. It is cut when this is dropped.
pub struct Wire {
    address: String,
    carries: watch::Sender<bool>,
    _connections: JoinSet<()>,
}

impl Wire {
    /// One to `server`, the origin of an API server.
    pub async fn to(server: &str) -> Self {
        let server = server.strip_prefix("https://").expect("https").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (carries, carrying) = watch::channel(true);
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut halves = JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                let far = TcpStream::connect(&server).await.expect("a connection");
                let ((read, write), (far_read, far_write)) = (near.into_split(), far.into_split());
                halves.spawn(carry(read, far_write, carrying.clone()));
                halves.spawn(carry(far_read, write, carrying.clone()));
            }
        });
        Self {
            address,
            carries,
            _connections: connections,
        }
    }

    /// The origin to ask instead of the API server's.
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// From now on nothing arrives, and no connection is closed.
    pub fn stall(&self) {
        self.carries.send_replace(false);
    }

    /// All arrives again, also what was sent meanwhile.
    pub fn go_on(&self) {
        self.carries.send_replace(true);
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut carries: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let mut stalled = false;
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        stalled |= !*carries.borrow();
        if carries.wait_for(|carries| *carries).await.is_err() {
            return;
        }
        if read == 0 && stalled {
            // The end was lost: with it, what came before would be given up by the API server.
            return std::future::pending().await;
        }
        let result = match read {
            0 => to.shutdown().await,
            _ => to.write_all(&buffer[..read]).await,
        };
        if read == 0 || result.is_err() {
            return;
        }
    }
}
