//! When to look at the lease, when to write it, and whether it is held: pure.
//!
//! Times that another replica has written are never compared with a clock of this machine. What counts
//! is how long a lease has not changed before the eyes of this one.

use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};

use super::Term;
use super::clock::BootTime;
use crate::api_server::{CALL_TIMEOUT, WriteError};

/// How long a lease is held after a renewal. These three are client-go's.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A holder that could not renew for so long gives up: before the others take it for gone, and long
/// enough before for a write that it has just begun to end.
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// From one renewal to the next, and from one failed attempt to the next.
const RETRY: Duration = Duration::from_secs(2);
/// From one look at a lease that another replica holds to the next. What it gives back is then taken well
/// within 3 s. Not a watch: one that has silently broken off would show nothing until its time is over.
const LOOK: Duration = Duration::from_secs(1);

const _: () = assert!(
    CALL_TIMEOUT.as_millis() < LEASE_DURATION.as_millis() - RENEW_DEADLINE.as_millis(),
    "a write could outlive the lease"
);

/// The time: by the clock that waits are measured by, and the one that is shown to people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) boot: BootTime,
    pub(super) wall: Timestamp,
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Wait(Duration),
    /// A call to the API server, which must end within this time.
    Call(Call, Duration),
}

#[derive(Debug, PartialEq)]
pub(super) enum Call {
    Look,
    Create(Box<Lease>),
    /// At the version that was seen: where another replica was faster, it is refused.
    Replace(Box<Lease>),
}

/// One replica's part in the election.
#[derive(Debug)]
pub(super) struct Election {
    name: String,
    identity: String,
    rng: Rng,
    seen: Option<Seen>,
    knowledge: Knowledge,
    held: Option<Held>,
    /// Terms so far.
    terms: u64,
    /// When the next call is made.
    next: BootTime,
    /// What the last call failed with, and was said.
    trouble: Option<WriteError>,
}

/// The lease as it was seen last.
#[derive(Debug)]
struct Seen {
    /// Nothing where there is none.
    lease: Option<Lease>,
    /// From when on it is nobody's, unless it is seen changed before.
    free: BootTime,
}

/// How good what was seen is as the ground of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Knowledge {
    /// The lease may be another by now.
    Doubtful,
    /// It was written by this replica, and nobody else had a reason to.
    Own,
    /// It was just looked at.
    Looked,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    term: u64,
    /// When the last renewal that was accepted was sent.
    sent: BootTime,
}

impl Election {
    pub(super) fn new(name: &str, identity: &str, seed: u64, now: BootTime) -> Self {
        Self {
            name: name.to_owned(),
            identity: identity.to_owned(),
            rng: Rng::with_seed(seed),
            seen: None,
            knowledge: Knowledge::Doubtful,
            held: None,
            terms: 0,
            next: now,
            trouble: None,
        }
    }

    /// The term under way. It ends by time alone, too: [`Election::next`] says when.
    pub(super) fn term(&self) -> Option<Term> {
        self.held.map(|held| Term {
            number: held.term,
            valid_until: held.sent + LEASE_DURATION,
        })
    }

    /// What to do now. The answer to a call must be told before the next question.
    pub(super) fn next(&mut self, now: Now) -> Step {
        let mut deadline = self.held.map(|held| held.sent + RENEW_DEADLINE);
        if deadline.is_some_and(|deadline| deadline <= now.boot) {
            self.lose("it could not be renewed in time");
            deadline = None;
        }
        let left = |time: BootTime| now.boot.until(time);
        if now.boot < self.next {
            let wait = left(self.next);
            return Step::Wait(deadline.map_or(wait, |deadline| wait.min(left(deadline))));
        }
        let limit = deadline.map_or(CALL_TIMEOUT, |deadline| CALL_TIMEOUT.min(left(deadline)));
        let claim = match self.knowledge {
            Knowledge::Doubtful => None,
            Knowledge::Own | Knowledge::Looked => self.claim(now),
        };
        Step::Call(claim.unwrap_or(Call::Look), limit)
    }

    /// Takes in the answer to a look that was sent at `sent`: the lease, or that there is none.
    pub(super) fn looked(
        &mut self,
        sent: BootTime,
        answer: Result<Option<Lease>, WriteError>,
        now: Now,
    ) {
        let lease = match answer {
            Ok(lease) => lease,
            Err(error) => return self.failed(sent, error),
        };
        self.trouble = None;
        if let Some(lease) = &lease
            && self.held.is_some()
            && holder(lease) != Some(&*self.identity)
        {
            self.lose("another has written it");
        }
        self.see(lease, now.boot);
        if self.claim(now).is_some() {
            self.knowledge = Knowledge::Looked;
            self.next = now.boot;
        } else {
            let free = self.seen.as_ref().map_or(now.boot, |seen| seen.free);
            self.knowledge = Knowledge::Doubtful;
            self.next = (sent + self.about(LOOK)).min(free);
        }
    }

