//! Which mirror is written next, and what comes of each write.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::events::news_of;
use super::lanes::Lanes;
use super::mirrors::Decision;
use super::passes::{WRITING_DEADLINE, write_failure};
use super::state::{Queue, SourceState};
use super::{Action, Machine, Now, WriteOrder, WriteTicket};
use crate::api_server::{CALL_TIMEOUT, WriteError};
use crate::controller::key::Key;
use crate::controller::pace::{ApiPause, FailingPause};
use crate::mirror::apply::Written;
use crate::mirror::{Skip, SkipReason, Step};

/// How long a refused write is not tried again, unless somebody asks for a refresh.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);
/// Conflicts in a row after which a pass no longer waits for a mirror.
const MAX_CONFLICTS: u8 = 8;

/// How soon a mirror is looked at again that is being written.
pub(super) const BUSY_WAIT: Duration = Duration::from_millis(50);

/// The writes to come.
#[derive(Default)]
pub(super) struct Writes {
    lanes: Lanes,
    /// Source and pool, and when they are looked at again.
    held: BTreeSet<(Instant, Key, Arc<str>)>,
    /// When a write was last answered.
    answered: Option<Instant>,
    /// When a call was last decided on, one way or the other.
    decided: Option<Instant>,
    pause: ApiPause,
    failing: FailingPause,
}

impl Writes {
    pub(super) fn next_wakeup(&self, now: Instant) -> Option<Instant> {
        match self.pause.until(now).max(self.failing.until(now)) {
            Some(until) => Some(until),
            None => self.held.first().map(|(at, ..)| *at),
        }
    }

    pub(super) fn is_paused(&self, now: Instant) -> bool {
        self.pause.until(now).is_some()
    }

    pub(super) fn last_answer(&self) -> Option<Instant> {
        self.answered
    }

    /// Whether calls go one at a time.
    pub(super) fn is_bad_time(&self) -> bool {
        self.pause.is_probing() || self.failing.is_probing()
    }

    /// Whether the API server has not answered since it failed.
    pub(super) fn is_probing(&self) -> bool {
        self.pause.is_probing()
    }

    pub(super) fn api_answered(&mut self, now: Instant) {
        self.decided = Some(now);
        self.pause.end();
    }

    /// What the error of a call says: where another one was decided on while it was not answered, it is the
    /// fault of this call alone.
    pub(super) fn judged(&self, error: WriteError, now: Instant) -> WriteError {
        match error {
            WriteError::NoAnswer(message) => {
                let decided = self.decided.is_some_and(|at| now < at + CALL_TIMEOUT);
                if decided {
                    WriteError::TimedOut(message)
                } else {
                    WriteError::Unreachable(message)
                }
            }
            error => error,
        }
    }

    /// Pauses all writes where the error is the API server's as a whole.
    pub(super) fn api_failed(&mut self, error: &WriteError, now: Instant) {
        match error {
            WriteError::Unreachable(_) | WriteError::NoAnswer(_) => self.pause.extend(now, None),
            // Neither a sign of an outage nor that there is none: the storage may be away.
            WriteError::TimedOut(_) => {}
            WriteError::Throttled { retry_after, .. } => {
                self.pause.extend(
                    now,
                    Some(Duration::from_secs(retry_after.unwrap_or(1).min(60))),
                );
            }
            WriteError::ServerError(_) => self.pause.end(),
            _ => self.api_answered(now),
        }
    }

    /// Takes in how a write to a mirror ended.
    fn write_answered(&mut self, mirror: &Key, error: Option<&WriteError>, now: Instant) {
        let was_slow = self.lanes.ended(&mirror.namespace, error);
        self.answered = Some(now);
        match error {
            None => self.api_answered(now),
            Some(error) => self.api_failed(error, now),
        }
        match error {
            Some(WriteError::ServerError(_) | WriteError::Throttled { .. }) => {
                self.failing.note(now);
            }
            // Once for each namespace: one that hangs must not look like all.
            Some(WriteError::TimedOut(_)) if !was_slow => self.failing.note(now),
            Some(
                WriteError::TimedOut(_) | WriteError::NoAnswer(_) | WriteError::Unreachable(_),
            ) => {}
            _ => self.failing.end(),
        }
    }
}

