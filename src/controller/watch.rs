//! Watches of sources and mirrors that recover by themselves and say what is wrong meanwhile.

use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, unfold};
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, CustomResourceExt as _};
use tokio::time::Instant;

use crate::api::ModelArtsPoolSource;
use crate::mirror::apply::chain;

/// How long one watch lasts before it is begun again, in seconds.
pub(crate) const WATCH_SECONDS: u32 = 120;
/// Objects of one page of a relist: few enough that a page is small beside what is kept.
const PAGE_SIZE: u32 = 250;
/// First and longest wait before a failed watch is tried again. Short: until the watch is back, an
/// edit stays unseen.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(1);
/// A watch that fails again within this time waits longer.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

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

struct State {
    api: Api<DynamicObject>,
    stream: BoxStream<'static, watcher::Result<Event<DynamicObject>>>,
    /// When it failed last.
    failed: Option<Instant>,
    /// How long it then waited.
    backoff: Duration,
    wait: bool,
}

/// Watches what `api` names, for ever.
pub(super) fn watch(api: Api<DynamicObject>) -> BoxStream<'static, WatchEvent> {
    let state = State {
        stream: begin(&api),
        api,
        failed: None,
        backoff: MIN_BACKOFF,
        wait: false,
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
    if std::mem::take(&mut state.wait) {
        tokio::time::sleep(state.backoff).await;
    }
    let failure = match state.stream.next().await {
        Some(Ok(event)) => {
            let event = match event {
                Event::Init => WatchEvent::Relisting,
                Event::InitApply(object) | Event::Apply(object) => {
                    WatchEvent::Seen(Box::new(object))
                }
                Event::InitDone => WatchEvent::Relisted,
                Event::Delete(object) => WatchEvent::Gone(Box::new(object)),
            };
            return Some((event, state));
        }
        Some(Err(error)) => chain(&error),
        None => "the watch ended".to_owned(),
    };
    // Listed anew after each failure: a watcher that goes on at its old version shows nothing by which
    // to tell that it works again, and after a 410 at its begin never would.
    state.stream = begin(&state.api);
    let now = Instant::now();
    let again = state.failed.is_some_and(|at| now - at < SETTLED_AFTER);
    state.backoff = if again {
        (state.backoff * 2).min(MAX_BACKOFF)
    } else {
        MIN_BACKOFF
    };
    state.failed = Some(now);
    state.wait = true;
    Some((WatchEvent::Failed(failure), state))
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
