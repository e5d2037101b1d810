//! The custom resources: their Rust types, from which the CRDs are generated, and the names
//! that users, charts and other operators rely on.
//!
//! Nothing here knows of HTTP, of the cloud's client or of the controller: an operator that
//! only reads mirrors needs this module alone, and gets it alone without the default features:
//!
//! ```toml
//! modelarts-pool-controller = { git = "...", default-features = false }
//! k8s-openapi = { version = "0.29", features = ["latest"] }
//! kube = { version = "5", features = ["client", "runtime"] }
//! ```
//!
//! [`ModelArtsPool::available_nodes`] is the question that most consumers have, with the answer that is not a
//! number: [`Unknown`].

mod capacity;
pub mod conditions;
pub mod crds;
mod open;
mod pool;
mod pool_spec;
#[allow(
    unreachable_pub,
    reason = "KubeSchema repeats each type in a private module"
)]
mod pool_status;
#[allow(
    unreachable_pub,
    reason = "KubeSchema repeats each type in a private module"
)]
mod source;
#[allow(
    unreachable_pub,
    reason = "KubeSchema repeats each type in a private module"
)]
mod source_status;

pub use capacity::Unknown;
pub use open::OpenObject;
pub use pool::{ModelArtsPool, ModelArtsPoolSpec};
pub use pool_spec::*;
pub use pool_status::*;
pub use source::*;
pub use source_status::*;

/// API group of both kinds.
pub const GROUP: &str = "modelarts.huaweicloud.com";
/// API version that is written and stored.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` of both kinds.
pub const API_VERSION: &str = "modelarts.huaweicloud.com/v1alpha1";
/// Kind of a mirror.
pub const POOL_KIND: &str = "ModelArtsPool";
/// Kind of a source.
pub const SOURCE_KIND: &str = "ModelArtsPoolSource";

/// Name of the program: field manager of every write, and value of [`MANAGED_BY_LABEL`].
pub const CONTROLLER_NAME: &str = "modelarts-pool-controller";

/// Label on a mirror: the name of the source it is written for.
pub const SOURCE_LABEL: &str = "modelarts.huaweicloud.com/source";
/// Label on a mirror: always [`CONTROLLER_NAME`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Label on a mirror: the workspace that the pool was listed in; set from the request, since the
/// cloud's answers often lack it.
pub const WORKSPACE_LABEL: &str = "os.modelarts/workspace.id";
/// Annotation on a mirror: `apiVersion` of the pool in the cloud's answer, e.g. `v2`.
pub const CLOUD_API_VERSION_ANNOTATION: &str = "modelarts.huaweicloud.com/cloud-api-version";
/// Annotation on a source: any new value asks for a pass now.
pub const REFRESH_ANNOTATION: &str = "modelarts.huaweicloud.com/refresh-requested-at";
/// Type of a Secret that may hold credentials, beside `Opaque`.
pub const CREDENTIALS_SECRET_TYPE: &str = "modelarts.huaweicloud.com/credentials";

/// The blocks of that page are compiled with the tests of the documents.
#[cfg(doctest)]
#[doc = include_str!("../../docs/consuming.md")]
struct Consuming;