impl Machine {
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
            // It is undone where a write of ours was needed and accepted.
            let settled = claim.skip.is_none();
            if let Some((edit, true)) = claim.edit.take()
                && settled
            {
                self.restored(source, name, edit, now);
            }
        }
        let Some(state) = self.sources.get_mut(source) else {
            return;
        };
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
        let queue = match (claim.queued, urgent) {
            // A repair does not wait for the writes of a pass; its place among them is passed over.
            (None | Some(Queue::Planned), true) => Queue::Urgent,
            (None, false) => Queue::Planned,
            _ => return,
        };
        claim.queued = Some(queue);
        self.writes
            .lanes
            .push(queue, (source.clone(), name.clone()));
    }

    /// Looks at a pool again at `at`, unless it stands in a queue already.
    pub(super) fn hold(&mut self, source: &Key, name: &Arc<str>, at: Instant) {
        let Some(claim) = self.sources.get_mut(source).and_then(|s| s.claim(name)) else {
            return;
        };
        if claim.queued.is_none() {
            claim.queued = Some(Queue::Held);
            self.writes.held.insert((at, source.clone(), name.clone()));
        }
    }

    /// Whether a pool waits for its time.
    pub(super) fn is_held(&mut self, source: &Key, name: &Arc<str>) -> bool {
        let claim = self.sources.get_mut(source).and_then(|s| s.claim(name));
        claim.is_some_and(|c| c.queued == Some(Queue::Held))
    }

    pub(super) fn next_write(&mut self, now: Now, limit: usize) -> Option<Action> {
        let writes = &self.writes;
        if writes.is_paused(now.instant) || writes.failing.until(now.instant).is_some() {
            return None;
        }
        while let Some((at, ..)) = self.writes.held.first()
            && *at <= now.instant
        {
            let Some((_, source, name)) = self.writes.held.pop_first() else {
                break;
            };
            if self.take_from(Queue::Held, &source, &name) {
                let claim = self.sources.get_mut(&source).and_then(|s| s.claim(&name));
                // It may be this one alone that fails: then the others must not wait for it.
                let urgent = claim.is_none_or(|c| c.failures == 0);
                self.enqueue(&source, &name, urgent);
            }
        }
        let is_bad_time = self.writes.is_bad_time();
        let limit = if is_bad_time { 1 } else { limit };
        while let Some((queue, (source, name))) = self.writes.lanes.pop(limit, is_bad_time) {
            if self.take_from(queue, &source, &name)
                && let Some(action) = self.begin_write(source, name, now)
            {
                return Some(action);
            }
        }
        None
    }

    /// Takes a pool out of `queue`; false where it stands elsewhere by now.
    pub(super) fn take_from(&mut self, queue: Queue, source: &Key, name: &Arc<str>) -> bool {
        let claim = self.sources.get_mut(source).and_then(|s| s.claim(name));
        claim.is_some_and(|c| c.queued.take_if(|q| *q == queue).is_some())
    }

    fn begin_write(&mut self, source: Key, name: Arc<str>, now: Now) -> Option<Action> {
        let decision = self.decide(&source, &name, now.instant);
        let state = self.sources.get_mut(&source)?;
        let (checked, owner, uid) = (state.checked, state.owner.clone(), state.source.uid.clone());
        let claim = state.claim(&name)?;
        let Some(Decision::Write(order)) = decision else {
            self.settle(&source, &name, decision, now);
            return None;
        };
        let key = source.sibling(&name);
        if self.mirrors.get(&key).is_some_and(|m| m.busy) {
            // Another source's write, or one for a former source of this name: its end is awaited.
            self.hold(&source, &name, now.instant + BUSY_WAIT);
            return None;
        }
        if claim.needs_check > checked {
            claim.queued = Some(Queue::Unchecked);
            state.unchecked.insert(name);
            self.ask_check(&source);
            return None;
        }
        // What a create found in its way is looked at, where no watch shows it.
        let in_the_way = order.step == Step::Create && claim.conflicts % 2 == 1;
        let step = if in_the_way {
            Step::Nothing
        } else {
            order.step
        };
        let mirror = self.mirrors.entry(&key);
        mirror.busy = true;
        claim.news = news_of(&order, claim, mirror.observed.as_deref());
        let version = mirror.observed.as_ref().map(|o| o.resource_version);
        let conditions = match step {
            Step::ApplyStatus | Step::PatchStatus => mirror.conditions(&order, now.wall),
            _ => Vec::new(),
        };
        self.writes.lanes.begun(&key.namespace);
        let write = WriteOrder {
            desired: claim.written_content(),
            owner,
            observed: mirror.observed.clone(),
            conditions,
            counts: order.counts,
        };
        Some(Action::Write(
            WriteTicket {
                source,
                uid,
                mirror: key,
                intent: order.intent,
                step,
                version,
            },
            write,
        ))
    }

    pub(super) fn written(
        &mut self,
        ticket: &WriteTicket,
        result: Result<Written, WriteError>,
        now: Now,
    ) {
        let WriteTicket {
            source,
            uid,
            mirror: key,
            step,
            ..
        } = ticket;
        let result = result.map_err(|error| self.writes.judged(error, now.instant));
        let mirror = self.mirrors.entry(key);
        let mut error = mirror.written(ticket, result).err();
        let observed = mirror.observed.as_deref();
        // What was in the way of a create is older than what is known to be gone.
        if error.is_none() && *step == Step::Nothing && observed.is_none() {
            error = Some(WriteError::Conflict(
                "its deletion is not seen yet".to_owned(),
            ));
        }
        // Not there, or stripped meanwhile, as orphaning does.
        if observed.is_none_or(|o| o.controller.as_ref().is_none_or(|c| c.uid != *uid)) {
            self.check_before_taking(key);
        }
        self.writes.write_answered(key, error.as_ref(), now.instant);
        let Some(state) = self
            .sources
            .get_mut(source)
            .filter(|s| s.source.uid == *uid)
        else {
            self.forget_unclaimed(key);
            return;
        };
        if error.is_none() {
            state.changes.note(*step);
        }
        let Some(claim) = state.claim(&key.name) else {
            // It was dropped while the mirror was not known to be there.
            if let Some(owner) = self.source_of(key) {
                self.claim_owned(&owner, key);
                self.consider(&owner, &key.name, now);
            }
            self.forget_unclaimed(key);
            return;
        };
        let news = claim.news.take();
        match error {
            None => {
                claim.conflicts = 0;
                claim.failures = 0;
                if let Some((_, begun)) = &mut claim.edit {
                    *begun = true;
                }
                if let Some(news) = news {
                    let (uid, news) = *news;
                    self.tell_of_mirror(source, key, &uid, news, now);
                }
                self.consider(source, &key.name, now);
            }
            Some(error) => self.write_failed(source, ticket, &error, now),
        }
        self.drop_claim_of_the_deleted(source, &key.name, now);
        if self.mirrors.get(key).is_some_and(|m| m.removed) {
            // Another source may wait for the name.
            self.drifted(key, None, now);
        }
    }

    fn write_failed(&mut self, source: &Key, ticket: &WriteTicket, error: &WriteError, now: Now) {
        let (key, intent) = (&ticket.mirror, ticket.intent);
        let Some(claim) = self
            .sources
            .get_mut(source)
            .and_then(|s| s.claim(&key.name))
        else {
            return;
        };
        let name = &key.name;
        let wait = match error {
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
                claim.refuse(intent, now.instant + REFUSED_PAUSE, now.instant);
                claim.skip = Some(skip);
                self.consider(source, name, now);
                self.assess(source, now);
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
            WriteError::Unreachable(_) | WriteError::NoAnswer(_) => {
                claim.failures = claim.failures.saturating_add(1);
                // Where other calls succeed meanwhile, the pause of all writes is over at once.
                let wait = Duration::from_millis(200 << claim.failures.min(4));
                self.fail_writing_passes(None, error, now);
                self.hold(source, name, now.instant + wait);
                return;
            }
            WriteError::Forbidden(_) => Duration::from_secs(30),
            WriteError::NamespaceTerminating => Duration::from_secs(5),
            // It may be this one alone: the pause for all is another matter.
            WriteError::Throttled { .. }
            | WriteError::ServerError(_)
            | WriteError::TimedOut(_)
            | WriteError::Conflict(_)
            | WriteError::NotFound(_) => {
                claim.failures = claim.failures.saturating_add(1);
                Duration::from_secs(1 << claim.failures.min(5)).min(Duration::from_secs(30))
            }
        };
        claim.conflicts = 0;
        let failure = write_failure(&format!("write the mirror {key}"), error);
        tracing::warn!(pool = %key, source = %source, %error, "failed to write a mirror; trying again in {} s", wait.as_secs());
        if let Some(pass) = self.sources.get_mut(source).and_then(SourceState::writing) {
            pass.failure.get_or_insert(failure);
        }
        self.hold(source, name, now.instant + wait);
        if let Some(state) = self.sources.get_mut(source) {
            state.settle(name);
        }
        self.end_pass_if_settled(source, now);
        if matches!(error, WriteError::TimedOut(_)) {
            // Its other writes go one at a time, each as slow.
            self.fail_writing_passes(Some(&key.namespace), error, now);
        }
        if self.writes.failing.is_probing() {
            self.fail_writing_passes(None, error, now);
        }
    }
}
