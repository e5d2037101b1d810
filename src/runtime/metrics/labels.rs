//! The labels of the series. What the cloud or a person can choose is bounded.

use prometheus_client::encoding::EncodeLabelSet;

use crate::api::conditions::truncated;
use crate::controller::Key;
use crate::mirror::SkipReason;

/// The documented phases; others count as [`OTHER`], so that the cloud can't make labels.
pub(super) const PHASES: [&str; 8] = [
    "Creating",
    "Running",
    "Abnormal",
    "Deleting",
    "Error",
    "CreationFailed",
    "ScalingFailed",
    "Waiting",
];

/// Phases that are not documented, and flavors beyond [`MAX_FLAVORS`].
pub(super) const OTHER: &str = "other";

/// Flavors of one source that have series of their own: the first by name.
pub(super) const MAX_FLAVORS: usize = 200;

/// The values of the label `step`.
pub(super) const STEPS: [&str; 2] = ["list", "total"];

/// The values of the label `reason`.
pub(super) const SKIP_REASONS: [SkipReason; 4] = [
    SkipReason::InvalidName,
    SkipReason::TooLarge,
    SkipReason::NameConflict,
    SkipReason::Refused,
];

/// Bytes of the name of a flavor, at most: theirs have some 40.
const MAX_FLAVOR_NAME: usize = 128;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, EncodeLabelSet)]
pub(super) struct SourceLabels {
    pub(super) namespace: String,
    pub(super) source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ResultLabels {
    pub(super) namespace: String,
    pub(super) source: String,
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct StepLabels {
    pub(super) namespace: String,
    pub(super) source: String,
    pub(super) step: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct PhaseLabels {
    pub(super) namespace: String,
    pub(super) source: String,
    pub(super) phase: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct NodeLabels {
    pub(super) namespace: String,
    pub(super) source: String,
    pub(super) flavor: String,
    pub(super) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SkipLabels {
    pub(super) namespace: String,
    pub(super) source: String,
    pub(super) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OperationLabels {
    pub(super) operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) operation: &'static str,
    pub(super) code: String,
}

impl SourceLabels {
    pub(super) fn of(source: &Key) -> Self {
        Self {
            namespace: source.namespace.to_string(),
            source: source.name.to_string(),
        }
    }

    pub(super) fn result(&self, result: &'static str) -> ResultLabels {
        let Self { namespace, source } = self.clone();
        ResultLabels {
            namespace,
            source,
            result,
        }
    }

    pub(super) fn step(&self, step: &'static str) -> StepLabels {
        let Self { namespace, source } = self.clone();
        StepLabels {
            namespace,
            source,
            step,
        }
    }

    pub(super) fn phase(&self, phase: &'static str) -> PhaseLabels {
        let Self { namespace, source } = self.clone();
        PhaseLabels {
            namespace,
            source,
            phase,
        }
    }

    pub(super) fn nodes(&self, flavor: &str, state: &'static str) -> NodeLabels {
        let Self { namespace, source } = self.clone();
        NodeLabels {
            namespace,
            source,
            flavor: flavor.to_owned(),
            state,
        }
    }

    pub(super) fn skip(&self, reason: SkipReason) -> SkipLabels {
        let Self { namespace, source } = self.clone();
        SkipLabels {
            namespace,
            source,
            reason: reason.as_str(),
        }
    }
}

/// The label of a phase.
pub(super) fn phase_label(phase: Option<&str>) -> &'static str {
    let mut known = PHASES.into_iter();
    known.find(|known| phase == Some(known)).unwrap_or(OTHER)
}

/// The label of a flavor.
pub(super) fn flavor_label(flavor: &str) -> &str {
    match flavor {
        "" => "unknown",
        flavor => truncated(flavor, MAX_FLAVOR_NAME),
    }
}
