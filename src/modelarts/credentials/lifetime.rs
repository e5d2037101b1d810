//! How long what was issued is used: pure.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Credentials;

/// What an issuer grants.
#[derive(Debug)]
pub(super) struct Grant {
    pub(super) credentials: Credentials,
    /// By the issuer's clock.
    pub(super) expires: Timestamp,
}

/// What was issued, and until when it is used. By the monotonic clock: the one that people set may be wrong.
#[derive(Debug)]
pub(in crate::modelarts) struct Issued {
    pub(super) credentials: Credentials,
    renew_at: Instant,
    expires_at: Instant,
}

/// What to do with something that was issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Age {
    /// Use it.
    Good,
    /// Renew it; where that fails, use it.
    Old,
    /// Don't use it.
    Expired,
}

impl Issued {
    /// `grant` as it came at `now`, when the issuer's clock showed `issuer_time`. It is renewed `margin` before
    /// it expires; where it lasts for less than four times that, in the last quarter.
    ///
    /// # Errors
    /// Where it has expired already.
    pub(super) fn new(
        grant: Grant,
        issuer_time: Timestamp,
        now: Instant,
        margin: Duration,
    ) -> Result<Self, String> {
        let Grant {
            credentials,
            expires,
        } = grant;
        let lasts = Duration::try_from(expires.duration_since(issuer_time)).unwrap_or_default();
        let expired = || {
            format!(
                "what was issued expires at {expires}, and it is {issuer_time}; compare the clocks"
            )
        };
        // A time that far ahead is no real one; with it the instants could overflow.
        let lasts = lasts.min(Duration::from_hours(24 * 365));
        if lasts.is_zero() {
            return Err(expired());
        }
        Ok(Self {
            credentials,
            renew_at: now + lasts.saturating_sub(margin.min(lasts / 4)),
            expires_at: now + lasts,
        })
    }

    /// What to do with it at `now`.
    pub(super) fn age(&self, now: Instant) -> Age {
        if now >= self.expires_at {
            Age::Expired
        } else if now >= self.renew_at {
            Age::Old
        } else {
            Age::Good
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const MINUTE: Duration = Duration::from_mins(1);

    fn grant(lasts: Duration) -> (Grant, Timestamp) {
        let issued: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let credentials = Credentials::Token("t".into());
        let expires = issued.saturating_add(lasts).expect("a time");
        (
            Grant {
                credentials,
                expires,
            },
            issued,
        )
    }

    #[test]
    fn what_is_issued_is_renewed_before_it_expires() {
        use Age::{Expired, Good, Old};
        let now = Instant::now();
        for (lasts, margin, after, expected) in [
            (24 * HOUR, 10 * MINUTE, Duration::ZERO, Good),
            (
                24 * HOUR,
                10 * MINUTE,
                Duration::from_mins(24 * 60 - 11),
                Good,
            ),
            (
                24 * HOUR,
                10 * MINUTE,
                Duration::from_mins(24 * 60 - 10),
                Old,
            ),
            (
                24 * HOUR,
                10 * MINUTE,
                Duration::from_mins(24 * 60 - 1),
                Old,
            ),
            (24 * HOUR, 10 * MINUTE, 24 * HOUR, Expired),
            (24 * HOUR, 10 * MINUTE, 48 * HOUR, Expired),
            // So short that the margin would eat it up.
            (20 * MINUTE, 40 * MINUTE, 14 * MINUTE, Good),
            (20 * MINUTE, 40 * MINUTE, 15 * MINUTE, Old),
            (20 * MINUTE, 40 * MINUTE, 20 * MINUTE, Expired),
        ] {
            let (grant, issued) = grant(lasts);
            let issued = Issued::new(grant, issued, now, margin).expect("not expired");
            assert_eq!(issued.age(now + after), expected, "{lasts:?} {after:?}");
        }
    }

    #[test]
    fn the_issuers_clock_says_how_long_it_lasts() {
        let now = Instant::now();
        let (late, at) = grant(HOUR);
        let later = at.saturating_add(HOUR).expect("a time");
        let error = Issued::new(late, later, now, MINUTE).expect_err("expired");
        assert!(error.contains("2026-01-01T01:00:00Z"), "{error}");
        let (endless, at) = grant(Duration::from_hours(24 * 365 * 1000));
        let issued = Issued::new(endless, at, now, MINUTE).expect("not expired");
        assert_eq!(
            issued.age(now + Duration::from_hours(24 * 366)),
            Age::Expired
        );
    }
}
