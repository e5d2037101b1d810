//! Until when data is fresh: law 4.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::seen::Seen;
use super::{Facts, Laws, settings};
use crate::api::ModelArtsPoolSourceStatus;
use crate::api::conditions::whole_seconds;
use crate::controller::report::Report;
use crate::controller::source::Source;

/// The machine looks a moment after data has become old.
const MOMENT: SignedDuration = SignedDuration::from_millis(2);

/// How old data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    Fresh,
    /// Just between: either may be said.
    Turning,
    Old,
}

impl Laws {
    /// Law 4: a success moves `freshUntil` to the begin of its listing, an interval later, and
    /// clamp(2 × interval, 30 s, 30 min).
    pub(super) fn pass_succeeded(&mut self, source: &Source, report: &Report) {
        let interval = settings(source).interval;
        self.of(&source.uid).fresh_until = limit(report.started, interval);
    }

    /// Law 4: nothing else moves it.
    pub(super) fn freshness_is_of_a_success(
        &self,
        uid: &str,
        status: &ModelArtsPoolSourceStatus,
        facts: &Facts,
    ) -> Result<(), String> {
        let stored = facts
            .cluster
            .source(uid)
            .and_then(|s| s.status.fresh_until.clone());
        let known = self.sources.values().find(|s| &*s.uid == uid);
        let known = known.and_then(|s| s.status.fresh_until.clone());
        let told = status.fresh_until.clone().map(|t| t.0);
        let seen = self.seen.get(uid).and_then(|seen| seen.fresh_until);
        let holds = told == seen || told == stored.map(|t| t.0) || told == known.map(|t| t.0);
        let otherwise =
            || format!("law 4: freshUntil is {told:?}, and the last success says {seen:?}");
        holds.then_some(()).ok_or_else(otherwise)
    }
}

impl Seen {
    /// How old the data of the source is.
    pub(super) fn age(&self, source: &Source, now: Timestamp) -> Age {
        let listed = || limit(self.last.as_ref()?.left.wall, settings(source).interval);
        // Where no pass has succeeded, by its listing, and that to the moment.
        let Some(limit) = self.fresh_until.or_else(listed) else {
            return Age::Old;
        };
        let over = now.duration_since(limit);
        if over > SignedDuration::from_secs(1) || over > MOMENT && self.fresh_until.is_some() {
            Age::Old
        } else if over > SignedDuration::ZERO {
            Age::Turning
        } else {
            Age::Fresh
        }
    }
}

fn limit(started: Timestamp, interval: Duration) -> Option<Timestamp> {
    let slack = (2 * interval).clamp(Duration::from_secs(30), Duration::from_mins(30));
    let limit = started.checked_add(SignedDuration::try_from(interval + slack).ok()?);
    Some(whole_seconds(limit.ok()?).0)
}
