//! Which pools that are missing the cloud is asked about, and when none is. Pure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use crate::api::PrunePolicy;

/// Pools that the cloud is asked about in one pass, at most.
const MAX_CONFIRMATIONS: usize = 20;
/// How long a pool that the cloud still has is not asked about again, though its list does not hold it.
pub const RECHECK: Duration = Duration::from_mins(10);
/// So many mirrors may be missing at any time, whatever share of all they are.
const MAX_MISSING: usize = 2;
/// Phases from which a pool leaves the list in due course: as last seen, they are no sign of an outage.
const LEAVING: [&str; 3] = ["Deleting", "Error", "CreationFailed"];

/// What happens to the mirrors of pools that are gone. Source: `spec.prune`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneRules {
    /// Whether they are deleted or kept.
    pub policy: PrunePolicy,
    /// How long a pool must be missing.
    pub grace_period: Duration,
    /// How many percent of the mirrors may be missing, 0 to 100.
    pub max_percent: usize,
}

/// A mirror whose pool the last complete listing lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The pool's id.
    pub name: Arc<str>,
    /// When the first request of the first listing without it left.
    pub since: Timestamp,
    /// Whether that was the last listing.
    pub first: bool,
    /// Whether the mirror says already that the pool is gone.
    pub gone: bool,
    /// What came of the last question for it.
    pub asked: Option<Question>,
}

/// What came of the question whether the cloud has a pool that its list lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// It has the pool.
    Found(Instant),
    /// It did not say.
    Failed(Instant),
}

/// How many mirrors there are and how many of them are missing, without those that are gone and those
/// that were about to leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disappearance {
    /// Mirrors.
    pub mirrors: usize,
    /// Those whose pools the last complete listing lacks.
    pub missing: usize,
}

impl PruneRules {
    /// Whether so many are missing that something is wrong with the listing, or with the source.
    #[must_use]
    pub fn halt(&self, Disappearance { mirrors, missing }: Disappearance) -> bool {
        missing > MAX_MISSING && missing * 100 > self.max_percent * mirrors
    }

    /// Whether a pool that is missing since `since` is so for the grace period, at `started`: when the
    /// first request of the last listing left.
    #[must_use]
    pub fn overdue(&self, since: Timestamp, started: Timestamp) -> bool {
        let grace = SignedDuration::try_from(self.grace_period).unwrap_or(SignedDuration::MAX);
        started.duration_since(since) >= grace
    }

    /// The pools to ask the cloud about after a listing whose first request left at `started`, those
    /// that are missing for longest first.
    #[must_use]
    pub fn to_confirm(
        &self,
        absences: impl IntoIterator<Item = Absence>,
        started: Timestamp,
        now: Instant,
    ) -> Vec<Arc<str>> {
        let mut due: Vec<Absence> = absences
            .into_iter()
            .filter(|a| !a.first && self.overdue(a.since, started))
            .filter(|a| !(a.gone && self.policy == PrunePolicy::Retain))
            .filter(|a| match a.asked {
                Some(Question::Found(at)) => now.duration_since(at) >= RECHECK,
                Some(Question::Failed(_)) | None => true,
            })
            .collect();
        // Those that the cloud did not answer for come last, or they would keep the others waiting for ever.
        let failed = |a: &Absence| match a.asked {
            Some(Question::Failed(at)) => Some(at),
            Some(Question::Found(_)) | None => None,
        };
        due.sort_by(|a, b| (failed(a), a.since, &a.name).cmp(&(failed(b), b.since, &b.name)));
        due.truncate(MAX_CONFIRMATIONS);
        due.into_iter().map(|a| a.name).collect()
    }
}

