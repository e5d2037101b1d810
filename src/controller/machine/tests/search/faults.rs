//! What goes wrong in a history, and for how long.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::history::{CloudFault, Slow, WriteFault};
use crate::api_server::WriteError;
use crate::controller::machine::ListingError;
use crate::controller::machine::tests::rig::{failure, unavailable};
use crate::modelarts::Reason;

/// Something that is so for a time.
#[derive(Debug)]
pub(super) struct Spell<T>(Option<(T, Instant)>);

impl<T> Default for Spell<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Copy> Spell<T> {
    pub(super) fn begin(&mut self, what: T, until: Instant) {
        self.0 = Some((what, until));
    }

    pub(super) fn at(&self, now: Instant) -> Option<T> {
        self.0
            .filter(|(_, until)| now < *until)
            .map(|(what, _)| what)
    }

    pub(super) fn until(&self) -> Option<Instant> {
        self.0.map(|(_, until)| until)
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) listing: Spell<CloudFault>,
    pub(super) show: Spell<CloudFault>,
    pub(super) unsaid: BTreeMap<u8, Spell<()>>,
    pub(super) slow_cloud: Spell<Slow>,
    pub(super) secret: Spell<()>,
    pub(super) outage: Spell<()>,
    pub(super) writes: Spell<WriteFault>,
    pub(super) refused: BTreeMap<u8, Spell<()>>,
    pub(super) slow_api: Spell<Slow>,
    pub(super) slow_watches: Spell<Duration>,
}

impl CloudFault {
    /// What a listing or `ShowPool` fails with.
    pub(super) fn error(self) -> ListingError {
        match self {
            Self::Unavailable => unavailable(),
            Self::Incomplete => failure(Reason::IncompleteListing, None),
            Self::Throttled(seconds) => {
                let wait = Duration::from_secs(seconds.into());
                failure(Reason::Throttled, Some(wait))
            }
            Self::Rejected => failure(Reason::CredentialsRejected, None),
        }
    }
}

impl WriteFault {
    pub(super) fn error(self) -> WriteError {
        let said = || "as the history says".to_owned();
        match self {
            Self::Conflict => WriteError::Conflict(said()),
            Self::Throttled(seconds) => WriteError::Throttled {
                message: said(),
                retry_after: (seconds > 0).then(|| seconds.into()),
            },
            Self::ServerError => WriteError::ServerError(said()),
            Self::Forbidden => WriteError::Forbidden(said()),
            Self::AnswerLost => WriteError::Unreachable(said()),
        }
    }
}

pub(super) fn unreachable() -> WriteError {
    WriteError::Unreachable("as the history says".to_owned())
}
