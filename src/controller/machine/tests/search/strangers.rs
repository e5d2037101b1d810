//! What others do to mirrors: people, other controllers, the garbage collector.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::history::{Edit, Holder};
use crate::api::{
    API_VERSION, CONTROLLER_NAME, MANAGED_BY_LABEL, POOL_KIND, SOURCE_KIND, SOURCE_LABEL,
};
use crate::controller::machine::tests::rig::NAMESPACE;
use crate::controller::plan::dry_run::new_object;

/// The label that people set on mirrors.
pub(super) const OWN_LABEL: &str = "team";

/// Somebody does something to the mirror of this name, where there is one.
pub(super) fn act_on(cluster: &mut Cluster, name: &str, what: Edit) {
    let Some(mirror) = cluster.api.get(name) else {
        return;
    };
    let ends = match what {
        Edit::Delete => true,
        Edit::RemoveFinalizer => mirror["metadata"]["deletionTimestamp"].is_string(),
        _ => false,
    };
    if what == Edit::Delete {
        cluster.api.end(name);
    } else {
        cluster.api.edit(name, |mirror| edit(mirror, what));
        if ends {
            cluster.api.end(name);
        }
    }
    cluster.tell(name);
}

fn edit(mirror: &mut Value, what: Edit) {
    let metadata = &mut mirror["metadata"];
    match what {
        Edit::Spec => {
            metadata["generation"] = json!(metadata["generation"].as_i64().unwrap_or_default() + 1);
            mirror["spec"] = json!({"type": "Strange"});
        }
        Edit::Status => {
            let counts = json!({"available": 99});
            set_status(mirror, |status| status["counts"] = counts);
        }
        Edit::Conditions => {
            let condition = |type_: &str| {
                json!({"type": type_, "status": "False", "reason": "Gone", "message": "",
                "lastTransitionTime": "1970-01-01T00:00:00Z"})
            };
            let conditions = ["Ready", "Synced", "Listed"].map(condition);
            set_status(mirror, |status| status["conditions"] = json!(conditions));
        }
        Edit::OurLabel => {
            for label in [MANAGED_BY_LABEL, SOURCE_LABEL] {
                remove(&mut metadata["labels"], label);
                for entry in metadata["managedFields"]
                    .as_array_mut()
                    .into_iter()
                    .flatten()
                {
                    remove(
                        &mut entry["fieldsV1"]["f:metadata"]["f:labels"],
                        &format!("f:{label}"),
                    );
                }
            }
        }
        Edit::OwnLabel => metadata["labels"][OWN_LABEL] = json!("a"),
        Edit::AddFinalizer => metadata["finalizers"] = json!(["example.com/wait"]),
        Edit::RemoveFinalizer => metadata["finalizers"] = json!([]),
        Edit::Disown => metadata["ownerReferences"] = json!([]),
        Edit::Delete => {}
    }
}

/// Sets something in the status, as another field manager: the whole of it is his then.
fn set_status(mirror: &mut Value, set: impl FnOnce(&mut Value)) {
    if !mirror["status"].is_object() {
        mirror["status"] = json!({});
    }
    set(&mut mirror["status"]);
    if let Some(entries) = mirror["metadata"]["managedFields"].as_array_mut() {
        entries.retain(|entry| entry["subresource"] != "status");
    }
}

fn remove(map: &mut Value, key: &str) {
    if let Some(map) = map.as_object_mut() {
        map.remove(key);
    }
}

/// Somebody makes an object of this name, where there is none.
pub(super) fn occupy(cluster: &mut Cluster, name: &str, owner: Holder) {
    if cluster.api.get(name).is_some() {
        return;
    }
    let reference = |kind: &str, uid: &str| json!([{"apiVersion": API_VERSION, "kind": kind, "name": "x", "uid": uid, "controller": true}]);
    let mut object = new_object(
        NAMESPACE,
        name,
        &format!("made-{name}-{}", cluster.api.version()),
    );
    let metadata = &mut object["metadata"];
    match owner {
        Holder::Nobody => {}
        Holder::Stranger => metadata["ownerReferences"] = reference("Deployment", "strange"),
        Holder::FormerSource => {
            metadata["ownerReferences"] = reference(SOURCE_KIND, "former");
            metadata["labels"] = json!({MANAGED_BY_LABEL: CONTROLLER_NAME});
        }
        Holder::Source(source) => {
            if let Some(source) = cluster.sources.get(&source) {
                metadata["ownerReferences"] = reference(SOURCE_KIND, &source.uid);
            }
        }
    }
    debug_assert_eq!(object["kind"], POOL_KIND);
    cluster.api.make(name, object);
    cluster.tell(name);
}

impl Cluster {
    /// The garbage collector comes to the mirrors of a source that is deleted.
    pub(super) fn collect(&mut self, uid: &str, orphan: bool) {
        for name in self.api.names() {
            let owner = self.api.observed(&name).controller;
            if owner.is_none_or(|owner| &*owner.uid != uid) {
                continue;
            }
            act_on(
                self,
                &name,
                if orphan { Edit::Disown } else { Edit::Delete },
            );
        }
    }
}
