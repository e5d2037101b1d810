//! What the machine remembers of one source.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Changes;
use crate::api::{CredentialsType, ModelArtsPoolSourceStatus};
use crate::controller::events::{Edit, News, Removal};
use crate::controller::report::{PassFailure, PruneHalt, Report};
use crate::controller::source::Source;
use crate::mirror::{Desired, Fingerprint, Freshness, Owner, Presence, Skip};
use crate::modelarts::{Identity, KeyPrint};

/// One source.
pub(super) struct SourceState {
    pub(super) source: Source,
    pub(super) owner: Arc<Owner>,
    pub(super) stage: Stage,
    /// When the next pass begins; nothing while one runs or none is to be made.
    pub(super) due: Option<Instant>,
    /// The cloud asked not to be asked before.
    pub(super) not_before: Option<Instant>,
    pub(super) last_start: Option<Instant>,
    pub(super) failures: u32,
    /// The request for a refresh that the last pass begun after it has answered, also where the
    /// status could not be written.
    pub(super) handled_refresh: Option<String>,
    /// By name: the pools of the last complete listing, and the mirrors that the source owns beside.
    pub(super) claims: HashMap<Arc<str>, Claim>,
    /// When the cloud said of pools that its list lacks that it has them. Beside the claims: these go with
    /// their mirrors, and what a watch misses for a moment would be asked about again.
    pub(super) found: HashMap<Arc<str>, Instant>,
    /// The generation of the spec that the last complete listing was made for; nothing before the first.
    pub(super) listed: Option<i64>,
    /// When its first request left.
    pub(super) listed_at: Option<Timestamp>,
    /// Nothing is written for it: it is being deleted, or its namespace is.
    pub(super) closed: bool,
    /// Why no missing mirror is removed.
    pub(super) halt: Option<PruneHalt>,
    /// Until when what it has seen is fresh.
    pub(super) fresh_until: Option<Timestamp>,
    /// What the mirrors say of that.
    pub(super) freshness: Freshness,
    /// So long the first pass after a start or a pause may take before the data is called stale.
    pub(super) settling: Option<Instant>,
    /// When it is next looked at for that.
    pub(super) look: Option<Instant>,
    /// Pools of that listing that can't be mirrored at all.
    pub(super) unmirrorable: Vec<Skip>,
    /// Who it is: used on while the API server can't be asked for the Secret.
    pub(super) identity: Option<Arc<Identity>>,
    /// Who it was in the last pass that found that out, also with a former spec.
    pub(super) last_key: Option<KeyPrint>,
    /// Checks of this source that were begun, and that succeeded: a write that could act against a
    /// deletion waits for a check begun after its cause.
    pub(super) checks_begun: u64,
    pub(super) checked: u64,
    pub(super) checking: bool,
    /// Checks in a row that failed.
    pub(super) checks_failed: u8,
    /// Pools that wait for a check.
    pub(super) unchecked: BTreeSet<Arc<str>>,
    /// The key that was rejected, and until when this source does not use it.
    pub(super) rejected: Option<(KeyPrint, Instant)>,
    /// When a key was rejected before this process began, as the status says.
    pub(super) rejected_at: Option<Timestamp>,
    /// What the status is to say, in order, each with a number of its own.
    pub(super) reports: Vec<(u64, Report)>,
    pub(super) report_count: u64,
    pub(super) reporting: bool,
    /// What became of the last one.
    pub(super) last_report: LastReport,
    pub(super) report_after: Option<Instant>,
    /// Writes to its mirrors since its last pass.
    pub(super) changes: Changes,
    /// The status before the write under way, and the one that it writes.
    pub(super) told: Option<Box<(ModelArtsPoolSourceStatus, ModelArtsPoolSourceStatus)>>,
}

/// What became of the last write of a source's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastReport {
    /// It was accepted, or there was none, or somebody else had changed the source.
    Accepted,
    /// It failed.
    Failed,
    /// It is not accepted, and that was told.
    Refused,
}