/// Whether a pool in this phase leaves the list in due course.
#[must_use]
pub fn is_leaving(phase: Option<&str>) -> bool {
    phase.is_some_and(|phase| LEAVING.contains(&phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(policy: PrunePolicy, grace: u64, max_percent: usize) -> PruneRules {
        PruneRules {
            policy,
            grace_period: Duration::from_secs(grace),
            max_percent,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn absence(name: &str, since: i64) -> Absence {
        Absence {
            name: name.into(),
            since: at(since),
            first: false,
            gone: false,
            asked: None,
        }
    }

    fn names(due: &[Arc<str>]) -> Vec<&str> {
        due.iter().map(|n| &**n).collect()
    }

    #[test]
    fn a_mass_disappearance_halts() {
        // Mirrors, missing, percent allowed.
        for (mirrors, missing, percent, halts) in [
            (10, 0, 0, false),
            (10, 2, 0, false),
            (2, 2, 0, false),
            (10, 3, 0, true),
            (3, 3, 50, true),
            (6, 3, 50, false),
            (5, 3, 50, true),
            (10, 5, 50, false),
            (10, 6, 50, true),
            (10_000, 5_000, 50, false),
            (10_000, 5_001, 50, true),
            (10, 10, 99, true),
            (10, 10, 100, false),
        ] {
            let there = Disappearance { mirrors, missing };
            assert_eq!(
                rules(PrunePolicy::Delete, 0, percent).halt(there),
                halts,
                "{there:?} {percent}"
            );
        }
    }

    #[test]
    fn pools_are_asked_about_once_they_are_missing_for_the_grace_period() {
        let rules = rules(PrunePolicy::Delete, 120, 50);
        let now = Instant::now();
        let ask = |absence, started| rules.to_confirm([absence], at(started), now).len();
        assert_eq!(ask(absence("a", 0), 119), 0);
        assert_eq!(ask(absence("a", 0), 120), 1);
        let first = Absence {
            first: true,
            ..absence("a", 0)
        };
        assert_eq!(ask(first, 120), 0, "one listing is no proof");
    }

    #[test]
    fn one_listing_is_no_proof_without_a_grace_period_either() {
        let rules = rules(PrunePolicy::Delete, 0, 50);
        let first = Absence {
            first: true,
            ..absence("a", 5)
        };
        assert!(rules.to_confirm([first], at(5), Instant::now()).is_empty());
        let asked = rules.to_confirm([absence("a", 5)], at(10), Instant::now());
        assert_eq!(names(&asked), ["a"]);
    }

    #[test]
    fn at_most_twenty_are_asked_about_those_missing_for_longest_first() {
        let rules = rules(PrunePolicy::Delete, 0, 50);
        let absences = (0..30).map(|i| absence(&format!("p{i:02}"), 100 - i));
        let asked = rules.to_confirm(absences, at(200), Instant::now());
        assert_eq!(asked.len(), 20);
        assert_eq!(names(&asked[..2]), ["p29", "p28"]);
    }

    #[test]
    fn a_pool_that_the_cloud_has_is_asked_about_every_ten_minutes() {
        let rules = rules(PrunePolicy::Delete, 0, 50);
        let found = Instant::now();
        let hidden = Absence {
            asked: Some(Question::Found(found)),
            ..absence("a", 0)
        };
        for (later, asked) in [(0, 0), (599, 0), (600, 1)] {
            let now = found + Duration::from_secs(later);
            let due = rules.to_confirm([hidden.clone()], at(1_000), now);
            assert_eq!(due.len(), asked, "{later}");
        }
    }

    #[test]
    fn pools_that_the_cloud_did_not_answer_for_come_last() {
        let rules = rules(PrunePolicy::Delete, 0, 50);
        let then = Instant::now();
        let now = then + Duration::from_secs(100);
        let absences = (0..25).map(|i| Absence {
            asked: (i < 22).then(|| Question::Failed(then + Duration::from_secs(22 - i))),
            ..absence(&format!("p{i:02}"), 0)
        });
        let asked = rules.to_confirm(absences, at(9), now);
        assert_eq!(names(&asked[..5]), ["p22", "p23", "p24", "p21", "p20"]);
        assert_eq!(asked.len(), 20);
    }

    #[test]
    fn a_kept_mirror_of_a_gone_pool_is_asked_about_only_where_it_is_to_go() {
        let gone = Absence {
            gone: true,
            ..absence("a", 0)
        };
        for (policy, asked) in [(PrunePolicy::Retain, 0), (PrunePolicy::Delete, 1)] {
            let due = rules(policy, 0, 50).to_confirm([gone.clone()], at(9), Instant::now());
            assert_eq!(due.len(), asked, "{policy:?}");
        }
    }

    #[test]
    fn pools_that_failed_or_are_being_deleted_are_leaving() {
        for phase in ["Deleting", "Error", "CreationFailed"] {
            assert!(is_leaving(Some(phase)), "{phase}");
        }
        for phase in [Some("Running"), Some("Abnormal"), None] {
            assert!(!is_leaving(phase), "{phase:?}");
        }
    }
}
