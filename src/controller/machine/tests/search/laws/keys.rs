//! How keys are used: law 8.

use std::time::{Duration, Instant};

use super::{Asked, Facts, Laws};
use crate::controller::machine::ListingError;

/// How long a rejected key is not used.
const REJECTED_FOR: Duration = Duration::from_mins(5);

impl Laws {
    /// Law 8: a key that was rejected rests for five minutes, for all sources, and for a source that says so
    /// also in another process; and one that is not proven is used by one request at a time.
    pub(super) fn key_may_be_used(&self, uid: &str, key: u64, facts: &Facts) -> Result<(), String> {
        let now = facts.now;
        if self.rests(key, now.instant) {
            return Err("law 8: a rejected key is used".to_owned());
        }
        let stopped = self.seen.get(uid).and_then(|seen| seen.stopped);
        let unchanged = |at| facts.secret_changed.is_none_or(|changed| changed <= at);
        let is_stopped = |at| unchanged(at) && now.wall < at + REJECTED_FOR;
        if stopped.is_some_and(is_stopped) && self.bad.contains(&key) {
            return Err("law 8: a key is used that was rejected before the restart".to_owned());
        }
        let alone = self
            .asked
            .values()
            .all(|asked| asked.key != key || asked.proven);
        if !self.proven.contains(&key) && !alone {
            return Err("law 8: a key that is not proven is used twice at once".to_owned());
        }
        Ok(())
    }

    /// Whether this process has seen the key rejected, not long ago.
    fn rests(&self, key: u64, now: Instant) -> bool {
        let rejected = self.rejected.get(&key);
        rejected.is_some_and(|at| now < *at + REJECTED_FOR)
    }

    /// Law 8: once a key is rejected, what others ask with it is given up. Looked at when nothing more happens
    /// at this instant.
    pub(in crate::controller::machine::tests::search) fn rejected_keys_rest(
        &mut self,
        facts: &Facts,
    ) {
        let now = facts.now.instant;
        if self.asked.values().any(|asked| self.rests(asked.key, now)) {
            self.broken("law 8: what is asked with a rejected key goes on");
        }
    }

    /// A request was answered, or failed.
    pub(super) fn key_was_used(
        &mut self,
        asked: &Asked,
        error: Option<&ListingError>,
        facts: &Facts,
    ) {
        let now = facts.now.instant;
        let Some(error) = error else {
            self.proven.insert(asked.key);
            return;
        };
        self.proven.remove(&asked.key);
        if error.rejected.is_some() {
            self.rejected.insert(asked.key, now);
            self.bad.insert(asked.key);
        }
        let not_before = error.failure.retry_after.map(|wait| now + wait);
        let seen = self.of(&asked.uid);
        seen.not_before = seen.not_before.max(not_before);
    }
}
