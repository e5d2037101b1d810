//! Which mirror is written next: the part of the machine that decides single writes.
//!
//! A mirror is looked at when its pool was listed, when it was seen changed or deleted, and after
//! each write to it. What to write is decided anew each time, from what should be and what is.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::key::Key;
use super::machine::{
    Action, Machine, Now, WRITING_DEADLINE, WriteOrder, WriteTicket, write_failure,
};
use super::pace::{ApiPause, Repairs};
use super::source_state::{Claim, SourceState};
use crate::mirror::apply::WriteError;
use crate::mirror::{Converged, Fingerprint, Observed, Owner, Skip, SkipReason, Step, plan};

/// How long a refused write is not tried again, unless somebody asks for a refresh.
const REFUSED_PAUSE: Duration = Duration::from_secs(300);
/// Conflicts in a row after which a pass no longer waits for a mirror.
const MAX_CONFLICTS: u8 = 8;

/// The mirrors that are known and the writes to come.
#[derive(Default)]
pub(super) struct Writes {
    mirrors: HashMap<Key, MirrorState>,
    /// Source and pool: repairs, and second writes to a mirror whose first was accepted.
    urgent: VecDeque<(Key, Arc<str>)>,
    /// Source and pool: the writes that passes have planned.
    planned: VecDeque<(Key, Arc<str>)>,
    /// Source and pool, and when they are looked at again.
    held: BTreeSet<(Instant, Key, Arc<str>)>,
    in_flight: usize,
    pause: ApiPause,
}

/// One mirror that exists, or did.
#[derive(Default)]
struct MirrorState {
    observed: Option<Box<Observed>>,
    /// A write is under way.
    busy: bool,
    /// What was last applied, and the version that the API server made of it: the same is not
    /// applied to the same version again, whatever came of it.
    applied: Option<(Fingerprint, u64)>,
    applied_status: Option<(Fingerprint, u64)>,
    repairs: Repairs,
    /// Seen since the last relist began.
    seen: bool,
}

/// What is to be done for a pool.
#[derive(Debug)]
enum Decision {
    Settled,
    Skipped(Skip),
    Write(Step, Fingerprint),
}

impl Writes {
    pub(super) fn relisting(&mut self, namespace: Option<&str>) {
        for (key, mirror) in &mut self.mirrors {
            if namespace.is_none_or(|n| n == &*key.namespace) {
                mirror.seen = false;
            }
        }
    }

    /// Mirrors that were not seen since the relist began.
    pub(super) fn unseen(&self, namespace: Option<&str>) -> Vec<Key> {
        let within = |key: &Key| namespace.is_none_or(|n| n == &*key.namespace);
        let gone = self
            .mirrors
            .iter()
            .filter(|(key, m)| within(key) && !m.seen && m.observed.is_some());
        gone.map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        match self.pause.until(now) {
            Some(until) => Some(until),
            None => self.held.first().map(|(at, ..)| *at),
        }
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.pause.until(now).is_some()
    }

    pub(super) fn api_answered(&mut self) {
        self.pause.end();
    }

    /// Pauses all writes where the error is the API server's as a whole.
    pub(super) fn api_failed(&mut self, error: &WriteError, now: Instant) {
        match error {
            WriteError::Unreachable(_) => self.pause.extend(now, None),
            WriteError::Throttled { retry_after, .. } => {
                self.pause.extend(
                    now,
                    Some(Duration::from_secs(retry_after.unwrap_or(1).min(60))),
                );
            }
            _ => self.pause.end(),
        }
    }

    /// Looks at these pools again at `at`.
    pub(super) fn hold_all(&mut self, source: &Key, names: BTreeSet<Arc<str>>, at: Instant) {
        self.held
            .extend(names.into_iter().map(|name| (at, source.clone(), name)));
    }

