//! What goes into the machine and what comes out of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::api::{CredentialsType, ModelArtsPoolSourceStatus};
use crate::api_server::WriteError;
use crate::controller::events::Event;
use crate::controller::fetch::Listing;
use crate::controller::key::Key;
use crate::controller::reason::FailureReason;
use crate::controller::report::{PassFailure, Report};
use crate::controller::source::{Settings, Source};
use crate::mirror::apply::Written;
use crate::mirror::{Counts, Desired, Observed, Owner, Step};
use crate::modelarts::Identity;

/// The time, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic: what waits are measured by.
    pub instant: Instant,
    /// What is written.
    pub wall: Timestamp,
}

impl Now {
    /// How long it is until `at` by the clock of the wall; nothing where that lies behind.
    pub(super) fn until(&self, at: Timestamp) -> Duration {
        Duration::try_from(at.duration_since(self.wall)).unwrap_or_default()
    }

    /// How long ago `at` was by the clock of the wall; nothing where that lies ahead.
    pub(super) fn since(&self, at: Timestamp) -> Duration {
        Duration::try_from(self.wall.duration_since(at)).unwrap_or_default()
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A source was seen, for the first time or changed.
    SourceSeen(Box<Source>),
    /// A source is no more.
    SourceGone(Key),
    /// A mirror was seen.
    MirrorSeen(Key, Box<Observed>),
    /// A mirror was deleted, at this resourceVersion.
    MirrorGone(Key, u64),
    /// The mirrors of a namespace (or of all) are about to be listed anew.
    MirrorsRelisting(Option<Arc<str>>),
    /// They were: what was not seen since is gone.
    MirrorsRelisted(Option<Arc<str>>),
    /// Sources and mirrors have all been seen once: passes may begin.
    Synced,
    /// From now on this replica is the one that lists and writes.
    Lead,
    /// It is so no more: what was begun is given up, and its answers must not be told.
    StandBy,
    /// The credentials of a pass were read.
    CredentialsRead(Key, u64, Result<SourceIdentity, CredentialsError>),
    /// The listing of a pass ended.
    Listed(Key, u64, Result<Listing, ListingError>),
    /// The check of a source ended: whether it may be written for.
    Checked(Key, Box<str>, Result<bool, WriteError>),
    /// The cloud was asked about the pools that a pass missed.
    Confirmed(Key, u64, Confirmation),
    /// An event was published, or could not be.
    Published,
    /// A write ended.
    Written(WriteTicket, Result<Written, WriteError>),
    /// The write of a source's status ended.
    Reported(Key, Box<str>, u64, Result<(), WriteError>),
}

/// What to do.
#[derive(Debug)]
pub enum Action {
    /// Find out who a source is to the cloud: read its Secret, or look whether it may be who this process is.
    ReadCredentials {
        /// The source.
        key: Key,
        /// The pass that needs them.
        pass: u64,
        /// Their kind.
        type_: CredentialsType,
        /// Name of the Secret, in the namespace of the source; empty for the kinds that have none.
        secret: String,
        /// Id of the project that they are for.
        project: String,
    },
    /// List its pools.
    List {
        /// The source.
        key: Key,
        /// The pass that needs the listing.
        pass: u64,
        /// What to list, and where.
        settings: Box<Settings>,
        /// Who asks.
        identity: Arc<Identity>,
        /// The last complete listing.
        previous: Vec<(Arc<str>, Arc<Desired>)>,
    },
    /// Ask the cloud for single pools that its list lacks, one after another, until it does not answer.
    Confirm {
        /// The source.
        key: Key,
        /// The pass that missed them.
        pass: u64,
        /// Where to ask.
        settings: Box<Settings>,
        /// Who asks.
        identity: Arc<Identity>,
        /// Their ids.
        pools: Vec<Arc<str>>,
    },
    /// Publish an event.
    Publish(Box<Event>),
    /// Give up the listing of a pass, where it goes on.
    GiveUp {
        /// The pass.
        pass: u64,
    },
    /// Check that a source may be written for: it is there with this uid, is not being deleted, and
    /// neither is its namespace.
    Check {
        /// The source.
        key: Key,
        /// Its uid.
        uid: Box<str>,
    },
    /// Write a mirror.
    Write(WriteTicket, WriteOrder),
    /// Write the status of a source.
    Report {
        /// The source.
        key: Key,
        /// Its uid.
        uid: Box<str>,
        /// Which report is the last in it.
        number: u64,
        /// The version that `status` was made from.
        resource_version: u64,
        /// The status to write.
        status: Box<ModelArtsPoolSourceStatus>,
    },
}

/// Which write an answer belongs to.
#[derive(Clone, Debug)]
pub struct WriteTicket {
    /// The source it was made for.
    pub source: Key,
    /// Its uid.
    pub uid: Box<str>,
    /// The mirror.
    pub mirror: Key,
    /// What was written, in short: the same is not written twice to the same version.
    pub intent: u64,
    /// Which write.
    pub step: Step,
    /// The version of the mirror that it was decided from, where that was there.
    pub version: Option<u64>,
}

/// What a write needs.
#[derive(Debug)]
pub struct WriteOrder {
    /// What the mirror should be, where that is known.
    pub desired: Option<Arc<Desired>>,
    /// Whom it belongs to.
    pub owner: Arc<Owner>,
    /// What it is.
    pub observed: Option<Box<Observed>>,
    /// The conditions to write with the status.
    pub conditions: Vec<Condition>,
    /// What a patch of the status makes of the counts.
    pub counts: Counts,
}

/// What the cloud says of pools that its list lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// Its answers, in the order in which it was asked.
    pub pools: Vec<(Arc<str>, PoolAnswer)>,
    /// Why it was not asked about the others; the first of them is the one that failed.
    pub failure: Option<ListingError>,
}

