//! A pass of a source, from its begin to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Leave;
use super::state::{Claim, Pass, SourceState, Stage};
use super::{Action, CredentialsError, ListingError, Machine, Notice, Now, SecretCredentials};
use crate::api::conditions::READY;
use crate::api::{CredentialsType, ModelArtsPoolSourceStatus, PoolCounts};
use crate::controller::fetch::Listing;
use crate::controller::key::Key;
use crate::controller::pace::{
    REFRESH_GAP, REJECTED_KEY_PAUSE, after_failures, credentials_retry, next_interval,
};
use crate::controller::report::{PassFailure, PassResult, Report};
use crate::mirror::Desired;
use crate::mirror::apply::WriteError;
use crate::modelarts::Reason;

/// How long a listing may take.
pub(in crate::controller) const LISTING_DEADLINE: Duration = Duration::from_mins(15);
/// How long no planned write may be settled.
pub(super) const WRITING_DEADLINE: Duration = Duration::from_mins(5);

/// Reasons that count as rejections of a key.
pub(super) const REJECTIONS: [Reason; 2] = [Reason::CredentialsRejected, Reason::ClockSkew];

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
            started: now.wall,
            generation: state.source.generation,
            refresh: state.source.refresh.clone(),
            key: None,
            listed: None,
            asking: false,
            outstanding: 0,
            failure: None,
            deadline: now.instant + LISTING_DEADLINE,
        };
        state.last_start = Some(now.instant);
        self.running += 1;
        state.stage = Stage::ReadingCredentials(pass);
        let first = state.source.status == ModelArtsPoolSourceStatus::default();
        if first && state.reports.is_empty() {
            self.report_first_pass(key, now);
        }
        let state = self.sources.get(key)?;
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

    pub(super) fn credentials_read(
        &mut self,
        key: &Key,
        id: u64,
        result: Result<SecretCredentials, CredentialsError>,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Stage::ReadingCredentials(pass) = &mut state.stage else {
            return;
        };
        if pass.id != id {
            return;
        }
        let mut changed = None;
        let credentials = match result {
            Ok(read) => {
                changed = read.changed;
                Arc::new(read.credentials)
            }
            // The API server's outage is not the cloud's: what is known is used on.
            Err(CredentialsError::ApiServer(error)) => match &state.credentials {
                Some(credentials) if !matches!(error, WriteError::Forbidden(_)) => {
                    credentials.clone()
                }
                _ => {
                    let failure = write_failure("read the Secret with the credentials", &error);
                    return self.end_pass(key, Some(failure), now);
                }
            },
            Err(CredentialsError::Secret { reason, message }) => {
                state.credentials = None;
                return self.end_pass(key, Some(stalled(reason, message)), now);
            }
        };
        let fingerprint = credentials.fingerprint();
        state.credentials = Some(credentials);
        // What was rejected before this process began is not tried again either, unless it was changed.
        if let Some(at) = state.rejected_at.take()
            && changed.is_none_or(|changed| changed <= at)
        {
            let ago = Duration::try_from(now.wall.duration_since(at)).unwrap_or_default();
            self.keys.reject(fingerprint, ago, now.instant);
        }
        let own = state.rejected.filter(|(key, _)| *key == fingerprint);
        let own = own.and_then(|(_, until)| until.checked_duration_since(now.instant));
        let wait = self.keys.refused(fingerprint, now.instant).max(own);
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return self.wait_for_key(key, wait, now);
        }
        pass.key = Some(fingerprint);
        // It may have to wait for others, for as long as they take.
        pass.deadline = now.instant + 100 * LISTING_DEADLINE;
        let pass = pass.clone();
        self.listings.push_back((key.clone(), pass.id));
        state.stage = Stage::Listing(pass);
    }

    /// Ends a pass that asks nothing, since its key was rejected: for this source, which says so
    /// already, or for another one.
    fn wait_for_key(&mut self, key: &Key, wait: Duration, now: Now) {
        let wait = wait.as_secs() + 1;
        tracing::debug!(source = %key, "the key was rejected; not asking for another {wait} s");
        let said = |s: &SourceState| REJECTIONS.iter().any(|r| s.source.says(READY, r.as_str()));
        if self.sources.get(key).is_some_and(said) {
            self.stop_pass(key);
            let interval = self.interval(key);
            self.set_due(key, Some(now.instant + credentials_retry(interval)));
        } else {
            let reason = Reason::CredentialsRejected.as_str();
            let message = format!(
                "the cloud has rejected this key, for this source or another; it is not tried again for {wait} s or until the Secret changes: check the keys in the Secret"
            );
            self.end_pass(key, Some(stalled(reason, message)), now);
        }
    }

    /// The interval of a source; the API's default where its spec can't be read.
    pub(super) fn interval(&self, key: &Key) -> Duration {
        let settings = self
            .sources
            .get(key)
            .and_then(|s| s.source.settings.as_ref().ok());
        settings.map_or(Duration::from_secs(30), |s| s.interval)
    }

    /// The next listing whose credentials are read and may be used.
    pub(super) fn next_listing(&mut self, now: Now) -> Option<Action> {
        let mut index = 0;
        while let Some((key, id)) = self.listings.get(index).cloned() {
            let pass = self.sources.get_mut(&key).and_then(|s| match &mut s.stage {
                Stage::Listing(pass) if pass.id == id => Some(pass),
                _ => None,
            });
            let Some((fingerprint, pass)) = pass.and_then(|p| Some((p.key?, p))) else {
                // The pass was given up.
                self.listings.remove(index);
                continue;
            };
            match self.keys.ask(fingerprint, id, now.instant) {
                Leave::Wait => index += 1,
                Leave::Given => {
                    self.listings.remove(index);
                    pass.asking = true;
                    pass.deadline = now.instant + LISTING_DEADLINE;
                    return self.list(key);
                }
                Leave::Refused(wait) => {
                    self.listings.remove(index);
                    self.wait_for_key(&key, wait, now);
                }
            }
        }
        None
    }

    fn list(&self, key: Key) -> Option<Action> {
        let state = self.sources.get(&key)?;
        let previous = state.pools.iter().flatten();
        Some(Action::List {
            pass: state.pass()?.id,
            settings: Box::new(state.source.settings.clone().ok()?),
            credentials: state.credentials.clone()?,
            previous: previous
                .map(|(name, claim)| (name.clone(), claim.desired.clone()))
                .collect(),
            key,
        })
    }

    pub(super) fn listed(
        &mut self,
        key: &Key,
        id: u64,
        result: Result<Listing, ListingError>,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Stage::Listing(pass) = &mut state.stage else {
            return;
        };
        if pass.id != id {
            return;
        }
        pass.asking = false;
        if let Some(fingerprint) = pass.key {
            self.keys.ended(fingerprint, id, Some(result.is_ok()));
        }
        let listing = match result {
            Ok(listing) => listing,
            Err(ListingError { failure, rejected }) => {
                if let (true, Some(fingerprint)) = (rejected, pass.key) {
                    self.keys.reject(fingerprint, Duration::ZERO, now.instant);
                    // For this source not before its next pass would be due, either.
                    let rest = self.interval(key).max(REJECTED_KEY_PAUSE);
                    if let Some(state) = self.sources.get_mut(key) {
                        state.rejected = Some((fingerprint, now.instant + rest));
                    }
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
    pub(super) fn plan_pass(&mut self, key: &Key, listing: Listing, pass: Pass, now: Now) {
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
    pub(super) fn end_pass(&mut self, key: &Key, failure: Option<PassFailure>, now: Now) {
        let interval = self.interval(key);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Some(pass) = state.pass().cloned() else {
            return;
        };
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
            report: Box::new(report.clone()),
            listing: pass.listed.map(|l| l.duration_since(pass.begun)),
            whole: now.instant.duration_since(pass.begun),
            failures: state.failures,
        });
        state.report_after = None;
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
            let failure = write_failure("write the mirrors", error);
            self.end_pass(&key, Some(failure), now);
        }
    }
}

fn succeeded(state: &SourceState) -> PassResult {
    let mut counts = PoolCounts::default();
    let mut skipped = state.unmirrorable.clone();
    let mut pools = 0;
    for claim in state.pools.iter().flat_map(HashMap::values) {
        if let Some(skip) = &claim.skip {
            skipped.push(skip.clone());
            continue;
        }
        pools += 1;
        if claim.desired.dedicate {
            counts.add(&claim.desired.counts);
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

/// The failure of a pass that could not do something (`what`) at the API server.
pub(super) fn write_failure(what: &str, error: &WriteError) -> PassFailure {
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
        message: format!("failed to {what}: {error}"),
        stalled: false,
        retry_after: None,
    }
}
