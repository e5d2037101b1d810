//! The machine between a fake API server and a fake cloud, in a time of its own: no IO, no waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::api::Api;
use crate::api::{API_VERSION, ModelArtsPoolSourceStatus, SOURCE_KIND};
use crate::api_server::WriteError;
use crate::controller::events::Event;
use crate::controller::fetch::Listing;
use crate::controller::key::Key;
use crate::controller::machine::{
    Action, Confirmation, Input, Limits, ListingError, Machine, Now, PoolAnswer, Rejection,
    SourceIdentity, WriteOrder, WriteTicket,
};
use crate::controller::reason::REJECTIONS;
use crate::controller::report::PassFailure;
use crate::controller::source::Source;
use crate::mirror::apply::Written;
use crate::mirror::{PoolShape, Skip, SkipReason, Step, desired};
use crate::modelarts::{Credentials, Identity, Password, Reason};

pub(super) const NAMESPACE: &str = "ns";

static SHAPE: LazyLock<PoolShape> = LazyLock::new(PoolShape::of_the_crd);

pub(super) struct Rig {
    pub(super) machine: Machine,
    pub(super) now: Now,
    pub(super) api: Api,
    /// What ListPools answers: JSON of the pools by id, or an error.
    pub(super) cloud: Result<BTreeMap<String, Value>, ListingError>,
    /// All writes to mirrors that were performed: name and step.
    pub(super) writes: Vec<(String, Step)>,
    /// The statuses of sources that were written.
    pub(super) reports: Vec<(String, ModelArtsPoolSourceStatus)>,
    /// Listings that were asked for.
    pub(super) listings: usize,
    /// Pools that the list does not hold and that are there: their workspaces.
    pub(super) hidden: BTreeMap<String, Option<Box<str>>>,
    /// What the first request for a single pool fails with, and so all that would follow.
    pub(super) show_failure: Option<ListingError>,
    /// Pools of which alone the cloud does not say whether they are there.
    pub(super) unsaid: BTreeSet<String>,
    /// The pools that were asked for, once for each request.
    pub(super) shown: Vec<String>,
    /// The events that were published.
    pub(super) events: Vec<Event>,
    /// When the Secret was changed last.
    pub(super) secret_changed: Option<Timestamp>,
    /// The token in the Secrets of sources.
    pub(super) token: String,
    /// The passwords of sources that have one.
    pub(super) passwords: BTreeMap<&'static str, &'static str>,
    /// What the specs of sources that are seen from now on say beside the least.
    pub(super) spec: Value,
    /// Pools that are listed and too large to be mirrored.
    pub(super) too_large: Vec<String>,
    /// Passes whose requests to the cloud were given up.
    pub(super) given_up: Vec<u64>,
    /// Source and pool: what the listings of the one lack.
    left_out: BTreeSet<(String, String)>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let mut rig = Self::unsynced();
        rig.input(Input::Synced);
        rig
    }

    /// One that has not seen everything once.
    pub(super) fn unsynced() -> Self {
        Self {
            machine: Machine::new(Limits::default(), 1),
            now: Now {
                instant: Instant::now(),
                wall: Timestamp::UNIX_EPOCH,
            },
            api: Api::default(),
            cloud: Ok(BTreeMap::new()),
            writes: Vec::new(),
            reports: Vec::new(),
            listings: 0,
            hidden: BTreeMap::new(),
            show_failure: None,
            unsaid: BTreeSet::new(),
            shown: Vec::new(),
            events: Vec::new(),
            token: "t".to_owned(),
            secret_changed: None,
            passwords: BTreeMap::new(),
            spec: json!({}),
            too_large: Vec::new(),
            given_up: Vec::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// With a source `s` and pools that are mirrored.
    pub(super) fn with_pools(ids: &[&str]) -> Self {
        Self::with_spec(json!({}), ids)
    }

    pub(super) fn put_pool(&mut self, id: &str, phase: &str) {
        let pool = json!({"metadata": {"name": id}, "spec": {"type": "Dedicate"}, "status": {"phase": phase}});
        self.put(id, pool);
    }

    pub(super) fn put(&mut self, id: &str, pool: Value) {
        if let Ok(pools) = &mut self.cloud {
            pools.insert(id.to_owned(), pool);
        }
    }

    /// Does what comes before the next question about missing pools, and returns that.
    pub(super) fn held_confirmation(&mut self) -> Option<(Key, u64, Vec<Arc<str>>)> {
        while let Some(action) = self.machine.next_action(self.now) {
            if let Action::Confirm {
                key, pass, pools, ..
            } = action
            {
                return Some((key, pass, pools));
            }
            if let Some(write) = self.perform(action) {
                let answer = self.write(&write);
                self.answer(write.0, answer);
            }
        }
        None
    }

    /// Lets time pass until the cloud is asked about missing pools, and returns that.
    pub(super) fn until_confirmation(&mut self) -> (Key, u64, Vec<Arc<str>>) {
        for _ in 0..10_000 {
            if let Some(asked) = self.held_confirmation() {
                return asked;
            }
            self.pass_time(Duration::from_secs(1));
        }
        panic!("nothing is asked");
    }

    pub(super) fn answer_confirmation(&mut self, (key, pass, pools): (Key, u64, Vec<Arc<str>>)) {
        let answers = self.confirm(&pools);
        self.input(Input::Confirmed(key, pass, answers));
    }

    /// Does what comes before the next listing, and returns that.
    pub(super) fn held_listing(&mut self) -> (Key, u64) {
        while let Some(action) = self.machine.next_action(self.now) {
            if let Action::List { key, pass, .. } = action {
                return (key, pass);
            }
            assert!(self.perform(action).is_none(), "a write");
        }
        panic!("no listing");
    }

    /// Does all that is to be done at this instant but listings, and returns these.
    pub(super) fn held_listings(&mut self) -> Vec<(Key, u64)> {
        let mut held = Vec::new();
        while let Some(action) = self.machine.next_action(self.now) {
            match action {
                Action::List { key, pass, .. } => held.push((key, pass)),
                other => assert!(self.perform(other).is_none(), "a write"),
            }
        }
        self.check_rest();
        held
    }

    pub(super) fn answer_listing(&mut self, (key, pass): (Key, u64)) {
        let listing = self.cloud.clone().map(|pools| listing(&key.name, &pools));
        self.input(Input::Listed(key, pass, listing));
    }

    /// The listings of a source lack a pool that others have.
    pub(super) fn leave_out(&mut self, source: &str, id: &str) {
        self.left_out.insert((source.to_owned(), id.to_owned()));
    }

    /// A source with this name, its uid, and `patch` over its metadata.
    pub(super) fn see_source(&mut self, name: &str, metadata: &Value) {
        let known = self.machine.sources().find(|s| &*s.key.name == name);
        let status = known.map_or(json!(null), |s| json!(s.status));
        self.see_source_with(name, metadata, &status);
    }

    /// The same with this status.
    pub(super) fn see_source_with(&mut self, name: &str, metadata: &Value, status: &Value) {
        self.api.version += 1;
        let mut object = json!({
            "apiVersion": API_VERSION, "kind": SOURCE_KIND,
            "metadata": {"namespace": NAMESPACE, "name": name, "uid": uid(name), "generation": 1,
                "resourceVersion": self.api.version.to_string()},
            "spec": {"region": "cn-north-4", "projectId": "p", "interval": "30s",
                "credentials": {"type": "AccessKey", "secretRef": {"name": "keys"}}},
        });
        object["status"] = status.clone();
        let spec = object["spec"].as_object_mut().expect("an object");
        spec.extend(self.spec.as_object().expect("an object").clone());
        let target = object["metadata"].as_object_mut().expect("an object");
        target.extend(metadata.as_object().expect("an object").clone());
        let object = serde_json::from_value(object).expect("an object");
        let source = Source::of(object).expect("a source");
        self.input(Input::SourceSeen(Box::new(source)));
    }

    /// With a source `s` whose spec says `spec` beside the least, and pools that are mirrored.
    pub(super) fn with_spec(spec: Value, ids: &[&str]) -> Self {
        let mut rig = Self::new();
        rig.spec = spec;
        for id in ids {
            rig.put_pool(id, "Running");
        }
        rig.see_source("s", &json!({}));
        rig.run();
        rig.writes.clear();
        rig
    }

    /// The same, and the first `missing` pools are in the list no more.
    pub(super) fn missing(spec: Value, ids: &[&str], missing: usize) -> Self {
        let mut rig = Self::with_spec(spec, ids);
        for id in &ids[..missing] {
            rig.unlist(id);
        }
        rig
    }

    /// Takes a pool out of the list. Whether it is still there is for `hidden` to say.
    pub(super) fn unlist(&mut self, id: &str) {
        let pools = self.cloud.as_mut().expect("a cloud that answers");
        pools.remove(id).expect("a pool");
    }

    /// Another process takes over: it knows what is stored.
    pub(super) fn restart(&mut self) {
        let sources: Vec<Source> = self.machine.sources().cloned().collect();
        self.machine = Machine::new(Limits::default(), 1);
        for source in sources {
            self.input(Input::SourceSeen(Box::new(source)));
        }
        for name in self.api.names() {
            let observed = self.api.observed(&name);
            self.input(Input::MirrorSeen(key(&name), Box::new(observed)));
        }
        self.input(Input::Synced);
    }

    /// A watch shows that somebody edited a mirror.
    pub(super) fn edited(&mut self, name: &str, edit: impl FnOnce(&mut Value)) {
        let observed = self.api.edit(name, edit);
        self.input(Input::MirrorSeen(key(name), Box::new(observed)));
    }

    /// A watch shows that somebody deleted a mirror.
    pub(super) fn deleted(&mut self, name: &str) {
        let version = self.api.delete(name);
        self.input(Input::MirrorGone(key(name), version));
    }

    /// `Ready`, `Synced` and `Listed` of a mirror, each as `Status/Reason`.
    pub(super) fn conditions(&self, name: &str) -> [String; 3] {
        let mirror = self.api.get(name).expect("a mirror");
        ["Ready", "Synced", "Listed"].map(|type_| {
            let mut all = mirror["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten();
            let found = all.find(|c| c["type"] == type_);
            found.map_or("none".to_owned(), |c| {
                let text = |field: &str| c[field].as_str().expect("a text").to_owned();
                format!("{}/{}", text("status"), text("reason"))
            })
        })
    }

    /// When a condition of a mirror changed last.
    pub(super) fn since(&self, name: &str, type_: &str) -> Timestamp {
        let mirror = self.api.get(name).expect("a mirror");
        let mut all = mirror["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        let found = all.find(|c| c["type"] == type_).expect("a condition");
        let time = found["lastTransitionTime"].as_str().expect("a time");
        time.parse().expect("a time")
    }

    /// The status of the source as it was written last.
    pub(super) fn status(&self, name: &str) -> &ModelArtsPoolSourceStatus {
        let mut reports = self.reports.iter().rev();
        let found = reports.find(|(source, _)| source == name);
        &found.expect("a status").1
    }

    /// The reasons of the events about an object.
    pub(super) fn told(&self, name: &str) -> Vec<&str> {
        let of = self.events.iter().filter(|e| &*e.object.name == name);
        of.map(|e| e.news.reason).collect()
    }

    pub(super) fn input(&mut self, input: Input) {
        self.machine.handle(input, self.now);
    }

    pub(super) fn pass_time(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.wall += time;
    }

    /// The next write, not performed. Everything before it is.
    pub(super) fn next_write(&mut self) -> Option<(WriteTicket, WriteOrder)> {
        while let Some(action) = self.machine.next_action(self.now) {
            if let Some(write) = self.perform(action) {
                return Some(write);
            }
        }
        None
    }

    /// Performs a write and returns what the API server answers.
    pub(super) fn write(
        &mut self,
        write: &(WriteTicket, WriteOrder),
    ) -> Result<Written, WriteError> {
        let (ticket, order) = write;
        self.writes
            .push((ticket.mirror.name.to_string(), ticket.step));
        self.api.write(ticket, order)
    }

    pub(super) fn answer(&mut self, ticket: WriteTicket, answer: Result<Written, WriteError>) {
        self.input(Input::Written(ticket, answer));
    }

    /// Does what is to be done at this instant, each write at once.
    pub(super) fn run(&mut self) {
        while let Some(write) = self.next_write() {
            let answer = self.write(&write);
            self.answer(write.0, answer);
        }
        self.check_rest();
    }

    /// With nothing to do, the next wakeup is later than now: else the loop would spin.
    pub(super) fn check_rest(&self) {
        let next = self.machine.next_wakeup(self.now);
        assert!(next.is_none_or(|next| next > self.now.instant), "it spins");
    }

    /// Does what is to be done within `time`.
    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now.instant + time;
        self.run();
        while let Some(next) = self.machine.next_wakeup(self.now).filter(|n| *n <= end) {
            self.pass_time(next - self.now.instant);
            self.run();
        }
        self.pass_time(end.saturating_duration_since(self.now.instant));
    }

    /// Does what an action says, but for a write.
    pub(super) fn perform(&mut self, action: Action) -> Option<(WriteTicket, WriteOrder)> {
        match action {
            Action::ReadCredentials { key, pass, .. } => {
                let identity = self.identity(&key.name);
                self.input(Input::CredentialsRead(
                    key,
                    pass,
                    Ok(SourceIdentity {
                        identity,
                        changed: self.secret_changed,
                    }),
                ));
            }
            Action::GiveUp { pass } => self.given_up.push(pass),
            Action::Publish(event) => {
                self.events.push(*event);
                self.input(Input::Published);
            }
            Action::Confirm {
                key, pass, pools, ..
            } => {
                let answers = self.confirm(&pools);
                self.input(Input::Confirmed(key, pass, answers));
            }
            Action::List { key, pass, .. } => {
                self.listings += 1;
                let mut listing = self.cloud.clone().map(|pools| listing(&key.name, &pools));
                if let Ok(listing) = &mut listing {
                    let source = key.name.to_string();
                    let left_out = &self.left_out;
                    let of = |id: &str| (source.clone(), id.to_owned());
                    listing.pools.retain(|id, _| !left_out.contains(&of(id)));
                    listing.skipped = self.too_large.iter().map(|id| too_large(id)).collect();
                }
                self.input(Input::Listed(key, pass, listing));
            }
            Action::Check { key, uid } => {
                let answer = self.api.reach().map(|()| true);
                self.input(Input::Checked(key, uid, answer));
            }
            Action::Write(ticket, order) => return Some((ticket, order)),
            Action::Report {
                key,
                uid,
                number,
                status,
                ..
            } => {
                let answer = self.api.reach();
                self.reports.push((key.name.to_string(), *status.clone()));
                if answer.is_ok() {
                    let seen = self.machine.sources().find(|s| s.key == key);
                    let mut source = seen.expect("a source").clone();
                    self.api.version += 1;
                    source.resource_version = self.api.version;
                    source.status = *status;
                    self.input(Input::SourceSeen(Box::new(source)));
                }
                self.input(Input::Reported(key, uid, number, answer));
            }
        }
        None
    }
}

impl Rig {
    /// Who a source is to the cloud: all have one token, but for those with a password of the one user.
    fn identity(&self, source: &str) -> Identity {
        match self.passwords.get(source) {
            None => Identity::Fixed(Credentials::Token(self.token.as_str().into())),
            Some(password) => Identity::Password(Password {
                username: "u".to_owned(),
                password: (*password).into(),
                domain_name: "d".to_owned(),
            }),
        }
    }

    fn confirm(&mut self, pools: &[Arc<str>]) -> Confirmation {
        let mut confirmation = Confirmation {
            failure: self.show_failure.clone(),
            ..Confirmation::default()
        };
        for name in pools {
            self.shown.push(name.to_string());
            if self.show_failure.is_some() {
                break;
            }
            let listed = self.cloud.as_ref().is_ok_and(|p| p.contains_key(&**name));
            if self.unsaid.contains(&**name) {
                let said = PoolAnswer::Failed("not allowed".to_owned());
                confirmation.pools.push((name.clone(), said));
                continue;
            }
            let answer = match self.hidden.get(&**name) {
                Some(workspace) => PoolAnswer::Found {
                    workspace: workspace.clone(),
                },
                None if listed => PoolAnswer::Found { workspace: None },
                None => PoolAnswer::NotFound,
            };
            confirmation.pools.push((name.clone(), answer));
        }
        confirmation
    }
}

/// A spec with these rules for missing pools.
pub(super) fn prune(policy: &str, grace: &str, percent: i64) -> Value {
    json!({"prune": {"policy": policy, "gracePeriod": grace, "maxPercent": percent}})
}

pub(super) fn failure(reason: Reason, retry_after: Option<Duration>) -> ListingError {
    let rejected = REJECTIONS.contains(&reason);
    ListingError {
        failure: PassFailure {
            retry_after,
            ..PassFailure::new(reason, "no".to_owned())
        },
        rejected: rejected.then_some(Rejection::Key),
        request_id: String::new(),
    }
}

/// A listing that the cloud does not answer.
pub(super) fn unavailable() -> ListingError {
    failure(Reason::CloudUnavailable, None)
}

pub(super) fn key(name: &str) -> Key {
    Key::new(NAMESPACE, name)
}

pub(super) fn uid(source: &str) -> String {
    format!("uid-of-{source}")
}

fn too_large(id: &str) -> Skip {
    Skip {
        id: id.to_owned(),
        reason: SkipReason::TooLarge,
        message: "it is too large".to_owned(),
    }
}

fn listing(source: &str, pools: &BTreeMap<String, Value>) -> Listing {
    let mut listing = Listing::default();
    for (id, pool) in pools {
        let json = pool.as_object().expect("an object").clone();
        let desired = desired(id, json, &pool.to_string(), source, "0", &SHAPE);
        listing
            .pools
            .insert(id.as_str().into(), Arc::new(desired.expect("a mirror")));
    }
    listing
}
