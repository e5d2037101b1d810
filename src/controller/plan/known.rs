//! What a plan starts from: the source, the other sources beside it, and the mirrors there are; from the
//! cluster or from files. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use kube::core::{DynamicObject, TypeMeta};
use serde_json::{Map, Value, json};

use super::dry_run::set_owned;
use crate::api::{
    API_VERSION, CLOUD_API_VERSION_ANNOTATION, MANAGED_BY_LABEL, ModelArtsPoolSourceSpec,
    POOL_KIND, SOURCE_KIND, SOURCE_LABEL, WORKSPACE_LABEL,
};
use crate::controller::key::Key;
use crate::controller::source::Source;
use crate::mirror::is_cloud_key;
use crate::modelarts::{DEFAULT_WORKSPACE, WorkspaceSelection};

/// The uid of a source that no cluster has.
const NO_UID: &str = "00000000-0000-0000-0000-000000000000";

/// The state before a pass.
pub struct Known {
    /// The source, as it would be.
    pub source: Source,
    /// The other sources of its namespace.
    pub others: Vec<Source>,
    /// The mirrors of its namespace, by name.
    pub mirrors: BTreeMap<Arc<str>, Value>,
    /// What had to be guessed, for people.
    pub notes: Vec<String>,
}

/// Objects to start from.
pub struct Objects {
    /// The source, where a file has it; it is planned for as if that was applied.
    pub file: Option<DynamicObject>,
    /// Namespace and name of the source.
    pub key: Key,
    /// Sources and mirrors there are, of any namespace.
    pub there: Vec<DynamicObject>,
    /// Whether `there` is all of the namespace, as the cluster has it.
    pub from_cluster: bool,
    /// When the file is taken to be applied.
    pub now: Timestamp,
}

impl Known {
    /// Sorts what there is.
    ///
    /// # Errors
    /// Which object is not as it must be, or that there is no such source.
    pub fn of(objects: Objects) -> Result<Self, String> {
        let Objects {
            file,
            key,
            there,
            from_cluster,
            now,
        } = objects;
        let mut known = Sorted::default();
        for object in there {
            known.add(object, &key)?;
        }
        let Sorted {
            mut sources,
            mut mirrors,
            unmanaged,
        } = known;
        let mut notes = Vec::new();
        let live = sources.remove(&*key.name);
        let mut changed = false;
        let source = match (file, live) {
            (None, None) => {
                return Err(format!(
                    "there is no ModelArtsPoolSource {key}; give its file with -f, or look with kubectl get modelartspoolsources --all-namespaces"
                ));
            }
            (None, Some(live)) => live,
            (Some(file), Some(live)) => {
                changed = spec(&file) != spec(&live);
                applied(file, live, changed)
            }
            (Some(file), None) => new(file, &key, &mirrors, from_cluster, &mut notes),
        };
        let mut source = Source::of(source)
            .ok_or_else(|| format!("the source {key} has no uid or no valid resourceVersion"))?;
        if changed {
            // Absence is measured anew, as after an apply.
            source.spec_changed = Some(now);
        }
        let mut others: Vec<Source> = sources.into_values().filter_map(Source::of).collect();
        if !from_cluster {
            others.extend(named_by(&mirrors, &source, &others));
        }
        if unmanaged > 0 {
            notes.push(format!(
                "mirrors without managedFields: {unmanaged}; what of their labels and annotations is the controller's is told by their keys (kubectl get --show-managed-fields shows them)"
            ));
        }
        for mirror in mirrors.values_mut() {
            if mirror["metadata"]["managedFields"].is_null() {
                own_what_looks_like_it(mirror);
            }
        }
        Ok(Self {
            source,
            others,
            mirrors,
            notes,
        })
    }
}

/// The objects of one namespace, by kind and name.
#[derive(Default)]
struct Sorted {
    sources: BTreeMap<String, DynamicObject>,
    mirrors: BTreeMap<Arc<str>, Value>,
    /// Mirrors without managedFields.
    unmanaged: usize,
}

impl Sorted {
    fn add(&mut self, mut object: DynamicObject, source: &Key) -> Result<(), String> {
        let types = object.types.take().unwrap_or_default();
        let name = object.metadata.name.clone().unwrap_or_default();
        let namespace = object.metadata.namespace.get_or_insert_default();
        if namespace.is_empty() {
            source.namespace.as_ref().clone_into(namespace);
        }
        if **namespace != *source.namespace {
            return Ok(());
        }
        match &*types.kind {
            SOURCE_KIND => {
                self.sources.insert(name, object);
            }
            POOL_KIND => {
                if object.metadata.uid.is_none() || object.metadata.resource_version.is_none() {
                    return Err(format!(
                        "the mirror {namespace}/{name} has no uid or no resourceVersion: give mirrors as kubectl get modelartspools --output=yaml prints them"
                    ));
                }
                if object.metadata.managed_fields.is_none() {
                    self.unmanaged += 1;
                }
                object.types = Some(types);
                let mirror = serde_json::to_value(object)
                    .map_err(|e| format!("the mirror {name} can't be read: {e}"))?;
                self.mirrors.insert(name.into(), mirror);
            }
            other => {
                return Err(format!(
                    "{other} {namespace}/{name} is neither a ModelArtsPool nor a ModelArtsPoolSource: give mirrors as kubectl get modelartspools --output=yaml prints them"
                ));
            }
        }
        Ok(())
    }
}

/// The source of a file, once it is applied over the one there is.
fn applied(file: DynamicObject, live: DynamicObject, changed: bool) -> DynamicObject {
    let mut metadata = live.metadata;
    if changed {
        metadata.generation = metadata.generation.map(|g| g + 1);
    }
    let annotations = file.metadata.annotations.into_iter().flatten();
    metadata
        .annotations
        .get_or_insert_default()
        .extend(annotations);
    let status = live.data.get("status").cloned();
    with_status(
        DynamicObject { metadata, ..file },
        status.unwrap_or_default(),
    )
}

