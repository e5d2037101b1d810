//! Which of several replicas writes: the one that holds a Lease.
//!
//! [`elect`] gives the two ends of it. The [`Elector`] acquires and renews the lease while other work
//! runs beside it, and gives it back when that ends. The [`Leadership`] says whether this replica may
//! write at this moment; the client of the API server asks it before each write.
//!
//! A holder counts from when it sent a renewal, the others from when they have seen it: so it stops
//! before they begin, whatever the clocks of the machines say.

mod clock;
mod election;
mod elector;

use tokio::sync::watch;

pub use clock::BootTime;
pub use elector::{Elector, LeaseName};

use crate::api_server::CALL_TIMEOUT;

/// A time in which this replica holds the lease without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Term {
    /// Counts the terms of this process.
    number: u64,
    /// When the lease ends, unless it is renewed.
    valid_until: BootTime,
}

/// Whether this replica may write. Cheap to clone; all clones say the same.
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Term>>);

/// A write that was not begun, since another replica may write.
#[derive(Debug, thiserror::Error)]
#[error("this replica does not hold the lease, and writes nothing")]
pub struct NotLeading;

impl Leadership {
    /// Of the only replica: it always may.
    #[must_use]
    pub fn unquestioned() -> Self {
        let term = Term {
            number: 1,
            valid_until: BootTime::NEVER,
        };
        Self(watch::channel(Some(term)).1)
    }

    /// Of a replica that never leads.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(watch::channel(None).1)
    }

    /// The number of the term in which a write may be begun now: one that ends, by its timeout, while
    /// the lease is still held. Another number is another term, and others may have written between.
    #[must_use]
    pub fn term(&self) -> Option<u64> {
        self.term_at(BootTime::now())
    }

    fn term_at(&self, now: BootTime) -> Option<u64> {
        let term = *self.0.borrow();
        let ends_in_time = |term: &Term| now + CALL_TIMEOUT < term.valid_until;
        term.filter(ends_in_time).map(|term| term.number)
    }

    /// Ready when a term has begun or ended since the last call. A term also ends by the mere passing of
    /// time, which a process that was stopped may notice late: ask [`Leadership::term`].
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody elects.
            std::future::pending::<()>().await;
        }
    }
}

/// The two ends of an election for the lease `name`, in which this replica is called `identity`: unlike
/// any other, and any other process before it. `client` is used for the lease alone, so that its calls
/// wait for no other, and share no broken connection with them.
#[must_use]
pub fn elect(client: kube::Client, name: LeaseName, identity: &str) -> (Leadership, Elector) {
    let (publish, terms) = watch::channel(None);
    (
        Leadership(terms),
        Elector::new(client, name, identity, publish),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What a replica believes that sent its last renewal at `sent`.
    fn leadership(sent: BootTime) -> Leadership {
        let term = Term {
            number: 7,
            valid_until: sent + election::LEASE_DURATION,
        };
        Leadership(watch::channel(Some(term)).1)
    }

    #[test]
    fn a_write_is_begun_only_where_it_ends_before_the_lease() {
        let sent = BootTime::now();
        let leadership = leadership(sent);
        for (millis, may) in [(0, true), (10_999, true), (11_000, false), (60_000, false)] {
            let term = leadership.term_at(sent + Duration::from_millis(millis));
            assert_eq!(term, may.then_some(7), "after {millis} ms");
        }
    }

    #[test]
    fn without_an_election_it_always_may() {
        assert_eq!(Leadership::unquestioned().term(), Some(1));
        assert_eq!(Leadership::none().term(), None);
    }
}
