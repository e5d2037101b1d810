//! What is known of a mirror that exists: fingerprints, not the object.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ManagedFieldsEntry, ObjectMeta};
use kube::core::DynamicObject;
use serde_json::{Map, Value};

use super::desired::metadata_fingerprint;
use super::fingerprint::{Fingerprint, fingerprint};
use crate::api::conditions::{ConditionState, ConditionStatus, LISTED, READY, SYNCED};
use crate::api::{CONTROLLER_NAME, GROUP, MANAGED_BY_LABEL, SOURCE_KIND};

/// A mirror as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`; later versions are greater numbers.
    pub resource_version: u64,
    /// `metadata.generation`: moves with the spec.
    pub generation: i64,
    /// The object that the controller reference names, where there is one.
    pub controller: Option<Controller>,
    /// Whether it carries our managed-by label.
    pub managed_by_us: bool,
    /// Fingerprint of those labels and annotations that our own apply has set. One that another
    /// writer has changed or removed is no longer among them.
    pub metadata_fingerprint: Fingerprint,
    /// Fingerprint of the spec.
    pub spec_fingerprint: Fingerprint,
    /// Fingerprint of the status without conditions and observedGeneration.
    pub status_fingerprint: Fingerprint,
    /// `status.observedGeneration`.
    pub observed_generation: Option<i64>,
    /// The conditions.
    pub conditions: ObservedConditions,
    /// Whether our own apply was the last to set the status.
    pub status_is_ours: bool,
}

/// The controller reference of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The uid it names.
    pub uid: Box<str>,
    /// Whether it names a `ModelArtsPoolSource`.
    pub is_source: bool,
}

/// The three conditions of a mirror: what they say (by fingerprint) and since when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedConditions([Option<Written>; 3]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    status: ConditionStatus,
    since: Timestamp,
    /// Of reason, message and observedGeneration.
    said: Fingerprint,
}

const TYPES: [&str; 3] = [READY, SYNCED, LISTED];

impl Observed {
    /// What is kept of `object`; nothing where it has no uid or resourceVersion, as no stored
    /// object does.
    #[must_use]
    pub fn of(object: DynamicObject) -> Option<Self> {
        let DynamicObject {
            metadata, mut data, ..
        } = object;
        let mut take = |field: &str| data.get_mut(field).map(Value::take).unwrap_or_default();
        let spec = take("spec");
        let mut status = match take("status") {
            Value::Object(status) => status,
            _ => Map::new(),
        };
        let observed_generation = status.remove("observedGeneration").and_then(|g| g.as_i64());
        let conditions = ObservedConditions::of(status.remove("conditions"));
        let (labels, annotations) = ours(&metadata);
        let controller = metadata
            .owner_references
            .iter()
            .flatten()
            .find(|r| r.controller == Some(true));
        Some(Self {
            uid: metadata.uid.as_deref()?.into(),
            resource_version: metadata.resource_version.as_deref()?.parse().ok()?,
            generation: metadata.generation.unwrap_or_default(),
            controller: controller.map(|r| Controller {
                uid: r.uid.as_str().into(),
                is_source: r.kind == SOURCE_KIND && group_of(&r.api_version) == GROUP,
            }),
            managed_by_us: metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(MANAGED_BY_LABEL))
                .is_some_and(|m| m == CONTROLLER_NAME),
            metadata_fingerprint: metadata_fingerprint(&labels, &annotations),
            spec_fingerprint: fingerprint(&spec),
            status_fingerprint: fingerprint(&Value::Object(status)),
            observed_generation,
            conditions,
            status_is_ours: owned(&metadata, "status")
                .is_some_and(|fields| fields.get("f:status").is_some()),
        })
    }
}

impl ObservedConditions {
    fn of(conditions: Option<Value>) -> Self {
        let conditions: Vec<Condition> = conditions
            .and_then(|c| serde_json::from_value(c).ok())
            .unwrap_or_default();
        Self(TYPES.map(|type_| {
            let condition = conditions.iter().find(|c| c.type_ == type_)?;
            let status = match condition.status.as_str() {
                "True" => ConditionStatus::True,
                "False" => ConditionStatus::False,
                _ => ConditionStatus::Unknown,
            };
            let said = said(
                &condition.reason,
                &condition.message,
                condition.observed_generation,
            );
            Some(Written {
                status,
                since: condition.last_transition_time.0,
                said,
            })
        }))
    }

    /// Whether they say `wanted` already, for `generation` of the mirror.
    #[must_use]
    pub fn say(&self, wanted: &[ConditionState], generation: i64) -> bool {
        wanted.iter().all(|w| {
            self.written(w.type_).is_some_and(|written| {
                written.status == w.status
                    && written.said == said(&w.reason, &w.message, Some(generation))
            })
        })
    }

    /// `wanted` as it is to be written at `now`: a time moves only with the status.
    #[must_use]
    pub fn next(&self, wanted: &ConditionState, generation: i64, now: Timestamp) -> Condition {
        let since = self
            .written(wanted.type_)
            .filter(|w| w.status == wanted.status)
            .map(|w| w.since);
        wanted.with_time(since.unwrap_or(now), Some(generation))
    }

    fn written(&self, type_: &str) -> Option<Written> {
        let index = TYPES.iter().position(|t| *t == type_)?;
        self.0[index]
    }
}

fn said(reason: &str, message: &str, generation: Option<i64>) -> Fingerprint {
    fingerprint(&Value::from(vec![
        Value::from(vec![Value::from(0), Value::from(reason)]),
        Value::from(vec![Value::from(1), Value::from(message)]),
        Value::from(vec![Value::from(2), Value::from(generation)]),
    ]))
}

/// The labels and annotations that our apply has set and nobody has changed since.
fn ours(metadata: &ObjectMeta) -> (Value, Value) {
    let fields = owned(metadata, "").and_then(|fields| fields.get("f:metadata"));
    let of = |part: &str, values: Option<&std::collections::BTreeMap<String, String>>| {
        let owned = fields.and_then(|f| f.get(part)).and_then(Value::as_object);
        Value::Object(
            values
                .into_iter()
                .flatten()
                .filter(|(key, _)| {
                    owned.is_some_and(|owned| owned.contains_key(&format!("f:{key}")))
                })
                .map(|(key, value)| (key.clone(), Value::String(value.clone())))
                .collect(),
        )
    };
    (
        of("f:labels", metadata.labels.as_ref()),
        of("f:annotations", metadata.annotations.as_ref()),
    )
}

fn group_of(api_version: &str) -> &str {
    api_version
        .split_once('/')
        .map_or("", |(group, _version)| group)
}

/// The fields that our own apply to `subresource` (empty: to the object) has set, and that nobody has
/// changed since.
fn owned<'a>(metadata: &'a ObjectMeta, subresource: &str) -> Option<&'a Value> {
    let is_our_apply = |e: &&ManagedFieldsEntry| {
        e.manager.as_deref() == Some(CONTROLLER_NAME)
            && e.operation.as_deref() == Some("Apply")
            && e.subresource.as_deref().unwrap_or_default() == subresource
    };
    let entry = metadata
        .managed_fields
        .iter()
        .flatten()
        .find(is_our_apply)?;
    entry.fields_v1.as_ref().map(|fields| &fields.0)
}
