//! When things are done next: intervals, backoff, jitter. Pure, but for the injected generator.

use std::ops::Bound;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Longest wait after failures, where the interval is not longer.
pub(super) const MAX_BACKOFF: Duration = Duration::from_mins(10);
/// How soon credentials that are missing or rejected are looked at again, where the interval is not
/// shorter.
const CREDENTIALS_RETRY: Duration = Duration::from_mins(1);
/// How long a rejected key is not used: the cloud locks a key after six rejected requests, for five
/// minutes.
pub(super) const REJECTED_KEY_PAUSE: Duration = Duration::from_mins(5);
/// Longest difference from the interval. Less than what `freshUntil` allows beyond the interval, at most 30
/// min: else data would be called stale though no pass has failed.
const MAX_JITTER: Duration = Duration::from_mins(10);
/// At most one requested refresh in this time.
pub(super) const REFRESH_GAP: Duration = Duration::from_secs(5);
/// A mirror that is changed again within this time waits before it is repaired again.
const REPAIR_MEMORY: Duration = Duration::from_mins(1);
/// Longest wait before a mirror is repaired again.
const MAX_REPAIR_WAIT: Duration = Duration::from_secs(30);

/// Time from the start of a pass to the start of the next: the interval, up to 10 % or 10 min more or
/// less, so that many sources do not fall into step.
pub(super) fn next_interval(interval: Duration, rng: &mut Rng) -> Duration {
    let jitter = (interval / 10).min(MAX_JITTER);
    interval.saturating_sub(jitter) + (2 * jitter).mul_f64(rng.f64())
}

/// Time from the start of a failed pass to the next try: never less than the interval, doubled with
/// each failure in a row.
pub(super) fn after_failures(interval: Duration, failures: u32, rng: &mut Rng) -> Duration {
    let doubled = interval.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16)));
    doubled
        .min(MAX_BACKOFF.max(interval))
        .mul_f64(1.0 + 0.2 * rng.f64())
}

/// Time until credentials that are missing or rejected are looked at again.
pub(super) fn credentials_retry(interval: Duration) -> Duration {
    interval.min(CREDENTIALS_RETRY)
}

/// What comes after the one that had its turn last, of what takes turns in order; all where none had.
pub(super) const fn after<K>(last: Option<&K>) -> (Bound<&K>, Bound<&K>) {
    let begin = match last {
        Some(last) => Bound::Excluded(last),
        None => Bound::Unbounded,
    };
    (begin, Bound::Unbounded)
}

/// How often one mirror had to be repaired lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Repairs {
    last: Option<Instant>,
    again: u32,
}

impl Repairs {
    /// Notes a repair at `now`.
    pub(super) fn note(&mut self, now: Instant) {
        let again = self
            .last
            .is_some_and(|last| now.duration_since(last) < REPAIR_MEMORY);
        self.again = if again {
            self.again.saturating_add(1)
        } else {
            0
        };
        self.last = Some(now);
    }

    /// How long to wait before the next repair: at once for the first, then 1, 2, 4 … 30 s.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match self.last {
            Some(last) if now.duration_since(last) < REPAIR_MEMORY => {
                Duration::from_secs(1 << self.again.min(5)).min(MAX_REPAIR_WAIT)
            }
            _ => Duration::ZERO,
        }
    }
}

/// The pause of all writes while the API server can't be reached or asks to slow down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ApiPause {
    until: Option<Instant>,
    /// What the server asked for: a call that succeeds meanwhile does not end that.
    asked: Option<Instant>,
    failures: u32,
}

impl ApiPause {
    /// Begins or prolongs the pause: 0.2 s doubled up to 3 s, or what the server asked for.
    pub(super) fn extend(&mut self, now: Instant, asked: Option<Duration>) {
        self.asked = self.asked.max(asked.map(|asked| now + asked));
        // Calls that were under way together fail together; they count as one failure.
        if self.until.is_some_and(|until| now < until) {
            return;
        }
        let own = Duration::from_millis(200 << self.failures.min(4)).min(Duration::from_secs(3));
        self.until = Some(now + own);
        self.failures = self.failures.saturating_add(1);
    }

    /// Ends the pause, but for what the server asked for: a call succeeded.
    pub(super) fn end(&mut self) {
        self.until = None;
        self.failures = 0;
    }

