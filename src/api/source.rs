//! `ModelArtsPoolSource`: one ModelArts project, seen with one set of credentials.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::source_status::ModelArtsPoolSourceStatus;

/// Which project to mirror, with which credentials, and how often.
// Every list and string has a bound: the API server refuses rules whose cost it can't bound.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "modelarts.huaweicloud.com",
    version = "v1alpha1",
    kind = "ModelArtsPoolSource",
    plural = "modelartspoolsources",
    singular = "modelartspoolsource",
    shortname = "mapoolsource",
    category = "modelarts",
    namespaced,
    status = "ModelArtsPoolSourceStatus",
    derive = "PartialEq",
    doc = "A ModelArts project whose resource pools are mirrored, each into a ModelArtsPool in the same namespace. The controller only reads from the cloud; deleting a source deletes its mirrors, never a pool.",
    validation = Rule::new("self.metadata.name.size() <= 63").message("metadata.name must have at most 63 characters, since it becomes the value of a label on each mirror"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region", description = "Region of the project."),
    printcolumn(name = "Project", type_ = "string", json_path = ".spec.projectId", priority = 1, description = "Id of the project."),
    printcolumn(name = "Pools", type_ = "integer", json_path = ".status.pools", description = "Pools that are mirrored."),
    printcolumn(name = "Available", type_ = "integer", json_path = ".status.counts.available", description = "Nodes that work, over all Dedicate pools; empty: unknown."),
    printcolumn(name = "Abnormal", type_ = "integer", json_path = ".status.counts.abnormal", description = "Nodes that are ill, over all Dedicate pools; empty: unknown."),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "Whether the last pass succeeded."),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", priority = 1, description = "Why the source is ready or not."),
    printcolumn(name = "Last Sync", type_ = "date", json_path = ".status.lastSyncTime", description = "Time since the listing began that the mirrors show."),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Age of the source.")
)]
#[x_kube(
    validation = Rule::new("has(self.region) || has(self.endpoint)").message("region or endpoint is required, e.g. region: cn-north-4"),
    validation = Rule::new("self.credentials.type != 'Password' || has(self.region) || has(self.iamEndpoint)").message("credentials of type Password need region or iamEndpoint, to know which IAM to ask")
)]
#[serde(rename_all = "camelCase")]
pub struct ModelArtsPoolSourceSpec {
    /// Region of the project, e.g. `cn-north-4`; gives the endpoints of ModelArts and IAM. Required
    /// unless endpoint is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 31))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9][a-z0-9-]{0,30}$')").message("region must be the name of a region, such as cn-north-4: 1 to 31 lower-case letters, digits and -, beginning with a letter or digit"))]
    pub region: Option<String>,
    /// Origin of the ModelArts API, `https://host[:port]`; overrides the one of the region. No user
    /// info, path, query or fragment. Only hosts that the controller's --allowed-endpoints names
    /// are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]{2,45}\\\\])(:[0-9]{1,5})?$')").message("endpoint must be a plain origin, https://host or https://host:port, without user info, path, query or fragment"))]
    pub endpoint: Option<String>,
    /// Origin of IAM, for credentials of type Password, `https://host[:port]`; by default the one of
    /// the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\\\\[[0-9A-Fa-f:.]{2,45}\\\\])(:[0-9]{1,5})?$')").message("iamEndpoint must be a plain origin, https://host or https://host:port, without user info, path, query or fragment"))]
    pub iam_endpoint: Option<String>,
    /// Id of the project, e.g. `0a1b2c3d4e5f60718293a4b5c6d7e8f9`. It can't be changed: another
    /// project is another source.
    #[schemars(length(max = 64))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9_-]{1,64}$')").message("projectId must be the id of a project (not its name): 1 to 64 letters, digits, _ and -"),
        validation = Rule::new("self == oldSelf").message("projectId can't be changed: create another source for another project")
    )]
    pub project_id: String,
    /// Ids of the workspaces to list; `"*"` alone: every workspace of the project. 1 to 100, each
    /// once.
    #[serde(default = "default_workspace_ids")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 64)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(
        validation = Rule::new("!('*' in self) || self.size() == 1").message("workspaceIds: \"*\" (every workspace) stands alone, without other ids"),
        validation = Rule::new("self.all(w, w.matches('^([*]|[A-Za-z0-9_-]{1,64})$'))").message("workspaceIds must be ids of workspaces: 1 to 64 letters, digits, _ and -, or \"*\" alone for all")
    )]
    pub workspace_ids: Vec<String>,
    /// Filter on the pools' labels, handed to ListPools as it is; empty: no filter. At most 1024
    /// characters.
    #[serde(default)]
    #[schemars(length(max = 1024))]
    pub label_selector: String,
    /// Which pools to list, by state of their creation. All three: the cloud's default filter and
    /// the failed ones; any other set: one request for each value.
    #[serde(default = "default_statuses")]
    #[schemars(length(min = 1, max = 3), extend("x-kubernetes-list-type" = "set"))]
    pub statuses: Vec<PoolStatusFilter>,
    /// Time from the start of one pass to the start of the next, 5s to 24h, e.g. `30s`, `1h30m`.
    #[serde(default = "default_interval")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('5s') && duration(self) <= duration('24h')").message("interval must be a duration from 5s to 24h, such as 30s, 5m or 1h30m"))]
    pub interval: String,
    /// True: the cloud is not asked; the mirrors stay as they are.
    #[serde(default)]
    pub suspend: bool,
    /// What the controller proves its identity to the cloud with.
    pub credentials: SourceCredentials,
    /// What happens to mirrors of pools that are gone.
    #[serde(default)]
    pub prune: Prune,
}

