//! What a source that is seen, changed or gone means for its passes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::{Pass, SourceState, Stage};
use super::{Machine, Notice, Now};
use crate::api::conditions::READY;
use crate::controller::key::Key;
use crate::controller::pace::{MAX_BACKOFF, REFRESH_GAP};
use crate::controller::source::Source;
use crate::modelarts::{MAX_RETRY_AFTER, Reason};

/// By how much the clock of the process that wrote a status may go before this one's.
const SKEW: Duration = Duration::from_mins(15);

impl Machine {
    pub(super) fn source_seen(&mut self, source: Source, now: Now) {
        let key = source.key.clone();
        // The name was given to a new object; what was known of the old one is void.
        if self
            .sources
            .get(&key)
            .is_some_and(|s| s.source.uid != source.uid)
        {
            self.source_gone(&key, now);
        }
        self.uids.insert(source.uid.clone(), key.clone());
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
        let was_suspended = known && state.suspended();
        state.source = source;
        state.report_after = None;
        if spec_changed {
            // It may name another Secret.
            state.identity = None;
        }
        if state.source.deleting {
            // Orphaning and garbage collection win: nothing more is written for it.
            self.close(&key);
            self.drop_reports(&key);
            self.stop_pass(&key, now);
            self.set_due(&key, None);
            return;
        }
        if spec_changed {
            // What was found out for the former spec does not count any more.
            for claim in state.claims.values_mut() {
                claim.removal = None;
            }
            // Nor is what is being asked what is asked for.
            self.stop_listing(&key, now);
            self.give_up_confirmation(&key, now);
        }
        if !known {
            self.claim_all_owned(Some(&key));
            self.wait_as_told(&key, now);
        }
        if !known || spec_changed {
            self.notices.push(Notice::SourceSeen(key.clone()));
        }
        let Some(state) = self.sources.get_mut(&key) else {
            return;
        };
        if !known || was_suspended && !state.suspended() {
            state.settle_first(now);
        }
        if state.suspended() {
            let said = state.source.says(READY, "Suspended");
            self.stop_listing(&key, now);
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
        if !known || spec_changed {
            self.assess(&key, now);
        }
    }

    /// Waits as the cloud has asked another process to, as the status tells it; where that says that the cloud was
    /// asked too often and not for how long to wait, the interval.
    fn wait_as_told(&mut self, key: &Key, now: Now) {
        let wait = self.interval(key).min(MAX_BACKOFF);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let status = &state.source.status;
        let last = status.last_attempt_time.as_ref();
        let throttled = state.source.says(READY, Reason::Throttled.as_str());
        let left = last.map(|last| wait.saturating_sub(now.since(last.0)));
        let told = status.not_before.as_ref().map(|until| now.until(until.0));
        // No process of the controller waits for longer: somebody else wrote that.
        let told = told.filter(|wait| *wait <= MAX_RETRY_AFTER + SKEW);
        let wait = left.filter(|_| throttled).max(told);
        state.not_before = wait.map(|wait| now.instant + wait);
    }

    /// Nothing more is written for a source.
    pub(super) fn close(&mut self, key: &Key) {
        self.look_again(key, None);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        state.closed = true;
        state.unchecked.clear();
        let claims = std::mem::take(&mut state.claims);
        self.forget_claims(key, claims.into_keys());
    }

    fn forget_claims(&mut self, source: &Key, names: impl IntoIterator<Item = Arc<str>>) {
        for name in names {
            self.forget_unclaimed(&source.sibling(&name));
        }
    }

    pub(super) fn source_gone(&mut self, key: &Key, now: Now) {
        self.stop_pass(key, now);
        self.set_due(key, None);
        self.look_again(key, None);
        self.checks.remove(key);
        self.reports.remove(key);
        if let Some(state) = self.sources.remove(key) {
            self.uids.remove(&state.source.uid);
            self.forget_claims(key, state.claims.into_keys());
            self.notices.push(Notice::SourceGone(key.clone()));
        }
    }

    /// Sets when the next pass of a source begins; a running pass is not disturbed.
    pub(super) fn set_due(&mut self, key: &Key, due: Option<Instant>) {
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

    pub(super) fn stop_listing(&mut self, key: &Key, now: Now) {
        let stage = self.sources.get(key).map(|s| &s.stage);
        if !matches!(stage, None | Some(Stage::Idle | Stage::Writing(_))) {
            self.stop_pass(key, now);
        }
    }

    pub(super) fn stop_pass(&mut self, key: &Key, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let stopped = std::mem::replace(&mut state.stage, Stage::Idle);
        for claim in state.claims.values_mut() {
            claim.in_pass = false;
        }
        let uid = state.source.uid.clone();
        self.running -= usize::from(stopped.takes_a_place());
        match stopped {
            Stage::Listing(pass) => self.give_up_listing(uid, &pass, now),
            Stage::Writing(pass) if !pass.confirming.is_empty() => self.give_up_request(&pass),
            Stage::Idle | Stage::ReadingCredentials(_) | Stage::Waiting(_) | Stage::Writing(_) => {}
        }
    }

    /// What a listing holds is of no use any more; whether its key is accepted may be.
    fn give_up_listing(&mut self, uid: Box<str>, pass: &Pass, now: Now) {
        match pass.key {
            Some(print)
                if self.keys.is_proving(print, pass.id)
                    && self.keys.refused(print, now.instant).is_none() =>
            {
                self.running += 1;
                self.proofs.begin(uid, pass.id, print, now);
            }
            _ => self.give_up_request(pass),
        }
    }

    /// Nobody will hear what becomes of a request: the next one with its key goes alone, and is heard.
    pub(super) fn give_up_request(&mut self, pass: &Pass) {
        if let Some(print) = pass.key {
            self.keys.ended(print, pass.id, Some(false));
        }
        self.given_up.push(pass.id);
    }
}
