//! Ways to break the machine from outside, each of which the search must find: a search that finds nothing in
//! a broken machine proves nothing of a whole one.

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Change;
use super::history::CloudFault;
use super::world::World;
use crate::controller::fetch::Listing;
use crate::controller::machine::{Confirmation, Input, PoolAnswer};
use crate::controller::source::Source;
use crate::mirror::Desired;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// Errors about a pool are taken for its absence.
    ErrorsSayGone,
    /// Mirrors are deleted though the cloud has their pools.
    NothingIsConfirmed,
    /// A part of a list is taken for the whole.
    PartsAreComplete,
    /// The guard against a mass disappearance is off.
    NoGuard,
    /// No grace period is waited for.
    NoGrace,
    /// Mirrors are made from an older listing.
    OldListings,
    /// What the cloud merely reorders counts as changed: passes write though nothing has changed.
    EachPassWrites,
    /// Nobody sees what others do to mirrors.
    EditsAreUnseen,
    /// The mirrors of others are taken for free ones.
    AllIsOurs,
    /// Nobody looks whether a source is there.
    ChecksSayYes,
    /// Deletions are thought to be made and are not.
    DeletionsFail,
    /// What is asked for by `Retry-After` is forgotten.
    NobodyWaits,
    /// Rejected keys are used on.
    RejectedKeysAreUsed,
    /// What the cloud said of a hidden pool is forgotten.
    AnswersAreForgotten,
    /// Each source is listed every five seconds.
    ShortIntervals,
    /// Sources are listed every ten intervals, and data is called fresh for so long.
    DataStaysFresh,
}

pub(super) const ALL: [Mutant; 16] = [
    Mutant::ErrorsSayGone,
    Mutant::NothingIsConfirmed,
    Mutant::PartsAreComplete,
    Mutant::NoGuard,
    Mutant::NoGrace,
    Mutant::OldListings,
    Mutant::EachPassWrites,
    Mutant::EditsAreUnseen,
    Mutant::AllIsOurs,
    Mutant::ChecksSayYes,
    Mutant::DeletionsFail,
    Mutant::NobodyWaits,
    Mutant::RejectedKeysAreUsed,
    Mutant::AnswersAreForgotten,
    Mutant::ShortIntervals,
    Mutant::DataStaysFresh,
];

impl World {
    /// An answer, as a broken machine would take it.
    pub(super) fn mutated(&self, mut input: Input) -> Input {
        let Some(mutant) = self.mutant else {
            return input;
        };
        match (mutant, &mut input) {
            (Mutant::PartsAreComplete, Input::Listed(key, _, result)) => {
                let incomplete =
                    self.faults.listing.at(self.now.instant) == Some(CloudFault::Incomplete);
                if let (Err(_), true, Some(state)) =
                    (&result, incomplete, self.machine.sources.get(key))
                {
                    let settings = state.source.settings.as_ref().expect("settings");
                    let mut part = self.cloud.list(settings, &key.name);
                    part.pools.retain(|name, _| name.ends_with(['0', '2', '4']));
                    *result = Ok(part);
                }
            }
            (Mutant::OldListings, Input::Listed(key, _, Ok(listing))) => {
                let state = self.machine.sources.get(key);
                for (name, desired) in &mut listing.pools {
                    let old = state.and_then(|s| s.claims.get(name)?.desired.clone());
                    *desired = old.unwrap_or_else(|| desired.clone());
                }
            }
            (Mutant::EachPassWrites, Input::Listed(_, pass, Ok(listing))) => salt(listing, *pass),
            (Mutant::ChecksSayYes, Input::Checked(_, _, result)) => *result = Ok(true),
            (Mutant::NobodyWaits, Input::Listed(_, _, Err(error))) => {
                error.failure.retry_after = None;
            }
            (Mutant::NobodyWaits, Input::Confirmed(_, _, confirmation)) => {
                if let Some(error) = &mut confirmation.failure {
                    error.failure.retry_after = None;
                }
            }
            (Mutant::RejectedKeysAreUsed, Input::Listed(_, _, Err(error))) => {
                error.rejected = None;
            }
            (
                Mutant::NothingIsConfirmed | Mutant::ErrorsSayGone,
                Input::Confirmed(key, _, said),
            ) => {
                let failed = said.failure.is_some()
                    || said
                        .pools
                        .iter()
                        .any(|(_, a)| matches!(a, PoolAnswer::Failed(_)));
                let pass = self.machine.sources.get(key).and_then(|s| s.pass());
                if failed || mutant == Mutant::NothingIsConfirmed {
                    let asked = pass.into_iter().flat_map(|p| &p.confirming);
                    let gone = asked.map(|id| (id.clone(), PoolAnswer::NotFound));
                    *said = Confirmation {
                        pools: gone.collect(),
                        failure: None,
                    };
                }
            }
            (Mutant::AnswersAreForgotten, Input::Confirmed(_, _, confirmation)) => {
                for (_, answer) in &mut confirmation.pools {
                    if let PoolAnswer::Found { .. } = answer {
                        *answer = PoolAnswer::Failed("it is forgotten".to_owned());
                    }
                }
            }
            _ => {}
        }
        input
    }

    /// What a watch shows, as a broken machine would take it; nothing where it would not.
    pub(super) fn mutated_change(&self, mut change: Change) -> Option<Change> {
        let Some(mutant) = self.mutant else {
            return Some(change);
        };
        match (mutant, &mut change) {
            (Mutant::EditsAreUnseen, Change::Mirror(..) | Change::MirrorGone(..)) => return None,
            (Mutant::AllIsOurs, Change::Mirror(_, observed)) if !observed.managed_by_us => {
                observed.managed_by_us = true;
                observed.controller = None;
            }
            (_, Change::Source(source)) => mutate_source(mutant, source),
            _ => {}
        }
        Some(change)
    }
}

fn mutate_source(mutant: Mutant, source: &mut Source) {
    let settings = source.settings.as_mut().expect("settings that can be read");
    match mutant {
        Mutant::NoGuard => settings.prune.max_percent = 100,
        Mutant::NoGrace => settings.prune.grace_period = Duration::ZERO,
        Mutant::ShortIntervals => settings.interval = Duration::from_secs(5),
        Mutant::DataStaysFresh => settings.interval *= 10,
        _ => {}
    }
}

/// The same pools, as if each had changed.
fn salt(listing: &mut Listing, salt: u64) {
    for desired in listing.pools.values_mut() {
        *desired = Arc::new(Desired {
            text_fingerprint: desired.text_fingerprint,
            status: desired.status.clone(),
            status_fingerprint: desired.status_fingerprint ^ salt,
            counts: desired.counts.clone(),
            ..desired.of_a_gone_pool()
        });
    }
}
