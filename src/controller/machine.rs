//! The heart of the loop: what happened goes in, what to do comes out. No IO, no clock of its own.
//!
//! Why one machine for all sources and not a `kube::runtime::Controller`: that one serialises
//! listing, mass writes and the repair of an edited mirror of a source in one queue with one backoff,
//! and an edit then waits for a slow listing. Here every write is decided by itself, from what should
//! be and what is, and repairs go before the writes of a pass.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use jiff::Timestamp;

use super::fetch::Listing;
use super::key::Key;
use super::pace::{REFRESH_GAP, after_failures, credentials_retry, next_interval};
use super::report::{PassFailure, PassResult, Report};
use super::source::{Settings, Source};
use super::source_state::{Claim, Pass, SourceState, Stage};
use super::writes::Writes;
use crate::api::{CredentialsType, ModelArtsPoolSourceStatus, PoolCounts};
use crate::mirror::apply::WriteError;
use crate::mirror::{Desired, Observed, Owner, Step};
use crate::modelarts::Credentials;

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Passes at once.
    pub passes: usize,
    /// Writes to mirrors at once. More than 16 are slower on a real API server.
    pub writes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            passes: 8,
            writes: 16,
        }
    }
}

/// How long a listing may take.
pub(super) const LISTING_DEADLINE: Duration = Duration::from_secs(900);
/// How long no planned write may be settled.
pub(super) const WRITING_DEADLINE: Duration = Duration::from_secs(300);
/// How long a rejected key is not used: the cloud locks a key after six rejected requests, for five
/// minutes.
const REJECTED_KEY_PAUSE: Duration = Duration::from_secs(300);

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic: what waits are measured by.
    pub instant: Instant,
    /// What is written.
    pub wall: Timestamp,
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A source was seen, for the first time or changed.
    SourceSeen(Box<Source>),
    /// A source is no more.
    SourceGone(Key),
    /// A mirror was seen.
    MirrorSeen(Key, Box<Observed>),
    /// A mirror was deleted, at this resourceVersion.
    MirrorGone(Key, u64),
    /// The mirrors of a namespace (or of all) are about to be listed anew.
    MirrorsRelisting(Option<Arc<str>>),
    /// They were: what was not seen since is gone.
    MirrorsRelisted(Option<Arc<str>>),
    /// Sources and mirrors have all been seen once: passes may begin.
    Synced,
    /// The credentials of a pass were read.
    CredentialsRead(Key, u64, Result<Credentials, CredentialsError>),
    /// The listing of a pass ended.
    Listed(Key, u64, Result<Listing, ListingError>),
    /// The check of a source ended: whether it may be written for.
    Checked(Key, Box<str>, Result<bool, WriteError>),
    /// A write ended.
    Written(WriteTicket, Result<Box<Observed>, WriteError>),
    /// The write of a source's status ended.
    Reported(Key, Box<str>, Result<(), WriteError>),
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Read the credentials of a source from its Secret.
    ReadCredentials {
        /// The source.
        key: Key,
        /// The pass that needs them.
        pass: u64,
        /// Their kind.
        type_: CredentialsType,
        /// Name of the Secret, in the namespace of the source.
        secret: String,
    },
    /// List its pools.
    List {
        /// The source.
        key: Key,
        /// The pass that needs the listing.
        pass: u64,
        /// What to list, and where.
        settings: Box<Settings>,
        /// What to prove the identity with.
        credentials: Arc<Credentials>,
        /// The last complete listing.
        previous: Vec<(Arc<str>, Arc<Desired>)>,
    },
    /// Check that a source may be written for: it is there with this uid, is not being deleted, and
    /// neither is its namespace.
    Check {
        /// The source.
        key: Key,
        /// Its uid.
        uid: Box<str>,
    },
    /// Write a mirror.
    Write(WriteTicket, WriteOrder),
    /// Write the status of a source.
    Report {
        /// The source.
        key: Key,
        /// Its uid.
        uid: Box<str>,
        /// The version that `status` was made from.
        resource_version: u64,
        /// The status to write.
        status: Box<ModelArtsPoolSourceStatus>,
    },
}

