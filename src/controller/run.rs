//! Feeds the machine and performs what it says, by calls that stand in modules of their own. Nothing else of the
//! controller begins IO.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{AbortHandle, Abortable, Aborted, BoxFuture, abortable};
use futures::stream::{FuturesUnordered, SelectAll, StreamExt};
use futures::{FutureExt, Stream};
use jiff::Timestamp;
use kube::Client;
use tokio::time::timeout;

use super::ambient::AmbientNamespaces;
use super::events::publish;
use super::fetch::{confirm, list, may_write_for};
use super::identity::identity;
use super::key::Key;
use super::machine::{Action, Input, Limits, Machine, Notice, Now};
use super::source::Source;
use super::watch::{WatchEvent, client_for_a_watch, sources, watch};
use super::write::{write_mirror, write_status};
use crate::api::API_VERSION;
use crate::mirror::apply::mirrors;
use crate::mirror::{Observed, PoolShape};
use crate::modelarts::Cloud;
use crate::runtime::health::Health;
use crate::runtime::lease::Leadership;
use crate::runtime::metrics::Metrics;

/// How often the loop goes round at least, also idle: its heartbeat.
const TICK: Duration = Duration::from_secs(5);
/// How long a pass may be past its deadline before the loop counts as stuck.
const STUCK: Duration = Duration::from_mins(1);

/// How many of the events that are left at the end are published at once, and for how long: another replica waits
/// for the lease.
const LAST_EVENTS: usize = 8;
const LAST_EVENTS_TIME: Duration = Duration::from_secs(5);

/// What the controller works with.
pub struct Options {
    /// The API server. Where replicas elect the one that writes, a client that asks `leadership` before
    /// each write.
    pub client: Client,
    /// Whether this replica lists and writes.
    pub leadership: Leadership,
    /// The namespaces to watch; empty: all.
    pub namespaces: Vec<String>,
    /// The cloud.
    pub cloud: Cloud,
    /// Who may be to the cloud who this process is.
    pub ambient: AmbientNamespaces,
    /// Where numbers go.
    pub metrics: Arc<Metrics>,
    /// Where `/livez` and `/readyz` look.
    pub health: Arc<Health>,
    /// Name of this process in events: the pod's, or the host's.
    pub instance: Arc<str>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watched {
    Sources,
    Mirrors,
}

impl Watched {
    const fn plural(self) -> &'static str {
        match self {
            Self::Sources => "modelartspoolsources",
            Self::Mirrors => "modelartspools",
        }
    }
}

/// One watch: what, and in which namespace.
type WatchId = (Watched, Option<Arc<str>>);

struct Driver {
    options: Options,
    shape: Arc<PoolShape>,
    machine: Machine,
    /// The term in which this replica lists and writes; nothing while it stands by.
    term: Option<u64>,
    /// Calls to the API server: awaited at the end.
    calls: FuturesUnordered<BoxFuture<'static, Input>>,
    /// Requests to the cloud: dropped at the end.
    listings: FuturesUnordered<Abortable<BoxFuture<'static, Input>>>,
    /// How a listing is given up, by its pass.
    listing_of: HashMap<u64, AbortHandle>,
    /// Watches that have not shown everything once.
    unlisted: BTreeSet<WatchId>,
    /// Watches that do not show what happens, with what is wrong.
    unsynced: BTreeMap<WatchId, String>,
    /// Sources seen since the relist of their watch began.
    relisted: BTreeMap<Option<Arc<str>>, BTreeSet<Key>>,
}

