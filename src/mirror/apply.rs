//! Performs one write to a mirror. The only place that writes mirrors.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, OwnerReference};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::core::ApiResource;
use serde::Serialize;
use serde::ser::Error as _;
use serde_json::json;
use serde_json::value::RawValue;

use super::desired::Desired;
use super::observed::Observed;
use super::plan::{Counts, Owner, Step};
use super::unfit;
use crate::api::{API_VERSION, CONTROLLER_NAME, ModelArtsPool, POOL_KIND, PoolCounts, SOURCE_KIND};
use crate::api_server::{WriteError, call};

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
