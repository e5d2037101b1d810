//! The heart of the loop: what happened goes in, what to do comes out. No IO, no clock of its own.
//!
//! Why one machine for all sources and not a `kube::runtime::Controller`: that one serialises
//! listing, mass writes and the repair of an edited mirror of a source in one queue with one backoff,
//! and an edit then waits for a slow listing. Here every write is decided by itself, from what should
//! be and what is, and repairs go before the writes of a pass.

mod absence;
mod checks;
mod claims;
mod credentials;
mod drift;
mod events;
mod freshness;
mod keys;
mod lanes;
mod leadership;
mod messages;
mod mirrors;
mod passes;
mod proofs;
mod reports;
mod sources;
mod state;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;

use keys::Keys;
pub use messages::{
    Action, Changes, Confirmation, CredentialsError, Input, ListingError, Notice, Now, PoolAnswer,
    Rejection, SourceIdentity, WriteOrder, WriteTicket,
};
use mirrors::Mirrors;
pub(in crate::controller) use passes::LISTING_DEADLINE;
use passes::WRITING_DEADLINE;
use proofs::Proofs;
use reports::Reporting;
use state::{SourceState, Stage};
use writes::Writes;

use super::events::{Budget, Event};
use super::key::Key;
use super::source::Source;
use crate::mirror::Desired;

/// How much is done at once.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Passes at once.
    pub passes: usize,
    /// Writes to mirrors at once, but for a few more repairs. More than 16 are slower on a real API server.
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

/// The state of the controller.
pub struct Machine {
    limits: Limits,
    rng: Rng,
    /// Everything has been seen once.
    synced: bool,
    /// This replica is the one that lists and writes; else it only takes in what is seen.
    leads: bool,
    pass_ids: u64,
    sources: HashMap<Key, SourceState>,
    /// The sources by their uids.
    uids: HashMap<Box<str>, Key>,
    mirrors: Mirrors,
    writes: Writes,
    /// When the next pass of each source begins.
    due: BTreeSet<(Instant, Key)>,
    /// How many of [`Limits::passes`] are taken.
    running: usize,
    keys: Keys,
    /// Requests that nobody waits for, but to learn whether their keys are accepted.
    proofs: Proofs,
    checks: BTreeSet<Key>,
    /// Sources whose credentials are read and whose listing may begin, with the pass it is for.
    listings: VecDeque<(Key, u64)>,
    /// What [`Keys::changes`] and the number of these were when none of them could begin.
    scanned: Option<(u64, usize)>,
    /// Sources whose missing pools the cloud is to be asked about, with the pass that missed them.
    confirmations: VecDeque<(Key, u64)>,
    /// When sources are looked at for the age of their data.
    looks: BTreeSet<(Instant, Key)>,
    events: VecDeque<Event>,
    /// Events that are being published.
    publishing: usize,
    budget: Budget,
    /// Passes whose listings go on and are of no use any more.
    given_up: Vec<u64>,
    reports: BTreeSet<Key>,
    reporting: Reporting,
    notices: Vec<Notice>,
}

