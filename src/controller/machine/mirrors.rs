//! The mirrors that are known, and what each needs next.
//!
//! What to write is decided anew each time, from what should be and what is.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::state::Claim;
use super::{Machine, WriteTicket};
use crate::api::conditions::ConditionState;
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::pace::Repairs;
use crate::mirror::apply::Written;
use crate::mirror::{
    Counts, Existence, Fingerprint, Freshness, Observed, ObservedConditions, Owner, Presence, Skip,
    SkipReason, Step, Wanted, plan,
};

/// All mirrors that are known.
#[derive(Default)]
pub(super) struct Mirrors(HashMap<Key, MirrorState>);

/// One mirror that exists, or did.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts: any of them may hold with any other"
)]
pub(super) struct MirrorState {
    pub(super) observed: Option<Box<Observed>>,
    /// The conditions before somebody else changed the status: their times come back with it.
    changed: Option<Box<ObservedConditions>>,
    /// A write is under way.
    pub(super) busy: bool,
    /// The controller itself has deleted it.
    pub(super) removed: bool,
    /// No watch has shown that yet: what one shows meanwhile is older.
    removal_unseen: bool,
    /// It was deleted at this version or later: the answer to a write that was made before, and what a watch
    /// shows late, must not bring it back.
    gone_at: u64,
    /// What was last written by each step, and the version that the API server made of it: the same
    /// is not written to the same version again, whatever came of it.
    applied: Applied,
    pub(super) repairs: Repairs,
    /// Seen since the last relist began.
    seen: bool,
    /// A relist that ended while a write was under way did not show it: the answer may tell of an
    /// object that is gone. Where it is not, the watch shows it.
    doubtful: bool,
}

#[derive(Default)]
struct Applied {
    owner: Option<(Fingerprint, u64)>,
    object: Option<(Fingerprint, u64)>,
    status: Option<(Fingerprint, u64)>,
}

/// What is to be done for a pool.
#[derive(Debug)]
pub(super) enum Decision {
    Settled,
    Skipped(Skip),
    Write(Box<Order>),
}

/// A write, and what it is to say.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) step: Step,
    pub(super) intent: Fingerprint,
    pub(super) conditions: Vec<ConditionState>,
    pub(super) counts: Counts,
}

impl Mirrors {
    pub(super) fn get(&self, key: &Key) -> Option<&MirrorState> {
        self.0.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &Key) -> Option<&mut MirrorState> {
        self.0.get_mut(key)
    }

    /// Keeps nothing of a mirror that does not exist.
    pub(super) fn drop_absent(&mut self, key: &Key) {
        let absent = |m: &MirrorState| m.observed.is_none() && !m.busy && !m.removal_unseen;
        if self.0.get(key).is_some_and(absent) {
            self.0.remove(key);
        }
    }

    /// The mirror, known from now on.
    pub(super) fn entry(&mut self, key: &Key) -> &mut MirrorState {
        self.0.entry(key.clone()).or_default()
    }

    pub(super) fn relisting(&mut self, namespace: Option<&str>) {
        for (key, mirror) in &mut self.0 {
            if namespace.is_none_or(|n| n == &*key.namespace) {
                mirror.seen = false;
            }
        }
    }

    /// Mirrors that were not seen since the relist began.
    pub(super) fn unseen(&mut self, namespace: Option<&str>) -> Vec<Key> {
        let mut unseen = Vec::new();
        for (key, mirror) in &mut self.0 {
            if mirror.seen || namespace.is_some_and(|n| n != &*key.namespace) {
                continue;
            }
            mirror.doubtful = mirror.busy;
            let removal_unseen = std::mem::take(&mut mirror.removal_unseen);
            if mirror.observed.is_some() || removal_unseen {
                unseen.push(key.clone());
            }
        }
        unseen
    }