    fn decide(
        &self,
        claim: &Claim,
        mirror: &Key,
        owner: &Owner,
        source_exists: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Decision {
        let state = self.mirrors.get(mirror);
        let observed = state.and_then(|m| m.observed.as_deref());
        let object = claim.desired.object_fingerprint(owner);
        let status = claim
            .desired
            .whole_status_fingerprint(observed.map_or(0, |o| o.generation));
        let version = observed.map_or(0, |o| o.resource_version);
        let converged = Converged {
            object: state.is_some_and(|m| m.applied == Some((object, version))),
            status: state.is_some_and(|m| m.applied_status == Some((status, version))),
        };
        let step = plan(&claim.desired, observed, owner, source_exists, converged);
        let intent = if step == Step::ApplyStatus {
            status
        } else {
            object
        };
        match (step, &claim.refused, &claim.skip) {
            (Step::Nothing, ..) => Decision::Settled,
            (Step::Conflict, ..) => Decision::Skipped(name_conflict(mirror, observed)),
            (_, Some((refused, until)), Some(skip)) if *refused == intent && now < *until => {
                Decision::Skipped(skip.clone())
            }
            _ => Decision::Write(step, intent),
        }
    }
}

impl Machine {
    pub(super) fn mirror_seen(&mut self, key: &Key, observed: Observed, now: Now) {
        let mirror = self.writes.mirrors.entry(key.clone()).or_default();
        mirror.seen = true;
        // Our own writes are known before the watch shows them, and a relist may show older ones.
        if mirror
            .observed
            .as_ref()
            .is_some_and(|known| known.resource_version >= observed.resource_version)
        {
            return;
        }
        mirror.observed = Some(Box::new(observed));
        if !mirror.busy {
            self.drifted(key, false, now);
        }
    }

    pub(super) fn mirror_gone(&mut self, key: &Key, version: u64, now: Now) {
        let Some(mirror) = self.writes.mirrors.get_mut(key) else {
            return;
        };
        if mirror
            .observed
            .as_ref()
            .is_none_or(|known| known.resource_version > version)
        {
            return;
        }
        mirror.observed = None;
        mirror.applied = None;
        mirror.applied_status = None;
        if mirror.busy {
            return;
        }
        self.drifted(key, true, now);
        self.forget_unclaimed(key);
    }

    /// A mirror was changed by somebody else: looks whether it has to be repaired.
    fn drifted(&mut self, key: &Key, gone: bool, now: Now) {
        let claimants: Vec<Key> = self
            .sources
            .iter_mut()
            .filter(|(source, _)| source.namespace == key.namespace)
            .filter_map(|(source, state)| {
                let next_check = state.checks_begun + 1;
                let claim = state.claim(&key.name)?;
                if gone {
                    claim.needs_check = next_check;
                }
                (!claim.queued).then(|| source.clone())
            })
            .collect();
        for source in claimants {
            let Some(Decision::Write(..)) = self.decide(&source, &key.name, now.instant) else {
                self.consider(&source, &key.name, now);
                continue;
            };
            let mirror = self.writes.mirrors.entry(key.clone()).or_default();
            let wait = mirror.repairs.wait(now.instant);
            mirror.repairs.note(now.instant + wait);
            if wait.is_zero() {
                self.consider(&source, &key.name, now);
            } else {
                self.hold(&source, &key.name, now.instant + wait);
            }
        }
    }

    fn decide(&self, source: &Key, name: &Arc<str>, now: Instant) -> Option<Decision> {
        let state = self.sources.get(source)?;
        let claim = state.pools.as_ref()?.get(name)?;
        let mirror = Key {
            namespace: source.namespace.clone(),
            name: name.clone(),
        };
        Some(self.writes.decide(
            claim,
            &mirror,
            &state.owner,
            |uid| self.uids.contains(uid),
            now,
        ))
    }

    /// Looks at a pool: settles it, or queues its next write before those of the passes.
    pub(super) fn consider(&mut self, source: &Key, name: &Arc<str>, now: Now) {
        match self.decide(source, name, now.instant) {
            Some(Decision::Write(..)) => self.enqueue(source, name, true),
            decision => self.settle(source, name, decision, now),
        }
    }

    /// Whether a pool that was just listed needs a write; where it can't be mirrored, says so.
    pub(super) fn needs_write(&mut self, source: &Key, name: &Arc<str>, now: Now) -> bool {
        match self.decide(source, name, now.instant) {
            Some(Decision::Write(..)) => true,
            decision => {
                self.settle(source, name, decision, now);
                false
            }
        }
    }

    fn settle(&mut self, source: &Key, name: &Arc<str>, decision: Option<Decision>, now: Now) {
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
        if let (Some(claim), Some(decision)) = (state.claim(name), decision) {
            claim.conflicts = 0;
            claim.failures = 0;
            claim.skip = match decision {
                Decision::Skipped(skip) => Some(skip),
                Decision::Settled | Decision::Write(..) => None,
            };
        }
        state.settle(name);
        if let Some(pass) = state.writing() {
            pass.deadline = now.instant + WRITING_DEADLINE;
        }
        self.end_pass_if_settled(source, now);
    }