/// What the cloud says of one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolAnswer {
    /// There is no such pool.
    NotFound,
    /// There is.
    Found {
        /// Its workspace, where it says so.
        workspace: Option<Box<str>>,
    },
    /// The cloud does not say, of this pool alone.
    Failed(String),
}

/// Who a source is to the cloud.
#[derive(Debug)]
pub struct SourceIdentity {
    /// Who.
    pub identity: Identity,
    /// When its Secret was changed last, where it has one and the API server tells.
    pub changed: Option<Timestamp>,
}

/// Why there are no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialsError {
    /// The API server can't be asked.
    ApiServer(WriteError),
    /// The Secret is missing or not as it must be, or this process does not lend who it is.
    Unusable {
        /// Reason of the condition.
        reason: FailureReason,
        /// Which Secret, which key or which flag, and what to do.
        message: String,
    },
}

/// What the cloud locks after more rejections of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A key.
    Key,
    /// A user of IAM.
    User,
}

/// Why a request for pools failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingError {
    /// For the source's condition.
    pub failure: PassFailure,
    /// Whether the cloud rejected the credentials, and what it locks then.
    pub rejected: Option<Rejection>,
    /// What the cloud calls the request, empty where it was not answered or has no name.
    pub request_id: String,
}

/// Accepted writes to the mirrors of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Mirrors that were created.
    pub created: u32,
    /// Writes of metadata and spec.
    pub updated: u32,
    /// Writes of the status, the first of a new mirror included.
    pub statuses: u32,
    /// Mirrors that were deleted.
    pub deleted: u32,
}

impl Changes {
    /// Counts an accepted write.
    pub(super) const fn note(&mut self, step: Step) {
        let count = match step {
            Step::Create => &mut self.created,
            Step::Apply | Step::ReplaceOwner => &mut self.updated,
            Step::ApplyStatus | Step::PatchStatus => &mut self.statuses,
            Step::Delete => &mut self.deleted,
            Step::Nothing | Step::Conflict => return,
        };
        *count = count.saturating_add(1);
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is worth a metric or a line in the log.
#[derive(Clone, Debug)]
pub enum Notice {
    /// A pass ended.
    PassEnded {
        /// The source.
        source: Key,
        /// How.
        report: Box<Report>,
        /// How long the listing took, where it was complete.
        listing: Option<Duration>,
        /// How long the whole pass took.
        whole: Duration,
        /// Failures in a row.
        failures: u32,
        /// What the cloud calls the last request of the listing, empty where it has no name.
        request_id: String,
        /// Writes to mirrors since the pass before, repairs included.
        changes: Changes,
        /// Whether the pass before failed.
        failed_before: bool,
    },
    /// A source was seen for the first time, or with another spec.
    SourceSeen(Key),
    /// A source is no more.
    SourceGone(Key),
}