    /// What the watches have shown, without what came of own writes.
    pub(super) fn into_seen(self) -> Self {
        let there = self.0.into_iter().filter(|(_, m)| m.observed.is_some());
        Self(there.map(|(key, m)| (key, m.into_seen())).collect())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.0.keys()
    }

    fn decide(
        &self,
        claim: &Claim,
        mirror: &Key,
        owner: &Owner,
        freshness: Freshness,
        source_exists: impl Fn(&str) -> bool,
        now: Instant,
    ) -> Decision {
        let state = self.0.get(mirror);
        let observed = state.and_then(|m| m.observed.as_deref());
        let next = |wanted: Wanted<'_>| {
            let version = observed.map_or(0, |o| o.resource_version);
            let converged = |step| {
                let applied = state.and_then(|m| m.applied.by(step));
                applied == Some((wanted.intent(step, owner, observed), version))
            };
            let step = plan(&wanted, observed, owner, &source_exists, converged);
            let intent = match step {
                Step::Nothing | Step::Conflict => 0,
                _ => wanted.intent(step, owner, observed),
            };
            Order {
                intent,
                step,
                conditions: wanted.conditions,
                counts: wanted.counts,
            }
        };
        let written = state.and_then(MirrorState::own_conditions);
        let order = next(claim.wanted(observed, written, claim.presence, freshness, now));
        match (order.step, &claim.skip) {
            (Step::Nothing, _) => Decision::Settled,
            (Step::Conflict, _) => Decision::Skipped(name_conflict(mirror, observed)),
            (_, Some(skip)) if claim.is_refused(order.intent, now) => {
                // What the mirror shows is old, and it can say so.
                let presence = match claim.presence {
                    Presence::Listed => Presence::Unmirrorable(skip.reason),
                    other => other,
                };
                let told = next(Wanted {
                    existence: Existence::Kept { adopted: false },
                    content: None,
                    ..claim.wanted(observed, written, presence, freshness, now)
                });
                match told.step {
                    Step::PatchStatus if !claim.is_refused(told.intent, now) => {
                        Decision::Write(Box::new(told))
                    }
                    _ => Decision::Skipped(skip.clone()),
                }
            }
            _ => Decision::Write(Box::new(order)),
        }
    }
}

impl Applied {
    fn by(&self, step: Step) -> Option<(Fingerprint, u64)> {
        match step {
            Step::ReplaceOwner => self.owner,
            Step::ApplyStatus | Step::PatchStatus => self.status,
            Step::Create | Step::Apply => self.object,
            Step::Nothing | Step::Delete | Step::Conflict => None,
        }
    }
}

impl MirrorState {
    /// Takes in a mirror as a watch or a relist shows it. Whether that is news: our own writes are
    /// known before the watch shows them, and a relist may show an older version.
    pub(super) fn see(&mut self, observed: Observed) -> bool {
        self.seen = true;
        self.doubtful = false;
        let version = observed.resource_version;
        let known = self.observed.as_ref().map(|o| o.resource_version);
        if version <= self.gone_at || known.is_some_and(|known| known >= version) {
            return false;
        }
        self.removed = false;
        self.removal_unseen = false;
        let (uid, is_ours) = (observed.uid.clone(), observed.status_is_ours);
        let before = self.observed.replace(Box::new(observed));
        if is_ours {
            self.changed = None;
        } else if let Some(before) = before.filter(|b| b.uid == uid && b.status_is_ours) {
            self.changed = Some(Box::new(before.conditions));
        }
        true
    }

    fn into_seen(self) -> Self {
        Self {
            observed: self.observed,
            changed: self.changed,
            gone_at: self.gone_at,
            seen: self.seen,
            ..Self::default()
        }
    }

    /// The conditions that the controller wrote last, where they are known.
    fn own_conditions(&self) -> Option<&ObservedConditions> {
        let observed = self.observed.as_deref();
        self.changed
            .as_deref()
            .or_else(|| observed.and_then(Observed::own_conditions))
    }

