//! Whether a source may still be written for: asked before the first write of a pass, and before a
//! mirror is created anew. Orphaning and garbage collection win.

use std::time::Duration;

use super::passes::write_failure;
use super::state::Queue;
use super::{Action, Machine, Now};
use crate::api_server::WriteError;
use crate::controller::key::Key;

/// Checks that are made at once, like statuses.
const MAX_CHECKING: usize = 8;
/// How long a source whose checks fail again and again waits for the next one, at most.
const MAX_CHECK_WAIT: Duration = Duration::from_secs(30);

impl Machine {
    pub(super) fn next_check(&mut self, now: Now) -> Option<Action> {
        if self.checks.is_empty() || self.writes.is_paused(now.instant) {
            return None;
        }
        let limit = if self.writes.is_bad_time() {
            1
        } else {
            MAX_CHECKING
        };
        if self.sources.values().filter(|s| s.checking).count() >= limit {
            return None;
        }
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

    /// A mirror is known not to be there, or not to be owned: whoever creates it, or takes it back, must have been
    /// looked for since.
    pub(super) fn check_before_taking(&mut self, mirror: &Key) {
        let sources = self.sources.iter_mut();
        for (_, state) in sources.filter(|(source, _)| source.namespace == mirror.namespace) {
            let next_check = state.checks_begun + 1;
            if let Some(claim) = state.claim(&mirror.name) {
                claim.needs_check = next_check;
            }
        }
    }

    pub(super) fn checked(
        &mut self,
        key: &Key,
        uid: &str,
        result: Result<bool, WriteError>,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.checking = false;
        let waiting = std::mem::take(&mut state.unchecked);
        match result {
            Ok(true) => {
                state.checked = state.checks_begun;
                state.checks_failed = 0;
                self.writes.api_answered(now.instant);
            }
            Ok(false) => {
                tracing::info!(source = %key, "the source or its namespace is being deleted; nothing more is written for it");
                self.close(key);
                self.drop_reports(key);
                self.stop_pass(key, now);
                // Where it was a mistake (the same name anew), its own event begins anew.
                self.set_due(key, None);
                return;
            }
            Err(error) => {
                let wait = Duration::from_secs(1 << state.checks_failed.min(5)).min(MAX_CHECK_WAIT);
                state.checks_failed = state.checks_failed.saturating_add(1);
                let error = self.writes.judged(error, now.instant);
                self.writes.api_failed(&error, now.instant);
                let failure = write_failure("look whether the source may be written for", &error);
                if self
                    .sources
                    .get_mut(key)
                    .is_some_and(|s| s.writing().is_some())
                {
                    self.end_pass(key, Some(failure), now);
                }
                for name in waiting {
                    self.take_from(Queue::Unchecked, key, &name);
                    self.hold(key, &name, now.instant + wait);
                }
                return;
            }
        }
        for name in waiting {
            if self.take_from(Queue::Unchecked, key, &name) {
                let claim = self.sources.get_mut(key).and_then(|s| s.claim(&name));
                // What its pass has planned keeps its place behind repairs.
                let urgent = claim.is_some_and(|c| !c.in_pass);
                self.enqueue(key, &name, urgent);
            }
        }
    }
}