/// Which write an answer belongs to.
#[derive(Clone, Debug)]
pub struct WriteTicket {
    /// The source it was made for.
    pub source: Key,
    /// Its uid.
    pub uid: Box<str>,
    /// The mirror.
    pub mirror: Key,
    /// What was written, in short: the same is not written twice to the same version.
    pub intent: u64,
    /// Which write.
    pub step: Step,
}

/// What a write needs.
#[derive(Debug)]
pub struct WriteOrder {
    /// What the mirror should be.
    pub desired: Arc<Desired>,
    /// Whom it belongs to.
    pub owner: Arc<Owner>,
    /// What it is.
    pub observed: Option<Box<Observed>>,
    /// The time for conditions that change.
    pub now: Timestamp,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// The API server can't be asked.
    ApiServer(WriteError),
    /// The Secret is missing or not as it must be.
    Secret {
        /// Reason of the condition.
        reason: &'static str,
        /// Which Secret, which key, and what to do.
        message: String,
    },
}

/// Why a listing failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingError {
    /// For the source's condition.
    pub failure: PassFailure,
    /// Whether the cloud rejected the credentials.
    pub rejected: bool,
}

/// What is worth a metric or a line in the log.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A pass ended.
    PassEnded {
        /// The source.
        source: Key,
        /// How.
        report: Report,
        /// How long the listing took, where it was complete.
        listing: Option<Duration>,
        /// How long the whole pass took.
        whole: Duration,
        /// Failures in a row.
        failures: u32,
    },
    /// A source is no more.
    SourceGone(Key),
}

/// The state of the controller.
pub struct Machine {
    limits: Limits,
    rng: Rng,
    synced: bool,
    pass_ids: u64,
    pub(super) sources: HashMap<Key, SourceState>,
    pub(super) uids: HashSet<Box<str>>,
    pub(super) writes: Writes,
    /// When the next pass of each source begins.
    due: BTreeSet<(Instant, Key)>,
    running: usize,
    /// Keys that the cloud rejected, and until when they are not used.
    rejected: HashMap<u64, Instant>,
    checks: BTreeSet<Key>,
    /// Sources whose credentials are read and whose listing may begin.
    listings: VecDeque<Key>,
    reports: BTreeSet<Key>,
    notices: Vec<Notice>,
}