    /// Takes in the answer to a write that was sent at `sent`.
    pub(super) fn wrote(&mut self, sent: BootTime, answer: Result<Lease, WriteError>, now: Now) {
        match answer {
            Ok(lease) => {
                self.trouble = None;
                self.see(Some(lease), now.boot);
                self.knowledge = Knowledge::Own;
                self.next = sent + self.about(RETRY);
                let term = self
                    .held
                    .map_or_else(|| self.begin_term(), |held| held.term);
                self.held = Some(Held { term, sent });
            }
            // It may be an own write whose answer was lost: looked at once, and then with patience.
            Err(WriteError::Conflict(_) | WriteError::NotFound(_))
                if self.knowledge == Knowledge::Own =>
            {
                self.knowledge = Knowledge::Doubtful;
                self.next = now.boot;
            }
            Err(WriteError::Conflict(_) | WriteError::NotFound(_)) => {
                self.knowledge = Knowledge::Doubtful;
                self.next = sent + self.about(LOOK);
            }
            Err(error) => self.failed(sent, error),
        }
    }

    /// The lease given back; nothing where it is another's.
    pub(super) fn released(&self, mut lease: Lease, wall: Timestamp) -> Option<Lease> {
        if holder(&lease) != Some(&*self.identity) {
            return None;
        }
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = None;
        spec.renew_time = Some(MicroTime(wall));
        Some(lease)
    }

    fn failed(&mut self, sent: BootTime, error: WriteError) {
        self.knowledge = Knowledge::Doubtful;
        self.next = sent + self.about(RETRY);
        if self.trouble.as_ref() != Some(&error) {
            tracing::warn!(lease = self.name, %error, "failed to look at the lease or to write it; trying again");
        }
        self.trouble = Some(error);
    }

    /// The write that makes the lease this replica's, or keeps it so, where that may be.
    fn claim(&self, now: Now) -> Option<Call> {
        let seen = self.seen.as_ref()?;
        let own = || seen.lease.as_ref().and_then(holder) == Some(&*self.identity);
        if self.held.is_none() && now.boot < seen.free && !own() {
            return None;
        }
        let Some(lease) = &seen.lease else {
            let metadata = ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            };
            let lease = Lease {
                metadata,
                spec: None,
            };
            return Some(Call::Create(Box::new(self.claimed(lease, now.wall))));
        };
        let lease = self.claimed(lease.clone(), now.wall);
        Some(Call::Replace(Box::new(lease)))
    }

    fn claimed(&self, mut lease: Lease, wall: Timestamp) -> Lease {
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            spec.holder_identity = Some(self.identity.clone());
            spec.acquire_time = Some(MicroTime(wall));
            spec.lease_transitions = Some(spec.lease_transitions.map_or(0, |n| n + 1));
        }
        spec.lease_duration_seconds = i32::try_from(LEASE_DURATION.as_secs()).ok();
        spec.renew_time = Some(MicroTime(wall));
        lease
    }

    fn see(&mut self, lease: Option<Lease>, now: BootTime) {
        let known = self.seen.as_ref();
        let before = known.and_then(|seen| seen.lease.as_ref());
        let free = match (&lease, known) {
            (Some(lease), Some(seen)) if before.is_some_and(|b| is_version_of(b, lease)) => {
                seen.free
            }
            (Some(lease), _) if holder(lease).is_some() => now + duration(lease),
            // Whoever held a lease that was deleted holds it on, and is about to create it anew.
            (None, Some(seen)) => seen.free,
            (Some(_) | None, _) => now,
        };
        let others = |lease: &Lease| {
            let holder = holder(lease)?;
            (holder != self.identity).then(|| holder.to_owned())
        };
        let other = lease.as_ref().and_then(others);
        if let Some(other) = other.filter(|o| before.and_then(others).as_ref() != Some(o)) {
            tracing::info!(lease = self.name, holder = other, "standing by");
        }
        self.seen = Some(Seen { lease, free });
    }

    fn begin_term(&mut self) -> u64 {
        self.terms += 1;
        tracing::info!(
            lease = self.name,
            identity = self.identity,
            "holding the lease: this replica writes"
        );
        self.terms
    }

    fn lose(&mut self, why: &'static str) {
        self.held = None;
        self.knowledge = Knowledge::Doubtful;
        tracing::warn!(
            lease = self.name,
            "lost the lease: {why}; this replica writes nothing and stands by"
        );
    }

    /// Replicas that fell into step with one another fall out of it.
    fn about(&mut self, time: Duration) -> Duration {
        time.mul_f64(0.8 + 0.4 * self.rng.f64())
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

/// How long its holder means to hold it without a renewal. Somebody may have edited it: never shorter than
/// this program means it, and never so long that nobody would take over.
fn duration(lease: &Lease) -> Duration {
    let seconds = lease.spec.as_ref().and_then(|s| s.lease_duration_seconds);
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
    let written = seconds.map_or(LEASE_DURATION, Duration::from_secs);
    written.clamp(LEASE_DURATION, 4 * LEASE_DURATION)
}

fn is_version_of(one: &Lease, other: &Lease) -> bool {
    let version = |lease: &Lease| {
        let metadata = &lease.metadata;
        (metadata.uid.clone(), metadata.resource_version.clone())
    };
    version(one) == version(other)
}

#[cfg(test)]
#[path = "election_tests/mod.rs"]
mod tests;
