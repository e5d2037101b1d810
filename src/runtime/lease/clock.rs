//! The clock that a lease is judged by.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in time, as the time since this machine was started.
///
/// Not [`std::time::Instant`]: that stands still while a machine sleeps, and a lease does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// Later than every other.
    pub const NEVER: Self = Self(Duration::MAX);

    /// The time now.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        let clock = ClockId::Boottime;
        // Elsewhere it goes on while the machine sleeps, or there is no other.
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Monotonic;
        let time = clock_gettime(clock);
        // It is never negative.
        Self(Duration::try_from(time).unwrap_or_default())
    }

    /// How long after it `later` is; zero where it is not.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        later.0.saturating_sub(self.0)
    }
}

impl Add<Duration> for BootTime {
    type Output = Self;

    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time))
    }
}
