//! Performs one write to a mirror. The only place that writes mirrors.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::{ApiResource, Status};
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::desired::Desired;
use super::observed::Observed;
use super::plan::{Counts, Owner, Step};
use super::unfit;
use crate::api::{API_VERSION, CONTROLLER_NAME, ModelArtsPool, POOL_KIND, PoolCounts, SOURCE_KIND};

/// How long one call to the API server may take. Shorter than what is left of a lease when its
/// holder must have renewed it, so that no write outlives the right to write.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(4);

/// A resourceVersion that no object has: etcd's revisions begin at 1, and 1 is written before any
/// custom resource. An apply that carries it creates an absent object and is refused for one that
/// exists.
const NO_OBJECT: &str = "1";

/// One write to a mirror.
#[derive(Debug)]
pub struct Write<'a> {
    /// Namespace of source and mirror.
    pub namespace: &'a str,
    /// Name of the mirror: the pool's id.
    pub name: &'a str,
    /// Which write; [`Step::Nothing`] and [`Step::Conflict`] are none.
    pub step: Step,
    /// What the mirror should be; nothing where only its conditions are written, or it is deleted.
    pub desired: Option<&'a Desired>,
    /// Whom it belongs to.
    pub owner: &'a Owner,
    /// What it is; nothing where it is absent.
    pub observed: Option<&'a Observed>,
    /// The conditions to write with the status.
    pub conditions: &'a [Condition],
    /// What [`Step::PatchStatus`] makes of the counts.
    pub counts: Counts,
}

/// What became of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is so.
    Stored(Box<Observed>),
    /// It was deleted.
    Deleted,
}

/// Why a write was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The object is not what was planned for: another writer was there first.
    #[error("the object has changed meanwhile: {0}")]
    Conflict(String),
    /// The object is not there.
    #[error("the object is not there: {0}")]
    NotFound(String),
    /// The API server refuses this object for good.
    #[error("the API server refuses the object: {0}")]
    Refused(String),
    /// The controller may not do this; its RBAC rules lack a verb.
    #[error("not allowed: {0}; check the ClusterRole or Role of the controller's service account")]
    Forbidden(String),
    /// The namespace is being deleted.
    #[error("the namespace is being deleted")]
    NamespaceTerminating,
    /// The API server asks to slow down.
    #[error("the API server throttles: {message}")]
    Throttled {
        /// Its own words.
        message: String,
        /// Seconds to wait, where it says.
        retry_after: Option<u64>,
    },
    /// The API server failed to handle the write.
    #[error("the API server failed: {0}")]
    ServerError(String),
    /// The API server gave it up: an admission webhook or its storage does not answer. It may be performed
    /// or not.
    #[error("the API server did not handle it in time: {0}; an admission webhook may hang")]
    TimedOut(String),
    /// The API server did not answer in time, which may be the fault of this call alone.
    #[error("the API server does not answer: {0}")]
    NoAnswer(String),
    /// The API server can't be reached.
    #[error("the API server can't be reached: {0}")]
    Unreachable(String),
}

/// Performs `write` and returns the mirror as it is then.
///
/// # Errors
/// [`WriteError`]; also [`WriteError::ServerError`] where the answer is no object.
pub async fn perform(client: &Client, write: &Write<'_>) -> Result<Written, WriteError> {
    if write.step == Step::Delete {
        // Where somebody's finalizer is waited for, the answer is the object.
        let object = call(delete(client, write)).await?.and_then(Observed::of);
        let object = object.filter(|o| o.deleting);
        return Ok(object.map_or(Written::Deleted, |o| Written::Stored(Box::new(o))));
    }
    let sent = async {
        let answer = send(client, write).await;
        // Only of mirrors that are known to be the source's.
        if !matches!(write.step, Step::Apply | Step::ApplyStatus) {
            return answer.map(Ok);
        }
        let empty = async |_| {
            let api = mirrors(client, Some(write.namespace));
            unfit::empty(&api, write.name, versions(write)).await?;
            Ok(unfit::emptied())
        };
        unfit::healed(answer, empty).await
    };
    let object = call(sent).await??;
    let observed = Observed::of(object).ok_or_else(|| {
        WriteError::ServerError("the answer has no uid or resourceVersion".to_owned())
    })?;
    Ok(Written::Stored(Box::new(observed)))
}

