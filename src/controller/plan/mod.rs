//! What a pass would change, without changing it: the machine of the controller is fed once, and what it
//! says is written down instead of done.

mod cluster;
pub(in crate::controller) mod dry_run;
mod known;
mod run;
mod view;

use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use serde_json::Value;

use self::run::Run;
use super::ambient::AmbientNamespaces;
use super::events::Event;
use super::key::Key;
use super::machine::Now;
use crate::api::ModelArtsPoolSourceStatus;
use crate::mirror::Skip;
use crate::modelarts::Cloud;

pub use cluster::objects;
pub use known::{Known, Objects};
pub use run::Texts;

/// What a plan is made from.
pub struct PlanRequest {
    /// The source, the other sources and the mirrors.
    pub known: Known,
    /// Where the credentials come from; not asked for a saved listing.
    pub credentials: CredentialsFrom,
    /// Who may be to the cloud who this process is.
    pub ambient: AmbientNamespaces,
    /// Where the pools come from.
    pub pools: Pools,
    /// When the pass begins.
    pub now: Now,
}

/// Where the credentials of a plan come from.
pub enum CredentialsFrom {
    /// From the Secret that the source names, in its cluster.
    Cluster(Client),
    /// From a Secret of a file, and what messages call it.
    File(Box<Secret>, String),
    /// From nowhere.
    Nowhere,
}

/// Where the pools of a plan come from.
pub enum Pools {
    /// From the cloud.
    Cloud(Cloud),
    /// From a saved listing: the body of an answer of ListPools.
    Saved(Vec<u8>),
}

/// What a pass would do.
#[derive(Debug)]
pub struct Plan {
    /// The source.
    pub source: Key,
    /// Mirrors that would be written or deleted, by name.
    pub changes: Vec<Change>,
    /// The source's mirrors that would stay as they are.
    pub unchanged: usize,
    /// The status of the source.
    pub status_before: ModelArtsPoolSourceStatus,
    /// The status that would be written to it.
    pub status: ModelArtsPoolSourceStatus,
    /// Pools that can't be mirrored, by id.
    pub skipped: Vec<Skip>,
    /// Events that would be published, by object.
    pub events: Vec<Event>,
    /// Ids of missing pools that the cloud would be asked about, and a saved listing can't answer for.
    pub unasked: Vec<String>,
    /// Why no pass would be made, where none would.
    pub no_pass: Option<&'static str>,
}

/// A mirror that would change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// How.
    pub operation: Operation,
    /// Which.
    pub mirror: Key,
    /// What of it is the controller's now; nothing where it does not exist.
    pub before: Option<Value>,
    /// What of it would be the controller's; nothing where it would not exist.
    pub after: Option<Value>,
}

/// What happens to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// It is created.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
}

impl Operation {
    /// The word of the output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Plans a pass. Nothing is written; the cloud is asked where the pools are to come from it.
///
/// # Errors
/// Why the pass would fail, or why none would begin.
pub async fn plan(request: PlanRequest) -> Result<Plan, String> {
    let mut run = Run::new(request);
    run.drive().await?;
    run.plan()
}

/// The pools that the cloud lists for a source, each as it was sent.
///
/// # Errors
/// As [`plan`].
pub async fn listing(request: PlanRequest) -> Result<Vec<String>, String> {
    Run::new(request).listing().await
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "shared_tests.rs"]
mod shared_tests;