/// Where a source is in its pass.
#[derive(Debug)]
pub(super) enum Stage {
    Idle,
    ReadingCredentials(Pass),
    /// Its credentials are read, and it waits for others that use the same.
    Waiting(Pass),
    Listing(Pass),
    Writing(Pass),
}

impl Stage {
    /// Whether it is one of the passes that may be under way at once. One that waits for its key is not: as long
    /// as the cloud is silent, it would keep sources with other keys from asking.
    pub(super) const fn takes_a_place(&self) -> bool {
        match self {
            Self::Idle | Self::Waiting(_) => false,
            Self::ReadingCredentials(_) | Self::Listing(_) | Self::Writing(_) => true,
        }
    }
}

/// A pass under way.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) id: u64,
    pub(super) begun: Instant,
    /// When the first request of its listing left, by both clocks; before that, when it began.
    pub(super) left: Instant,
    pub(super) started: Timestamp,
    pub(super) generation: i64,
    pub(super) refresh: Option<String>,
    /// The credentials it uses.
    pub(super) key: Option<KeyPrint>,
    /// When the listing was complete.
    pub(super) listed: Option<Instant>,
    /// Planned writes that are not settled.
    pub(super) outstanding: usize,
    /// The first write that was not accepted.
    pub(super) failure: Option<PassFailure>,
    /// Pools that the cloud is asked about.
    pub(super) confirming: Vec<Arc<str>>,
    /// How long the cloud, asked about them, asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// When the cloud rejected its credentials, where it did.
    pub(super) rejected: Option<Timestamp>,
    /// What the cloud calls the last request of the listing.
    pub(super) request_id: String,
    /// Past this the loop is stuck.
    pub(super) deadline: Instant,
}

/// A pool that is mirrored, or a mirror whose pool is missing.
#[derive(Debug)]
pub(super) struct Claim {
    /// What the mirror should hold; nothing where no complete listing of this process had the pool.
    pub(super) desired: Option<Arc<Desired>>,
    pub(super) presence: Presence,
    /// The same once the pool is gone.
    pub(super) gone: Option<Arc<Desired>>,
    /// The pass whose listing was the first without it, and when that left; not known where a former
    /// process missed it.
    pub(super) missed: Option<(u64, Instant)>,
    /// When the cloud did not answer the question for it.
    pub(super) unanswered: Option<Instant>,
    /// Why the mirror is deleted, and when the cloud said so.
    pub(super) removal: Option<(Removal, Instant)>,
    /// What somebody else did to the mirror, until it is undone, and whether a write has begun that.
    pub(super) edit: Option<(Edit, bool)>,
    /// The uid of the mirror and what is new of it, once the write under way is accepted.
    pub(super) news: Option<Box<(Box<str>, Vec<News>)>>,
    /// Where it waits for its next write.
    pub(super) queued: Option<Queue>,
    /// Whether the pass under way waits for it.
    pub(super) in_pass: bool,
    /// The check of the source that its next write needs.
    pub(super) needs_check: u64,
    /// Writes in a row that found another version than planned for.
    pub(super) conflicts: u8,
    /// Writes in a row that the API server failed to handle.
    pub(super) failures: u8,
    pub(super) skip: Option<Skip>,
    /// Writes that the API server refused, and until when each is not tried again: what the mirror should
    /// be, and where that was refused, that it is not so.
    pub(super) refused: Vec<(Fingerprint, Instant)>,
}

/// Where a pool waits for its next write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// Among repairs and second writes.
    Urgent,
    /// Among the writes of the passes.
    Planned,
    /// For its time.
    Held,
    /// For a check of its source.
    Unchecked,
}

