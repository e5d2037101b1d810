//! What is known of a mirror that exists: fingerprints, not the object.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use kube::core::DynamicObject;
use serde_json::{Map, Value};

use super::desired::{Readiness, metadata_fingerprint, readiness};
use super::fingerprint::{Fingerprint, fingerprint};
use super::observed_conditions::ObservedConditions;
use super::plan::Owner;
use crate::api::{
    CONTROLLER_NAME, GROUP, MANAGED_BY_LABEL, PoolCounts, SOURCE_KIND, SOURCE_LABEL,
    WORKSPACE_LABEL,
};

/// A mirror as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts: any of them may hold with any other"
)]
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
    /// Whether the controller was the last to set the status.
    pub status_is_ours: bool,
    /// `status.phase`.
    pub phase: Option<Box<str>>,
    /// `status.message`.
    pub message: Option<Box<str>>,
    /// Nodes: `status.counts.abnormal`.
    pub abnormal: Option<i64>,
    /// Whether all of `status.counts` are there and 0.
    pub no_nodes: bool,
    /// When the cloud created the pool, by `status.creationTimestamp`.
    pub created: Option<Timestamp>,
    /// The workspace that the pool was listed in.
    pub workspace: Option<Box<str>>,
    /// The source that it was made for, by its label.
    pub source: Option<Box<str>>,
    /// Whether it is being deleted, and waits for a finalizer.
    pub deleting: bool,
}

/// The controller reference of a mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// The uid it names.
    pub uid: Box<str>,
    /// Whether it names a `ModelArtsPoolSource`.
    pub is_source: bool,
}

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
        let text = |field: &str| {
            let text = status.get(field).and_then(Value::as_str);
            text.filter(|t| !t.is_empty()).map(Box::from)
        };
        let counts = status.get("counts").and_then(Value::as_object);
        let created = status.get("creationTimestamp").and_then(Value::as_str);
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
            phase: text("phase"),
            message: text("message"),
            abnormal: counts.and_then(|c| c.get("abnormal")?.as_i64()),
            no_nodes: counts.is_some_and(|c| {
                serde_json::from_value(Value::Object(c.clone())).ok() == Some(PoolCounts::zero())
            }),
            created: created.and_then(|c| c.parse().ok()),
            workspace: workspace(&metadata).map(Box::from),
            source: metadata
                .labels
                .as_ref()
                .and_then(|l| l.get(SOURCE_LABEL))
                .map(|s| s.as_str().into()),
            deleting: metadata.deletion_timestamp.is_some(),
            status_fingerprint: fingerprint(&Value::Object(status)),
            observed_generation,
            conditions,
            status_is_ours: status_is_ours(&metadata),
        })
    }

    /// Whether its controller reference names `owner`.
    #[must_use]
    pub fn is_owned_by(&self, owner: &Owner) -> bool {
        let controller = self.controller.as_ref();
        controller.is_some_and(|c| c.uid == owner.uid)
    }

    /// Whether it was made for the source `name` and nobody owns it now. `source_exists` tells whether a
    /// source with a uid is known.
    #[must_use]
    pub fn is_orphan_of(&self, name: &str, source_exists: impl Fn(&str) -> bool) -> bool {
        let dead = |c: &Controller| c.is_source && !source_exists(&c.uid);
        self.managed_by_us
            && self.controller.as_ref().is_none_or(dead)
            && self.source.as_deref() == Some(name)
    }

    /// The conditions, where the controller was the last to write them.
    #[must_use]
    pub fn own_conditions(&self) -> Option<&ObservedConditions> {
        self.status_is_ours.then_some(&self.conditions)
    }

    /// Whether the pool works, by what the mirror shows of it.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        readiness(self.phase.as_deref(), self.message.as_deref())
    }
}

/// The labels and annotations that our apply has set and nobody has changed since.
fn ours(metadata: &ObjectMeta) -> (Value, Value) {
    let fields = owned(metadata).and_then(|fields| fields.get("f:metadata"));
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

/// Whether the controller was the last to set the status: by an apply of all of it, or by a patch of its
/// conditions.
fn status_is_ours(metadata: &ObjectMeta) -> bool {
    let entries = metadata.managed_fields.iter().flatten();
    let mut ours = entries.filter(|e| {
        e.manager.as_deref() == Some(CONTROLLER_NAME) && e.subresource.as_deref() == Some("status")
    });
    ours.any(|e| {
        let fields = e.fields_v1.as_ref();
        fields.is_some_and(|fields| fields.0.get("f:status").is_some())
    })
}

fn workspace(metadata: &ObjectMeta) -> Option<&str> {
    let label = metadata
        .labels
        .as_ref()
        .and_then(|l| l.get(WORKSPACE_LABEL));
    let annotation = || metadata.annotations.as_ref()?.get(WORKSPACE_LABEL);
    label.or_else(annotation).map(String::as_str)
}

fn group_of(api_version: &str) -> &str {
    api_version
        .split_once('/')
        .map_or("", |(group, _version)| group)
}

/// The fields of the object, beside its status, that our own apply has set, and that nobody has changed
/// since.
fn owned(metadata: &ObjectMeta) -> Option<&Value> {
    let is_our_apply = |e: &&ManagedFieldsEntry| {
        e.manager.as_deref() == Some(CONTROLLER_NAME)
            && e.operation.as_deref() == Some("Apply")
            && e.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let entry = metadata
        .managed_fields
        .iter()
        .flatten()
        .find(is_our_apply)?;
    entry.fields_v1.as_ref().map(|fields| &fields.0)
}