    /// Until when nothing is written, where that is later than `now`.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.max(self.asked).filter(|until| now < *until)
    }

    /// Whether the last call failed: until one succeeds, calls go one at a time.
    pub(super) fn is_probing(&self) -> bool {
        self.failures > 0
    }
}

/// So many failures in a row are the API server's, and not those of a few mirrors.
const MANY_FAILURES: u32 = 8;
/// Failures that are further apart are not in a row: fewer mirrors than that fail, each at its own pace.
const ROW_GAP: Duration = Duration::from_secs(10);
/// How often a write is tried while all fail. Not longer, since a repair waits for it, too.
const FAILING_PAUSE: Duration = Duration::from_secs(1);

/// The pause of the writes to mirrors while the API server answers, and handles none of them: its etcd or a
/// webhook is away, or it throttles them. That it handles other calls does not end it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FailingPause {
    until: Option<Instant>,
    last: Option<Instant>,
    row: u32,
}

impl FailingPause {
    /// Notes that a write failed.
    pub(super) fn note(&mut self, now: Instant) {
        if self.last.is_none_or(|last| now - last > ROW_GAP) {
            self.row = 0;
        }
        self.last = Some(now);
        self.row = self.row.saturating_add(1);
        // Calls that were under way together fail together; they prolong nothing.
        if self.is_probing() && self.until.is_none_or(|until| until <= now) {
            self.until = Some(now + FAILING_PAUSE);
        }
    }

    /// Ends the pause: a write was handled.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Until when no mirror is written, where that is later than `now`.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }

    /// Whether so many have failed in a row that writes go one at a time.
    pub(super) fn is_probing(&self) -> bool {
        self.row >= MANY_FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn failures_never_poll_faster_than_the_interval() {
        let mut rng = Rng::with_seed(1);
        for interval in [5, 30, 3_600, 86_400] {
            let interval = interval * SECOND;
            for failures in 1..70 {
                let wait = after_failures(interval, failures, &mut rng);
                assert!(
                    wait >= interval && wait <= interval.max(MAX_BACKOFF).mul_f64(1.2),
                    "{interval:?} {failures} {wait:?}"
                );
            }
        }
    }

    #[test]
    fn the_interval_has_ten_percent_of_jitter() {
        let mut rng = Rng::with_seed(1);
        let waits: Vec<_> = (0..100)
            .map(|_| next_interval(100 * SECOND, &mut rng))
            .collect();
        assert!(
            waits
                .iter()
                .all(|w| (90 * SECOND..=110 * SECOND).contains(w))
        );
        assert!(waits.iter().any(|w| *w < 95 * SECOND) && waits.iter().any(|w| *w > 105 * SECOND));
    }

    #[test]
    fn the_jitter_of_a_long_interval_makes_no_data_stale() {
        let mut rng = Rng::with_seed(1);
        let day = 86_400 * SECOND;
        let wait = (0..100).map(|_| next_interval(day, &mut rng)).max();
        let minutes = wait.map(|w| w.saturating_sub(day).as_secs() / 60);
        assert!(matches!(minutes, Some(5..10)), "{wait:?}");
    }

    #[test]
    fn a_mirror_changed_again_waits_longer_each_time() {
        let start = Instant::now();
        let mut repairs = Repairs::default();
        let mut now = start;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = repairs.wait(now);
            waits.push(wait.as_secs());
            now += wait;
            repairs.note(now);
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(repairs.wait(now + 61 * SECOND), Duration::ZERO);
    }

    #[test]
    fn failures_of_calls_made_together_are_one() {
        let now = Instant::now();
        let mut pause = ApiPause::default();
        pause.extend(now, None);
        pause.extend(now, None);
        assert_eq!(pause.until(now), Some(now + Duration::from_millis(200)));
        let later = now + SECOND;
        pause.extend(later, Some(7 * SECOND));
        assert_eq!(pause.until(later), Some(later + 7 * SECOND));
        pause.end();
        assert_eq!(pause.until(later), Some(later + 7 * SECOND), "as asked");
        pause.extend(later, None);
        pause.end();
        assert_eq!(pause.until(later + 7 * SECOND), None);
    }
}
