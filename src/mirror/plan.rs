//! Which write, if any, brings a mirror nearer to what it should be. Pure.

use super::desired::Desired;
use super::fingerprint::{Fingerprint, combined};
use super::observed::Observed;
use crate::api::conditions::ConditionState;

/// Who writes a mirror: a source that exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Name of the source.
    pub name: Box<str>,
    /// Its uid.
    pub uid: Box<str>,
}

/// The next write to a mirror. Another may follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// It is as it should be.
    Nothing,
    /// It does not exist: apply it, in a way that never touches an existing object.
    Create,
    /// Its controller reference names a source that is no more: take its place.
    ReplaceOwner,
    /// Apply metadata and spec.
    Apply,
    /// Apply the status.
    ApplyStatus,
    /// Set the conditions alone: what else the status should be is not known.
    PatchStatus,
    /// Delete it.
    Delete,
    /// It is somebody else's and is not touched.
    Conflict,
}

/// What a mirror should be.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Whether there should be one.
    pub existence: Existence,
    /// What is in it; nothing where this process has not seen its pool in a complete listing: then it
    /// stays as it is.
    pub content: Option<&'a Desired>,
    /// What its conditions say; empty where they stay as they are.
    pub conditions: Vec<ConditionState>,
    /// What a patch of the conditions makes of the counts.
    pub counts: Counts,
}

/// What a patch of the conditions makes of the counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counts {
    /// They stay.
    Kept,
    /// The pool is gone: all are 0.
    Zero,
    /// It is not gone, and how many nodes it has is not known.
    Unknown,
}

/// Whether there should be a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existence {
    /// Its pool is listed: it is created where it is absent.
    Required,
    /// Its pool is not, as far as is known: it stays, and one that somebody deletes is not restored.
    Kept {
        /// Whether it is taken over where it was made for the source and nobody owns it.
        adopted: bool,
    },
    /// It is to be deleted.
    Removed,
}

impl Wanted<'_> {
    /// Fingerprint of what `step` says, but for times: the same is not written twice to one version.
    #[must_use]
    pub fn intent(&self, step: Step, owner: &Owner, observed: Option<&Observed>) -> Fingerprint {
        match step {
            Step::ApplyStatus | Step::PatchStatus => {
                let content = self.content.map(|c| c.status_fingerprint);
                let generation = observed.map_or(0, |o| o.generation);
                combined(&(content, generation, &self.conditions, self.counts))
            }
            Step::Delete => combined(&("delete", owner)),
            Step::Nothing | Step::Create | Step::ReplaceOwner | Step::Apply | Step::Conflict => {
                let content = self.content;
                let content = content.map(|c| (c.metadata_fingerprint, c.spec_fingerprint));
                combined(&(content, owner))
            }
        }
    }
}

/// The next write to the mirror that should be as `wanted` and is `observed`.
///
/// `source_exists` tells whether a source with a uid is known; `converged` whether the API server was
/// already told by a step what it is to make of the version that is observed. What it made of it is then
/// final: telling it again would change nothing, for ever.
#[must_use]
pub fn plan(
    wanted: &Wanted<'_>,
    observed: Option<&Observed>,
    owner: &Owner,
    source_exists: impl Fn(&str) -> bool,
    converged: impl Fn(Step) -> bool,
) -> Step {
    let Some(observed) = observed else {
        return match wanted.existence {
            Existence::Required => Step::Create,
            Existence::Kept { .. } | Existence::Removed => Step::Nothing,
        };
    };
    let is_owned = observed.is_owned_by(owner);
    let is_adoptable =
        observed.is_orphan_of(&owner.name, &source_exists) && !converged(Step::ReplaceOwner);
    let claim = match wanted.existence {
        Existence::Removed => {
            return if observed.deleting {
                Step::Nothing
            } else if is_owned {
                Step::Delete
            } else if is_adoptable {
                // Only what is owned is deleted.
                Step::ReplaceOwner
            } else {
                Step::Nothing
            };
        }
        _ if is_owned => None,
        Existence::Required => take(observed, &source_exists, &converged),
        Existence::Kept { adopted } => {
            if adopted && is_adoptable {
                Some(Step::ReplaceOwner)
            } else if wanted.content.is_none() {
                Some(Step::Nothing)
            } else {
                // What is kept is not fought for: another source may list the pool.
                take(observed, &source_exists, &converged).map(|_| Step::Nothing)
            }
        }
    };
    match (claim, wanted.content) {
        (Some(step), _) => step,
        (None, None) => plan_conditions(wanted, observed, converged),
        (None, Some(content)) => plan_content(wanted, content, observed, is_owned, converged),
    }
}

/// The next write to an owned mirror whose content stays as it is.
fn plan_conditions(
    wanted: &Wanted<'_>,
    observed: &Observed,
    converged: impl Fn(Step) -> bool,
) -> Step {
    let generation = observed.observed_generation.unwrap_or(observed.generation);
    let same_counts = match wanted.counts {
        Counts::Kept => true,
        Counts::Zero => observed.no_nodes,
        Counts::Unknown => !observed.no_nodes,
    };
    let same = same_counts && observed.conditions.say(&wanted.conditions, generation);
    if same || converged(Step::PatchStatus) {
        Step::Nothing
    } else {
        Step::PatchStatus
    }
}

/// The next write to a mirror that is owned, or that an apply may take, and holds `content` in the end.
fn plan_content(
    wanted: &Wanted<'_>,
    content: &Desired,
    observed: &Observed,
    is_owned: bool,
    converged: impl Fn(Step) -> bool,
) -> Step {
    let same_object = is_owned
        && observed.metadata_fingerprint == content.metadata_fingerprint
        && observed.spec_fingerprint == content.spec_fingerprint;
    if !same_object && !converged(Step::Apply) {
        return Step::Apply;
    }
    let same_status = observed.status_is_ours
        && observed.status_fingerprint == content.status_fingerprint
        && observed.observed_generation == Some(observed.generation)
        && observed
            .conditions
            .say(&wanted.conditions, observed.generation);
    if same_status || converged(Step::ApplyStatus) {
        Step::Nothing
    } else {
        Step::ApplyStatus
    }
}

/// What becomes of a mirror that is not the owner's: nothing where an apply may take it.
fn take(
    observed: &Observed,
    source_exists: impl Fn(&str) -> bool,
    converged: impl Fn(Step) -> bool,
) -> Option<Step> {
    match &observed.controller {
        Some(controller)
            if !(observed.managed_by_us && controller.is_source)
                || source_exists(&controller.uid) =>
        {
            Some(Step::Conflict)
        }
        // It was replaced, and the API server keeps another: not ours to take.
        Some(_) if converged(Step::ReplaceOwner) => Some(Step::Conflict),
        Some(_) => Some(Step::ReplaceOwner),
        None if observed.managed_by_us => None,
        None => Some(Step::Conflict),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
