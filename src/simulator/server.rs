//! The HTTP server: takes requests off the wire and puts answers on it.
//!
//! Thin: decides nothing about content. Everything it starts ends with it: requests that are held, slow or
//! hanging are given up when the simulator stops.

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::Response,
    serve::ListenerExt as _,
};
use futures::stream;
use jiff::Timestamp;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Answer, Delivery},
    clock::Clock,
    cloud::Call,
    control::Control,
    control_http,
    scenario::Scenario,
    world::CommandError,
};

/// Bytes of a request for credentials.
const LARGEST_BODY: usize = 64 << 10;
/// How long a stop waits for connections whose peers do not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a simulator needs to start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The world to play.
    pub scenario: Scenario,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The time to go by.
    pub clock: Clock,
}

/// Why a simulator does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error(
        "cannot listen on {listen}: {error}; another program may use the port, choose another with --listen"
    )]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The scenario has a pool that can't be.
    #[error("the scenario cannot be played: {0}")]
    Scenario(#[from] CommandError),
}

/// A running simulator. It ends when this is dropped, or by [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    control: Control,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Api {
    control: Control,
    stop: CancellationToken,
}

impl Simulator {
    /// Starts playing a scenario by the machine's clock.
    pub async fn start(scenario: Scenario, listen: SocketAddr) -> Result<Self, StartError> {
        Self::start_with(Options {
            scenario,
            listen,
            clock: Clock::system(),
        })
        .await
    }

    /// Starts with options.
    pub async fn start_with(options: Options) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen {
            listen: options.listen,
            error,
        };
        let control = Control::new(&options.scenario, options.clock)?;
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        // Answers are small or come in one piece: waiting to fill packets only makes tests slow.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let stop = CancellationToken::new();
        let api = Api {
            control: control.clone(),
            stop: stop.clone(),
        };
        let app = Router::new()
            .fallback(handle)
            .with_state(api)
            .nest("/control", control_http::router(control.clone()));
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            // Accepting never fails for good: axum waits and tries again.
            let _ = axum::serve(listener, service)
                .with_graceful_shutdown(stopped)
                .await;
        });
        Ok(Self {
            address,
            control,
            stop,
            task,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint to give to a client, without a slash at its end.
    pub fn url(&self) -> String {
        let mut address = self.address;
        // What listens everywhere is reached on this machine by loopback.
        if address.ip().is_unspecified() {
            address.set_ip(if address.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                std::net::Ipv6Addr::LOCALHOST.into()
            });
        }
        format!("http://{address}")
    }

    /// The hand on it.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops it and waits until its connections are closed.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(PATIENCE, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // The token ends the connections' own tasks, the abort the one that accepts them.
        self.stop.cancel();
        self.task.abort();
    }
}

/// Plays until `shutdown` is ready. `started` is called once the address is listened on.
pub async fn serve(
    options: Options,
    started: impl FnOnce(&Simulator),
    shutdown: impl Future<Output = ()>,
) -> Result<(), StartError> {
    let simulator = Simulator::start_with(options).await?;
    started(&simulator);
    shutdown.await;
    simulator.shutdown().await;
    Ok(())
}

async fn handle(State(api): State<Api>, request: Request) -> Response {
    let mut call = call(&request);
    if call.operation.issues_credentials() {
        let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY).await;
        call.body = body.unwrap_or_default();
    }
    let ticket = api.control.begin(&call);
    let work = async {
        api.control.pass_holds(&call).await;
        let answer = api.control.answer(&call, &ticket);
        if answer.delivery == Delivery::Never {
            std::future::pending::<()>().await;
        }
        if !answer.delay.is_zero() {
            tokio::time::sleep(answer.delay).await;
        }
        answer
    };
    let answer = tokio::select! {
        answer = work => answer,
        () = api.stop.cancelled() => Answer::service_error(503, "ModelArts.50005000", "The simulated cloud stops."),
    };
    tracing::debug!(
        method = call.method,
        path = call.path,
        query = call.raw_query,
        status = answer.status,
        "answered"
    );
    let response = response(&answer, ticket.request_id(), api.control.now());
    ticket.answered(answer.status);
    response
}

fn call(request: &Request) -> Call {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).trim().to_owned();
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect();
    let uri = request.uri();
    Call::new(
        request.method().as_str(),
        uri.path(),
        uri.query().unwrap_or_default(),
        headers,
    )
}

fn response(answer: &Answer, request_id: &str, now: Timestamp) -> Response {
    let length = answer.body.len();
    let body = if answer.delivery == Delivery::Cut {
        cut(&answer.body)
    } else {
        Body::from(answer.body.clone())
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::SERVER, HeaderValue::from_static("api-gateway"));
    let more = answer
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, value) in more.chain([("x-request-id", request_id), ("date", &date)]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// Half of the body, then an error, which ends the connection before the length that the headers promised.
fn cut(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let pieces = stream::unfold(0_u8, move |step| {
        let half = half.clone();
        async move {
            match step {
                0 => Some((Ok(half), 1)),
                1 => {
                    // Lets the first half reach the wire.
                    tokio::task::yield_now().await;
                    Some((Err(io::Error::other("cut")), 2))
                }
                _ => None,
            }
        }
    });
    Body::from_stream(pieces)
}
