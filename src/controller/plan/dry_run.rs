//! What the API server would make of each write: pure. It knows no quota, no policy and no webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::core::DynamicObject;
use serde_json::{Map, Value, json};

use crate::api::{API_VERSION, CONTROLLER_NAME, POOL_KIND, PoolCounts};
use crate::api_server::WriteError;
use crate::controller::machine::{WriteOrder, WriteTicket};
use crate::mirror::apply::{Written, owner_reference};
use crate::mirror::{Counts, Desired, Observed, Owner, Step};

/// Mirrors of one namespace, as an API server would hold them.
#[derive(Default)]
pub(super) struct DryRun {
    namespace: Arc<str>,
    mirrors: BTreeMap<Arc<str>, Value>,
    written: BTreeSet<Arc<str>>,
    version: u64,
}

impl DryRun {
    /// With these mirrors, and later versions than `version`.
    pub(super) fn new(namespace: &Arc<str>, mirrors: &BTreeMap<Arc<str>, Value>) -> Self {
        let version = |mirror: &Value| {
            let version = mirror["metadata"]["resourceVersion"].as_str();
            version.and_then(|v| v.parse().ok()).unwrap_or_default()
        };
        Self {
            namespace: namespace.clone(),
            version: mirrors.values().map(version).max().unwrap_or_default(),
            mirrors: mirrors.clone(),
            written: BTreeSet::new(),
        }
    }

    /// A resourceVersion that is later than all before.
    pub(super) fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    /// The mirror as it is now.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.mirrors.get(name)
    }

    /// All mirrors as they are now.
    #[cfg(test)]
    pub(super) fn mirrors(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.mirrors
    }

    /// Names of the mirrors that were written.
    pub(super) fn written(&self) -> &BTreeSet<Arc<str>> {
        &self.written
    }

    /// Performs a write, as it is ordered.
    ///
    /// # Errors
    /// Where a mirror that is to be created is there, or another is not. Versions are not compared: nobody
    /// else writes.
    pub(super) fn write(
        &mut self,
        ticket: &WriteTicket,
        order: &WriteOrder,
    ) -> Result<Written, WriteError> {
        let name = &ticket.mirror.name;
        let stored = self.mirrors.get(name).cloned();
        let gone = || WriteError::NotFound(format!("{} is not there", ticket.mirror));
        let mut next = match (ticket.step, stored) {
            (Step::Create, Some(_)) => {
                return Err(WriteError::Conflict(format!("{} exists", ticket.mirror)));
            }
            (Step::Create, None) => new_object(&self.namespace, name, &format!("new-{name}")),
            (_, stored) => stored.ok_or_else(gone)?,
        };
        let unchanged = matches!(ticket.step, Step::Nothing | Step::Conflict);
        perform(&mut next, ticket.step, order)?;
        if !unchanged {
            self.written.insert(name.clone());
            next["metadata"]["resourceVersion"] = json!(self.next_version().to_string());
        }
        if ticket.step == Step::Delete {
            self.mirrors.remove(name);
            return Ok(Written::Deleted);
        }
        let observed = observed(&next).ok_or_else(gone)?;
        self.mirrors.insert(name.clone(), next);
        Ok(Written::Stored(Box::new(observed)))
    }
}

/// A mirror that is about to be created.
pub(in crate::controller) fn new_object(namespace: &str, name: &str, uid: &str) -> Value {
    json!({
        "apiVersion": API_VERSION, "kind": POOL_KIND,
        "metadata": {"namespace": namespace, "name": name, "uid": uid, "generation": 0},
    })
}

/// What the API server makes of a mirror by a write, but for its version.
///
/// # Errors
/// Where a write of content has none.
pub(in crate::controller) fn perform(
    mirror: &mut Value,
    step: Step,
    order: &WriteOrder,
) -> Result<(), WriteError> {
    match step {
        Step::Create | Step::Apply => apply_object(mirror, known(order)?, &order.owner),
        Step::ApplyStatus => apply_status(mirror, known(order)?, order),
        Step::PatchStatus => {
            patch_status(mirror, order);
            Ok(())
        }
        Step::ReplaceOwner => {
            own_by(mirror, &order.owner);
            Ok(())
        }
        Step::Delete | Step::Nothing | Step::Conflict => Ok(()),
    }
}

/// What the machine keeps of a mirror.
pub(in crate::controller) fn observed(mirror: &Value) -> Option<Observed> {
    Observed::of(serde_json::from_value::<DynamicObject>(mirror.clone()).ok()?)
}