    pub(super) fn enqueue(&mut self, source: &Key, name: &Arc<str>, urgent: bool) {
        let Some(claim) = self.sources.get_mut(source).and_then(|s| s.claim(name)) else {
            return;
        };
        if std::mem::replace(&mut claim.queued, true) {
            return;
        }
        let queue = if urgent {
            &mut self.writes.urgent
        } else {
            &mut self.writes.planned
        };
        queue.push_back((source.clone(), name.clone()));
    }

    fn hold(&mut self, source: &Key, name: &Arc<str>, at: Instant) {
        let Some(claim) = self.sources.get_mut(source).and_then(|s| s.claim(name)) else {
            return;
        };
        if !std::mem::replace(&mut claim.queued, true) {
            self.writes.held.insert((at, source.clone(), name.clone()));
        }
    }

    pub(super) fn next_write(&mut self, now: Now, limit: usize) -> Option<Action> {
        if self.writes.is_paused(now.instant) {
            return None;
        }
        while self
            .writes
            .held
            .first()
            .is_some_and(|(at, ..)| *at <= now.instant)
        {
            let Some((_, source, name)) = self.writes.held.pop_first() else {
                break;
            };
            self.writes.urgent.push_back((source, name));
        }
        let limit = if self.writes.pause.is_probing() {
            1
        } else {
            limit
        };
        while self.writes.in_flight < limit {
            let (source, name) = self
                .writes
                .urgent
                .pop_front()
                .or_else(|| self.writes.planned.pop_front())?;
            if let Some(action) = self.begin_write(source, name, now) {
                return Some(action);
            }
        }
        None
    }

    fn begin_write(&mut self, source: Key, name: Arc<str>, now: Now) -> Option<Action> {
        let decision = self.decide(&source, &name, now.instant);
        let state = self.sources.get_mut(&source)?;
        let (checked, owner, uid) = (state.checked, state.owner.clone(), state.source.uid.clone());
        let claim = state.claim(&name)?;
        claim.queued = false;
        let Some(Decision::Write(step, intent)) = decision else {
            self.settle(&source, &name, decision, now);
            return None;
        };
        let key = Key {
            namespace: source.namespace.clone(),
            name: name.clone(),
        };
        if self.writes.mirrors.get(&key).is_some_and(|m| m.busy) {
            // Another source's write, or one for a former source of this name: its end is awaited.
            self.hold(&source, &name, now.instant + Duration::from_millis(50));
            return None;
        }
        if claim.needs_check > checked {
            claim.queued = true;
            state.unchecked.insert(name);
            self.ask_check(&source);
            return None;
        }
        let desired = claim.desired.clone();
        let mirror = self.writes.mirrors.entry(key.clone()).or_default();
        mirror.busy = true;
        self.writes.in_flight += 1;
        let order = WriteOrder {
            desired,
            owner,
            observed: mirror.observed.clone(),
            now: now.wall,
        };
        Some(Action::Write(
            WriteTicket {
                source,
                uid,
                mirror: key,
                intent,
                step,
            },
            order,
        ))
    }

    pub(super) fn written(
        &mut self,
        ticket: &WriteTicket,
        result: Result<Observed, WriteError>,
        now: Now,
    ) {
        let WriteTicket {
            source,
            uid,
            mirror: key,
            intent,
            step,
        } = ticket;
        self.writes.in_flight -= 1;
        let mirror = self.writes.mirrors.entry(key.clone()).or_default();
        mirror.busy = false;
        let error = match result {
            Ok(observed) => {
                mirror.seen = true;
                let applied = Some((*intent, observed.resource_version));
                match step {
                    Step::ApplyStatus => mirror.applied_status = applied,
                    _ => mirror.applied = applied,
                }
                if mirror
                    .observed
                    .as_ref()
                    .is_none_or(|k| k.resource_version < observed.resource_version)
                {
                    mirror.observed = Some(Box::new(observed));
                }
                None
            }
            Err(error) => {
                if matches!(error, WriteError::NotFound(_)) {
                    mirror.observed = None;
                }
                Some(error)
            }
        };
        match &error {
            None => self.writes.api_answered(),
            Some(error) => self.writes.api_failed(error, now.instant),
        }
        let Some(state) = self
            .sources
            .get_mut(source)
            .filter(|s| s.source.uid == *uid)
        else {
            self.forget_unclaimed(key);
            return;
        };
        let next_check = state.checks_begun + 1;
        let Some(claim) = state.claim(&key.name) else {
            self.forget_unclaimed(key);
            return;
        };
        match error {
            None => {
                claim.conflicts = 0;
                claim.failures = 0;
                self.consider(source, &key.name, now);
            }
            Some(error) => {
                if *step == Step::Create || matches!(error, WriteError::NotFound(_)) {
                    claim.needs_check = next_check;
                }
                self.write_failed(source, key, *intent, error, now);
            }
        }
    }

