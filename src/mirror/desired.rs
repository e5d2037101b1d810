//! What the mirror of a pool should be: pure, from the JSON of one item of a listing.

use std::borrow::Cow;

use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::body::{self, drop_long_keys, values};
use super::conform::PoolShape;
use super::counts::{FlavorCounts, NODE_STATES, counts, counts_by_flavor, flavors};
use super::fingerprint::{Fingerprint, combined, fingerprint};
use super::metadata::{is_dns1123_subdomain, metadata};
use crate::api::PoolCounts;
use crate::api::conditions::{ConditionStatus, is_valid_reason, truncated};

/// Bytes of the JSON of a pool that is mirrored at most: etcd takes 1.5 MiB for an object.
const MAX_POOL_BYTES: usize = 1024 * 1024;
/// Bytes of a mirror as it is stored, without conditions and managedFields: they need the rest of
/// what etcd takes.
const MAX_MIRROR_BYTES: usize = 1280 * 1024;
/// Values of a mirror's JSON, members and items at every depth. The API server's work grows with their number:
/// with many more, no write ends in time, and no pass of the source would succeed any more.
const MAX_MIRROR_VALUES: usize = 20_000;

/// Bytes of the id of a skipped pool that are shown at most, as many as the name of an object has.
const MAX_SHOWN_ID: usize = 253;

/// Fields of a mirror's status that are the controller's; the cloud's of the same names go to
/// `status.cloud`.
const OUR_STATUS_FIELDS: [&str; 7] = [
    "counts",
    "flavors",
    "creationTimestamp",
    "otherMetadata",
    "cloud",
    "observedGeneration",
    "conditions",
];

/// What a mirror should be, compactly: the JSON to write, fingerprints to compare it by, and the
/// little that is summed up for the source.
#[derive(Debug)]
pub struct Desired {
    /// Fingerprint of the text and workspace that it was made from: the same again needs no second
    /// look.
    pub text_fingerprint: Fingerprint,
    /// JSON of the labels.
    pub labels: Box<RawValue>,
    /// JSON of the annotations.
    pub annotations: Box<RawValue>,
    /// JSON of the spec.
    pub spec: Box<RawValue>,
    /// JSON object of the status without conditions and observedGeneration.
    pub status: Box<RawValue>,
    /// Fingerprint of labels and annotations.
    pub metadata_fingerprint: Fingerprint,
    /// Fingerprint of the spec.
    pub spec_fingerprint: Fingerprint,
    /// Fingerprint of the status without conditions and observedGeneration.
    pub status_fingerprint: Fingerprint,
    /// Whether the pool works.
    pub readiness: Readiness,
    /// The pool's phase, where it has one.
    pub phase: Option<Box<str>>,
    /// The pool's nodes by state.
    pub counts: PoolCounts,
    /// The same by flavor, of a physical pool.
    pub flavors: Box<[FlavorCounts]>,
    /// Whether the pool is a physical one: only those are summed up.
    pub dedicate: bool,
    /// When the cloud created the pool, where it says so.
    pub created: Option<Timestamp>,
    /// The workspace that it was listed in.
    pub workspace: Box<str>,
}

/// Whether a pool works, as its phase says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Readiness {
    /// Status of the condition Ready.
    pub status: ConditionStatus,
    /// Its reason.
    pub reason: Box<str>,
    /// Its message: the cloud's own.
    pub message: Box<str>,
}

/// A pool that can't be mirrored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The pool's id.
    pub id: String,
    /// Why.
    pub reason: SkipReason,
    /// What is wrong and what to do, for people.
    pub message: String,
}

/// Why a pool can't be mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// The id is no name of a Kubernetes object.
    InvalidName,
    /// The pool's JSON is over 1 MiB, or its mirror's has more values than the API server takes in time.
    TooLarge,
    /// The name is held by an object that is not this source's.
    NameConflict,
    /// The API server refuses the mirror for good.
    Refused,
}

impl SkipReason {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidName => "InvalidName",
            Self::TooLarge => "TooLarge",
            Self::NameConflict => "NameConflict",
            Self::Refused => "Refused",
        }
    }
}

