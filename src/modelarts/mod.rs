//! The cloud: a client that can only read, what its answers mean, and how its requests get credentials.
//!
//! Nothing here knows of Kubernetes. A listing leaves this module whole or not at all.

mod answer;
mod client;
mod cloud;
mod credentials;
mod endpoint;
mod error;
mod http;
mod listing;
mod page;
mod pool;
mod reason;
pub mod redact;
mod rules;
mod said;
mod saved;
mod shareable;
pub mod signature;
mod tolerant;
mod workspaces;

pub use client::{Client, DEFAULT_WORKSPACE};
pub use cloud::Cloud;
pub use credentials::{
    Access, AmbientOptions, Credentials, Identity, InvalidCredentials, KeyPrint, Password,
    PodIdentityOptions, REJECTED_USER_PAUSE,
};
pub use endpoint::{
    AllowedEndpoints, Endpoint, EndpointPattern, InvalidEndpoint, iam_endpoint, modelarts_endpoint,
};
pub use error::CloudError;
pub(crate) use error::MAX_RETRY_AFTER;
pub use http::{HttpClient, HttpOptions, Observation, Observer};
pub use listing::{PoolSink, Selection, StatusFilter, WorkspaceSelection, list};
pub use pool::{InvalidItem, Pool};
pub use reason::{Kind, Reason};
pub use rules::{Codes, RULES, Rule};
pub use saved::read_saved;
pub use shareable::shareable;
