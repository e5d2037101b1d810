//! An object that was stored under another definition of its kind, and does not fit this one: the API server
//! can't apply over it, whatever is applied. It is emptied first.
//!
//! By patches, which the API server makes without asking for the types of what is stored.

use kube::api::{Api, DynamicObject, Patch};
use kube::core::Status;
use serde_json::{Map, Value, json};

use super::apply::as_controller;
use crate::api_server::WriteError;

/// What an apply comes to that was answered so. Where the stored object does not fit the definition, `empty` makes
/// it fit, and what to write is decided anew, from what it is then.
pub(crate) async fn healed<T, E>(
    answer: kube::Result<T>,
    empty: impl FnOnce(Status) -> E,
) -> kube::Result<Result<T, WriteError>>
where
    E: Future<Output = kube::Result<WriteError>>,
{
    match answer {
        Err(kube::Error::Api(status))
            if status
                .message
                .contains("failed to create typed live object") =>
        {
            empty(*status).await.map(Err)
        }
        answer => answer.map(Ok),
    }
}

/// The object was emptied.
pub(crate) fn emptied() -> WriteError {
    WriteError::Conflict("it did not fit the definition of its kind, and was emptied".to_owned())
}

/// Takes everything out of the spec and the status of the object `name`, where its uid and its version
/// are those in `metadata`.
pub(super) async fn empty(
    api: &Api<DynamicObject>,
    name: &str,
    metadata: Value,
) -> kube::Result<()> {
    let stored = api.get(name).await?;
    let fields = stored.data.get("spec").and_then(Value::as_object);
    // The spec itself must stay.
    let nothing: Map<String, Value> = fields
        .into_iter()
        .flat_map(Map::keys)
        .map(|key| (key.clone(), Value::Null))
        .collect();
    let patch = Patch::Merge(json!({"metadata": metadata, "spec": nothing}));
    let emptied = api.patch(name, &as_controller(), &patch).await?.metadata;
    let metadata = json!({"uid": emptied.uid, "resourceVersion": emptied.resource_version});
    empty_status(api, name, &metadata).await
}

/// The same for the status alone.
pub(crate) async fn empty_status(
    api: &Api<DynamicObject>,
    name: &str,
    metadata: &Value,
) -> kube::Result<()> {
    let patch = Patch::Merge(json!({"metadata": metadata, "status": null}));
    api.patch_status(name, &as_controller(), &patch).await?;
    Ok(())
}
