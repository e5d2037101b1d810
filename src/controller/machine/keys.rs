//! Which keys may be used: the cloud locks a key after six rejected requests, for everybody.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::controller::pace::REJECTED_KEY_PAUSE;

/// What is known of keys, by their fingerprints.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Rejected, and until when they are not used.
    rejected: HashMap<u64, Instant>,
    /// Accepted since the start, and by every request since.
    proven: HashSet<u64>,
    /// Not proven, and the pass that uses them now, alone.
    proving: HashMap<u64, u64>,
}

/// Whether a key may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Given,
    /// Another pass finds out whether it is accepted.
    Wait,
    /// It was rejected, and is not used for so long.
    Refused(Duration),
}

impl Keys {
    /// What was rejected, and nothing else.
    pub(super) fn into_rejected(self) -> Self {
        Self {
            rejected: self.rejected,
            ..Self::default()
        }
    }

    /// Whether `pass` may use `key` now. Where it may, [`Keys::ended`] must follow.
    pub(super) fn ask(&mut self, key: u64, pass: u64, now: Instant) -> Leave {
        if let Some(wait) = self.refused(key, now) {
            return Leave::Refused(wait);
        }
        if self.proven.contains(&key) || *self.proving.entry(key).or_insert(pass) == pass {
            Leave::Given
        } else {
            Leave::Wait
        }
    }

    /// For how long `key` is not used, where it was rejected.
    pub(super) fn refused(&mut self, key: u64, now: Instant) -> Option<Duration> {
        self.rejected.retain(|_, until| *until > now);
        self.rejected.get(&key).map(|until| *until - now)
    }

    /// `pass` uses `key` no longer. `accepted` says whether all its requests were accepted; nothing
    /// where it was given up.
    pub(super) fn ended(&mut self, key: u64, pass: u64, accepted: Option<bool>) {
        if self.proving.get(&key) == Some(&pass) {
            self.proving.remove(&key);
        }
        match accepted {
            Some(true) => {
                self.proven.insert(key);
            }
            // After any failure the next request goes alone again.
            Some(false) => {
                self.proven.remove(&key);
            }
            None => {}
        }
    }

    /// The cloud rejected `key`, `ago` before now.
    pub(super) fn reject(&mut self, key: u64, ago: Duration, now: Instant) {
        self.proven.remove(&key);
        if let Some(left) = REJECTED_KEY_PAUSE.checked_sub(ago) {
            // Several sources may tell of the same key: the last rejection counts.
            let until = self.rejected.entry(key).or_insert(now);
            *until = (now + left).max(*until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unproven_key_is_used_by_one_pass_at_a_time() {
        let now = Instant::now();
        let mut keys = Keys::default();
        assert_eq!(keys.ask(7, 1, now), Leave::Given);
        assert_eq!(keys.ask(7, 2, now), Leave::Wait);
        assert_eq!(keys.ask(8, 2, now), Leave::Given, "another key");
        keys.ended(7, 1, Some(true));
        assert_eq!(keys.ask(7, 2, now), Leave::Given);
        assert_eq!(keys.ask(7, 3, now), Leave::Given, "all, once it is proven");
        keys.ended(7, 2, Some(false));
        assert_eq!(keys.ask(7, 4, now), Leave::Given);
        assert_eq!(
            keys.ask(7, 5, now),
            Leave::Wait,
            "alone again after a failure"
        );
        keys.ended(7, 4, None);
        assert_eq!(
            keys.ask(7, 5, now),
            Leave::Given,
            "a pass that was given up"
        );
    }

    #[test]
    fn a_rejected_key_rests_for_five_minutes_from_its_rejection() {
        let now = Instant::now();
        let mut keys = Keys::default();
        keys.reject(7, Duration::from_mins(2), now);
        assert_eq!(keys.ask(7, 1, now), Leave::Refused(Duration::from_mins(3)));
        let later = now + Duration::from_mins(3);
        assert_eq!(keys.ask(7, 1, later), Leave::Given);
        keys.reject(7, Duration::from_mins(6), later);
        assert_eq!(keys.refused(7, later), None);
        keys.reject(7, Duration::ZERO, later);
        keys.reject(7, Duration::from_mins(2), later);
        let wait = Some(Duration::from_mins(5));
        assert_eq!(
            keys.refused(7, later),
            wait,
            "an older rejection ends no newer one"
        );
    }
}