fn with_status(mut source: DynamicObject, status: Value) -> DynamicObject {
    if let Value::Object(data) = &mut source.data {
        data.insert("status".to_owned(), status);
    }
    source
}

/// The spec with the API's defaults; nothing where it can't be read.
fn spec(source: &DynamicObject) -> Option<ModelArtsPoolSourceSpec> {
    serde_json::from_value(source.data.get("spec")?.clone()).ok()
}

/// The source of a file, where none is there.
fn new(
    mut file: DynamicObject,
    key: &Key,
    mirrors: &BTreeMap<Arc<str>, Value>,
    from_cluster: bool,
    notes: &mut Vec<String>,
) -> DynamicObject {
    let metadata = &mut file.metadata;
    if from_cluster {
        // What the file says of an earlier life holds no more.
        metadata.uid = None;
        metadata.resource_version = None;
        metadata.generation = None;
        metadata.deletion_timestamp = None;
        file = with_status(file, Value::Null);
    }
    let metadata = &mut file.metadata;
    if metadata.uid.is_none() {
        let named: BTreeSet<&str> = controllers(mirrors)
            .filter(|(name, _)| *name == &*key.name)
            .map(|(_, uid)| uid)
            .collect();
        let named: Vec<&str> = named.into_iter().collect();
        metadata.uid = match named[..] {
            [uid] if !from_cluster => {
                notes.push(format!(
                    "the source {key} is taken for the one that its mirrors name (uid {uid})"
                ));
                Some(uid.to_owned())
            }
            _ => Some(NO_UID.to_owned()),
        };
    }
    let version = &mut metadata.resource_version;
    version.get_or_insert_with(|| "1".to_owned());
    metadata.generation.get_or_insert(1);
    file
}

/// Name and uid of the sources that control mirrors.
fn controllers(mirrors: &BTreeMap<Arc<str>, Value>) -> impl Iterator<Item = (&str, &str)> {
    let references = mirrors
        .values()
        .filter_map(|mirror| mirror["metadata"]["ownerReferences"].as_array());
    references
        .flatten()
        .filter(|r| r["controller"] == true && r["kind"] == SOURCE_KIND)
        .filter_map(|r| Some((r["name"].as_str()?, r["uid"].as_str()?)))
}

/// The sources that only mirrors tell of. They are taken to exist, so that nothing of theirs is planned
/// to be taken; one of the same name is a former life of the source itself.
fn named_by(
    mirrors: &BTreeMap<Arc<str>, Value>,
    source: &Source,
    others: &[Source],
) -> Vec<Source> {
    let known = |uid: &str| others.iter().any(|o| &*o.uid == uid) || &*source.uid == uid;
    let named: BTreeSet<(&str, &str)> = controllers(mirrors)
        .filter(|(name, uid)| *name != &*source.key.name && !known(uid))
        .collect();
    let object = |(name, uid): (&str, &str)| {
        let mut object = DynamicObject {
            types: Some(TypeMeta {
                api_version: API_VERSION.to_owned(),
                kind: SOURCE_KIND.to_owned(),
            }),
            metadata: kube::api::ObjectMeta::default(),
            data: Value::Object(Map::new()),
        };
        object.metadata.namespace = Some(source.key.namespace.to_string());
        object.metadata.name = Some(name.to_owned());
        object.metadata.uid = Some(uid.to_owned());
        object.metadata.resource_version = Some("1".to_owned());
        Source::of(object)
    };
    named.into_iter().filter_map(object).collect()
}

/// Says of a mirror that comes without managedFields what they most likely are: kubectl leaves them out.
fn own_what_looks_like_it(mirror: &mut Value) {
    let ours = [SOURCE_LABEL, MANAGED_BY_LABEL, CLOUD_API_VERSION_ANNOTATION];
    let looks = |key: &str| ours.contains(&key) || is_cloud_key(key);
    let fields = |part: &str| {
        let keys = mirror["metadata"][part].as_object().into_iter().flatten();
        let keys = keys.filter(|(key, _)| looks(key));
        Value::Object(
            keys.map(|(key, _)| (format!("f:{key}"), json!({})))
                .collect(),
        )
    };
    let fields = json!({
        "f:metadata": {"f:labels": fields("labels"), "f:annotations": fields("annotations")},
        "f:spec": {},
    });
    set_owned(mirror, "", &fields);
    set_owned(mirror, "status", &json!({"f:status": {}}));
}

/// The workspace that a pool of a saved listing was listed in: the one that is asked for, and where these
/// are several, the one that the pool itself names.
pub(super) fn workspace_of(item: &str, asked: &WorkspaceSelection) -> String {
    if let WorkspaceSelection::List(ids) = asked
        && let [id] = &ids[..]
    {
        return id.clone();
    }
    let pool: Value = serde_json::from_str(item).unwrap_or_default();
    let named = match &pool["metadata"]["labels"][WORKSPACE_LABEL] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    };
    let first = match asked {
        WorkspaceSelection::List(ids) => ids.first().map(String::as_str),
        WorkspaceSelection::All => None,
    };
    match asked {
        WorkspaceSelection::List(ids) if !ids.contains(&named) => {
            first.unwrap_or(DEFAULT_WORKSPACE).to_owned()
        }
        _ if named.is_empty() => DEFAULT_WORKSPACE.to_owned(),
        _ => named,
    }
}

#[cfg(test)]
#[path = "known_tests.rs"]
mod tests;