    fn write_failed(
        &mut self,
        source: &Key,
        key: &Key,
        intent: Fingerprint,
        error: WriteError,
        now: Now,
    ) {
        let Some(claim) = self
            .sources
            .get_mut(source)
            .and_then(|s| s.claim(&key.name))
        else {
            return;
        };
        let name = &key.name;
        let wait = match &error {
            WriteError::Refused(message) => {
                let message = format!(
                    "{message}; mend what refuses it, or leave the pool out of the selection"
                );
                tracing::warn!(pool = %key, source = %source, %message, "the API server refuses the mirror of a pool");
                let skip = Skip {
                    id: name.to_string(),
                    reason: SkipReason::Refused,
                    message,
                };
                claim.refused = Some((intent, now.instant + REFUSED_PAUSE));
                self.settle(source, name, Some(Decision::Skipped(skip)), now);
                return;
            }
            // The watch shows the version that was in the way; until then the same would fail again.
            WriteError::Conflict(_) | WriteError::NotFound(_)
                if claim.conflicts < MAX_CONFLICTS =>
            {
                claim.conflicts += 1;
                let wait = Duration::from_millis(20 << claim.conflicts.min(6));
                self.hold(source, name, now.instant + wait);
                return;
            }
            WriteError::Unreachable(_) => {
                self.fail_writing_passes(&error, now);
                self.enqueue(source, name, true);
                return;
            }
            WriteError::Throttled { .. } => Duration::ZERO,
            WriteError::Forbidden(_) => Duration::from_secs(30),
            WriteError::NamespaceTerminating => Duration::from_secs(5),
            WriteError::ServerError(_) | WriteError::Conflict(_) | WriteError::NotFound(_) => {
                claim.failures = claim.failures.saturating_add(1);
                Duration::from_secs(1 << claim.failures.min(5)).min(Duration::from_secs(30))
            }
        };
        claim.conflicts = 0;
        let failure = write_failure("mirror", key, &error);
        tracing::warn!(pool = %key, source = %source, %error, "failed to write a mirror; trying again in {} s", wait.as_secs());
        if let Some(pass) = self.sources.get_mut(source).and_then(SourceState::writing) {
            pass.failure.get_or_insert(failure);
        }
        self.hold(source, name, now.instant + wait);
        if let Some(state) = self.sources.get_mut(source) {
            state.settle(name);
        }
        self.end_pass_if_settled(source, now);
    }

    /// Keeps nothing of a name that neither exists nor is wanted.
    fn forget_unclaimed(&mut self, key: &Key) {
        let wanted = self.sources.iter().any(|(source, state)| {
            source.namespace == key.namespace
                && state
                    .pools
                    .as_ref()
                    .is_some_and(|p| p.contains_key(&key.name))
        });
        if !wanted
            && self
                .writes
                .mirrors
                .get(key)
                .is_some_and(|m| m.observed.is_none() && !m.busy)
        {
            self.writes.mirrors.remove(key);
        }
    }
}

fn name_conflict(mirror: &Key, observed: Option<&Observed>) -> Skip {
    let holder = match observed.and_then(|o| o.controller.as_ref()) {
        Some(controller) if controller.is_source => {
            format!(
                "the mirror of another source (uid {}) in this namespace",
                controller.uid
            )
        }
        Some(controller) => format!(
            "an object that another controller (uid {}) owns",
            controller.uid
        ),
        None => "an object that this controller did not make".to_owned(),
    };
    Skip {
        id: mirror.name.to_string(),
        reason: SkipReason::NameConflict,
        message: format!(
            "the name is held by {holder}; delete it (kubectl delete modelartspool -n {} {}) or list the pool in one source only",
            mirror.namespace, mirror.name
        ),
    }
}
