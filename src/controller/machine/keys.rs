//! Which credentials may be used: the cloud locks a key after six rejected requests, and a user after five
//! wrong passwords, for everybody.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::modelarts::KeyPrint;

/// What is known of credentials, by their prints.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Who was rejected, and how long that counts.
    rejected: HashMap<u64, Rejected>,
    /// Accepted since the start and not rejected since; and whether every request since was accepted.
    accepted: HashMap<u64, bool>,
    /// Whose credentials are not proven, and the pass that uses them now, alone.
    proving: HashMap<u64, u64>,
    /// Counts what may let a pass begin that had to wait.
    changes: u64,
}

/// A key or a user that was rejected.
#[derive(Debug)]
struct Rejected {
    until: Instant,
    /// With what: a user may have had several passwords.
    with: HashSet<u64>,
    /// What a Secret was changed to since.
    changed_to: HashSet<u64>,
}

/// Whether credentials may be used now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// They may.
    Given,
    /// Another pass finds out whether they are accepted.
    Wait,
    /// They were rejected, and are not used for so long.
    Refused(Duration),
}

impl Keys {
    /// What was rejected, and what may go on beside it: the good password of a user who had a bad one. What was
    /// accepted goes alone again.
    pub(super) fn into_judged(self) -> Self {
        let accepted = self.accepted.into_keys();
        Self {
            rejected: self.rejected,
            accepted: accepted.map(|key| (key, false)).collect(),
            ..Self::default()
        }
    }

    /// Grows with all that may let a pass begin, or end, that was told to wait.
    pub(super) const fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether `pass` may use `key` now. Where it may, [`Keys::ended`] must follow.
    pub(super) fn ask(&mut self, key: KeyPrint, pass: u64, now: Instant) -> Leave {
        if let Some(wait) = self.refused(key, now) {
            return Leave::Refused(wait);
        }
        let proven = self.accepted.get(&key.whole) == Some(&true);
        if proven || *self.proving.entry(key.holder).or_insert(pass) == pass {
            Leave::Given
        } else {
            Leave::Wait
        }
    }

    /// Whether `pass` is the one that finds out whether `key` is accepted.
    pub(super) fn is_proving(&self, key: KeyPrint, pass: u64) -> bool {
        self.proving.get(&key.holder) == Some(&pass)
    }

    /// For how long `key` is not used, where it was rejected, or another password of its user was.
    pub(super) fn refused(&mut self, key: KeyPrint, now: Instant) -> Option<Duration> {
        self.rejected.retain(|_, rejected| rejected.until > now);
        let rejected = self.rejected.get(&key.holder)?;
        let may_be_good =
            self.accepted.contains_key(&key.whole) || rejected.changed_to.contains(&key.whole);
        let refused = rejected.with.contains(&key.whole) || !may_be_good;
        refused.then(|| rejected.until - now)
    }

    /// A Secret was changed to `key`: it may be tried, also where what stood there before was rejected.
    pub(super) fn changed_to(&mut self, key: KeyPrint) {
        if let Some(rejected) = self.rejected.get_mut(&key.holder) {
            rejected.changed_to.insert(key.whole);
        }
    }

    /// `pass` uses `key` no longer. `accepted` says whether all its requests were accepted, which one that is given
    /// up can't say any more; nothing where the cloud was silent for too long.
    pub(super) fn ended(&mut self, key: KeyPrint, pass: u64, accepted: Option<bool>) {
        self.changes += 1;
        if self.is_proving(key, pass) {
            self.proving.remove(&key.holder);
        }
        let rejected = self.rejected.get(&key.holder);
        match accepted {
            // Its requests were under way when another pass's was rejected.
            Some(true) if rejected.is_some_and(|r| r.with.contains(&key.whole)) => {}
            Some(true) => {
                self.accepted.insert(key.whole, true);
            }
            // After any failure the next request goes alone again.
            Some(false) => {
                if let Some(proven) = self.accepted.get_mut(&key.whole) {
                    *proven = false;
                }
            }
            None => {}
        }
    }