    /// The conditions that `order` says, as they are written at `now`: times that still hold stay, also
    /// where somebody else has changed them.
    pub(super) fn conditions(&self, order: &Order, now: Timestamp) -> Vec<Condition> {
        let Some(observed) = &self.observed else {
            return Vec::new();
        };
        let written = self.changed.as_deref().unwrap_or(&observed.conditions);
        let generation = match order.step {
            // Of what it leaves as it is, the generation that was observed stays.
            Step::PatchStatus => observed.observed_generation.unwrap_or(observed.generation),
            _ => observed.generation,
        };
        let next = |wanted| written.next(wanted, generation, now);
        order.conditions.iter().map(next).collect()
    }

    /// Takes in its deletion. Whether that is news.
    pub(super) fn lose(&mut self, version: u64) -> bool {
        let known = self.observed.as_ref().map(|o| o.resource_version);
        if known.is_some_and(|known| known > version) {
            return false;
        }
        self.gone_at = self.gone_at.max(version);
        self.removal_unseen = false;
        self.forget();
        true
    }

    /// Takes in the answer to a write.
    ///
    /// # Errors
    /// The write's own.
    pub(super) fn written(
        &mut self,
        ticket: &WriteTicket,
        result: Result<Written, WriteError>,
    ) -> Result<(), WriteError> {
        self.busy = false;
        let doubtful = std::mem::take(&mut self.doubtful);
        match result {
            Ok(Written::Deleted) => {
                match self.observed.as_ref().map(|o| o.resource_version) {
                    // Made anew by somebody else, which the watch has shown before this answer came.
                    Some(known) if Some(known) != ticket.version => return Ok(()),
                    Some(deleted) => {
                        self.gone_at = self.gone_at.max(deleted);
                        self.removal_unseen = true;
                    }
                    None => {}
                }
                self.forget();
                self.removed = true;
                Ok(())
            }
            Ok(Written::Stored(observed)) => {
                let applied = Some((ticket.intent, observed.resource_version));
                match ticket.step {
                    Step::ReplaceOwner => self.applied.owner = applied,
                    Step::ApplyStatus | Step::PatchStatus => self.applied.status = applied,
                    Step::Create | Step::Apply => self.applied.object = applied,
                    Step::Nothing | Step::Delete | Step::Conflict => {}
                }
                if doubtful {
                    self.forget();
                } else {
                    self.see(*observed);
                }
                Ok(())
            }
            Err(error) => {
                if matches!(error, WriteError::NotFound(_)) {
                    self.forget();
                }
                Err(error)
            }
        }
    }

    /// It does not exist, as far as is known.
    pub(super) fn forget(&mut self) {
        self.observed = None;
        self.changed = None;
        self.applied = Applied::default();
    }
}

impl Machine {
    pub(super) fn decide(&self, source: &Key, name: &Arc<str>, now: Instant) -> Option<Decision> {
        let state = self.sources.get(source)?;
        let claim = state.claims.get(name)?;
        let mirror = source.sibling(name);
        let freshness = state.freshness;
        let exists = |uid: &str| self.uids.contains_key(uid);
        let owner = &state.owner;
        Some(
            self.mirrors
                .decide(claim, &mirror, owner, freshness, exists, now),
        )
    }
}

fn name_conflict(mirror: &Key, observed: Option<&Observed>) -> Skip {
    let holder = match observed.and_then(|o| o.controller.as_ref()) {
        Some(controller) if controller.is_source => {
            format!(
                "the mirror of another source (uid {}) in this namespace",
                controller.uid
            )
        }
        Some(controller) => format!(
            "an object that another controller (uid {}) owns",
            controller.uid
        ),
        None => "an object that this controller did not make".to_owned(),
    };
    Skip {
        id: mirror.name.to_string(),
        reason: SkipReason::NameConflict,
        message: format!(
            "the name is held by {holder}; delete it (kubectl delete modelartspool -n {} {}) or list the pool in one source only",
            mirror.namespace, mirror.name
        ),
    }
}
