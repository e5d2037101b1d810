//! What `plan` prints is what the next pass writes, and `plan` itself writes nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use modelarts_pool_controller::api::{ModelArtsPoolSource, REFRESH_ANNOTATION};
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::{Value, json};

use super::support::audit;
use super::support::env::{Env, PATIENCE};
use super::support::plan::{Planned, plan};

/// How an audit log names the program as a process of its own.
const AGENT: &str = concat!("modelarts-pool-controller/", env!("CARGO_PKG_VERSION"));

fn pool(id: &str) -> Value {
    json!({
        "apiVersion": "v2", "metadata": {"name": id, "labels": {"os.modelarts/name": id, "team": "训练"}, "annotations": {"os.modelarts/x": "y"}},
        "spec": {"type": "Dedicate", "resources": [{"flavor": "f", "count": 2, "size": 1.5}], "new": {"whole": 2.0}},
        "status": {"phase": "Running", "message": "", "resources": {"available": [{"flavor": "f", "count": 2}]}},
    })
}

fn texts(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| pool(id).to_string()).collect()
}

/// What a plan shows of an object, without what no plan can know.
fn known(mut object: Value) -> Value {
    let conditions = object.pointer_mut("/status/conditions");
    for condition in conditions
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        condition["lastTransitionTime"] = Value::Null;
    }
    for time in ["lastSyncTime", "lastAttemptTime", "freshUntil"] {
        if let Some(status) = object["status"].as_object_mut() {
            status.remove(time);
        }
    }
    object
}

/// The mirrors as they are: by name, with all their metadata.
async fn mirrors(env: &Env) -> BTreeMap<String, Value> {
    let list = env.pools().list(&ListParams::default()).await;
    let mirrors = list.expect("a list").items.into_iter().map(|mut mirror| {
        mirror.metadata.managed_fields = None;
        let name = mirror.metadata.name.clone().expect("a name");
        let mut mirror = serde_json::to_value(mirror).expect("JSON");
        mirror["apiVersion"] = json!("modelarts.huaweicloud.com/v1alpha1");
        mirror["kind"] = json!("ModelArtsPool");
        (name, mirror)
    });
    mirrors.collect()
}

/// What of `mirror` a plan shows that is `after`: nobody else's labels and annotations.
fn shown(mirror: &Value, after: &Value) -> Value {
    let metadata = &mirror["metadata"];
    let mut shown = json!({
        "apiVersion": mirror["apiVersion"], "kind": mirror["kind"], "spec": mirror["spec"], "status": mirror["status"],
        "metadata": {"namespace": metadata["namespace"], "name": metadata["name"], "ownerReferences": metadata["ownerReferences"]},
    });
    for part in ["labels", "annotations"] {
        let mut entries = metadata[part].clone();
        let entries_of = entries.as_object_mut().expect("entries");
        entries_of.retain(|key, _| !key.contains("stranger"));
        if after["metadata"].get(part).is_some() {
            shown["metadata"][part] = entries;
        }
    }
    shown
}

/// As this manager of fields.
fn by(manager: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    }
}

struct Stage {
    env: Env,
}

impl Stage {
    async fn plan(&self) -> Planned {
        let source = format!("{}/s", self.env.namespace);
        plan(&self.env, &[&source, "--output=json"]).await
    }

    /// Runs one pass until `events` are published; the source after it.
    async fn pass(&self, what: &str, events: &[Value]) -> ModelArtsPoolSource {
        let (params, all) = (DeleteParams::default(), ListParams::default());
        let deleted = self.events().delete_collection(&params, &all).await;
        deleted.expect("no events");
        let controller = self.env.start_controller().await;
        let handled = |s: &ModelArtsPoolSource| {
            let status = s.status.as_ref();
            status.and_then(|s| s.last_handled_refresh.as_deref()) == Some(what)
        };
        let source = self.env.source_when("s", what, handled).await;
        // Events come a moment after what they tell of.
        self.env.events_published(events.len()).await;
        controller.stop().await;
        assert_eq!(self.published().await, events, "{what}");
        source
    }

    fn events(&self) -> Api<Event> {
        Api::namespaced(self.env.client.clone(), &self.env.namespace)
    }

    /// The events that were published, as a plan has them.
    async fn published(&self) -> Vec<Value> {
        let events = self.events().list(&ListParams::default()).await;
        let mut events: Vec<_> = events
            .expect("events")
            .items
            .into_iter()
            .map(|e| {
                let regarding = e.regarding.expect("an object");
                json!({"type": e.type_, "reason": e.reason, "kind": regarding.kind, "namespace": regarding.namespace, "name": regarding.name, "note": e.note})
            })
            .collect();
        events.sort_by_key(Value::to_string);
        events
    }

