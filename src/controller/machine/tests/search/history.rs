//! What happens to the machine: a list of steps, as plain data.
//!
//! Each step says all that it needs, and one that finds nothing to act upon does nothing: what is left of a
//! history when steps are taken out is a history, too. So it can be made shorter, written to a file and
//! played again.

use serde::{Deserialize, Serialize};

/// A history, and the seed of the machine's jitter in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct History {
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
}

/// One thing that happens. `pool` and `source` are numbers of pools and sources, `seconds` is how long a
/// fault lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    /// Time passes.
    Pass {
        seconds: u32,
    },

    /// The cloud makes a pool.
    Come {
        pool: u8,
        workspace: u8,
    },
    /// It deletes one.
    Go {
        pool: u8,
    },
    /// It deletes all pools from this one on.
    GoAll {
        from: u8,
    },
    /// Its list does not hold a pool that it has.
    Hide {
        pool: u8,
    },
    /// Its list holds it again.
    Return {
        pool: u8,
    },
    /// A pool is in another phase and has other nodes.
    Change {
        pool: u8,
        phase: u8,
        nodes: u8,
    },
    /// The node pools of a pool are listed in another order.
    Reorder {
        pool: u8,
    },
    Move {
        pool: u8,
        workspace: u8,
    },
    /// Another pool has the id.
    Replace {
        pool: u8,
    },
    /// A pool is too large to be mirrored, or no more.
    Grow {
        pool: u8,
        large: bool,
    },
    /// The label that selectors ask for.
    Label {
        pool: u8,
        on: bool,
    },

    ListingFails {
        how: CloudFault,
        seconds: u32,
    },
    /// `ShowPool` fails.
    ShowFails {
        how: CloudFault,
        seconds: u32,
    },
    /// The cloud does not say of one pool whether it has it.
    Unsaid {
        pool: u8,
        seconds: u32,
    },
    CloudIsSlow {
        slow: Slow,
        seconds: u32,
    },

    SecretMissing {
        seconds: u32,
    },
    /// The Secret holds another key.
    NewKey,

    /// Nothing of the API server can be reached; its watches break.
    Outage {
        seconds: u32,
    },
    WritesFail {
        how: WriteFault,
        seconds: u32,
    },
    /// The API server refuses the mirror of a pool.
    Refuse {
        pool: u8,
        seconds: u32,
    },
    ApiIsSlow {
        slow: Slow,
        seconds: u32,
    },
    /// The watches break and list anew.
    WatchesBreak {
        seconds: u32,
    },
    WatchesAreSlow {
        millis: u32,
        seconds: u32,
    },

    /// Somebody else acts upon a mirror.
    Edit {
        pool: u8,
        what: Edit,
    },
    /// Somebody else makes an object that has the name of a pool.
    Occupy {
        pool: u8,
        owner: Holder,
    },

    MakeSource {
        source: u8,
    },
    DeleteSource {
        source: u8,
        orphan: bool,
    },
    EditSource {
        source: u8,
        what: SourceEdit,
    },

    /// Another process takes over.
    Restart,
}

/// Why the cloud does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum CloudFault {
    Unavailable,
    /// Only a part of the list comes.
    Incomplete,
    /// It asks to wait for so many seconds.
    Throttled(u16),
    Rejected,
}

/// What becomes of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum WriteFault {
    Conflict,
    /// It asks to wait for so many seconds, where more than 0.
    Throttled(u8),
    ServerError,
    Forbidden,
    /// The write is performed, and its answer does not arrive.
    AnswerLost,
}

/// How slow answers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Slow {
    pub(super) millis: u32,
    /// Whether the request is slow, and not its answer: what is asked for is then done late.
    pub(super) request: bool,
}

/// What somebody else does to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Edit {
    Spec,
    Status,
    /// All conditions say that the pool was gone long ago.
    Conditions,
    OurLabel,
    OwnLabel,
    AddFinalizer,
    RemoveFinalizer,
    Delete,
    /// No owner references.
    Disown,
}

/// Whose an object is that somebody else makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Holder {
    Nobody,
    /// Another controller.
    Stranger,
    /// A source that does not exist, with our label.
    FormerSource,
    Source(u8),
}

/// What somebody does to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum SourceEdit {
    Interval(u32),
    Retain(bool),
    Grace(u32),
    Percent(u8),
    Suspend(bool),
    /// The workspaces by bits; 0: all.
    Workspaces(u8),
    Selector(bool),
    /// The statuses created, creating and failed by bits.
    Statuses(u8),
    Refresh,
}
