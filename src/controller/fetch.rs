//! Fetches: the credentials and the listing of a pass, and the check before its first write.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::{Api, Client};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::key::Key;
use super::machine::{
    Confirmation, CredentialsError, LISTING_DEADLINE, ListingError, PoolAnswer, SecretCredentials,
};
use super::report::PassFailure;
use super::source::Settings;
use super::watch::sources;
use crate::api::{CREDENTIALS_SECRET_TYPE, CredentialsType, WORKSPACE_LABEL};
use crate::mirror::apply::{WriteError, call};
use crate::mirror::{Desired, Fingerprint, PoolShape, Skip, desired, shown_id, text_fingerprint};
use crate::modelarts::{
    self, CloudError, Credentials, HttpClient, InvalidItem, Pool, PoolSink, Reason,
};

/// How long the answers about missing pools of one pass may take. The pass waits for them, and what it has
/// seen must not be old when it ends: short beside the least slack of `freshUntil`, 30 s.
const CONFIRMING_DEADLINE: Duration = Duration::from_secs(10);

/// A complete listing, as the mirrors should be. It exists only when every request succeeded.
#[derive(Debug, Default)]
pub struct Listing {
    /// By pool id.
    pub pools: HashMap<Arc<str>, Arc<Desired>>,
    /// Pools that can't be mirrored.
    pub skipped: Vec<Skip>,
}

/// Takes the items of a listing one at a time, so that neither the body nor the pools as they were
/// sent are held.
pub(super) struct Collector {
    source: Arc<str>,
    shape: Arc<PoolShape>,
    previous: HashMap<Fingerprint, (Arc<str>, Arc<Desired>)>,
    listing: Listing,
}

impl Collector {
    /// A collector of pools of the source `source`, that knows no earlier listing.
    pub(super) fn new(source: &Arc<str>, shape: Arc<PoolShape>) -> Self {
        Self {
            source: source.clone(),
            shape,
            previous: HashMap::new(),
            listing: Listing::default(),
        }
    }

    /// What was collected, once the listing is complete.
    pub(super) fn end(self) -> Listing {
        self.listing
    }
}

impl PoolSink for Collector {
    fn pool(&mut self, workspace: &str, json: &str) -> Result<(), InvalidItem> {
        if let Some((name, desired)) = self.previous.get(&text_fingerprint(json, workspace)) {
            let (name, desired) = (name.clone(), desired.clone());
            self.listing.skipped.retain(|s| s.id != *name);
            self.listing.pools.insert(name, desired);
            return Ok(());
        }
        let Pool { id, json: pool } = Pool::parse(json)?;
        // The same pool twice, e.g. moved between workspaces in mid-pass: the later answer wins.
        self.listing.pools.remove(&*id);
        let shown = shown_id(&id);
        self.listing.skipped.retain(|s| s.id != shown);
        match desired(&id, pool, json, &self.source, workspace, &self.shape) {
            Ok(desired) => {
                self.listing.pools.insert(id.into(), Arc::new(desired));
            }
            Err(skip) => self.listing.skipped.push(skip),
        }
        Ok(())
    }
}

/// Lists the pools of the source `key`. `previous` is the last complete listing: what is listed in
/// the same words again is taken from it.
pub(super) async fn list(
    http: HttpClient,
    key: Key,
    settings: Settings,
    credentials: Arc<Credentials>,
    previous: Vec<(Arc<str>, Arc<Desired>)>,
    shape: Arc<PoolShape>,
) -> Result<Listing, ListingError> {
    let client = modelarts::Client::new(http, settings.endpoint, settings.project_id, credentials);
    let previous = previous
        .into_iter()
        .map(|(name, d)| (d.text_fingerprint, (name, d)))
        .collect();
    let collector = Collector {
        previous,
        ..Collector::new(&key.name, shape)
    };
    match timeout(
        LISTING_DEADLINE,
        modelarts::list(&client, &settings.selection, collector),
    )
    .await
    {
        Ok(Ok(collector)) => Ok(collector.end()),
        Ok(Err(error)) => Err(listing_error(&error)),
        Err(_) => Err(too_slow("the answers to the listing", LISTING_DEADLINE)),
    }
}

