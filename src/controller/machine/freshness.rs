//! When the data of a source is called stale, and when no more.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::state::{SourceState, Stage};
use super::{Machine, Now};
use crate::api::conditions::whole_seconds;
use crate::controller::key::Key;
use crate::controller::report::fresh_until;
use crate::mirror::Freshness;

/// How long the first pass after a start or a pause may take before data that is old is called so. The
/// pass most often ends sooner, and then nothing needs to be written.
const SETTLING: Duration = Duration::from_mins(1);

/// How long a source is not looked at, at most.
const MAX_LOOK: Duration = Duration::from_mins(1);

impl SourceState {
    /// A first pass is about to begin: what it finds is waited for.
    pub(super) fn settle_first(&mut self, now: Now) {
        self.settling = Some(now.instant + SETTLING);
    }

    /// Until when the data is fresh; nothing where it always was old.
    fn fresh_until(&self, interval: Duration) -> Option<Timestamp> {
        // The mirrors of a source of which no pass has succeeded are as old as their listing.
        let listed = || fresh_until(self.listed_at?, interval);
        self.fresh_until.or_else(listed)
    }
}

impl Machine {
    /// Looks at the sources whose data may have become old.
    pub(super) fn look(&mut self, now: Now) {
        while let Some((at, key)) = self.looks.first().cloned()
            && at <= now.instant
        {
            self.look_again(&key, None);
            self.assess(&key, now);
            let state = self.sources.get(&key);
            let refused = |s: &SourceState| s.claims.values().any(|c| !c.refused.is_empty());
            if state.is_some_and(|s| s.freshness != Freshness::Fresh && refused(s)) {
                // No pass tries it again.
                self.write_all(&key, now);
            }
        }
    }

    /// A pass that began at `started` has succeeded.
    pub(super) fn synced_at(&mut self, key: &Key, started: Timestamp) {
        let interval = self.interval(key);
        if let Some(state) = self.sources.get_mut(key) {
            state.fresh_until = fresh_until(started, interval).map(|t| whole_seconds(t).0);
        }
    }

    /// Finds out how fresh the data of a source is. Where that has changed, its mirrors say so: once.
    pub(super) fn assess(&mut self, key: &Key, now: Now) {
        let interval = self.interval(key);
        let Some(state) = self.sources.get_mut(key).filter(|s| !s.source.deleting) else {
            return;
        };
        let limit = state.fresh_until(interval);
        let is_old = limit.is_none_or(|limit| now.wall > limit);
        let suspended = state.suspended();
        let unbegun =
            matches!(state.stage, Stage::Idle) && state.due.is_some_and(|due| due <= now.instant);
        if unbegun && state.settling.is_some() {
            // There was no place for the first pass yet.
            state.settle_first(now);
        }
        let waits = state
            .settling
            .filter(|until| now.instant < *until && !suspended);
        let next = match (suspended, is_old) {
            (true, _) => Freshness::Suspended { stale: is_old },
            (false, true) => Freshness::Stale,
            (false, false) => Freshness::Fresh,
        };
        let ages = limit.filter(|_| !is_old);
        let ages = ages.map(|limit| now.instant + until(limit, now.wall));
        let refused = || {
            let refused = state.claims.values().flat_map(|c| &c.refused);
            let until = refused.map(|(_, until)| *until);
            until.filter(|until| *until > now.instant).min()
        };
        // Of fresh data the passes try again what was refused.
        let again = (next != Freshness::Fresh).then(refused).flatten();
        let look = [ages, waits, again].into_iter().flatten().min();
        if waits.is_none() {
            state.settling = None;
        }
        let flips = waits.is_none() && state.freshness != next;
        if flips {
            state.freshness = next;
        }
        self.look_again(key, look);
        if flips && self.works() {
            self.write_all(key, now);
        }
    }

    /// Sets when a source is looked at again.
    pub(super) fn look_again(&mut self, key: &Key, at: Option<Instant>) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        if let Some(old) = state.look.take() {
            self.looks.remove(&(old, key.clone()));
        }
        state.look = at;
        if let Some(at) = at {
            self.looks.insert((at, key.clone()));
        }
    }
}

/// How long it is until `limit` has passed.
fn until(limit: Timestamp, now: Timestamp) -> Duration {
    let left = Duration::try_from(limit.duration_since(now)).unwrap_or_default();
    // The clock of the wall may be set meanwhile.
    (left + Duration::from_millis(1)).min(MAX_LOOK)
}
