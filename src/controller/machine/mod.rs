//! The heart of the loop: what happened goes in, what to do comes out. No IO, no clock of its own.
//!
//! Why one machine for all sources and not a `kube::runtime::Controller`: that one serialises
//! listing, mass writes and the repair of an edited mirror of a source in one queue with one backoff,
//! and an edit then waits for a slow listing. Here every write is decided by itself, from what should
//! be and what is, and repairs go before the writes of a pass.

mod checks;
mod messages;
mod mirrors;
mod passes;
mod reports;
mod sources;
mod state;
mod writes;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use fastrand::Rng;

pub use messages::{
    Action, CredentialsError, Input, ListingError, Notice, Now, WriteOrder, WriteTicket,
};
use mirrors::Mirrors;
pub(in crate::controller) use passes::LISTING_DEADLINE;
use state::SourceState;
use writes::Writes;

use super::key::Key;
use super::source::Source;

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

/// The state of the controller.
pub struct Machine {
    limits: Limits,
    rng: Rng,
    synced: bool,
    pass_ids: u64,
    sources: HashMap<Key, SourceState>,
    uids: HashSet<Box<str>>,
    mirrors: Mirrors,
    writes: Writes,
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
            mirrors: Mirrors::default(),
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
            Input::MirrorsRelisting(scope) => self.mirrors.relisting(scope.as_deref()),
            Input::MirrorsRelisted(scope) => self.relisted(scope.as_deref(), now),
            Input::Synced => self.synced = true,
            Input::CredentialsRead(key, pass, result) => {
                self.credentials_read(&key, pass, result, now);
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
}
