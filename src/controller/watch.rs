//! Watches of sources and mirrors that recover by themselves and say what is wrong meanwhile.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use kube::api::{Api, DynamicObject};
use kube::client::Body;
use kube::core::{ApiResource, Status};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, CustomResourceExt as _};
use tokio::time::{Instant, timeout, timeout_at};
use tower::{BoxError, service_fn};

use crate::api::ModelArtsPoolSource;
use crate::api_server::{chain, retry_after};
use crate::runtime::kubernetes::WATCH_SECONDS;

/// Objects of one page of a relist: few enough that a page is small beside what is kept.
const PAGE_SIZE: u32 = 250;
/// First and longest wait before a failed watch is tried again. Short: until the watch is back, an
/// edit stays unseen.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// The same where a list succeeds each time and its watch does not live: all is listed anew for each.
const MAX_RELIST_BACKOFF: Duration = Duration::from_secs(30);
/// A watch that fails or ends again within this time waits longer. More than its begin may take.
const SETTLED_AFTER: Duration = Duration::from_secs(15);
/// How long the answer to a list may take to begin: a page of large objects is some work. And that to a
/// watch, which is none.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);
const WATCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest that a server is obeyed that asks to wait.
const MAX_ASKED: Duration = Duration::from_mins(1);

/// What a watch shows.
#[derive(Debug)]
pub(super) enum WatchEvent {
    /// All objects are about to be shown anew.
    Relisting,
    /// An object, new or changed, or just listed.
    Seen(Box<DynamicObject>),
    /// An object was deleted.
    Gone(Box<DynamicObject>),
    /// All objects have been shown.
    Relisted,
    /// What happens from now on is shown, as far as is known.
    Watching,
    /// The watch failed; it is tried again.
    Failed(String),
}

/// The sources of one namespace, or of all, as JSON: one that can't be read must not stop the others
/// from being seen.
pub(super) fn sources(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    debug_assert!(ModelArtsPoolSource::crd_name().starts_with("modelartspoolsources."));
    let resource = ApiResource::erase::<ModelArtsPoolSource>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

/// A client for one watch. kube's watcher begins a watch again at once where it ended without an error,
/// and waits for an answer for ever.
pub(super) fn client_for_a_watch(client: &Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let (client, pace) = (client.clone(), Arc::new(Mutex::new(Pace::default())));
    let send = move |request: axum::http::Request<Body>| {
        let (client, pace) = (client.clone(), pace.clone());
        async move {
            let uri = request.uri();
            let mut limit = LIST_TIMEOUT;
            if uri
                .query()
                .is_some_and(|query| query.contains("watch=true"))
            {
                limit = WATCH_TIMEOUT;
                let (at, is_slow) = lock(&pace).next(Instant::now());
                if is_slow {
                    tracing::warn!(
                        path = uri.path(),
                        "the API server ends each watch as soon as it has begun; going on, once a second"
                    );
                }
                tokio::time::sleep_until(at).await;
            }
            match timeout(limit, client.send(request)).await {
                Ok(answer) => answer.map_err(BoxError::from),
                Err(_) => Err(format!("no answer within {} s", limit.as_secs()).into()),
            }
        }
    };
    Client::new(service_fn(send), namespace)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is whole: a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When a watch that has ended is begun again.
#[derive(Debug, Default)]
struct Pace {
    begun: Option<Instant>,
    wait: Duration,
}

impl Pace {
    /// When the watch that is asked for at `now` begins: at once where the last one lasted, else later
    /// with each that does not. And whether this is the first to wait for longest.
    fn next(&mut self, now: Instant) -> (Instant, bool) {
        let before = self.wait;
        let begun = self.begun.filter(|begun| now - *begun < SETTLED_AFTER);
        self.wait = match begun {
            Some(_) => (self.wait * 2).clamp(MIN_BACKOFF, MAX_BACKOFF),
            None => Duration::ZERO,
        };
        let at = begun.map_or(now, |begun| (begun + self.wait).max(now));
        self.begun = Some(at);
        (at, self.wait == MAX_BACKOFF && before < MAX_BACKOFF)
    }
}

struct State {
    api: Api<DynamicObject>,
    stream: BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
    /// When it was begun, and when its list was complete.
    begun: Instant,
    listed: Option<Instant>,
    /// How long it waited by itself after its last failure; nothing before the first.
    backoff: Duration,
    /// How long it waits before it goes on.
    wait: Option<Duration>,
    /// When a watch that was listed for counts as one that lives.
    lives_at: Option<Instant>,
}

/// Watches what `api` names, for ever.
pub(super) fn watch(api: Api<DynamicObject>) -> BoxStream<'static, WatchEvent> {
    let state = State {
        stream: begin(&api),
        api,
        begun: Instant::now(),
        listed: None,
        backoff: Duration::ZERO,
        wait: None,
        lives_at: None,
    };
    unfold(state, next).boxed()
}

fn begin(api: &Api<DynamicObject>) -> BoxStream<'static, watcher::Result<Event<DynamicObject>>> {
    // Not any version: a list that is older than our own last writes would not show what they made.
    let config = watcher::Config::default()
        .page_size(PAGE_SIZE)
        .timeout(WATCH_SECONDS);
    watcher(api.clone(), config).boxed()
}