impl SourceState {
    pub(super) fn new(source: Source) -> Self {
        let owner = Owner {
            name: (&*source.key.name).into(),
            uid: source.uid.clone(),
        };
        let rejected_at = source.status.credentials_rejected_time.as_ref();
        let rejected_at = rejected_at.map(|t| t.0);
        let fresh_until = source.status.fresh_until.as_ref().map(|t| t.0);
        Self {
            handled_refresh: source.status.last_handled_refresh.clone(),
            source,
            owner: Arc::new(owner),
            stage: Stage::Idle,
            due: None,
            not_before: None,
            last_start: None,
            failures: 0,
            claims: HashMap::new(),
            found: HashMap::new(),
            listed: None,
            listed_at: None,
            closed: false,
            halt: None,
            fresh_until,
            freshness: Freshness::Fresh,
            settling: None,
            look: None,
            unmirrorable: Vec::new(),
            identity: None,
            last_key: None,
            checks_begun: 0,
            checked: 0,
            checking: false,
            checks_failed: 0,
            unchecked: BTreeSet::new(),
            rejected: None,
            rejected_at,
            reports: Vec::new(),
            report_count: 0,
            reporting: false,
            last_report: LastReport::Accepted,
            report_after: None,
            changes: Changes::default(),
            told: None,
        }
    }

    pub(super) fn suspended(&self) -> bool {
        self.source.settings.as_ref().is_ok_and(|s| s.suspend)
    }

    /// The kind of its credentials, where its spec can be read.
    pub(super) fn credentials_type(&self) -> Option<CredentialsType> {
        let settings = self.source.settings.as_ref();
        settings.ok().map(|settings| settings.credentials)
    }

    /// The request for a refresh that no pass has answered.
    pub(super) fn open_refresh(&self) -> Option<&String> {
        self.source
            .refresh
            .as_ref()
            .filter(|r| self.handled_refresh.as_ref() != Some(*r))
    }

    pub(super) fn pass(&self) -> Option<&Pass> {
        match &self.stage {
            Stage::Idle => None,
            Stage::ReadingCredentials(pass)
            | Stage::Waiting(pass)
            | Stage::Listing(pass)
            | Stage::Writing(pass) => Some(pass),
        }
    }

    pub(super) fn pass_mut(&mut self) -> Option<&mut Pass> {
        match &mut self.stage {
            Stage::Idle => None,
            Stage::ReadingCredentials(pass)
            | Stage::Waiting(pass)
            | Stage::Listing(pass)
            | Stage::Writing(pass) => Some(pass),
        }
    }

    pub(super) fn writing(&mut self) -> Option<&mut Pass> {
        match &mut self.stage {
            Stage::Writing(pass) => Some(pass),
            _ => None,
        }
    }

    pub(super) fn claim(&mut self, name: &str) -> Option<&mut Claim> {
        self.claims.get_mut(name)
    }

    /// The pass no longer waits for this pool.
    pub(super) fn settle(&mut self, name: &str) {
        let waited = self
            .claim(name)
            .is_some_and(|c| std::mem::take(&mut c.in_pass));
        if waited && let Some(pass) = self.writing() {
            pass.outstanding -= 1;
        }
    }
}

impl Claim {
    /// One that knows nothing of what the mirror should hold.
    pub(super) fn new(presence: Presence) -> Self {
        Self {
            desired: None,
            presence,
            gone: None,
            missed: None,
            unanswered: None,
            removal: None,
            edit: None,
            news: None,
            queued: None,
            in_pass: false,
            needs_check: 0,
            conflicts: 0,
            failures: 0,
            skip: None,
            refused: Vec::new(),
        }
    }

    /// Whether a write was refused and is not tried again at `now`.
    pub(super) fn is_refused(&self, intent: Fingerprint, now: Instant) -> bool {
        let mut refused = self.refused.iter();
        refused.any(|(of, until)| *of == intent && now < *until)
    }

    /// Does not try a write again before `until`.
    pub(super) fn refuse(&mut self, intent: Fingerprint, until: Instant, now: Instant) {
        self.refused
            .retain(|(of, until)| *of != intent && now < *until);
        self.refused.push((intent, until));
    }

    /// The pool as the last complete listing had it; nothing where that lacks it, or it can't be mirrored.
    pub(super) fn listed(&self) -> Option<&Desired> {
        let listed = self.presence == Presence::Listed && self.skip.is_none();
        self.desired.as_deref().filter(|_| listed)
    }
}
