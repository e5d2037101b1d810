//! Who a source is to the cloud: what its Secret says, or who this process is.

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use super::ambient::AmbientNamespaces;
use super::key::Key;
use super::machine::{CredentialsError, SourceIdentity};
use super::reason::FailureReason;
use crate::api::{CREDENTIALS_SECRET_TYPE, CredentialsType};
use crate::api_server::{WriteError, call};
use crate::modelarts::Identity;

/// Who the source `key` is to the cloud.
pub(super) async fn identity(
    client: Client,
    ambient: &AmbientNamespaces,
    key: &Key,
    type_: CredentialsType,
    secret: &str,
    project: &str,
) -> Result<SourceIdentity, CredentialsError> {
    match type_ {
        CredentialsType::AccessKey | CredentialsType::Token | CredentialsType::Password => {
            read_credentials(client, &key.namespace, type_, secret).await
        }
        CredentialsType::Agency => ambient_identity(ambient, Identity::Agency, key, project),
        CredentialsType::PodIdentity => {
            ambient_identity(ambient, Identity::PodIdentity, key, project)
        }
    }
}

/// The identity of this process, for a source that may use it.
pub(super) fn ambient_identity(
    ambient: &AmbientNamespaces,
    identity: Identity,
    key: &Key,
    project: &str,
) -> Result<SourceIdentity, CredentialsError> {
    if ambient.allow(key, project) {
        let changed = None;
        return Ok(SourceIdentity { identity, changed });
    }
    let namespace = &key.namespace;
    Err(CredentialsError::Unusable {
        reason: FailureReason::AmbientCredentialsRefused,
        message: format!(
            "credentials of type {identity:?} are the controller's own identity, which namespace {namespace} may not use for project {project}; allow it with --ambient-credentials-namespaces={namespace}={project}, or use AccessKey, Token or Password"
        ),
    })
}

/// Reads the credentials of a source: one `get` of one Secret.
pub(super) async fn read_credentials(
    client: Client,
    namespace: &str,
    type_: CredentialsType,
    name: &str,
) -> Result<SourceIdentity, CredentialsError> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let secret = call(api.get(name)).await.map_err(|error| match error {
        WriteError::NotFound(_) => CredentialsError::Unusable {
            reason: FailureReason::SecretNotFound,
            message: format!("the Secret {namespace}/{name} that spec.credentials.secretRef names does not exist; create it"),
        },
        error => CredentialsError::ApiServer(error),
    })?;
    credentials_of(secret, type_, &format!("the Secret {namespace}/{name}"))
}

/// The credentials that a Secret holds. Messages call it `shown`.
pub(super) fn credentials_of(
    secret: Secret,
    type_: CredentialsType,
    shown: &str,
) -> Result<SourceIdentity, CredentialsError> {
    let entries = secret.metadata.managed_fields.iter().flatten();
    let changed = entries.filter_map(|e| e.time.as_ref()).map(|t| t.0).max();
    let secret_type = secret.type_.as_deref().unwrap_or("Opaque");
    if !["Opaque", CREDENTIALS_SECRET_TYPE].contains(&secret_type) {
        return Err(CredentialsError::Unusable {
            reason: FailureReason::SecretInvalid,
            message: format!(
                "{shown} is of type {secret_type}; only Secrets of type Opaque or {CREDENTIALS_SECRET_TYPE} are read"
            ),
        });
    }
    let data = secret
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(key, value)| (key, value.0))
        .collect();
    let parsed = match type_ {
        CredentialsType::AccessKey => Identity::access_key(&data),
        CredentialsType::Token => Identity::token(&data),
        CredentialsType::Password => Identity::password(&data),
        CredentialsType::Agency | CredentialsType::PodIdentity => {
            return Err(CredentialsError::Unusable {
                reason: FailureReason::SecretInvalid,
                message: format!(
                    "{shown}: credentials of type {type_:?} have no Secret; leave it away"
                ),
            });
        }
    };
    match parsed {
        Ok(identity) => Ok(SourceIdentity { identity, changed }),
        Err(error) => Err(CredentialsError::Unusable {
            reason: FailureReason::SecretInvalid,
            message: format!("{shown}: {error}"),
        }),
    }
}
