//! Stands between a controller and the real API server, and fails as a network and a server do.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{Response, header};
use futures::stream::{StreamExt, unfold};
use jiff::Timestamp;
use kube::{Client, Config};
use modelarts_pool_controller::runtime::kubernetes::{self, configured};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::audit;
use super::env::config_of;
use super::process::eventually;

/// One request that was made.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Timestamp,
    pub method: String,
    /// With the query.
    pub path: String,
    /// Whether a fault met it.
    pub failed: bool,
}

impl Asked {
    pub fn is_watch(&self) -> bool {
        self.path.contains("watch=true")
    }
}

/// What happens to a request instead of its answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is answered so, and never reaches the API server.
    Answer {
        code: u16,
        /// In seconds.
        retry_after: Option<u32>,
        body: String,
    },
    /// It is answered by the API server, and the answer ends at once, in good order.
    EndsAtOnce,
    /// It is never answered, and never reaches the API server.
    Silence,
}

type Faults = Box<dyn Fn(&Asked) -> Option<Fault> + Send>;

/// The proxy. It ends when it is dropped.
pub struct Proxy {
    url: String,
    road: Arc<Road>,
    task: JoinHandle<()>,
}

/// What the proxy's connections share.
struct Road {
    client: Client,
    faults: Mutex<Option<Faults>>,
    asked: Mutex<Vec<Asked>>,
    /// The other ends of all connections so far, and of those that carry nothing any more.
    connections: Mutex<(HashSet<SocketAddr>, HashSet<SocketAddr>)>,
    /// How often all answers under way were cut, or connections frozen.
    cuts: watch::Sender<(u32, u32)>,
}

impl Proxy {
    /// Begins to pass on to the API server of `kubeconfig`, as the user of that.
    pub async fn start(kubeconfig: &Path, agent: &str) -> Self {
        let config = config_of(kubeconfig, agent).await;
        let road = Arc::new(Road {
            client: Client::try_from(config).expect("a client"),
            faults: Mutex::default(),
            asked: Mutex::default(),
            connections: Mutex::default(),
            cuts: watch::Sender::new((0, 0)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(pass).with_state(road.clone());
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, service).await.expect("a server");
        });
        Self { url, road, task }
    }

    /// A client of the program's kind that asks this proxy.
    pub fn client(&self) -> Client {
        let url = self.url.parse().expect("a URL");
        kubernetes::client_of(configured(Config::new(url))).expect("a client")
    }

    /// From now on `faults` says what happens to a request.
    pub fn fail(&self, faults: impl Fn(&Asked) -> Option<Fault> + Send + 'static) {
        *lock(&self.road.faults) = Some(Box::new(faults));
    }

    /// From now on every request is passed on.
    pub fn mend(&self) {
        *lock(&self.road.faults) = None;
    }

    /// Breaks each answer that is under way, as a reset of its connection does.
    pub fn cut(&self) {
        self.road.cuts.send_modify(|(cuts, _)| *cuts += 1);
    }

    /// No connection that is open carries anything any more, and none is closed; new ones work.
    pub fn freeze(&self) {
        let mut connections = lock(&self.road.connections);
        let all = connections.0.clone();
        connections.1.extend(all);
        drop(connections);
        self.road.cuts.send_modify(|(_, freezes)| *freezes += 1);
    }

    /// What was asked since the last call.
    pub fn take(&self) -> Vec<Asked> {
        std::mem::take(&mut lock(&self.road.asked))
    }

    /// Waits until so many requests have met a fault since the last [`Proxy::take`], and takes all.
    pub async fn failed(&self, count: usize) -> Vec<Asked> {
        let failed = || lock(&self.road.asked).iter().filter(|a| a.failed).count();
        eventually(&format!("{count} requests fail"), || failed() >= count).await;
        self.take()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The most requests that were made within a second.
pub fn busiest_second(asked: &[Asked]) -> usize {
    audit::busiest_second(asked.iter().map(|a| a.at))
}

async fn pass(
    State(road): State<Arc<Road>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let mut asked = Asked {
        at: Timestamp::now(),
        method: request.method().to_string(),
        path: request.uri().to_string(),
        failed: false,
    };
    let fault = lock(&road.faults).as_ref().and_then(|f| f(&asked));
    asked.failed = fault.is_some();
    lock(&road.asked).push(asked);
    lock(&road.connections).0.insert(peer);
    if lock(&road.connections).1.contains(&peer) {
        return std::future::pending().await;
    }
    match fault {
        Some(Fault::Answer {
            code,
            retry_after,
            body,
        }) => {
            let mut response = Response::builder().status(code);
            if let Some(seconds) = retry_after {
                response = response.header(header::RETRY_AFTER, seconds);
            }
            response.body(body.into()).expect("a response")
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::EndsAtOnce) => {
            let (parts, _) = forward(&road, request).await.into_parts();
            Response::from_parts(parts, Body::empty())
        }
        None => {
            let cuts = road.cuts.subscribe();
            let (parts, body) = forward(&road, request).await.into_parts();
            Response::from_parts(parts, breakable(body, road, peer, cuts))
        }
    }
}

async fn forward(road: &Road, request: Request) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    // The client has its own.
    for name in [header::HOST, header::USER_AGENT, header::AUTHORIZATION] {
        parts.headers.remove(name);
    }
    let body = to_bytes(body, usize::MAX).await.expect("a whole request");
    let request = Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    match road.client.send(request).await {
        Ok(response) => response.map(Body::new),
        Err(error) => Response::builder()
            .status(502)
            .body(error.to_string().into())
            .expect("a response"),
    }
}

/// A body that breaks when the answers are cut, and ends nowhere once its connection is frozen.
fn breakable(
    body: Body,
    road: Arc<Road>,
    peer: SocketAddr,
    cuts: watch::Receiver<(u32, u32)>,
) -> Body {
    let begun = cuts.borrow().0;
    let state = (body.into_data_stream(), cuts);
    Body::from_stream(unfold(state, move |(mut body, mut cuts)| {
        let road = road.clone();
        async move {
            loop {
                tokio::select! {
                    biased;
                    _ = cuts.changed() => {
                        if cuts.borrow().0 != begun {
                            return Some((Err(io::Error::other("cut")), (body, cuts)));
                        }
                        if lock(&road.connections).1.contains(&peer) {
                            return std::future::pending().await;
                        }
                    }
                    next = body.next() => {
                        let next = next?.map_err(io::Error::other);
                        return Some((next, (body, cuts)));
                    }
                }
            }
        }
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