/// Keeps the mirrors of every source until `shutdown` is ready, then ends what is being written.
pub async fn run(options: Options, shutdown: impl Future<Output = ()>) {
    let mut events = watches(&options);
    let ids: BTreeSet<_> = watch_ids(&options.namespaces).collect();
    let not_listed = |id: &WatchId| (id.clone(), "not listed yet".to_owned());
    let mut driver = Driver {
        shape: Arc::new(PoolShape::of_the_crd()),
        machine: Machine::new(Limits::default(), fastrand::u64(..)),
        calls: FuturesUnordered::new(),
        listings: FuturesUnordered::new(),
        listing_of: HashMap::new(),
        term: None,
        unsynced: ids.iter().map(not_listed).collect(),
        unlisted: ids,
        relisted: BTreeMap::new(),
        options,
    };
    let mut leadership = driver.options.leadership.clone();
    driver.tell_health();
    driver.stand_by();
    tokio::pin!(shutdown);
    loop {
        driver.follow_leadership();
        driver.perform_actions();
        driver.tell_notices();
        let now = Instant::now();
        driver.options.health.tick(
            now,
            driver.machine.stuck(now, STUCK).map(ToString::to_string),
        );
        let wakeup = driver
            .machine
            .next_wakeup(time())
            .unwrap_or(now + TICK)
            .min(now + TICK);
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = leadership.changed() => {}
            Some(input) = driver.calls.next(), if !driver.calls.is_empty() => driver.called(input),
            Some((id, event)) = events.next() => driver.watched(&id, event),
            Some(input) = driver.listings.next(), if !driver.listings.is_empty() => driver.listed(input),
            () = tokio::time::sleep_until(wakeup.into()) => {}
        }
    }
    Box::pin(driver.end()).await;
}

fn time() -> Now {
    Now {
        instant: Instant::now(),
        wall: Timestamp::now(),
    }
}

fn watch_ids(namespaces: &[String]) -> impl Iterator<Item = WatchId> {
    let scopes: Vec<Option<Arc<str>>> = if namespaces.is_empty() {
        vec![None]
    } else {
        namespaces.iter().map(|n| Some(n.as_str().into())).collect()
    };
    scopes
        .into_iter()
        .flat_map(|scope| [(Watched::Sources, scope.clone()), (Watched::Mirrors, scope)])
}

fn watches(options: &Options) -> SelectAll<impl Stream<Item = (WatchId, WatchEvent)> + use<>> {
    let streams = watch_ids(&options.namespaces).map(|id| {
        let client = client_for_a_watch(&options.client);
        let api = match id.0 {
            Watched::Sources => sources(&client, id.1.as_deref()),
            Watched::Mirrors => mirrors(&client, id.1.as_deref()),
        };
        watch(api).map(move |event| (id.clone(), event)).boxed()
    });
    streams.collect()
}

impl Driver {
    /// Begins to list and write, or ends it, as the lease says.
    fn follow_leadership(&mut self) {
        let term = self.options.leadership.term();
        if term == self.term {
            return;
        }
        if self.term.is_some() {
            self.stand_by();
        }
        self.term = term;
        if term.is_some() {
            self.options.metrics.lead();
            self.machine.handle(Input::Lead, time());
        }
    }

    /// Gives up all that only the leader does. The process goes on: its watches are up to date, and what
    /// it has counted stays counted.
    fn stand_by(&mut self) {
        self.calls.clear();
        self.listings.clear();
        self.listing_of.clear();
        self.machine.handle(Input::StandBy, time());
        self.options.metrics.stand_by();
    }

    /// Ends what is being written, and tells what is to be told of it.
    async fn end(mut self) {
        tracing::info!(
            calls = self.calls.len(),
            "stopping: waiting for the writes under way"
        );
        while let Some(input) = self.calls.next().await {
            self.called(input);
        }
        let options = &self.options;
        let events = self.machine.take_events();
        // Of a former term they tell what another replica tells again.
        if !events.is_empty() && options.leadership.term() == self.term {
            let published = events.into_iter().map(|event| {
                publish(
                    options.client.clone(),
                    event,
                    &options.instance,
                    Timestamp::now(),
                )
            });
            let published = futures::stream::iter(published).buffer_unordered(LAST_EVENTS);
            let published = published.for_each(|()| std::future::ready(()));
            if timeout(LAST_EVENTS_TIME, published).await.is_err() {
                tracing::warn!("stopping: not all events could be published in time");
            }
        }
        options.metrics.stand_by();
    }

