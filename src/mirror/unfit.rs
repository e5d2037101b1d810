//! A mirror that was stored under another definition of its kind, and does not fit this one: the API server
//! can't apply over it, whatever is applied. It is emptied first.

use kube::api::{Api, DynamicObject, Patch};
use kube::core::Status;
use serde_json::{Map, Value, json};

use super::apply::as_controller;

/// Whether an apply failed since the stored object does not fit the definition.
pub(super) fn is_cause(status: &Status) -> bool {
    status
        .message
        .contains("failed to create typed live object")
}

/// Takes everything out of the spec and the status of the mirror `name`, where its uid and its version
/// are those in `metadata`.
///
/// By patches, which the API server makes without asking for the types of what is stored.
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
    let patch = Patch::Merge(json!({"metadata": metadata, "status": null}));
    api.patch_status(name, &as_controller(), &patch).await?;
    Ok(())
}