/// A call to the API server that ends in time.
///
/// # Errors
/// What its failure means.
pub async fn call<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, WriteError> {
    match timeout(CALL_TIMEOUT, request).await {
        Ok(answer) => answer.map_err(|e| classify(&e)),
        Err(_) => Err(WriteError::NoAnswer(format!(
            "no answer within {} s",
            CALL_TIMEOUT.as_secs()
        ))),
    }
}

/// The mirrors of one namespace, or of all, as JSON: a stored object that does not fit the types
/// must not stop the others from being seen.
#[must_use]
pub fn mirrors(client: &Client, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<ModelArtsPool>(&());
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    }
}

async fn send(client: &Client, write: &Write<'_>) -> kube::Result<DynamicObject> {
    let api = mirrors(client, Some(write.namespace));
    let params = PatchParams::apply(CONTROLLER_NAME);
    match write.step {
        // Without force: where another manager owns a field, the object is not ours to take.
        Step::Create => {
            let body = object(write, known(write)?);
            api.patch(write.name, &params, &Patch::Apply(body)).await
        }
        Step::Apply => {
            let body = object(write, known(write)?);
            api.patch(write.name, &params.force(), &Patch::Apply(body))
                .await
        }
        Step::ApplyStatus => {
            let body = status(write, known(write)?).map_err(kube::Error::SerdeError)?;
            api.patch_status(write.name, &params.force(), &Patch::Apply(body))
                .await
        }
        Step::PatchStatus => patch_status(&api, write).await,
        Step::ReplaceOwner => replace_owner(&api, write).await,
        Step::Nothing | Step::Conflict | Step::Delete => api.get(write.name).await,
    }
}

/// What is applied.
fn known<'a>(write: &Write<'a>) -> kube::Result<&'a Desired> {
    let unknown = || serde_json::Error::custom("what the mirror should be is not known");
    write
        .desired
        .ok_or_else(|| kube::Error::SerdeError(unknown()))
}

/// Not an apply: that would say all of the status, which is not known.
async fn patch_status(api: &Api<DynamicObject>, write: &Write<'_>) -> kube::Result<DynamicObject> {
    let mut patch = json!({
        "metadata": versions(write),
        "status": {"conditions": write.conditions},
    });
    match write.counts {
        Counts::Kept => {}
        Counts::Zero => patch["status"]["counts"] = json!(PoolCounts::zero()),
        Counts::Unknown => patch["status"]["counts"] = json!(null),
    }
    api.patch_status(write.name, &as_controller(), &Patch::Merge(patch))
        .await
}

async fn delete(client: &Client, write: &Write<'_>) -> kube::Result<Option<DynamicObject>> {
    let params = DeleteParams::default().preconditions(Preconditions {
        uid: write.observed.map(|o| o.uid.to_string()),
        resource_version: write.observed.map(|o| o.resource_version.to_string()),
    });
    let api = mirrors(client, Some(write.namespace));
    let answer = api.delete(write.name, &params).await?;
    Ok(answer.left())
}

/// The version that a patch or a deletion was decided from: any other is refused.
fn versions(write: &Write<'_>) -> serde_json::Value {
    json!({
        "uid": write.observed.map(|o| &o.uid),
        "resourceVersion": write.observed.map(|o| o.resource_version.to_string()),
    })
}

pub(super) fn as_controller() -> PatchParams {
    PatchParams {
        field_manager: Some(CONTROLLER_NAME.to_owned()),
        ..PatchParams::default()
    }
}

/// Two controller references are refused, and one that other fields managers hold is not removed by
/// an apply: the list is replaced, at the version it was read at.
async fn replace_owner(api: &Api<DynamicObject>, write: &Write<'_>) -> kube::Result<DynamicObject> {
    let existing = api.get(write.name).await?;
    let mut references = existing.metadata.owner_references.unwrap_or_default();
    references.retain(|r| r.controller != Some(true));
    references.push(owner_reference(write.owner));
    let mut metadata = versions(write);
    metadata["ownerReferences"] = json!(references);
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    api.patch(write.name, &as_controller(), &patch).await
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    resource_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owner_references: Vec<OwnerReference>,
}

