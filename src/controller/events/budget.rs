//! How many events there may be: enough to tell what happened, never a storm.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::controller::key::Key;

/// At most one event about the restoration of one mirror in this time.
const RESTORED_GAP: Duration = Duration::from_mins(1);

/// So many events at once, and one more each time span.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    refill: Duration,
}

/// Of one object: as Kubernetes' own components hold it.
const OF_AN_OBJECT: Rate = Rate {
    burst: 25,
    refill: Duration::from_mins(5),
};
/// Of all mirrors of a source together.
const OF_ITS_MIRRORS: Rate = Rate {
    burst: 100,
    refill: Duration::from_secs(3),
};
/// So much is kept at least before what is of no use any more is dropped. Each time twice as much as was
/// then left, so that sweeping takes no more time than filling.
const MIN_SWEEP: usize = 256;

/// What of it is left.
#[derive(Debug, Default)]
pub(in crate::controller) struct Budget {
    objects: Buckets,
    sources: Buckets,
    restored: HashMap<Key, Instant>,
    /// So many are kept before the old ones are dropped.
    restored_limit: usize,
    left_out: u64,
}

impl Budget {
    /// Whether there may be an event about the mirror `mirror` of `source` now.
    pub(in crate::controller) fn mirror(
        &mut self,
        mirror: &Key,
        source: &Key,
        now: Instant,
    ) -> bool {
        // The source first: of a mass of mirrors only a few get as far as a bucket of their own.
        let given = self.sources.left(source, OF_ITS_MIRRORS, now)
            && self.objects.take(mirror, OF_AN_OBJECT, now)
            && self.sources.take(source, OF_ITS_MIRRORS, now);
        self.count(given, source)
    }

    /// The same for the source itself. Its mirrors do not use it up.
    pub(in crate::controller) fn source(&mut self, source: &Key, now: Instant) -> bool {
        let given = self.objects.take(source, OF_AN_OBJECT, now);
        self.count(given, source)
    }

    /// Whether there may be one about the restoration of `mirror`.
    pub(in crate::controller) fn restoration(&mut self, mirror: &Key, now: Instant) -> bool {
        let recent = |last: &Instant| now.duration_since(*last) < RESTORED_GAP;
        if self.restored.get(mirror).is_some_and(recent) {
            return false;
        }
        if self.restored.len() >= self.restored_limit {
            self.restored.retain(|_, last| recent(last));
            self.restored_limit = MIN_SWEEP.max(2 * self.restored.len());
        }
        self.restored.insert(mirror.clone(), now);
        true
    }

    fn count(&mut self, given: bool, source: &Key) -> bool {
        if !given {
            self.left_out += 1;
            if self.left_out.is_power_of_two() {
                tracing::info!(%source, left_out_of_all_sources = self.left_out, "events are left out, since there were too many; conditions and metrics tell all");
            }
        }
        given
    }
}

/// Buckets of tokens, one for each object. One that is not kept is full.
#[derive(Debug, Default)]
struct Buckets {
    buckets: HashMap<Key, Bucket>,
    limit: usize,
}

#[derive(Debug)]
struct Bucket {
    /// Tokens, and since when the next one is on its way.
    left: u32,
    since: Instant,
}

impl Buckets {
    fn left(&self, key: &Key, rate: Rate, now: Instant) -> bool {
        let bucket = self.buckets.get(key);
        bucket.is_none_or(|b| b.refilled(rate, now) > 0)
    }

    fn take(&mut self, key: &Key, rate: Rate, now: Instant) -> bool {
        if self.buckets.len() >= self.limit {
            self.buckets
                .retain(|_, b| b.refilled(rate, now) < rate.burst);
            self.limit = MIN_SWEEP.max(2 * self.buckets.len());
        }
        let bucket = self.buckets.entry(key.clone()).or_insert(Bucket {
            left: rate.burst,
            since: now,
        });
        let left = bucket.refilled(rate, now);
        if left >= rate.burst {
            bucket.since = now;
        } else {
            bucket.since += rate.refill * (left - bucket.left);
        }
        bucket.left = left.saturating_sub(1);
        left > 0
    }
}

impl Bucket {
    fn refilled(&self, rate: Rate, now: Instant) -> u32 {
        let spans = now.duration_since(self.since).as_millis() / rate.refill.as_millis();
        let more = u32::try_from(spans).unwrap_or(u32::MAX);
        self.left.saturating_add(more).min(rate.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("ns", name)
    }

    #[test]
    fn one_mirror_is_told_of_so_often_and_then_every_five_minutes() {
        let mut budget = Budget::default();
        let start = Instant::now();
        let given = |budget: &mut Budget, now| budget.mirror(&key("a"), &key("s"), now);
        let burst = (0..60).filter(|_| given(&mut budget, start)).count();
        assert_eq!(burst, 25);
        let mut later = 0;
        for second in 1..=3_600 {
            later += usize::from(given(&mut budget, start + Duration::from_secs(second)));
        }
        assert_eq!(later, 12);
        assert!(budget.mirror(&key("b"), &key("s"), start), "another mirror");
    }

    #[test]
    fn the_mirrors_of_a_source_are_bounded_together_and_leave_the_source_its_own() {
        let mut budget = Budget::default();
        let now = Instant::now();
        let given = (0..10_000)
            .filter(|i| budget.mirror(&key(&format!("p{i}")), &key("s"), now))
            .count();
        assert_eq!(given, 100);
        assert!(budget.source(&key("s"), now));
        assert!(budget.mirror(&key("p"), &key("t"), now), "another source");
        let later = now + Duration::from_secs(3);
        assert!(budget.mirror(&key("q"), &key("s"), later));
        assert!(!budget.mirror(&key("r"), &key("s"), later));
    }

    #[test]
    fn what_is_kept_of_it_is_bounded() {
        let mut budget = Budget::default();
        let mut now = Instant::now();
        for i in 0..100_000 {
            budget.mirror(&key(&format!("p{i}")), &key("s"), now);
            budget.restoration(&key(&format!("p{i}")), now);
            now += Duration::from_secs(1);
        }
        assert!(
            budget.objects.buckets.len() <= 2 * MIN_SWEEP,
            "{}",
            budget.objects.buckets.len()
        );
        assert!(budget.restored.len() <= MIN_SWEEP);
    }

    #[test]
    fn a_restoration_is_told_of_once_a_minute() {
        let mut budget = Budget::default();
        let now = Instant::now();
        let told = (0..180)
            .filter(|s| budget.restoration(&key("a"), now + Duration::from_secs(*s)))
            .count();
        assert_eq!(told, 3);
    }
}