/// Server-side apply of metadata and spec: what our last apply has set and this one does not is gone.
fn apply_object(mirror: &mut Value, desired: &Desired, owner: &Owner) -> Result<(), WriteError> {
    let set_before = owned_fields(mirror);
    let mut fields = Map::new();
    for (part, wanted) in [
        ("labels", &desired.labels),
        ("annotations", &desired.annotations),
    ] {
        let wanted = match parsed(wanted.get())? {
            Value::Object(wanted) => wanted,
            _ => Map::new(),
        };
        let keys = wanted.keys().map(|key| (format!("f:{key}"), json!({})));
        fields.insert(format!("f:{part}"), Value::Object(keys.collect()));
        let stored = &mut mirror["metadata"][part];
        let mut kept = stored.as_object().cloned().unwrap_or_default();
        kept.retain(|key, _| !set_before.contains(&(part, key.clone())));
        kept.extend(wanted);
        *stored = Value::Object(kept);
    }
    own_by(mirror, owner);
    let spec = parsed(desired.spec.get())?;
    if mirror["spec"] != spec {
        let generation = mirror["metadata"]["generation"].as_i64();
        mirror["metadata"]["generation"] = json!(generation.unwrap_or_default() + 1);
        mirror["spec"] = spec;
    }
    set_owned(mirror, "", &json!({"f:metadata": fields, "f:spec": {}}));
    Ok(())
}

fn apply_status(
    mirror: &mut Value,
    desired: &Desired,
    order: &WriteOrder,
) -> Result<(), WriteError> {
    let mut status = parsed(desired.status.get())?;
    status["observedGeneration"] = json!(order.observed.as_ref().map_or(1, |o| o.generation));
    status["conditions"] = json!(order.conditions);
    mirror["status"] = status;
    set_owned(mirror, "status", &json!({"f:status": {}}));
    Ok(())
}

/// A merge patch: what else the status says stays. Its entry would be an Update; who set the status last is
/// all that is told by it.
fn patch_status(mirror: &mut Value, order: &WriteOrder) {
    if !mirror["status"].is_object() {
        mirror["status"] = json!({});
    }
    mirror["status"]["conditions"] = json!(order.conditions);
    match (order.counts, mirror["status"].as_object_mut()) {
        (Counts::Zero, Some(status)) => {
            status.insert("counts".to_owned(), json!(PoolCounts::zero()));
        }
        (Counts::Unknown, Some(status)) => {
            status.remove("counts");
        }
        (Counts::Kept, _) | (_, None) => {}
    }
    set_owned(mirror, "status", &json!({"f:status": {}}));
}

/// What is applied.
fn known(order: &WriteOrder) -> Result<&Desired, WriteError> {
    let unknown = || WriteError::ServerError("what the mirror should be is not known".to_owned());
    order.desired.as_deref().ok_or_else(unknown)
}

fn own_by(mirror: &mut Value, owner: &Owner) {
    let references = &mut mirror["metadata"]["ownerReferences"];
    let mut kept: Vec<Value> = references.as_array().cloned().unwrap_or_default();
    kept.retain(|r| r["controller"] != true);
    kept.push(json!(owner_reference(owner)));
    *references = Value::Array(kept);
}

/// Labels and annotations that our own apply has set, by part and key.
pub(super) fn owned_fields(mirror: &Value) -> BTreeSet<(&'static str, String)> {
    let mut owned = BTreeSet::new();
    let entries = mirror["metadata"]["managedFields"].as_array();
    let ours = entries
        .into_iter()
        .flatten()
        .filter(|e| is_ours(e, ""))
        .map(|e| &e["fieldsV1"]["f:metadata"]);
    for fields in ours {
        for part in ["labels", "annotations"] {
            let keys = fields[format!("f:{part}")].as_object();
            let keys = keys.into_iter().flatten();
            owned.extend(keys.filter_map(|(k, _)| Some((part, k.strip_prefix("f:")?.to_owned()))));
        }
    }
    owned
}

/// Says that our own apply has set `fields` of `subresource` (empty: of the object).
pub(super) fn set_owned(mirror: &mut Value, subresource: &str, fields: &Value) {
    let mut entry = json!({
        "manager": CONTROLLER_NAME, "operation": "Apply", "apiVersion": API_VERSION, "fieldsType": "FieldsV1", "fieldsV1": fields,
    });
    if !subresource.is_empty() {
        entry["subresource"] = json!(subresource);
    }
    let entries = &mut mirror["metadata"]["managedFields"];
    let mut kept: Vec<Value> = entries.as_array().cloned().unwrap_or_default();
    kept.retain(|e| !is_ours(e, subresource));
    kept.push(entry);
    *entries = Value::Array(kept);
}

fn is_ours(entry: &Value, subresource: &str) -> bool {
    entry["manager"] == CONTROLLER_NAME
        && entry["operation"] == "Apply"
        && entry["subresource"].as_str().unwrap_or_default() == subresource
}

/// JSON as the API server stores it.
fn parsed(text: &str) -> Result<Value, WriteError> {
    let mut value = serde_json::from_str(text)
        .map_err(|e| WriteError::ServerError(format!("the body is no JSON: {e}")))?;
    store_numbers(&mut value);
    Ok(value)
}

/// The API server writes a whole float as an integer.
fn store_numbers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(store_numbers),
        Value::Object(members) => members.values_mut().for_each(store_numbers),
        Value::Number(number) if number.as_i64().is_none() => {
            if let Some(whole) = number.as_f64().and_then(crate::mirror::whole) {
                *value = whole.into();
            }
        }
        _ => {}
    }
}