async fn next(mut state: State) -> Option<(WatchEvent, State)> {
    if let Some(wait) = state.wait.take() {
        tokio::time::sleep(wait).await;
        state.begun = Instant::now();
    }
    let event = match state.lives_at {
        Some(at) => timeout_at(at, state.stream.next()).await,
        None => Ok(state.stream.next().await),
    };
    let Ok(event) = event else {
        state.lives_at = None;
        return Some((WatchEvent::Watching, state));
    };
    let (failure, asked) = match event {
        Some(Ok(event)) => {
            let event = match event {
                Event::Init => WatchEvent::Relisting,
                Event::InitApply(object) | Event::Apply(object) => {
                    WatchEvent::Seen(Box::new(object))
                }
                Event::InitDone => {
                    let now = Instant::now();
                    state.listed = Some(now);
                    // Any may fail once.
                    let doubt = if state.backoff <= MIN_BACKOFF {
                        Duration::ZERO
                    } else {
                        SETTLED_AFTER
                    };
                    state.lives_at = Some(now + doubt);
                    WatchEvent::Relisted
                }
                Event::Delete(object) => WatchEvent::Gone(Box::new(object)),
            };
            return Some((event, state));
        }
        Some(Err(error)) => (told(&error), asked(&error)),
        None => ("the watch ended".to_owned(), None),
    };
    // Listed anew after each failure: a watcher that goes on at its old version shows nothing by which
    // to tell that it works again, and after a 410 at its begin never would.
    state.stream = begin(&state.api);
    let listed = state.listed.take();
    let lived = listed.unwrap_or(state.begun).elapsed() >= SETTLED_AFTER;
    let longest = listed.map_or(MAX_BACKOFF, |_| MAX_RELIST_BACKOFF);
    state.backoff = if lived {
        MIN_BACKOFF
    } else {
        (state.backoff * 2).clamp(MIN_BACKOFF, longest)
    };
    state.lives_at = None;
    state.wait = Some(state.backoff.max(asked.unwrap_or_default()));
    Some((WatchEvent::Failed(failure), state))
}

/// What is wrong, and where that is known, what to do.
fn told(error: &watcher::Error) -> String {
    let Some(status) = status_of(error) else {
        return chain(error);
    };
    let to_do = match status.code {
        403 => "; check the ClusterRole or Role of the controller's service account",
        404 => {
            "; the API server does not serve it: apply the CRDs (modelarts-pool-controller crds --apply)"
        }
        _ => "",
    };
    format!("{}{to_do}", status.message)
}

/// How long the API server asks to wait.
fn asked(error: &watcher::Error) -> Option<Duration> {
    let asked = retry_after(status_of(error)?).map(Duration::from_secs);
    asked.map(|asked| asked.min(MAX_ASKED))
}

/// The answer of the API server, where it has answered.
fn status_of(error: &watcher::Error) -> Option<&Status> {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => Some(status),
        _ => None,
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
