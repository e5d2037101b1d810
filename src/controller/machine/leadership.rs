//! Whether this replica works, or only takes in what the watches show.
//!
//! Taking over is a start with warm caches: what a former leader knew counts only as far as it is
//! stored, in the mirrors and in the status of the sources. So nothing of an own former term is kept but
//! which keys the cloud has rejected, and accepted: too many more rejections would lock them.

use super::{Machine, Now};

impl Machine {
    /// Whether there may be anything to do.
    pub(super) const fn works(&self) -> bool {
        self.synced && self.leads
    }

    pub(super) fn all_seen(&mut self, now: Now) {
        let first = !std::mem::replace(&mut self.synced, true);
        if first && self.leads {
            self.begin_work(now);
        }
    }

    pub(super) fn lead(&mut self, now: Now) {
        if self.leads {
            return;
        }
        // What the sources say has changed since they were first seen: another replica has written it.
        self.forget_own(now);
        self.leads = true;
        if self.synced {
            self.begin_work(now);
        }
    }

    pub(super) fn stand_by(&mut self, now: Now) {
        self.leads = false;
        self.forget_own(now);
    }

    /// Forgets everything but what the watches have shown, and which keys were rejected or accepted.
    fn forget_own(&mut self, now: Now) {
        let jitter = self.rng.u64(..);
        let mirrors = std::mem::take(&mut self.mirrors).into_seen();
        let anew = Self {
            synced: self.synced,
            leads: self.leads,
            // An answer that was made for a former pass must not be taken for that of a later one.
            pass_ids: self.pass_ids,
            mirrors,
            keys: std::mem::take(&mut self.keys).into_judged(),
            ..Self::new(self.limits, jitter)
        };
        let former = std::mem::replace(self, anew);
        for source in former.sources.into_values() {
            self.source_seen(source.source, now);
        }
    }
}
