//! A pass of a source, from its begin to its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::state::{Claim, Pass, SourceState, Stage};
use super::{Action, ListingError, Machine, Notice, Now};
use crate::api::PoolCounts;
use crate::api_server::WriteError;
use crate::controller::fetch::Listing;
use crate::controller::key::Key;
use crate::controller::pace::{REFRESH_GAP, after_failures, credentials_retry, next_interval};
use crate::controller::reason::FailureReason;
use crate::controller::report::{PassFailure, PassResult, Report};
use crate::mirror::Presence;

/// How long a listing may take.
pub(in crate::controller) const LISTING_DEADLINE: Duration = Duration::from_mins(15);
/// How long no planned write may be settled.
pub(super) const WRITING_DEADLINE: Duration = Duration::from_mins(5);

impl Machine {
    pub(super) fn next_pass(&mut self, now: Now) -> Option<Action> {
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

    pub(super) fn begin_pass(&mut self, key: &Key, now: Now) -> Option<Action> {
        self.pass_ids += 1;
        let id = self.pass_ids;
        let state = self.sources.get_mut(key)?;
        let pass = Pass {
            id,
            begun: now.instant,
            left: now.instant,
            started: now.wall,
            generation: state.source.generation,
            refresh: state.source.refresh.clone(),
            key: None,
            listed: None,
            outstanding: 0,
            failure: None,
            confirming: Vec::new(),
            retry_after: None,
            rejected: None,
            request_id: String::new(),
            deadline: now.instant + LISTING_DEADLINE,
        };
        state.last_start = Some(now.instant);
        if state.settling.is_some() {
            state.settle_first(now);
        }
        self.running += 1;
        state.stage = Stage::ReadingCredentials(pass);
        let said = state.source.status.conditions.as_ref();
        let first = said.is_none_or(Vec::is_empty);
        if first && state.reports.is_empty() {
            self.report_first_pass(key, now);
        }
        let state = self.sources.get(key)?;
        let settings = match &state.source.settings {
            Ok(settings) => settings,
            Err(message) => {
                let failure = PassFailure::new(FailureReason::InvalidSpec, message.clone());
                self.end_pass(key, Some(failure), now);
                return None;
            }
        };
        Some(Action::ReadCredentials {
            key: key.clone(),
            pass: id,
            type_: settings.credentials,
            secret: settings.secret.clone(),
            project: settings.project_id.clone(),
        })
    }

    /// The interval of a source; the API's default where its spec can't be read.
    pub(super) fn interval(&self, key: &Key) -> Duration {
        let settings = self
            .sources
            .get(key)
            .and_then(|s| s.source.settings.as_ref().ok());
        settings.map_or(Duration::from_secs(30), |s| s.interval)
    }

    pub(super) fn listed(
        &mut self,
        key: &Key,
        id: u64,
        result: Result<Listing, ListingError>,
        now: Now,
    ) {
        let Some(mut pass) = self.take_listing(key, id) else {
            return self.proof_answered(key, id, result.as_ref().err(), now);
        };
        if let Some(fingerprint) = pass.key {
            self.keys.ended(fingerprint, id, Some(result.is_ok()));
        }
        match result {
            Ok(mut listing) => {
                pass.request_id = std::mem::take(&mut listing.request_id);
                pass.listed = Some(now.instant);
                pass.deadline = now.instant + WRITING_DEADLINE;
                self.plan_pass(key, listing, pass, now);
            }
            Err(ListingError {
                failure,
                rejected,
                request_id,
            }) => {
                if let Some(pass) = self.sources.get_mut(key).and_then(SourceState::writing) {
                    pass.request_id = request_id;
                }
                if let (Some(rejection), Some(fingerprint)) = (rejected, pass.key) {
                    self.reject_key(key, id, fingerprint, rejection, now);
                }
                self.end_pass(key, Some(failure), now);
            }
        }
    }

    /// The pass whose listing is answered: from here on there is nothing to give up.
    fn take_listing(&mut self, key: &Key, id: u64) -> Option<Pass> {
        let stage = &mut self.sources.get_mut(key)?.stage;
        let Stage::Listing(pass) = stage else {
            return None;
        };
        let pass = (pass.id == id).then(|| pass.clone())?;
        *stage = Stage::Writing(pass.clone());
        Some(pass)
    }

    /// Takes a complete listing: from here on it is what should be.
    pub(super) fn plan_pass(&mut self, key: &Key, listing: Listing, mut pass: Pass, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        // A refusal is tried again when somebody asks.
        let asked = state.open_refresh().is_some() && pass.refresh == state.source.refresh;
        let mut old = std::mem::take(&mut state.claims);
        for (name, desired) in listing.pools {
            let claim = old.remove(&name);
            let mut claim = claim.unwrap_or_else(|| Claim::new(Presence::Listed));
            claim.is_listed(desired);
            if asked {
                claim.refused.clear();
            }
            state.claims.insert(name, claim);
        }
        state.unmirrorable = listing.skipped;
        state.closed = false;
        self.miss(key, old, &mut pass, now);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        state.listed = Some(pass.generation);
        state.listed_at = Some(pass.started);
        // What the mirrors of a source say of which no pass has succeeded yet.
        self.assess(key, now);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        // What the cloud is asked about is planned once it has answered.
        let confirming: HashSet<Arc<str>> = pass.confirming.iter().cloned().collect();
        let names = state.claims.keys().filter(|n| !confirming.contains(*n));
        let names: Vec<Arc<str>> = names.cloned().collect();
        // One more until these are planned, and one until those are.
        pass.outstanding = 1 + usize::from(!confirming.is_empty());
        state.stage = Stage::Writing(pass);
        self.plan_writes(key, names, now);
    }

    /// Plans the writes that these pools need now. The pass under way has waited for that, so that what is
    /// settled at once does not end it, and from here on waits for the writes.
    pub(super) fn plan_writes(&mut self, key: &Key, names: Vec<Arc<str>>, now: Now) {
        let planned: Vec<Arc<str>> = names
            .into_iter()
            .filter(|name| self.needs_write(key, name, now))
            .collect();
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        // A check begun now, before the pass's first write.
        let needs_check = state.checks_begun + 1;
        let mut waiting = 0;
        for name in &planned {
            if let Some(claim) = state.claim(name) {
                waiting += usize::from(!std::mem::replace(&mut claim.in_pass, true));
                claim.needs_check = needs_check;
            }
        }
        if let Some(pass) = state.writing() {
            pass.outstanding += waiting;
            pass.outstanding -= 1;
        }
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
    pub(super) fn end_pass(&mut self, key: &Key, failure: Option<PassFailure>, now: Now) {
        let interval = self.interval(key);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Some(pass) = state.pass().cloned() else {
            return;
        };
        let failed_before = state.failures > 0;
        let wait = match &failure {
            None => {
                state.failures = 0;
                next_interval(interval, &mut self.rng)
            }
            Some(failure) => {
                state.failures = state.failures.saturating_add(1);
                if failure.is_stalled() {
                    credentials_retry(interval)
                } else {
                    after_failures(interval, state.failures, &mut self.rng)
                }
            }
        };
        let asked = failure.as_ref().and_then(|f| f.retry_after);
        let asked = asked.max(pass.retry_after);
        state.not_before = asked.map(|wait| now.instant + wait);
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
            not_before: asked.and_then(|wait| now.wall.checked_add(wait).ok()),
            rejected: pass.rejected,
        };
        self.notices.push(Notice::PassEnded {
            source: key.clone(),
            report: Box::new(report.clone()),
            listing: pass.listed.map(|l| l.duration_since(pass.begun)),
            whole: now.instant.duration_since(pass.begun),
            failures: state.failures,
            request_id: pass.request_id,
            changes: std::mem::take(&mut state.changes),
            failed_before,
        });
        state.report_after = None;
        state.settling = None;
        if matches!(report.result, PassResult::Succeeded { .. }) {
            self.synced_at(key, pass.started);
        }
        self.add_report(key, report);
        let Some(state) = self.sources.get(key) else {
            return;
        };
        let again = state.source.generation != pass.generation;
        let suspended = state.suspended();
        let refresh = state.open_refresh().is_some();
        let due = if again {
            now.instant
        } else {
            (pass.left + wait).max(now.instant)
        };
        let due = if refresh {
            due.min((pass.left + REFRESH_GAP).max(now.instant))
        } else {
            due
        };
        self.stop_pass(key, now);
        self.set_due(key, (!suspended).then_some(due));
        if suspended {
            self.report_suspended(key, now);
        }
        self.assess(key, now);
    }

    /// Fails every pass that is writing, or those of one namespace: what the API server does not handle is not
    /// a single mirror.
    pub(super) fn fail_writing_passes(
        &mut self,
        within: Option<&str>,
        error: &WriteError,
        now: Now,
    ) {
        let writing: Vec<Key> = self
            .sources
            .iter()
            .filter(|(key, _)| within.is_none_or(|namespace| *namespace == *key.namespace))
            .filter(|(_, s)| matches!(s.stage, Stage::Writing(_)))
            .map(|(k, _)| k.clone())
            .collect();
        for key in writing {
            let pass = self.sources.get_mut(&key).and_then(SourceState::writing);
            // That a mirror of its own failed says more, but not of an outage.
            let own = pass.and_then(|pass| pass.failure.take().filter(|_| within.is_some()));
            let failure = own.unwrap_or_else(|| write_failure("write the mirrors", error));
            self.end_pass(&key, Some(failure), now);
        }
    }
}

fn succeeded(state: &SourceState) -> PassResult {
    let mut counts = PoolCounts::default();
    let mut skipped = state.unmirrorable.clone();
    let mut pools = 0;
    for claim in state.claims.values() {
        skipped.extend(claim.skip.clone());
        if let Some(desired) = claim.listed() {
            pools += 1;
            if desired.dedicate {
                counts.add(&desired.counts);
            }
        }
    }
    PassResult::Succeeded {
        pools,
        counts,
        skipped,
        halt: state.halt.clone(),
    }
}

/// The failure of a pass that could not do something (`what`) at the API server.
pub(super) fn write_failure(what: &str, error: &WriteError) -> PassFailure {
    PassFailure::new(error, format!("failed to {what}: {error}"))
}
