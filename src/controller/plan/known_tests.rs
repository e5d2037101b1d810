use kube::core::DynamicObject;

use super::*;
use crate::modelarts::WorkspaceSelection::{All, List};

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).expect("an object")
}

fn source(name: &str, metadata: &Value, spec: &Value) -> DynamicObject {
    let mut whole = json!({"apiVersion": API_VERSION, "kind": SOURCE_KIND, "metadata": {"namespace": "ns", "name": name}, "status": {"pools": 7},
        "spec": {"region": "cn-north-4", "projectId": "p", "credentials": {"type": "AccessKey", "secretRef": {"name": "keys"}}}});
    for (part, patch) in [("metadata", metadata), ("spec", spec)] {
        let target = whole[part].as_object_mut().expect("an object");
        target.extend(patch.as_object().expect("an object").clone());
    }
    object(whole)
}

fn mirror(name: &str, owner: &str, uid: &str) -> DynamicObject {
    object(
        json!({"apiVersion": API_VERSION, "kind": POOL_KIND, "metadata": {"namespace": "ns", "name": name, "uid": name, "resourceVersion": "3",
        "labels": {"os.modelarts/name": "x", "team": "y", MANAGED_BY_LABEL: "modelarts-pool-controller"},
        "ownerReferences": [{"apiVersion": API_VERSION, "kind": SOURCE_KIND, "name": owner, "uid": uid, "controller": true}]}}),
    )
}

fn known(file: Option<DynamicObject>, there: Vec<DynamicObject>, from_cluster: bool) -> Known {
    Known::of(Objects {
        file,
        key: Key::new("ns", "s"),
        there,
        from_cluster,
        now: Timestamp::UNIX_EPOCH,
    })
    .expect("a state")
}

fn stored() -> Value {
    json!({"uid": "u", "resourceVersion": "9", "generation": 4})
}

#[test]
fn a_file_counts_as_applied_over_what_there_is() {
    let there = || {
        vec![
            source("s", &stored(), &json!({})),
            source(
                "t",
                &json!({"uid": "v", "resourceVersion": "1"}),
                &json!({}),
            ),
        ]
    };
    let by_name = known(None, there(), true);
    assert_eq!((&*by_name.source.uid, by_name.source.generation), ("u", 4));
    assert_eq!(by_name.others.len(), 1);
    // The API's defaults written out are no change.
    for (spec, generation) in [
        (json!({}), 4),
        (json!({"interval": "30s"}), 4),
        (json!({"interval": "31s"}), 5),
    ] {
        let file = source("s", &json!({"uid": "old", "resourceVersion": "1"}), &spec);
        let Source {
            uid,
            generation: found,
            resource_version,
            status,
            ..
        } = known(Some(file), there(), true).source;
        assert_eq!(
            (&*uid, found, resource_version, status.pools),
            ("u", generation, 9, Some(7)),
            "{spec}"
        );
    }
}

#[test]
fn a_source_that_is_not_there_is_new() {
    let file = source("s", &stored(), &json!({}));
    let found = known(Some(file.clone()), vec![mirror("a", "s", "gone")], true).source;
    assert_eq!(
        (&*found.uid, found.generation, found.status.pools),
        (NO_UID, 1, None)
    );
    // Without a cluster the file is believed.
    let found = known(Some(file), vec![], false).source;
    assert_eq!(
        (&*found.uid, found.generation, found.status.pools),
        ("u", 4, Some(7))
    );
}

#[test]
fn without_a_cluster_mirrors_tell_of_sources() {
    let file = || Some(source("s", &json!({}), &json!({})));
    let mirrors = vec![mirror("a", "s", "mine"), mirror("b", "other", "theirs")];
    let state = known(file(), mirrors.clone(), false);
    assert_eq!(&*state.source.uid, "mine");
    let others: Vec<_> = state
        .others
        .iter()
        .map(|o| (&*o.key.name, &*o.uid))
        .collect();
    assert_eq!(others, [("other", "theirs")]);
    assert!(state.notes[0].contains("uid mine"), "{:?}", state.notes);
    // Two lives of one name: it can't be told which is the present one.
    let two = vec![mirror("a", "s", "one"), mirror("b", "s", "two")];
    assert_eq!(&*known(file(), two, false).source.uid, NO_UID);
    // A source in the file is the better witness.
    let mut all = mirrors;
    all.push(source("s", &stored(), &json!({})));
    let state = known(file(), all, false);
    assert_eq!(
        (&*state.source.uid, state.source.status.pools),
        ("u", Some(7))
    );
}

#[test]
fn mirrors_of_kubectl_are_the_controllers_as_their_keys_say() {
    let mut foreign = mirror("c", "s", "u");
    foreign.metadata.namespace = Some("elsewhere".to_owned());
    let mut nameless = mirror("b", "s", "u");
    nameless.metadata.namespace = None;
    let state = known(
        Some(source("s", &json!({}), &json!({}))),
        vec![mirror("a", "s", "u"), nameless, foreign],
        false,
    );
    assert_eq!(state.mirrors.len(), 2, "those of its namespace");
    let fields =
        &state.mirrors["a"]["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"]["f:labels"];
    assert_eq!(
        *fields,
        json!({"f:os.modelarts/name": {}, "f:app.kubernetes.io/managed-by": {}})
    );
    assert!(
        state
            .notes
            .iter()
            .any(|n| n.contains("without managedFields: 2")),
        "{:?}",
        state.notes
    );
}

#[test]
fn what_can_not_be_used_is_named() {
    let error = |there: Vec<DynamicObject>| {
        let objects = Objects {
            file: None,
            key: Key::new("ns", "s"),
            there,
            from_cluster: true,
            now: Timestamp::UNIX_EPOCH,
        };
        Known::of(objects).err().expect("an error")
    };
    assert!(error(vec![]).contains("no ModelArtsPoolSource ns/s"));
    let mut stray = mirror("a", "s", "u");
    stray.metadata.uid = None;
    assert!(error(vec![stray]).contains("ns/a has no uid"));
    let pod = object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}));
    assert!(error(vec![pod]).contains("Pod ns/p is neither"));
}

#[test]
fn workspaces_of_saved_pools() {
    let named = |id: &Value| json!({"metadata": {"labels": {WORKSPACE_LABEL: id}}}).to_string();
    let list = |ids: &[&str]| List(ids.iter().map(|&id| id.to_owned()).collect());
    for (item, asked, expected) in [
        (named(&json!("w1")), list(&["w9"]), "w9"),
        (named(&json!("w1")), list(&["w0", "w1"]), "w1"),
        (named(&json!("w2")), list(&["w0", "w1"]), "w0"),
        (named(&json!("w2")), All, "w2"),
        (named(&json!(0)), All, "0"),
        (named(&Value::Null), All, "0"),
        ("broken".to_owned(), All, "0"),
    ] {
        assert_eq!(workspace_of(&item, &asked), expected, "{item} {asked:?}");
    }
}