impl Machine {
    /// A machine that has seen nothing. `seed` is that of its jitter.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            rng: Rng::with_seed(seed),
            synced: false,
            pass_ids: 0,
            sources: HashMap::new(),
            uids: HashSet::new(),
            writes: Writes::default(),
            due: BTreeSet::new(),
            running: 0,
            rejected: HashMap::new(),
            checks: BTreeSet::new(),
            listings: VecDeque::new(),
            reports: BTreeSet::new(),
            notices: Vec::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::SourceSeen(source) => self.source_seen(*source, now),
            Input::SourceGone(key) => self.source_gone(&key),
            Input::MirrorSeen(key, observed) => self.mirror_seen(&key, *observed, now),
            Input::MirrorGone(key, version) => self.mirror_gone(&key, version, now),
            Input::MirrorsRelisting(scope) => self.writes.relisting(scope.as_deref()),
            Input::MirrorsRelisted(scope) => {
                for key in self.writes.unseen(scope.as_deref()) {
                    self.mirror_gone(&key, u64::MAX, now);
                }
            }
            Input::Synced => self.synced = true,
            Input::CredentialsRead(key, pass, result) => {
                self.credentials_read(&key, pass, result, now)
            }
            Input::Listed(key, pass, result) => self.listed(&key, pass, result, now),
            Input::Checked(key, uid, result) => self.checked(&key, &uid, result, now),
            Input::Written(ticket, result) => self.written(&ticket, result.map(|o| *o), now),
            Input::Reported(key, uid, result) => self.reported(&key, &uid, result, now),
        }
    }

    /// The next thing to do, where there is one and there is room for it.
    pub fn next_action(&mut self, now: Now) -> Option<Action> {
        if !self.synced {
            return None;
        }
        // A write that waits for a check asks for it: checks come after writes.
        self.next_write(now, self.limits.writes)
            .or_else(|| self.next_check())
            .or_else(|| self.next_listing())
            .or_else(|| self.next_report(now))
            .or_else(|| self.next_pass(now))
    }

    /// When [`Machine::next_action`] may say something new though nothing happened.
    #[must_use]
    pub fn next_wakeup(&self, now: Now) -> Option<Instant> {
        let pass = self
            .due
            .first()
            .filter(|_| self.running < self.limits.passes)
            .map(|(due, _)| *due);
        let report = self
            .reports
            .iter()
            .filter_map(|key| self.sources.get(key)?.report_after)
            .min();
        [pass, report, self.writes.next_wakeup(now.instant)]
            .into_iter()
            .flatten()
            .min()
    }

    /// What was worth noticing since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The first pass that is `late` past its deadline: the loop is stuck.
    #[must_use]
    pub fn stuck(&self, now: Instant, late: Duration) -> Option<&Key> {
        let is_late = |s: &SourceState| s.pass().is_some_and(|p| now > p.deadline + late);
        self.sources
            .iter()
            .find(|(_, s)| is_late(s))
            .map(|(key, _)| key)
    }

    /// Phases of the pools of the last complete listing of a source.
    pub fn phases(&self, source: &Key) -> impl Iterator<Item = Option<&str>> {
        let pools = self.sources.get(source).and_then(|s| s.pools.as_ref());
        pools
            .into_iter()
            .flatten()
            .map(|(_, claim)| claim.desired.phase.as_deref())
    }

    /// Whether a source asks not to ask the cloud.
    #[must_use]
    pub fn is_suspended(&self, source: &Key) -> bool {
        self.sources.get(source).is_some_and(SourceState::suspended)
    }

    /// The sources that are known.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values().map(|s| &s.source)
    }

    fn source_seen(&mut self, source: Source, now: Now) {
        let key = source.key.clone();
        // The name was given to a new object; what was known of the old one is void.
        if self
            .sources
            .get(&key)
            .is_some_and(|s| s.source.uid != source.uid)
        {
            self.source_gone(&key);
        }
        self.uids.insert(source.uid.clone());
        let known = self.sources.contains_key(&key);
        let state = self
            .sources
            .entry(key.clone())
            .or_insert_with(|| SourceState::new(source.clone()));
        if known && source.resource_version <= state.source.resource_version {
            return;
        }
        let spec_changed = known && state.source.generation != source.generation;
        let old_refresh = state.source.refresh.clone();
        state.source = source;
        state.report_after = None;
        if state.source.deleting {
            // Orphaning and garbage collection win: nothing more is written for it.
            state.pools = None;
            state.unchecked.clear();
            state.report = None;
            self.stop_pass(&key);
            self.set_due(&key, None);
            return;
        }
        if spec_changed
            && matches!(
                state.stage,
                Stage::ReadingCredentials(_) | Stage::Listing(_)
            )
        {
            // What is being listed is no longer what is asked for.
            self.stop_pass(&key);
        }
        let Some(state) = self.sources.get_mut(&key) else {
            return;
        };
        if state.suspended() {
            let generation = state.source.generation;
            let said = state
                .source
                .status
                .conditions
                .iter()
                .flatten()
                .any(|c| c.reason == "Suspended" && c.observed_generation == Some(generation));
            self.stop_listing(&key);
            self.set_due(&key, None);
            if !said {
                self.report_suspended(&key, now);
            }
        } else if !known || spec_changed {
            self.set_due(&key, Some(now.instant));
        } else if state.open_refresh().is_some() && old_refresh != state.source.refresh {
            let asked = state
                .last_start
                .map_or(now.instant, |last| (last + REFRESH_GAP).max(now.instant));
            self.set_due(&key, Some(asked));
        }
    }

    fn source_gone(&mut self, key: &Key) {
        self.stop_pass(key);
        self.set_due(key, None);
        self.checks.remove(key);
        self.reports.remove(key);
        if let Some(state) = self.sources.remove(key) {
            self.uids.remove(&state.source.uid);
            self.notices.push(Notice::SourceGone(key.clone()));
        }
    }

    /// Sets when the next pass of a source begins; a running pass is not disturbed.
    fn set_due(&mut self, key: &Key, due: Option<Instant>) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        if let Some(old) = state.due.take() {
            self.due.remove(&(old, key.clone()));
        }
        let due = due.map(|d| state.not_before.map_or(d, |n| n.max(d)));
        state.due = due;
        if let Some(due) = due {
            self.due.insert((due, key.clone()));
        }
    }

    fn stop_listing(&mut self, key: &Key) {
        let listing = self
            .sources
            .get(key)
            .is_some_and(|s| matches!(s.stage, Stage::ReadingCredentials(_) | Stage::Listing(_)));
        if listing {
            self.stop_pass(key);
        }
    }

    fn stop_pass(&mut self, key: &Key) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        if !matches!(
            std::mem::replace(&mut state.stage, Stage::Idle),
            Stage::Idle
        ) {
            self.running -= 1;
        }
        for claim in state.pools.iter_mut().flat_map(HashMap::values_mut) {
            claim.in_pass = false;
        }
    }

    fn report_suspended(&mut self, key: &Key, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        state.report = Some(Report {
            result: PassResult::Suspended,
            started: now.wall,
            generation: state.source.generation,
            refresh: None,
            interval: Duration::ZERO,
        });
        self.reports.insert(key.clone());
    }

    fn next_pass(&mut self, now: Now) -> Option<Action> {
        loop {
            let (due, key) = self.due.first()?.clone();
            if self.running >= self.limits.passes || due > now.instant {
                return None;
            }
            if self.sources.get(&key).is_none_or(|s| s.pass().is_some()) {
                // It is started again when the running pass ends.
                self.due.pop_first();
                continue;
            }
            self.set_due(&key, None);
            if let Some(action) = self.begin_pass(&key, now) {
                return Some(action);
            }
        }
    }

    fn begin_pass(&mut self, key: &Key, now: Now) -> Option<Action> {
        self.pass_ids += 1;
        let id = self.pass_ids;
        let state = self.sources.get_mut(key)?;
        let pass = Pass {
            id,
            begun: now.instant,
            started: now.wall,
            generation: state.source.generation,
            refresh: state.source.refresh.clone(),
            key: None,
            listed: None,
            outstanding: 0,
            failure: None,
            deadline: now.instant + LISTING_DEADLINE,
        };
        state.last_start = Some(now.instant);
        self.running += 1;
        state.stage = Stage::ReadingCredentials(pass);
        let settings = match &state.source.settings {
            Ok(settings) => settings,
            Err(message) => {
                let failure = stalled("InvalidSpec", message.clone());
                self.end_pass(key, Some(failure), now);
                return None;
            }
        };
        match settings.credentials {
            CredentialsType::AccessKey | CredentialsType::Token => Some(Action::ReadCredentials {
                key: key.clone(),
                pass: id,
                type_: settings.credentials,
                secret: settings.secret.clone(),
            }),
            other => {
                let message = format!(
                    "credentials of type {other:?} are not supported by this version; use AccessKey or Token"
                );
                self.end_pass(key, Some(stalled("CredentialsUnsupported", message)), now);
                None
            }
        }
    }

    fn credentials_read(
        &mut self,
        key: &Key,
        id: u64,
        result: Result<Credentials, CredentialsError>,
        now: Now,
    ) {
        self.rejected.retain(|_, until| *until > now.instant);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Stage::ReadingCredentials(pass) = &mut state.stage else {
            return;
        };
        if pass.id != id {
            return;
        }
        let credentials = match result {
            Ok(credentials) => Arc::new(credentials),
            // The API server's outage is not the cloud's: what is known is used on.
            Err(CredentialsError::ApiServer(error)) => match &state.credentials {
                Some(credentials) if !matches!(error, WriteError::Forbidden(_)) => {
                    credentials.clone()
                }
                _ => {
                    let failure = write_failure("Secret", key, &error);
                    return self.end_pass(key, Some(failure), now);
                }
            },
            Err(CredentialsError::Secret { reason, message }) => {
                state.credentials = None;
                return self.end_pass(key, Some(stalled(reason, message)), now);
            }
        };
        let fingerprint = credentials.fingerprint();
        state.credentials = Some(credentials.clone());
        if let Some(until) = self.rejected.get(&fingerprint) {
            let wait = until.duration_since(now.instant).as_secs();
            tracing::debug!(source = %key, "the key was rejected; not asking for another {wait} s");
            return self.wait_for_key(key, now);
        }
        pass.key = Some(fingerprint);
        let pass = pass.clone();
        state.stage = Stage::Listing(pass);
        self.listings.push_back(key.clone());
    }

    /// Ends a pass that asks nothing, since its key was rejected: what was said of that stays said.
    fn wait_for_key(&mut self, key: &Key, now: Now) {
        self.stop_pass(key);
        let interval = self.interval(key);
        self.set_due(key, Some(now.instant + credentials_retry(interval)));
    }

    fn interval(&self, key: &Key) -> Duration {
        let settings = self
            .sources
            .get(key)
            .and_then(|s| s.source.settings.as_ref().ok());
        settings.map_or(Duration::from_secs(30), |s| s.interval)
    }

    /// The listing that [`Machine::credentials_read`] has made ready.
    fn next_listing(&mut self) -> Option<Action> {
        loop {
            let key = self.listings.pop_front()?;
            let Some(state) = self.sources.get(&key) else {
                continue;
            };
            let (Stage::Listing(pass), Ok(settings), Some(credentials)) =
                (&state.stage, &state.source.settings, &state.credentials)
            else {
                continue;
            };
            let previous = state
                .pools
                .iter()
                .flatten()
                .map(|(n, c)| (n.clone(), c.desired.clone()))
                .collect();
            return Some(Action::List {
                pass: pass.id,
                settings: Box::new(settings.clone()),
                credentials: credentials.clone(),
                previous,
                key,
            });
        }
    }

    fn listed(&mut self, key: &Key, id: u64, result: Result<Listing, ListingError>, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Stage::Listing(pass) = &mut state.stage else {
            return;
        };
        if pass.id != id {
            return;
        }
        let listing = match result {
            Ok(listing) => listing,
            Err(ListingError { failure, rejected }) => {
                if let (true, Some(key)) = (rejected, pass.key) {
                    self.rejected.insert(key, now.instant + REJECTED_KEY_PAUSE);
                }
                return self.end_pass(key, Some(failure), now);
            }
        };
        pass.listed = Some(now.instant);
        pass.deadline = now.instant + WRITING_DEADLINE;
        let pass = pass.clone();
        self.plan_pass(key, listing, pass, now);
    }

    /// Takes a complete listing: from here on it is what should be.
    fn plan_pass(&mut self, key: &Key, listing: Listing, pass: Pass, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        // A refusal is tried again when somebody asks.
        let asked = state.open_refresh().is_some() && pass.refresh == state.source.refresh;
        let mut old = state.pools.take().unwrap_or_default();
        let names: Vec<Arc<str>> = listing.pools.keys().cloned().collect();
        let claim = |(name, desired): (Arc<str>, Arc<Desired>)| {
            let mut claim = old
                .remove(&name)
                .unwrap_or_else(|| Claim::new(desired.clone()));
            claim.desired = desired;
            claim.refused = claim.refused.filter(|_| !asked);
            (name, claim)
        };
        state.pools = Some(listing.pools.into_iter().map(claim).collect());
        state.unmirrorable = listing.skipped;
        // Not writing yet: what is settled at once must not end the pass before all is planned.
        state.stage = Stage::Listing(pass.clone());
        let planned: Vec<Arc<str>> = names
            .into_iter()
            .filter(|name| self.needs_write(key, name, now))
            .collect();
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        // A check begun now, before the pass's first write.
        let needs_check = state.checks_begun + 1;
        for name in &planned {
            if let Some(claim) = state.claim(name) {
                claim.in_pass = true;
                claim.needs_check = needs_check;
            }
        }
        state.stage = Stage::Writing(Pass {
            outstanding: planned.len(),
            ..pass
        });
        for name in planned {
            self.enqueue(key, &name, false);
        }
        self.end_pass_if_settled(key, now);
    }

    /// Ends the pass of a source when none of its planned writes is left.
    pub(super) fn end_pass_if_settled(&mut self, key: &Key, now: Now) {
        let Some(pass) = self.sources.get_mut(key).and_then(SourceState::writing) else {
            return;
        };
        if pass.outstanding == 0 {
            let failure = pass.failure.take();
            self.end_pass(key, failure, now);
        }
    }

    /// Ends the pass of a source and says when the next begins.
    fn end_pass(&mut self, key: &Key, failure: Option<PassFailure>, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Some(pass) = state.pass().cloned() else {
            return;
        };
        let interval = state
            .source
            .settings
            .as_ref()
            .map_or(Duration::from_secs(30), |s| s.interval);
        let wait = match &failure {
            None => {
                state.failures = 0;
                next_interval(interval, &mut self.rng)
            }
            Some(failure) => {
                state.failures = state.failures.saturating_add(1);
                if failure.stalled {
                    credentials_retry(interval)
                } else {
                    after_failures(interval, state.failures, &mut self.rng)
                }
            }
        };
        state.not_before = failure
            .as_ref()
            .and_then(|f| f.retry_after)
            .map(|wait| now.instant + wait);
        state.handled_refresh.clone_from(&pass.refresh);
        let result = match failure {
            Some(failure) => PassResult::Failed(failure),
            None => succeeded(state),
        };
        let report = Report {
            result,
            started: pass.started,
            generation: pass.generation,
            refresh: pass.refresh,
            interval,
        };
        self.notices.push(Notice::PassEnded {
            source: key.clone(),
            report: report.clone(),
            listing: pass.listed.map(|l| l.duration_since(pass.begun)),
            whole: now.instant.duration_since(pass.begun),
            failures: state.failures,
        });
        state.report = Some(report);
        state.report_after = None;
        self.reports.insert(key.clone());
        let again = state.source.generation != pass.generation;
        let suspended = state.suspended();
        let refresh = state.open_refresh().is_some();
        let due = if again {
            now.instant
        } else {
            (pass.begun + wait).max(now.instant)
        };
        let due = if refresh {
            due.min((pass.begun + REFRESH_GAP).max(now.instant))
        } else {
            due
        };
        self.stop_pass(key);
        self.set_due(key, (!suspended).then_some(due));
        if suspended {
            self.report_suspended(key, now);
        }
    }

    /// Fails every pass that is writing: the API server can't be reached.
    pub(super) fn fail_writing_passes(&mut self, error: &WriteError, now: Now) {
        let writing: Vec<Key> = self
            .sources
            .iter()
            .filter(|(_, s)| matches!(s.stage, Stage::Writing(_)))
            .map(|(k, _)| k.clone())
            .collect();
        for key in writing {
            let failure = write_failure("mirrors", &key, error);
            self.end_pass(&key, Some(failure), now);
        }
    }

    fn next_report(&mut self, now: Now) -> Option<Action> {
        if self.writes.is_paused(now.instant) {
            return None;
        }
        let ready = |key: &&Key| {
            self.sources
                .get(*key)
                .is_some_and(|s| !s.reporting && s.report_after.is_none_or(|a| a <= now.instant))
        };
        let key = self.reports.iter().find(ready)?.clone();
        let state = self.sources.get_mut(&key)?;
        let report = state.report.as_ref()?;
        let status = super::report::status_after(report, &state.source.status, now.wall);
        if status == state.source.status {
            state.report = None;
            self.reports.remove(&key);
            return self.next_report(now);
        }
        state.reporting = true;
        Some(Action::Report {
            uid: state.source.uid.clone(),
            resource_version: state.source.resource_version,
            status: Box::new(status),
            key,
        })
    }

    fn reported(&mut self, key: &Key, uid: &str, result: Result<(), WriteError>, now: Now) {
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.reporting = false;
        match result {
            Ok(()) => {
                self.writes.api_answered();
                state.report = None;
                self.reports.remove(key);
            }
            Err(error) => {
                // The watch shows the newer version soon and clears the wait.
                let wait = if matches!(error, WriteError::Conflict(_)) {
                    1
                } else {
                    5
                };
                state.report_after = Some(now.instant + Duration::from_secs(wait));
                if !matches!(error, WriteError::Conflict(_)) {
                    tracing::warn!(source = %key, %error, "failed to write the source's status; trying again");
                }
                self.writes.api_failed(&error, now.instant);
            }
        }
    }

    fn next_check(&mut self) -> Option<Action> {
        let key = self.checks.pop_first()?;
        let state = self.sources.get_mut(&key)?;
        state.checking = true;
        state.checks_begun += 1;
        Some(Action::Check {
            uid: state.source.uid.clone(),
            key,
        })
    }

    /// Asks for a check of a source, unless one that is begun later than its cause is under way.
    pub(super) fn ask_check(&mut self, key: &Key) {
        if self.sources.get(key).is_some_and(|s| !s.checking) {
            self.checks.insert(key.clone());
        }
    }

    fn checked(&mut self, key: &Key, uid: &str, result: Result<bool, WriteError>, now: Now) {
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.checking = false;
        let waiting = std::mem::take(&mut state.unchecked);
        match result {
            Ok(true) => {
                state.checked = state.checks_begun;
                self.writes.api_answered();
            }
            Ok(false) => {
                tracing::info!(source = %key, "the source or its namespace is being deleted; nothing more is written for it");
                state.pools = None;
                state.report = None;
                self.stop_pass(key);
                // Where it was a mistake (the same name anew), its own event begins anew.
                self.set_due(key, None);
                return;
            }
            Err(error) => {
                self.writes.api_failed(&error, now.instant);
                let failure = write_failure("the source", key, &error);
                if self
                    .sources
                    .get_mut(key)
                    .is_some_and(|s| s.writing().is_some())
                {
                    self.end_pass(key, Some(failure), now);
                }
                self.writes
                    .hold_all(key, waiting, now.instant + Duration::from_secs(1));
                return;
            }
        }
        for name in waiting {
            self.recheck(key, &name);
        }
    }
}

