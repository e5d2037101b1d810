//! The pools of the project, and what time alone does to them: a new one is missing from listings for a while,
//! a failed one is kept for some days.
//!
//! Plain data; the present is handed in.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;

/// Failed pools that the cloud keeps; the oldest goes first (HWC: "at most 500").
const MAX_FAILED: usize = 500;
/// How long the cloud keeps a failed pool (HWC: "three days").
pub(super) const KEEP_FAILED: Duration = Duration::from_hours(72);

/// The pools by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pools {
    by_id: BTreeMap<String, Pool>,
    /// How long listings do not carry a new pool, which ShowPool knows at once.
    pub(super) list_delay: Duration,
    keep_failed: Duration,
    /// When which pool must be looked at: it may be listed from then on, or kept no longer.
    due: BTreeSet<(Duration, String)>,
}

/// A pool and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) workspace: String,
    pub(super) hidden: bool,
    pub(super) life: Life,
    /// From when on listings carry it, from the start of the world.
    listed_from: Duration,
    /// When its creation failed, from the start of the world.
    failed_at: Option<Duration>,
    /// The JSON as the cloud sends it; text, because most pools are sent often and changed never.
    pub(super) json: Arc<str>,
}

/// The three classes of the filter `status` of ListPools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Creating,
    Created,
    Failed,
}