fn object<'a>(write: &Write<'a>, desired: &'a Desired) -> Object<'a> {
    let Desired {
        labels,
        annotations,
        spec,
        ..
    } = desired;
    Object {
        metadata: Metadata {
            labels: Some(labels),
            annotations: Some(annotations),
            owner_references: vec![owner_reference(write.owner)],
            ..identity(write)
        },
        spec: Some(spec),
        ..empty(write)
    }
}

fn status<'a>(write: &Write<'a>, desired: &Desired) -> serde_json::Result<Object<'a>> {
    let conditions = super::body::json(&write.conditions)?;
    let generation = write.observed.map_or(1, |o| o.generation);
    // Spliced, not parsed and written again: the status of a pool can be large.
    let text = desired.status.get();
    let inner = &text[..text.len() - 1];
    let separator = if inner.len() > 1 { "," } else { "" };
    let text = format!(
        "{inner}{separator}\"observedGeneration\":{generation},\"conditions\":{conditions}}}"
    );
    Ok(Object {
        status: Some(RawValue::from_string(text)?),
        ..empty(write)
    })
}

fn empty<'a>(write: &Write<'a>) -> Object<'a> {
    Object {
        api_version: API_VERSION,
        kind: POOL_KIND,
        metadata: identity(write),
        spec: None,
        status: None,
    }
}

/// The uid keeps an apply from creating anew what was deleted meanwhile, the resourceVersion from
/// overwriting what another writer did since it was seen.
fn identity<'a>(write: &Write<'a>) -> Metadata<'a> {
    Metadata {
        name: write.name,
        uid: write.observed.map(|o| &*o.uid),
        resource_version: write
            .observed
            .map_or_else(|| NO_OBJECT.to_owned(), |o| o.resource_version.to_string()),
        labels: None,
        annotations: None,
        owner_references: Vec::new(),
    }
}

/// Without blockOwnerDeletion: deleting a source must never wait for its mirrors.
pub(crate) fn owner_reference(owner: &Owner) -> OwnerReference {
    OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: SOURCE_KIND.to_owned(),
        name: owner.name.to_string(),
        uid: owner.uid.to_string(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// What an error of the API server means for a write.
fn classify(error: &kube::Error) -> WriteError {
    match error {
        kube::Error::Api(status) => classify_status(status),
        kube::Error::SerdeError(error) => {
            WriteError::ServerError(format!("the answer is not understood: {error}"))
        }
        other => WriteError::Unreachable(chain(other)),
    }
}

fn classify_status(status: &Status) -> WriteError {
    let message = status.message.clone();
    let causes = status.details.iter().flat_map(|d| &d.causes);
    match status.code {
        409 => WriteError::Conflict(message),
        404 => WriteError::NotFound(message),
        429 => WriteError::Throttled {
            message,
            retry_after: retry_after(status),
        },
        403 if causes
            .into_iter()
            .any(|c| c.reason == "NamespaceTerminating") =>
        {
            WriteError::NamespaceTerminating
        }
        // Only the authorizer names the user; what else says 403 is admission: a quota, a policy.
        401 => WriteError::Forbidden(message),
        403 if message.contains("is forbidden: User \"") => WriteError::Forbidden(message),
        400..=499 => WriteError::Refused(message),
        // etcd's limits, which the API server passes on as failures of its own.
        500 if ["request is too large", "larger than max"]
            .iter()
            .any(|limit| message.contains(limit)) =>
        {
            WriteError::Refused(message)
        }
        504 => WriteError::TimedOut(message),
        // A webhook with a shorter time of its own.
        500 if message.contains("failed calling webhook")
            && message.contains("context deadline exceeded") =>
        {
            WriteError::TimedOut(message)
        }
        _ => WriteError::ServerError(message),
    }
}

/// How many seconds the API server asks to wait, where it says.
pub(crate) fn retry_after(status: &Status) -> Option<u64> {
    let details = status.details.as_ref();
    details
        .map(|d| u64::from(d.retry_after_seconds))
        .filter(|s| *s > 0)
}

/// An error with its causes: kube's outermost message alone says little.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