/// Credentials of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("self.type in ['Agency', 'PodIdentity'] || has(self.secretRef)").message("credentials.secretRef is required for the types AccessKey, Token and Password: name a Secret of this namespace"),
    validation = Rule::new("!(self.type in ['Agency', 'PodIdentity']) || !has(self.secretRef)").message("credentials.secretRef does not belong to the types Agency and PodIdentity, which use the controller's own identity")
)]
#[serde(rename_all = "camelCase")]
pub struct SourceCredentials {
    /// Kind of the credentials: `AccessKey` (keys accessKey, secretKey and, where it is temporary,
    /// securityToken of the Secret), `Token` (key token), `Password` (keys username, password,
    /// domainName), `Agency` (the agency of the controller's node) or `PodIdentity` (the identity of
    /// the controller's pod); the last two only where the controller's
    /// --ambient-credentials-namespaces names the namespace.
    #[serde(rename = "type")]
    pub type_: CredentialsType,
    /// The Secret that holds them, in the namespace of the source; its type is Opaque or
    /// modelarts.huaweicloud.com/credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
}

/// A Secret in the namespace of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$')").message("secretRef.name must be the name of a Secret: lower-case letters, digits, - and ."))]
    pub name: String,
}

/// Kinds of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[allow(
    missing_docs,
    reason = "a documented variant becomes a oneOf that the API server reports badly; the field tells them"
)]
pub enum CredentialsType {
    AccessKey,
    Token,
    Password,
    Agency,
    PodIdentity,
}

/// Filters of ListPools by state of creation.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[allow(
    missing_docs,
    reason = "a documented variant becomes a oneOf that the API server reports badly; the field tells them"
)]
pub enum PoolStatusFilter {
    Created,
    Creating,
    Failed,
}

/// What happens to mirrors of pools that are gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Prune {
    /// `Delete`: the mirror of a pool that is confirmed gone is deleted; `Retain`: it stays, says so, and
    /// shows no nodes. The mirror of a pool that the source does not ask for any more is deleted either
    /// way.
    #[serde(default = "default_prune_policy")]
    pub policy: PrunePolicy,
    /// How long a pool must be missing from complete listings before the cloud is asked whether it is
    /// gone, 0s to 168h. A changed spec sets the clock anew.
    #[serde(default = "default_grace_period")]
    #[schemars(length(max = 16))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9]+([.][0-9]+)?(ms|s|m|h))+$') && duration(self) >= duration('0s') && duration(self) <= duration('168h')").message("gracePeriod must be a duration from 0s to 168h, such as 2m or 24h"))]
    pub grace_period: String,
    /// Guard against a mass disappearance, in percent of the source's mirrors, 0 to 100: while more than
    /// that and more than two are missing, nothing is deleted. 100 switches the guard off.
    #[serde(default = "default_max_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub max_percent: i32,
}

/// What happens to the mirror of a pool that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(
    missing_docs,
    reason = "a documented variant becomes a oneOf that the API server reports badly; the field tells them"
)]
pub enum PrunePolicy {
    Delete,
    Retain,
}

impl Default for Prune {
    fn default() -> Self {
        Self {
            policy: default_prune_policy(),
            grace_period: default_grace_period(),
            max_percent: default_max_percent(),
        }
    }
}

fn default_workspace_ids() -> Vec<String> {
    vec!["0".to_owned()]
}

fn default_statuses() -> Vec<PoolStatusFilter> {
    vec![
        PoolStatusFilter::Created,
        PoolStatusFilter::Creating,
        PoolStatusFilter::Failed,
    ]
}

fn default_interval() -> String {
    "30s".to_owned()
}

fn default_prune_policy() -> PrunePolicy {
    PrunePolicy::Delete
}

fn default_grace_period() -> String {
    "2m".to_owned()
}

fn default_max_percent() -> i32 {
    50
}