    fn perform_actions(&mut self) {
        while let Some(action) = self.machine.next_action(time()) {
            let client = self.options.client.clone();
            match action {
                Action::ReadCredentials {
                    key,
                    pass,
                    type_,
                    secret,
                    project,
                } => {
                    let ambient = self.options.ambient.clone();
                    self.calls.push(
                        async move {
                            let found =
                                identity(client, &ambient, &key, type_, &secret, &project).await;
                            Input::CredentialsRead(key, pass, found)
                        }
                        .boxed(),
                    );
                }
                Action::GiveUp { pass } => {
                    if let Some(listing) = self.listing_of.remove(&pass) {
                        listing.abort();
                    }
                }
                Action::List {
                    key,
                    pass,
                    settings,
                    identity,
                    previous,
                } => {
                    let listing = list(
                        self.options.cloud.clone(),
                        key.clone(),
                        *settings,
                        identity,
                        previous,
                        self.shape.clone(),
                    );
                    let listed = listing.map(move |result| Input::Listed(key, pass, result));
                    let (listing, handle) = abortable(listed.boxed());
                    self.listings.push(listing);
                    self.listing_of.insert(pass, handle);
                }
                Action::Confirm {
                    key,
                    pass,
                    settings,
                    identity,
                    pools,
                } => {
                    let asking = confirm(self.options.cloud.clone(), *settings, identity, pools);
                    let asking = asking.map(move |answers| Input::Confirmed(key, pass, answers));
                    let (asking, handle) = abortable(asking.boxed());
                    self.listings.push(asking);
                    self.listing_of.insert(pass, handle);
                }
                Action::Publish(event) => {
                    let instance = self.options.instance.clone();
                    self.calls.push(
                        async move {
                            publish(client, *event, &instance, Timestamp::now()).await;
                            Input::Published
                        }
                        .boxed(),
                    );
                }
                Action::Check { key, uid } => self.calls.push(
                    async move {
                        let result = may_write_for(client, &key, &uid).await;
                        Input::Checked(key, uid, result)
                    }
                    .boxed(),
                ),
                Action::Write(ticket, order) => {
                    let metrics = self.options.metrics.clone();
                    self.calls
                        .push(write_mirror(client, metrics, ticket, order).boxed());
                }
                Action::Report {
                    key,
                    uid,
                    resource_version,
                    number,
                    status,
                } => self.calls.push(
                    async move {
                        let result =
                            write_status(&client, &key, &uid, resource_version, &status).await;
                        Input::Reported(key, uid, number, result)
                    }
                    .boxed(),
                ),
            }
        }
    }

    /// A call to the API server ended.
    fn called(&mut self, input: Input) {
        let term = self.term;
        self.follow_leadership();
        // An answer of a former term tells the next one nothing: the watches do.
        if self.term == term {
            self.machine.handle(input, time());
        }
    }

    /// Requests to the cloud ended, or were given up.
    fn listed(&mut self, input: Result<Input, Aborted>) {
        let term = self.term;
        self.follow_leadership();
        if let Ok(input) = input
            && self.term == term
        {
            if let Input::Listed(_, pass, _) | Input::Confirmed(_, pass, _) = &input {
                self.listing_of.remove(pass);
            }
            self.machine.handle(input, time());
        }
    }

    fn tell_notices(&mut self) {
        for notice in self.machine.take_notices() {
            self.options.metrics.note(&notice);
            if self.term.is_some()
                && let Notice::PassEnded { source, .. } | Notice::SourceSeen(source) = &notice
            {
                self.options.metrics.show_source(&self.machine, source);
            }
            super::log::log(&notice);
        }
    }