impl Desired {
    /// The same mirror once its pool is gone: it shows what was listed last, and no nodes.
    #[must_use]
    pub fn of_a_gone_pool(&self) -> Self {
        let mut status: Map<String, Value> =
            serde_json::from_str(self.status.get()).unwrap_or_default();
        let counts = PoolCounts::zero();
        status.insert("counts".to_owned(), json!(counts));
        let status = Value::Object(status);
        Self {
            // No text of a listing says so.
            text_fingerprint: 0,
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
            spec: self.spec.clone(),
            status: raw(&status),
            status_fingerprint: fingerprint(&status),
            readiness: self.readiness.clone(),
            phase: self.phase.clone(),
            workspace: self.workspace.clone(),
            counts,
            flavors: Box::default(),
            ..*self
        }
    }
}

/// The mirror of the pool `id`, that the source named `source` listed in `workspace`.
///
/// `pool` is one item of a listing, already without secrets; `text` is the item as it was sent.
///
/// # Errors
/// [`Skip`] where the pool can't be mirrored at all.
pub fn desired(
    id: &str,
    mut pool: Map<String, Value>,
    text: &str,
    source: &str,
    workspace: &str,
    shape: &PoolShape,
) -> Result<Desired, Skip> {
    let skip = |reason, message| {
        Err(Skip {
            id: shown_id(id).into_owned(),
            reason,
            message,
        })
    };
    if !is_dns1123_subdomain(id) {
        return skip(
            SkipReason::InvalidName,
            "the pool's id can't be the name of a Kubernetes object (lower-case letters, digits, '-' and '.', at most 253); \
             rename the pool or ignore it"
                .to_owned(),
        );
    }
    let too_large = |what, count, of, max| {
        skip(
            SkipReason::TooLarge,
            format!(
                "{what} has {count} {of}, at most {max} are mirrored; look for what is so large in its labels, annotations and spec"
            ),
        )
    };
    if text.len() > MAX_POOL_BYTES {
        return too_large("the pool's JSON", text.len(), "bytes", MAX_POOL_BYTES);
    }
    let metadata = metadata(&pool, source, workspace);
    let created = created(&pool);
    let spec = shape.spec(take_object(&mut pool, "spec"));
    let cloud_status = take_object(&mut pool, "status");

    let dedicate = spec.get("type").and_then(Value::as_str) == Some("Dedicate");
    let logical = spec.get("type").and_then(Value::as_str) == Some("Logical");
    let mut status = cloud_part(cloud_status, logical, shape);
    let resources = status.get("resources").and_then(Value::as_object);
    let counts = counts(&spec, resources);
    let by_flavor = if dedicate {
        counts_by_flavor(&spec, resources)
    } else {
        Box::default()
    };
    status.insert("counts".to_owned(), json!(counts));
    if let Some(flavors) = flavors(&spec) {
        status.insert("flavors".to_owned(), Value::String(flavors));
    }
    if let Some(created) = created {
        status.insert(
            "creationTimestamp".to_owned(),
            Value::String(created.to_string()),
        );
    }
    if !metadata.other.is_empty() {
        status.insert("otherMetadata".to_owned(), json!(metadata.other));
    }
    let text_of = |field: &str| status.get(field).and_then(Value::as_str);
    let readiness = readiness(text_of("phase"), text_of("message"));
    let phase = text_of("phase").filter(|p| !p.is_empty()).map(Box::from);

    let labels = json!(metadata.labels);
    let annotations = json!(metadata.annotations);
    let (mut spec, mut status) = (Value::Object(spec), Value::Object(status));
    drop_long_keys(&mut spec);
    drop_long_keys(&mut status);
    let parts = [&labels, &annotations, &spec, &status];
    let values = parts.into_iter().map(values).sum();
    if values > MAX_MIRROR_VALUES {
        return too_large("the mirror's JSON", values, "values", MAX_MIRROR_VALUES);
    }
    let written = parts.map(raw);
    let bytes = written.iter().map(|part| stored_bytes(part.get())).sum();
    if bytes > MAX_MIRROR_BYTES {
        return too_large("the mirror's JSON", bytes, "bytes", MAX_MIRROR_BYTES);
    }
    let fingerprints = (
        metadata_fingerprint(&labels, &annotations),
        fingerprint(&spec),
        fingerprint(&status),
    );
    let [labels, annotations, spec, status] = written;
    Ok(Desired {
        text_fingerprint: text_fingerprint(text, workspace),
        metadata_fingerprint: fingerprints.0,
        spec_fingerprint: fingerprints.1,
        status_fingerprint: fingerprints.2,
        labels,
        annotations,
        spec,
        status,
        readiness,
        phase,
        counts,
        flavors: by_flavor,
        dedicate,
        created,
        workspace: workspace.into(),
    })
}