/// Asks the cloud for each of `pools`, one after another, until it does not answer at all.
pub(super) async fn confirm(
    http: HttpClient,
    settings: Settings,
    credentials: Arc<Credentials>,
    pools: Vec<Arc<str>>,
) -> Confirmation {
    let client = modelarts::Client::new(http, settings.endpoint, settings.project_id, credentials);
    let mut confirmation = Confirmation::default();
    let asking = async {
        for name in pools {
            let answer = match client.show_pool(&name).await {
                Ok(pool) => PoolAnswer::Found {
                    workspace: workspace(&pool.json).map(Box::from),
                },
                Err(error) if error.reason() == Reason::PoolNotFound => PoolAnswer::NotFound,
                Err(error) if is_of_all(error.reason()) => return Some(listing_error(&error)),
                Err(error) => PoolAnswer::Failed(error.to_string()),
            };
            confirmation.pools.push((name, answer));
        }
        None
    };
    let failure = match timeout(CONFIRMING_DEADLINE, asking).await {
        Ok(failure) => failure,
        Err(_) => Some(too_slow(
            "the answers about missing pools",
            CONFIRMING_DEADLINE,
        )),
    };
    Confirmation {
        failure,
        ..confirmation
    }
}

/// Whether an error about one pool is to be expected of the next, too.
const fn is_of_all(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::CredentialsRejected
            | Reason::ClockSkew
            | Reason::Throttled
            | Reason::CloudUnavailable
            | Reason::EndpointRefused
    )
}

/// The workspace that a pool says it is in.
fn workspace(pool: &Map<String, Value>) -> Option<&str> {
    let labels = pool.get("metadata")?.get("labels")?;
    let workspace = labels.get(WORKSPACE_LABEL)?.as_str();
    workspace.filter(|workspace| !workspace.is_empty())
}

fn too_slow(what: &str, limit: Duration) -> ListingError {
    ListingError {
        failure: PassFailure {
            reason: Reason::CloudUnavailable.as_str(),
            message: format!("{what} were not complete within {} s", limit.as_secs()),
            stalled: false,
            retry_after: None,
        },
        rejected: false,
    }
}

fn listing_error(error: &CloudError) -> ListingError {
    let reason = error.reason();
    // The cloud counts a signature that is too old like any other that is wrong.
    let rejected = [Reason::CredentialsRejected, Reason::ClockSkew].contains(&reason);
    ListingError {
        failure: PassFailure {
            reason: reason.as_str(),
            message: error.to_string(),
            stalled: rejected || reason == Reason::EndpointRefused,
            retry_after: error.retry_after(),
        },
        rejected,
    }
}

/// Reads the credentials of a source: one `get` of one Secret.
pub(super) async fn read_credentials(
    client: Client,
    namespace: &str,
    type_: CredentialsType,
    name: &str,
) -> Result<SecretCredentials, CredentialsError> {
    let api: Api<Secret> = Api::namespaced(client, namespace);
    let secret = call(api.get(name)).await.map_err(|error| match error {
        WriteError::NotFound(_) => CredentialsError::Secret {
            reason: "SecretNotFound",
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
) -> Result<SecretCredentials, CredentialsError> {
    let entries = secret.metadata.managed_fields.iter().flatten();
    let changed = entries.filter_map(|e| e.time.as_ref()).map(|t| t.0).max();
    let secret_type = secret.type_.as_deref().unwrap_or("Opaque");
    if !["Opaque", CREDENTIALS_SECRET_TYPE].contains(&secret_type) {
        return Err(CredentialsError::Secret {
            reason: "SecretInvalid",
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
        CredentialsType::Token => Credentials::token(&data),
        _ => Credentials::access_key(&data),
    };
    match parsed {
        Ok(credentials) => Ok(SecretCredentials {
            credentials,
            changed,
        }),
        Err(error) => Err(CredentialsError::Secret {
            reason: "SecretInvalid",
            message: format!("{shown}: {error}"),
        }),
    }
}

/// Whether the source `key` is there with this uid, and neither it nor its namespace is being
/// deleted.
pub(super) async fn may_write_for(
    client: Client,
    key: &Key,
    uid: &str,
) -> Result<bool, WriteError> {
    let source = match call(sources(&client, Some(&key.namespace)).get_metadata(&key.name)).await {
        Err(WriteError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    let api: Api<Namespace> = Api::all(client);
    let namespace = match call(api.get_metadata(&key.namespace)).await {
        Err(WriteError::NotFound(_)) => return Ok(false),
        other => other?,
    };
    Ok(source.metadata.uid.as_deref() == Some(uid)
        && source.metadata.deletion_timestamp.is_none()
        && namespace.metadata.deletion_timestamp.is_none())
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