    fn watched(&mut self, id: &WatchId, event: WatchEvent) {
        let now = time();
        let (watched, scope) = id;
        match (watched, event) {
            (_, WatchEvent::Failed(error)) => {
                if self.unsynced.insert(id.clone(), error.clone()).is_none() {
                    tracing::warn!(
                        resource = watched.plural(),
                        namespace = scope.as_deref(),
                        error,
                        "a watch failed; trying again"
                    );
                }
                self.tell_health();
            }
            (_, WatchEvent::Watching) => self.watching(id),
            (Watched::Sources, WatchEvent::Relisting) => {
                self.relisted.insert(scope.clone(), BTreeSet::new());
            }
            (Watched::Sources, WatchEvent::Seen(object)) => {
                let name = object.metadata.name.clone();
                let Some(source) = Source::of(*object) else {
                    tracing::error!(
                        ?name,
                        "a ModelArtsPoolSource has no uid or resourceVersion; it is ignored"
                    );
                    return;
                };
                if let Some(seen) = self.relisted.get_mut(scope) {
                    seen.insert(source.key.clone());
                }
                self.machine
                    .handle(Input::SourceSeen(Box::new(source)), now);
            }
            (Watched::Sources, WatchEvent::Gone(object)) => {
                if let Some(key) = key_of(&object) {
                    self.machine.handle(Input::SourceGone(key), now);
                }
            }
            (Watched::Sources, WatchEvent::Relisted) => {
                let seen = self.relisted.remove(scope).unwrap_or_default();
                let within = |key: &Key| scope.as_ref().is_none_or(|s| *s == key.namespace);
                let known = self.machine.sources().map(|s| s.key.clone());
                for key in known
                    .filter(|k| within(k) && !seen.contains(k))
                    .collect::<Vec<_>>()
                {
                    self.machine.handle(Input::SourceGone(key), now);
                }
                self.listed_once(id);
            }
            (Watched::Mirrors, WatchEvent::Relisting) => {
                self.machine
                    .handle(Input::MirrorsRelisting(scope.clone()), now);
            }
            (Watched::Mirrors, WatchEvent::Seen(object)) => {
                if let (Some(key), Some(observed)) = (key_of(&object), Observed::of(*object)) {
                    self.machine
                        .handle(Input::MirrorSeen(key, Box::new(observed)), now);
                }
            }
            (Watched::Mirrors, WatchEvent::Gone(object)) => {
                let version = object
                    .metadata
                    .resource_version
                    .as_deref()
                    .and_then(|v| v.parse().ok());
                if let Some(key) = key_of(&object) {
                    self.machine
                        .handle(Input::MirrorGone(key, version.unwrap_or(u64::MAX)), now);
                }
            }
            (Watched::Mirrors, WatchEvent::Relisted) => {
                self.machine
                    .handle(Input::MirrorsRelisted(scope.clone()), now);
                self.listed_once(id);
            }
        }
    }

    fn listed_once(&mut self, id: &WatchId) {
        self.unlisted.remove(id);
        if self.unlisted.is_empty() {
            self.machine.handle(Input::Synced, time());
        }
    }

    fn watching(&mut self, id: &WatchId) {
        if self.unsynced.remove(id).is_some() {
            let (watched, scope) = id;
            tracing::info!(
                resource = watched.plural(),
                namespace = scope.as_deref(),
                "watching"
            );
        }
        self.tell_health();
    }

    fn tell_health(&self) {
        let missing = self.unsynced.iter().map(|((watched, scope), error)| {
            let within = scope
                .as_ref()
                .map(|s| format!(" in namespace {s}"))
                .unwrap_or_default();
            format!("{} ({API_VERSION}){within}: {error}", watched.plural())
        });
        self.options.health.set_missing(missing.collect());
    }
}

fn key_of(object: &kube::core::DynamicObject) -> Option<Key> {
    Some(Key::new(
        object.metadata.namespace.as_deref()?,
        object.metadata.name.as_deref()?,
    ))
}
