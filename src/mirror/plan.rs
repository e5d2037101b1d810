//! Which write, if any, brings a mirror nearer to what it should be. Pure.

use super::desired::Desired;
use super::observed::Observed;

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
    /// It is somebody else's and is not touched.
    Conflict,
}

/// Whether the API server was already told what to make of the version that is observed. What it
/// made of it is then final: telling it again would change nothing, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Converged {
    /// The controller reference was replaced.
    pub owner: bool,
    /// Metadata and spec were applied.
    pub object: bool,
    /// The status was applied.
    pub status: bool,
}

/// The next write to the mirror that should be `desired` and is `observed`.
///
/// `source_exists` tells whether a source with a uid is known.
#[must_use]
pub fn plan(
    desired: &Desired,
    observed: Option<&Observed>,
    owner: &Owner,
    source_exists: impl Fn(&str) -> bool,
    converged: Converged,
) -> Step {
    let Some(observed) = observed else {
        return Step::Create;
    };
    let is_owned = match &observed.controller {
        Some(controller) if controller.uid == owner.uid => true,
        Some(controller)
            if !(observed.managed_by_us && controller.is_source)
                || source_exists(&controller.uid) =>
        {
            return Step::Conflict;
        }
        // It was replaced, and the API server keeps another: not ours to take.
        Some(_) if converged.owner => return Step::Conflict,
        Some(_) => return Step::ReplaceOwner,
        None if observed.managed_by_us => false,
        None => return Step::Conflict,
    };
    let same_object = converged.object
        || is_owned
            && observed.metadata_fingerprint == desired.metadata_fingerprint
            && observed.spec_fingerprint == desired.spec_fingerprint;
    let same_status = converged.status
        || observed.status_is_ours
            && observed.status_fingerprint == desired.status_fingerprint
            && observed.observed_generation == Some(observed.generation)
            && observed
                .conditions
                .say(&desired.conditions(), observed.generation);
    match (same_object, same_status) {
        (false, _) => Step::Apply,
        (true, false) => Step::ApplyStatus,
        (true, true) => Step::Nothing,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
