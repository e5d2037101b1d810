//! The status of a source: how its last passes went.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pool_status::PoolCounts;

/// How the last passes of a source went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelArtsPoolSourceStatus {
    /// The generation of the source's spec that the last pass used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` (the last pass succeeded; the reason says why not); only while true: `PruneHalted` (no
    /// missing mirror is removed), `PoolsSkipped`, `Stalled` (only a person can mend it), `Reconciling`
    /// (until the first success).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Option<Vec<Condition>>,
    /// When the first request of the last successful pass left: the mirrors are as old as this. RFC
    /// 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sync_time: Option<Time>,
    /// When the last pass began, whatever came of it. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_attempt_time: Option<Time>,
    /// Until when the cloud asked not to be asked again; gone with the next pass for which it did not. RFC 3339 in
    /// UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Time>,
    /// When the cloud last rejected the credentials, until a pass succeeds: another process does not try them again
    /// at once. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_rejected_time: Option<Time>,
    /// Until when the mirrors may be called fresh; moved by a success alone, so that it tells the
    /// truth even when the controller is dead. RFC 3339 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_until: Option<Time>,
    /// Pools that are mirrored: those of the last complete listing without the skipped ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<i64>,
    /// Nodes of all Dedicate pools, by state; Logical pools are carved out of them and would count
    /// twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<PoolCounts>,
    /// Pools of the last complete listing that could not be mirrored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<SkippedPools>,
    /// Value of the annotation modelarts.huaweicloud.com/refresh-requested-at that the last pass
    /// begun after it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_refresh: Option<String>,
}

impl ModelArtsPoolSourceStatus {
    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        let conditions = self.conditions.as_deref().unwrap_or_default();
        conditions.iter().find(|c| c.type_ == type_)
    }
}

/// Pools that could not be mirrored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedPools {
    /// How many there are.
    pub count: i64,
    /// The first ten of them, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<SkippedPool>,
}

/// A pool that could not be mirrored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedPool {
    /// The pool's id; where it is longer than 253 bytes, its beginning, `~` and a hash of the whole.
    pub id: String,
    /// `InvalidName`, `TooLarge`, `NameConflict` or `Refused`.
    pub reason: String,
    /// What is wrong and what to do, for people.
    pub message: String,
}