    /// Plans, runs a pass, and compares. What was planned: operations by name.
    async fn check(&self, what: &str, code: i32) -> Vec<(String, String)> {
        // The pass that answers this is the one that is planned, and no other.
        let asked = json!({"metadata": {"annotations": {REFRESH_ANNOTATION: what}}});
        // Not by the one who made the source: what he writes may be its spec, and restarts absence clocks.
        let params = by("refresher");
        let sources = self.env.sources();
        let patched = sources.patch("s", &params, &Patch::Merge(asked)).await;
        patched.expect("a request for a pass");
        let before = mirrors(&self.env).await;
        let planned = self.plan().await;
        assert_eq!(
            planned.code,
            Some(code),
            "{what}: {}{}",
            planned.stdout,
            planned.stderr
        );
        assert_eq!(
            mirrors(&self.env).await,
            before,
            "{what}: plan changes nothing"
        );
        let planned = planned.json();

        let mut events = planned["events"].as_array().expect("events").clone();
        events.sort_by_key(Value::to_string);
        let source = self.pass(what, &events).await;
        let after = mirrors(&self.env).await;
        let mut expected = before.clone();
        let mut operations = Vec::new();
        for change in planned["changes"].as_array().expect("changes") {
            let name = change["name"].as_str().expect("a name").to_owned();
            assert_eq!(change["namespace"], *self.env.namespace);
            let operation = change["operation"].as_str().expect("an operation");
            let (was, is) = (expected.remove(&name), after.get(&name));
            assert_eq!(was.is_some(), operation != "create", "{what}: {name}");
            assert_eq!(is.is_some(), operation != "delete", "{what}: {name}");
            if let Some(was) = &was {
                assert_eq!(change["before"]["spec"], was["spec"], "{what}: {name}");
                assert_eq!(change["before"]["status"], was["status"], "{what}: {name}");
            }
            if let Some(is) = is {
                let planned = known(change["after"].clone());
                let is = known(shown(is, &planned));
                assert_eq!(is, planned, "{what}: {name}");
            }
            operations.push((name, operation.to_owned()));
        }
        // What was not planned was not written.
        let mut others = after.clone();
        others.retain(|name, _| !operations.iter().any(|(n, _)| n == name));
        assert_eq!(others, expected, "{what}");
        let status = serde_json::to_value(&source.status).expect("JSON");
        let source = known(json!({ "status": status }));
        assert_eq!(
            source,
            known(json!({"status": planned["source"]["status"]})),
            "{what}"
        );
        operations
    }
}

fn operations(found: &[(String, String)]) -> Vec<(&str, &str)> {
    found
        .iter()
        .map(|(name, what)| (&**name, &**what))
        .collect()
}

#[tokio::test]
async fn the_next_pass_writes_what_was_planned() {
    let env = Env::with(Scenario::default()).await;
    let ids = ["changed", "deleted", "edited", "kept", "orphaned"];
    let put = |pools: &[String]| {
        let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, pools);
        put.expect("pools");
    };
    put(&texts(&ids));
    // Before the grace period of a missing pool is over, the clock has moved by a second.
    let spec = json!({"interval": "24h", "prune": {"gracePeriod": "0s"}});
    env.add_source("s", spec).await;
    let stage = Stage { env };
    let env = &stage.env;

    let found = stage.check("first mirror", 2).await;
    assert_eq!(operations(&found), ids.map(|id| (id, "create")));
    let found = stage.check("nothing to do", 0).await;
    assert_eq!(operations(&found), []);

    // A pool that changed, one that is new, one that can't be mirrored, one in whose place a stranger is.
    let mut pools = texts(&[
        "changed", "deleted", "edited", "kept", "orphaned", "new", "Bad", "taken",
    ]);
    pools[0] = pools[0]
        .replace("Running", "Abnormal")
        .replace("1.5", "2.5");
    let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &pools);
    put.expect("pools");
    let taken = json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool", "metadata": {"name": "taken"}, "spec": {}});
    let taken = serde_json::from_value(taken).expect("a mirror");
    let made = env.pools().create(&PostParams::default(), &taken).await;
    made.expect("a stranger's object");
    // Mirrors that a stranger has edited, deleted, orphaned.
    let gone = env
        .pools()
        .delete("deleted", &DeleteParams::default())
        .await;
    gone.expect("a deletion");
    let edit = json!({"metadata": {"labels": {"os.modelarts/name": "mine", "stranger/l": "1"}, "annotations": {"os.modelarts/x": null}}, "spec": {"new": null, "mine": 1}});
    let orphan = json!({"metadata": {"ownerReferences": null}});
    for (name, patch) in [("edited", edit), ("orphaned", orphan)] {
        let params = by("stranger");
        let edited = env.pools().patch(name, &params, &Patch::Merge(patch)).await;
        edited.expect("an edit");
    }
    let found = stage.check("everything at once", 2).await;
    assert_eq!(
        operations(&found),
        [
            ("changed", "update"),
            ("deleted", "create"),
            ("edited", "update"),
            ("new", "create"),
            ("orphaned", "update"),
        ]
    );
    let planned = stage.plan().await;
    let skipped: Vec<_> = planned.json()["skipped"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|s| json!([s["id"], s["reason"]]))
        .collect();
    assert_eq!(
        skipped,
        [
            json!(["Bad", "InvalidName"]),
            json!(["taken", "NameConflict"])
        ]
    );
    assert_eq!(
        planned.code,
        Some(0),
        "nothing is left to do: {}",
        planned.stdout
    );

    env.cloud().delete_pool("kept").expect("a pool");
    let found = stage.check("a pool is missing", 2).await;
    assert_eq!(operations(&found), [("kept", "update")]);
    let deadline = Instant::now() + PATIENCE;
    while stage.plan().await.json()["changes"] == json!([]) {
        assert!(Instant::now() < deadline, "it is never planned to go");
    }
    let found = stage.check("the pool is gone", 2).await;
    assert_eq!(operations(&found), [("kept", "delete")]);

    // In all of this, plan has asked and not told.
    let log = env.cluster.audit_log();
    let own = |r: &audit::Request| r.object_ref.namespace == env.namespace;
    let asked = audit::requests(&log, AGENT);
    assert!(asked.iter().any(own), "plan was looked at");
    let written = audit::writes(&log, AGENT);
    assert_eq!(written.into_iter().filter(own).count(), 0);
}