    /// The cloud rejected `key`, `ago` before now: it is not used for `pause` from then on.
    pub(super) fn reject(&mut self, key: KeyPrint, pause: Duration, ago: Duration, now: Instant) {
        self.changes += 1;
        self.accepted.remove(&key.whole);
        let Some(left) = pause.checked_sub(ago) else {
            return;
        };
        let rejected = self.rejected.entry(key.holder).or_insert_with(|| Rejected {
            until: now,
            with: HashSet::new(),
            changed_to: HashSet::new(),
        });
        // Several sources may tell of the same key: the last rejection counts.
        rejected.until = (now + left).max(rejected.until);
        rejected.with.insert(key.whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// A key, which is locked by itself.
    fn key(whole: u64) -> KeyPrint {
        KeyPrint {
            holder: whole,
            whole,
        }
    }

    /// A password of the one user.
    fn password(whole: u64) -> KeyPrint {
        KeyPrint { holder: 100, whole }
    }

    #[test]
    fn an_unproven_key_is_used_by_one_pass_at_a_time() {
        let now = Instant::now();
        let mut keys = Keys::default();
        assert_eq!(keys.ask(key(7), 1, now), Leave::Given);
        assert_eq!(keys.ask(key(7), 2, now), Leave::Wait);
        assert_eq!(keys.ask(key(8), 2, now), Leave::Given, "another key");
        keys.ended(key(7), 1, Some(true));
        assert_eq!(keys.ask(key(7), 2, now), Leave::Given);
        assert_eq!(
            keys.ask(key(7), 3, now),
            Leave::Given,
            "all, once it is proven"
        );
        keys.ended(key(7), 2, Some(false));
        assert_eq!(keys.ask(key(7), 4, now), Leave::Given);
        assert_eq!(
            keys.ask(key(7), 5, now),
            Leave::Wait,
            "alone again after a failure"
        );
        keys.ended(key(7), 4, None);
        assert_eq!(
            keys.ask(key(7), 5, now),
            Leave::Given,
            "a pass that was given up"
        );
        // Two passwords of one user count as one.
        assert_eq!(keys.ask(password(1), 6, now), Leave::Given);
        assert_eq!(keys.ask(password(2), 7, now), Leave::Wait);
    }

    #[test]
    fn a_success_that_ends_late_proves_no_rejected_key() {
        let now = Instant::now();
        let mut keys = Keys::default();
        keys.ended(key(7), 1, Some(true));
        assert_eq!(keys.ask(key(7), 2, now), Leave::Given);
        assert_eq!(keys.ask(key(7), 3, now), Leave::Given);
        keys.ended(key(7), 2, Some(false));
        keys.reject(key(7), 5 * MINUTE, Duration::ZERO, now);
        keys.ended(key(7), 3, Some(true));
        let later = now + 5 * MINUTE;
        assert_eq!(keys.ask(key(7), 4, later), Leave::Given);
        assert_eq!(keys.ask(key(7), 5, later), Leave::Wait);
    }

    #[test]
    fn a_rejected_key_rests_for_a_while_from_its_rejection() {
        let now = Instant::now();
        let mut keys = Keys::default();
        let reject = |keys: &mut Keys, ago: u32, now| {
            keys.reject(key(7), 5 * MINUTE, ago * MINUTE, now);
        };
        reject(&mut keys, 2, now);
        assert_eq!(keys.ask(key(7), 1, now), Leave::Refused(3 * MINUTE));
        let later = now + 3 * MINUTE;
        assert_eq!(keys.ask(key(7), 1, later), Leave::Given);
        reject(&mut keys, 6, later);
        assert_eq!(keys.refused(key(7), later), None);
        reject(&mut keys, 0, later);
        reject(&mut keys, 2, later);
        let wait = Some(5 * MINUTE);
        assert_eq!(
            keys.refused(key(7), later),
            wait,
            "an older rejection ends no newer one"
        );
        // A change to what was rejected is none.
        keys.changed_to(key(7));
        assert_eq!(keys.refused(key(7), later), wait);
        assert_eq!(keys.refused(key(8), later), None, "another key");
    }

    #[test]
    fn a_rejected_password_stops_its_user_until_a_secret_changes() {
        let now = Instant::now();
        let (wrong, other, right, known) = (password(1), password(2), password(3), password(4));
        let mut keys = Keys::default();
        assert_eq!(keys.ask(known, 1, now), Leave::Given);
        keys.ended(known, 1, Some(true));
        keys.ended(known, 1, Some(false));
        keys.reject(wrong, 15 * MINUTE, Duration::ZERO, now);
        let refused = Some(15 * MINUTE);
        assert_eq!(keys.refused(wrong, now), refused);
        assert_eq!(keys.refused(other, now), refused, "it may be as wrong");
        assert_eq!(keys.refused(known, now), None, "it was accepted before");
        keys.changed_to(right);
        assert_eq!(keys.refused(right, now), None);
        assert_eq!(keys.refused(other, now), refused);
        keys.changed_to(wrong);
        assert_eq!(keys.refused(wrong, now), refused);
        keys.reject(right, 15 * MINUTE, Duration::ZERO, now);
        assert_eq!(keys.refused(right, now), refused, "it was not right");
        let later = now + 15 * MINUTE;
        assert_eq!(keys.refused(wrong, later), None);
    }

    #[test]
    fn a_good_password_goes_on_beside_a_bad_one_in_the_next_term() {
        let now = Instant::now();
        let (wrong, good) = (password(1), password(2));
        let mut keys = Keys::default();
        assert_eq!(keys.ask(good, 1, now), Leave::Given);
        keys.ended(good, 1, Some(true));
        keys.reject(wrong, 15 * MINUTE, Duration::ZERO, now);
        let mut keys = keys.into_judged();
        assert_eq!(keys.refused(wrong, now), Some(15 * MINUTE));
        // Alone, until it is proven again.
        assert_eq!(keys.ask(good, 2, now), Leave::Given);
        assert_eq!(keys.ask(good, 3, now), Leave::Wait);
    }
}