impl Machine {
    /// Looks again at a pool that waited for a check.
    fn recheck(&mut self, key: &Key, name: &Arc<str>) {
        let Some(claim) = self.sources.get_mut(key).and_then(|s| s.claim(name)) else {
            return;
        };
        claim.queued = false;
        let urgent = !claim.in_pass;
        self.enqueue(key, name, urgent);
    }
}

fn succeeded(state: &SourceState) -> PassResult {
    let mut counts = PoolCounts::default();
    let mut skipped = state.unmirrorable.clone();
    let mut pools = 0;
    for claim in state.pools.iter().flat_map(HashMap::values) {
        match &claim.skip {
            Some(skip) => skipped.push(skip.clone()),
            None => {
                pools += 1;
                if claim.desired.dedicate {
                    counts.add(&claim.desired.counts);
                }
            }
        }
    }
    PassResult::Succeeded {
        pools,
        counts,
        skipped,
    }
}

fn stalled(reason: &'static str, message: String) -> PassFailure {
    PassFailure {
        reason,
        message,
        stalled: true,
        retry_after: None,
    }
}

/// The failure of a pass whose write (or read) of `what` the API server did not accept.
pub(super) fn write_failure(what: &str, key: &Key, error: &WriteError) -> PassFailure {
    let reason = match error {
        WriteError::Unreachable(_) => "APIServerUnreachable",
        WriteError::Throttled { .. } => "APIServerThrottled",
        WriteError::Forbidden(_) => "APIServerForbidden",
        WriteError::NamespaceTerminating => "NamespaceTerminating",
        WriteError::Conflict(_)
        | WriteError::NotFound(_)
        | WriteError::Refused(_)
        | WriteError::ServerError(_) => "WriteFailed",
    };
    PassFailure {
        reason,
        message: format!("failed to write {what} of {key}: {error}"),
        stalled: false,
        retry_after: None,
    }
}