impl Pools {
    pub(super) fn new(list_delay: Duration, keep_failed: Duration) -> Self {
        Self {
            by_id: BTreeMap::new(),
            list_delay,
            keep_failed,
            due: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<&Pool> {
        self.by_id.get(id)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Pool> {
        self.by_id.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&String, &Pool)> {
        self.by_id.iter()
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Pool> {
        self.by_id.remove(id)
    }

    /// Removes all.
    pub(super) fn clear(&mut self) {
        self.by_id.clear();
        self.due.clear();
    }

    /// Sets a pool that the cloud creates now, or gives a known one another content.
    pub(super) fn put(&mut self, id: &str, pool: Pool, now: Duration) {
        let before = self.by_id.get(id);
        let listed_from = before.map_or(now + self.list_delay, |before| before.listed_from);
        let failed_at = before.and_then(|before| before.failed_at);
        let pool = Pool {
            listed_from,
            failed_at,
            ..pool
        };
        if listed_from > now {
            self.due.insert((listed_from, id.to_owned()));
        }
        self.by_id.insert(id.to_owned(), pool);
        self.age(id, now);
    }

    /// Sets a pool that has been there for long: listings carry it at once.
    pub(super) fn settle(&mut self, id: &str, pool: Pool, now: Duration) {
        self.by_id.insert(id.to_owned(), pool);
        self.age(id, now);
    }

    /// Notes whether the pool has failed by now, after its content has changed.
    pub(super) fn age(&mut self, id: &str, now: Duration) {
        let Some(pool) = self.by_id.get_mut(id) else {
            return;
        };
        if pool.life != Life::Failed {
            pool.failed_at = None;
            return;
        }
        if pool.failed_at.is_none() {
            pool.failed_at = Some(now);
            self.due.insert((now + self.keep_failed, id.to_owned()));
            self.drop_oldest_failed();
        }
    }

    fn drop_oldest_failed(&mut self) {
        let failed = || {
            self.by_id
                .iter()
                .filter_map(|(id, pool)| Some((pool.failed_at?, id)))
        };
        if failed().count() > MAX_FAILED
            && let Some(oldest) = failed().min().map(|(_, id)| id.clone())
        {
            self.by_id.remove(&oldest);
        }
    }

    /// When time alone changes something next.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Does what time alone does now.
    pub(super) fn look_at_next(&mut self, now: Duration) {
        let Some((_, id)) = self.due.pop_first() else {
            return;
        };
        let failed_at = self.by_id.get(&id).and_then(|pool| pool.failed_at);
        if failed_at.is_some_and(|failed_at| failed_at + self.keep_failed <= now) {
            self.by_id.remove(&id);
        }
    }
}

impl Pool {
    pub(super) fn new(workspace: &str, value: &Value, json: &str) -> Self {
        Self {
            workspace: workspace.to_owned(),
            hidden: false,
            life: Life::of(value),
            listed_from: Duration::ZERO,
            failed_at: None,
            json: json.trim().into(),
        }
    }

    /// Whether listings carry it now, where they select it.
    pub(super) fn is_listed(&self, now: Duration) -> bool {
        !self.hidden && self.listed_from <= now
    }
}

impl Life {
    /// Phases as the documents of three years name them; no phase yet is a pool whose creation just began.
    pub(super) fn of(pool: &Value) -> Self {
        match pool
            .pointer("/status/phase")
            .and_then(Value::as_str)
            .unwrap_or_default()
        {
            "" | "Creating" | "Waiting" => Self::Creating,
            "CreationFailed" => Self::Failed,
            _ => Self::Created,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn pool(phase: &str) -> Pool {
        Pool::new("0", &json!({"status": {"phase": phase}}), "{}")
    }

    fn play(pools: &mut Pools, until: Duration) {
        while pools.next_due().is_some_and(|at| at <= until) {
            pools.look_at_next(until);
        }
    }

    #[test]
    fn a_new_pool_is_listed_late_and_only_when_it_is_new() {
        let mut pools = Pools::new(HOUR, KEEP_FAILED);
        pools.settle("old", pool("Running"), HOUR);
        pools.put("new", pool("Creating"), HOUR);
        let listed = |pools: &Pools, id: &str, now| pools.get(id).unwrap().is_listed(now);
        assert!(listed(&pools, "old", HOUR));
        assert!(!listed(&pools, "new", HOUR));
        assert_eq!(pools.next_due(), Some(2 * HOUR));
        // Another content is no other pool.
        pools.put("new", pool("Running"), Duration::from_mins(119));
        pools.put("old", pool("Abnormal"), HOUR);
        assert!(listed(&pools, "new", 2 * HOUR) && listed(&pools, "old", HOUR));
        // The same id, created anew.
        pools.remove("old");
        pools.put("old", pool("Running"), 5 * HOUR);
        assert!(!listed(&pools, "old", 5 * HOUR) && listed(&pools, "old", 6 * HOUR));
    }

    #[test]
    fn a_failed_pool_is_kept_from_its_failure_on() {
        let mut pools = Pools::new(Duration::ZERO, KEEP_FAILED);
        pools.settle("early", pool("CreationFailed"), Duration::ZERO);
        pools.settle("late", pool("Creating"), Duration::ZERO);
        pools.settle("mended", pool("CreationFailed"), Duration::ZERO);
        pools.put("late", pool("CreationFailed"), HOUR);
        pools.put("mended", pool("Running"), HOUR);
        let ids =
            |pools: &Pools| -> Vec<String> { pools.iter().map(|(id, _)| id.clone()).collect() };
        play(
            &mut pools,
            KEEP_FAILED.saturating_sub(Duration::from_nanos(1)),
        );
        assert_eq!(ids(&pools), ["early", "late", "mended"]);
        play(&mut pools, KEEP_FAILED);
        assert_eq!(ids(&pools), ["late", "mended"]);
        play(&mut pools, KEEP_FAILED + HOUR);
        assert_eq!(ids(&pools), ["mended"]);
    }

    #[test]
    fn of_more_than_five_hundred_failed_pools_the_oldest_goes() {
        let mut pools = Pools::new(Duration::ZERO, KEEP_FAILED);
        for number in 0..=500_u64 {
            let id = format!("{:03}", 500 - number);
            pools.put(&id, pool("CreationFailed"), Duration::from_secs(number));
        }
        assert_eq!(pools.iter().count(), 500);
        assert!(pools.get("500").is_none());
    }
}