/// Bytes of `json` in etcd. What is written can be longer than what was sent (`1e15` becomes
/// 1000000000000000.0), and the API server stores `<`, `>` and `&` as six characters each.
fn stored_bytes(json: &str) -> usize {
    json.len()
        + 5 * json
            .bytes()
            .filter(|b| matches!(b, b'<' | b'>' | b'&'))
            .count()
}

/// The id of a pool as a [`Skip`] names it. It can be as long as a listing: then its beginning is shown, to find the
/// pool by, and what tells it from others that begin alike.
#[must_use]
pub fn shown_id(id: &str) -> Cow<'_, str> {
    if id.len() <= MAX_SHOWN_ID {
        return Cow::Borrowed(id);
    }
    let hash = digest(&SHA256, id.as_bytes());
    let first = hash.as_ref().first_chunk().copied();
    let hash = u64::from_be_bytes(first.unwrap_or_default());
    Cow::Owned(format!("{}~{hash:016x}", truncated(id, MAX_SHOWN_ID - 17)))
}

/// Fingerprint of one item of a listing of `workspace`.
#[must_use]
pub fn text_fingerprint(text: &str, workspace: &str) -> Fingerprint {
    combined(&(workspace, text))
}

/// Fingerprint of labels and annotations together.
pub(super) fn metadata_fingerprint(labels: &Value, annotations: &Value) -> Fingerprint {
    fingerprint(&json!({"labels": labels, "annotations": annotations}))
}

/// The cloud's status as the mirror keeps it.
fn cloud_part(cloud: Map<String, Value>, logical: bool, shape: &PoolShape) -> Map<String, Value> {
    let (renamed, cloud): (Map<_, _>, Map<_, _>) = cloud
        .into_iter()
        .partition(|(key, _)| OUR_STATUS_FIELDS.contains(&key.as_str()));
    let mut status = shape.status(cloud);
    if !renamed.is_empty() {
        status.insert("cloud".to_owned(), Value::Object(renamed));
    }
    // A Logical pool's `{}` says nothing of nodes; a physical one's says that there are none.
    let silent = |r: &Map<String, Value>| logical && r.is_empty();
    match status.get_mut("resources").and_then(Value::as_object_mut) {
        Some(resources) if silent(resources) => {
            status.remove("resources");
        }
        Some(resources) => {
            for state in NODE_STATES {
                resources.entry(state).or_insert_with(|| json!([]));
            }
        }
        None => {}
    }
    status
}

/// Whether a pool works, by its phase and message.
pub(super) fn readiness(phase: Option<&str>, message: Option<&str>) -> Readiness {
    let phase = phase.unwrap_or_default();
    let message = message.unwrap_or_default();
    let (status, reason) = match phase {
        "" => (ConditionStatus::Unknown, "NoPhase"),
        "Running" => (ConditionStatus::True, phase),
        other if is_valid_reason(other) => (ConditionStatus::False, other),
        _ => (ConditionStatus::False, "OtherPhase"),
    };
    Readiness {
        status,
        reason: reason.into(),
        message: message.into(),
    }
}

/// When the cloud says the pool was created, where it says a time.
fn created(pool: &Map<String, Value>) -> Option<Timestamp> {
    let time: Timestamp = pool
        .get("metadata")?
        .get("creationTimestamp")?
        .as_str()?
        .parse()
        .ok()?;
    Timestamp::from_second(time.as_second()).ok()
}

fn take_object(pool: &mut Map<String, Value>, field: &str) -> Map<String, Value> {
    match pool.remove(field) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

fn raw(value: &Value) -> Box<RawValue> {
    // A `Value` has string keys and no failing parts, so that writing it can't fail; an empty object
    // would be refused by the API server, never taken for data.
    body::json(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "desired_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "trap_tests.rs"]
mod trap_tests;
