//! Fetches: the listing of a pass, and the check before its first write.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::key::Key;
use super::machine::{Confirmation, LISTING_DEADLINE, ListingError, PoolAnswer, Rejection};
use super::report::PassFailure;
use super::source::Settings;
use super::watch::sources;
use crate::api::WORKSPACE_LABEL;
use crate::api_server::{WriteError, call};
use crate::mirror::{Desired, Fingerprint, PoolShape, Skip, desired, shown_id, text_fingerprint};
use crate::modelarts::{self, Cloud, CloudError, Identity, InvalidItem, Pool, PoolSink, Reason};

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
    /// What the cloud calls the last request, empty where it has no name.
    pub request_id: String,
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

    fn answered(&mut self, request_id: &str) {
        request_id.clone_into(&mut self.listing.request_id);
    }
}

/// Lists the pools of the source `key`. `previous` is the last complete listing: what is listed in
/// the same words again is taken from it.
pub(super) async fn list(
    cloud: Cloud,
    key: Key,
    settings: Settings,
    identity: Arc<Identity>,
    previous: Vec<(Arc<str>, Arc<Desired>)>,
    shape: Arc<PoolShape>,
) -> Result<Listing, ListingError> {
    let client = client(&cloud, &settings, &identity).map_err(|e| listing_error(&e))?;
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
    cloud: Cloud,
    settings: Settings,
    identity: Arc<Identity>,
    pools: Vec<Arc<str>>,
) -> Confirmation {
    let mut confirmation = Confirmation::default();
    let asking = async {
        let client = match client(&cloud, &settings, &identity) {
            Ok(client) => client,
            Err(error) => return Some(listing_error(&error)),
        };
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

/// A client for one pass of a source.
pub(super) fn client(
    cloud: &Cloud,
    settings: &Settings,
    identity: &Identity,
) -> Result<modelarts::Client, CloudError> {
    cloud.client(
        settings.endpoint.clone(),
        settings.iam_endpoint.clone(),
        settings.project_id.clone(),
        identity,
    )
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
            | Reason::CredentialsUnavailable
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
        failure: PassFailure::new(
            Reason::CloudUnavailable,
            format!("{what} were not complete within {} s", limit.as_secs()),
        ),
        rejected: None,
        request_id: String::new(),
    }
}

fn listing_error(error: &CloudError) -> ListingError {
    let reason = error.reason();
    let rejected = match reason {
        Reason::CredentialsRejected if error.is_of_iam() => Some(Rejection::User),
        // The cloud counts a signature that is too old like any other that is wrong.
        Reason::CredentialsRejected | Reason::ClockSkew => Some(Rejection::Key),
        _ => None,
    };
    ListingError {
        failure: PassFailure {
            retry_after: error.retry_after(),
            ..PassFailure::new(reason, error.to_string())
        },
        rejected,
        request_id: error.request_id.clone(),
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
        Err(WriteError::NotFound(message)) if names(&message, &key.name) => return Ok(false),
        other => other?,
    };
    let api: Api<Namespace> = Api::all(client);
    let namespace = match call(api.get_metadata(&key.namespace)).await {
        Err(WriteError::NotFound(message)) if names(&message, &key.namespace) => return Ok(false),
        other => other?,
    };
    Ok(source.metadata.uid.as_deref() == Some(uid)
        && source.metadata.deletion_timestamp.is_none()
        && namespace.metadata.deletion_timestamp.is_none())
}

/// Whether a 404 says of the object `name` that it is gone. One that does not name it says that its kind
/// is not served, or is a proxy's: the object may well be there.
fn names(message: &str, name: &str) -> bool {
    message.contains(&format!("\"{name}\" not found"))
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