impl Machine {
    /// A machine that has seen nothing, and leads. `seed` is that of its jitter.
    #[must_use]
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            rng: Rng::with_seed(seed),
            synced: false,
            leads: true,
            pass_ids: 0,
            sources: HashMap::new(),
            uids: HashMap::new(),
            mirrors: Mirrors::default(),
            writes: Writes::default(),
            due: BTreeSet::new(),
            running: 0,
            keys: Keys::default(),
            proofs: Proofs::default(),
            given_up: Vec::new(),
            checks: BTreeSet::new(),
            listings: VecDeque::new(),
            scanned: None,
            confirmations: VecDeque::new(),
            looks: BTreeSet::new(),
            events: VecDeque::new(),
            publishing: 0,
            budget: Budget::default(),
            reports: BTreeSet::new(),
            reporting: Reporting::default(),
            notices: Vec::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Now) {
        match input {
            Input::SourceSeen(source) => self.source_seen(*source, now),
            Input::SourceGone(key) => self.source_gone(&key, now),
            Input::MirrorSeen(key, observed) => self.mirror_seen(&key, *observed, now),
            Input::MirrorGone(key, version) => self.mirror_gone(&key, version, now),
            Input::MirrorsRelisting(scope) => self.mirrors.relisting(scope.as_deref()),
            Input::MirrorsRelisted(scope) => self.relisted(scope.as_deref(), now),
            Input::Synced => self.all_seen(now),
            Input::Lead => self.lead(now),
            Input::StandBy => self.stand_by(now),
            Input::CredentialsRead(key, pass, result) => {
                self.credentials_read(&key, pass, result, now);
            }
            Input::Listed(key, pass, result) => self.listed(&key, pass, result, now),
            Input::Checked(key, uid, result) => self.checked(&key, &uid, result, now),
            Input::Confirmed(key, pass, answers) => self.confirmed(&key, pass, answers, now),
            Input::Published => self.publishing -= 1,
            Input::Written(ticket, result) => self.written(&ticket, result, now),
            Input::Reported(key, uid, number, result) => {
                self.reported(&key, &uid, number, result, now);
            }
        }
    }

    /// The next thing to do, where there is one and there is room for it.
    pub fn next_action(&mut self, now: Now) -> Option<Action> {
        if !self.works() {
            return None;
        }
        self.look(now);
        self.end_late_proofs(now);
        if let Some(pass) = self.given_up.pop() {
            return Some(Action::GiveUp { pass });
        }
        // After a pause the reports go first: a write that fails again begins the next pause, and what
        // is wrong would never be said.
        if self.writes.is_probing()
            && let Some(report) = self.next_report(now)
        {
            return Some(report);
        }
        // A write that waits for a check asks for it: checks come after writes.
        self.next_write(now, self.limits.writes)
            .or_else(|| self.next_check(now))
            .or_else(|| self.next_listing(now))
            .or_else(|| self.next_confirmation(now))
            .or_else(|| self.next_report(now))
            .or_else(|| self.next_event(now))
            .or_else(|| self.next_pass(now))
    }

    /// When [`Machine::next_action`] may say something new though nothing happened.
    #[must_use]
    pub fn next_wakeup(&self, now: Now) -> Option<Instant> {
        if !self.works() {
            return None;
        }
        let pass = self
            .due
            .first()
            .filter(|_| self.running < self.limits.passes)
            .map(|(due, _)| *due);
        let waiting = self.reports.iter().filter_map(|key| self.sources.get(key));
        let report = waiting
            .filter(|s| !s.reporting)
            .filter_map(|s| s.report_after)
            // One whose time has come waits for room.
            .filter(|at| *at > now.instant)
            .min()
            .filter(|_| !self.writes.is_paused(now.instant));
        let look = self.looks.first().map(|(at, _)| *at);
        let proof = self.proofs.next_end();
        [
            pass,
            report,
            look,
            proof,
            self.writes.next_wakeup(now.instant),
        ]
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
        // A write that was answered, whatever the answer, is no sign of a loop that is stuck.
        let answered = self.writes.last_answer().map(|at| at + WRITING_DEADLINE);
        let is_late = |s: &SourceState| match (&s.stage, s.pass()) {
            (Stage::Writing(_), Some(p)) => {
                now > answered.map_or(p.deadline, |a| a.max(p.deadline)) + late
            }
            (_, Some(p)) => now > p.deadline + late,
            (_, None) => false,
        };
        self.sources
            .iter()
            .find(|(_, s)| is_late(s))
            .map(|(key, _)| key)
    }

    /// The pools of the last complete listing of a source that are mirrored.
    pub fn listed_pools(&self, source: &Key) -> impl Iterator<Item = &Desired> {
        let state = self.sources.get(source).into_iter();
        let claims = state.flat_map(|s| s.claims.values());
        claims.filter_map(|claim| claim.listed())
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
}
