//! The objects that the rules of health are tried with, as the real controller writes them on a real API server:
//! tests/consumers/health asks kstatus and the scripts of Argo CD about them.

use jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use modelarts_pool_controller::api::{CREDENTIALS_SECRET_TYPE, ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{Change, Fault, Operation, Scenario, Selection};
use serde_json::{Value, json};

use super::support::env::{Env, says, source_condition};
use super::support::generated::check;

const FOLDER: &str = "examples/argocd/resource_customizations/modelarts.huaweicloud.com";

/// A pool of a workspace, with a phase.
fn put(env: &Env, workspace: &str, id: &str, phase: Option<&str>, message: &str) {
    let mut pool = json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {"name": id, "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"os.modelarts/name": id}},
        "spec": {"type": "Dedicate", "scope": ["Train"], "resources": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2}]},
        "status": {"message": message, "resources": {"available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2}]}},
    });
    if let Some(phase) = phase {
        pool["status"]["phase"] = json!(phase);
    }
    let put = env.cloud().put_raw(id, workspace, &pool.to_string());
    put.expect("a pool");
}

/// Compares the object with its file, without what differs from run to run.
fn keep(env: &Env, kind: &str, file: &str, mut object: Value) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    for changing in ["managedFields", "resourceVersion"] {
        metadata.remove(changing);
    }
    steady(&mut object, env);
    let text = serde_saphyr::to_string(&object).expect("YAML");
    check(&format!("{FOLDER}/{kind}/testdata/{file}.yaml"), &text);
}

fn steady(value: &mut Value, env: &Env) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if key == "uid" {
                    *value = json!("00000000-0000-0000-0000-000000000000");
                }
                steady(value, env);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| steady(item, env)),
        Value::String(text) => {
            if text.parse::<Timestamp>().is_ok() {
                "2026-01-01T00:00:00Z".clone_into(text);
            }
            *text = text
                .replace(&env.endpoint(), "https://modelarts.example.com")
                .replace(&env.namespace, "modelarts");
            // The tests number their refreshes together.
            if text.starts_with("refresh-") {
                "refresh-0".clone_into(text);
            }
            // The id of the cloud's request.
            if let Some(at) = text.find("request id ") {
                let end = text[at + 11..].find([')', ',', ';', ' ']);
                let end = end.map_or(text.len(), |e| at + 11 + e);
                text.replace_range(at + 11..end, "0");
            }
        }
        _ => {}
    }
}

/// The object as the API server has it, with `apiVersion` and `kind`.
async fn pool(env: &Env, id: &str) -> Value {
    let resource = ApiResource::erase::<ModelArtsPool>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(env.client.clone(), &env.namespace, &resource);
    json!(api.get(id).await.expect("a mirror"))
}

async fn keep_pool(env: &Env, id: &str, file: &str) {
    keep(env, "ModelArtsPool", file, pool(env, id).await);
}

/// What no controller has a hand in, or what lasts for a moment only.
fn keep_moments(env: &Env, kind: &str, object: &Value) {
    let mut deleted = object.clone();
    deleted["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    keep(env, kind, "being-deleted", deleted);
    let mut changed = object.clone();
    let generation = object["metadata"]["generation"].as_i64();
    changed["metadata"]["generation"] = json!(generation.expect("a generation") + 1);
    keep(env, kind, "spec-changed", changed);
}

async fn keep_source(env: &Env, name: &str, file: &str) -> Value {
    let source = json!(env.sources_as_json().get(name).await.expect("a source"));
    keep(env, "ModelArtsPoolSource", file, source.clone());
    source
}

fn source_says(source: &ModelArtsPoolSource, type_: &str, status: &str, reason: &str) -> bool {
    source_condition(source, type_).is_some_and(|c| c.status == status && c.reason == reason)
}

async fn source_when(env: &Env, name: &str, type_: &str, status: &str, reason: &str) {
    let what = format!("{type_} is {status}/{reason}");
    env.source_when(name, &what, |s| source_says(s, type_, status, reason))
        .await;
}

#[tokio::test]
async fn pools_are_generated() {
    let env = Env::with(Scenario::default()).await;
    let ids = [
        "running",
        "creating",
        "abnormal",
        "creation-failed",
        "error",
        "deleting",
        "no-phase",
        "missing",
        "gone",
    ];
    let phases = [
        "Running",
        "Creating",
        "Abnormal",
        "CreationFailed",
        "Error",
        "Deleting",
        "",
        "Running",
        "Running",
    ];
    for (id, phase) in ids.into_iter().zip(phases) {
        let message = match phase {
            "Abnormal" => "2 nodes are abnormal",
            "CreationFailed" => "insufficient resources",
            _ => "",
        };
        put(&env, "0", id, (!phase.is_empty()).then_some(phase), message);
    }
    let prune = json!({"gracePeriod": "0s", "policy": "Retain"});
    env.add_source("team-a", json!({"interval": "5s", "prune": prune}))
        .await;
    let controller = env.start_controller().await;
    env.synced("team-a").await;
    env.cloud()
        .change_pool("missing", &Change::Hide)
        .expect("a pool");
    env.cloud().delete_pool("gone").expect("a pool");
    let missing = |p: &ModelArtsPool| says(p, "Ready", "Unknown", "Missing");
    env.pool_when("missing", "it is missing", missing).await;
    let gone = |p: &ModelArtsPool| says(p, "Ready", "False", "Gone");
    env.pool_when("gone", "it is gone", gone).await;
    for id in ids {
        keep_pool(&env, id, id).await;
    }

    let running = pool(&env, "running").await;
    keep_moments(&env, "ModelArtsPool", &running);
    let mut new = running;
    new.as_object_mut().expect("an object").remove("status");
    keep(&env, "ModelArtsPool", "not-observed", new);

    env.patch_source("team-a", &json!({"spec": {"suspend": true}}))
        .await;
    let suspended = |p: &ModelArtsPool| says(p, "Synced", "False", "Suspended");
    env.pool_when("running", "it is suspended", suspended).await;
    keep_pool(&env, "running", "suspended").await;
    controller.stop().await;

    // As if nobody had run the controller for a day, and the cloud were down since.
    let day_ago = Timestamp::now() - SignedDuration::from_hours(24);
    let time = day_ago.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let patch = Patch::Merge(json!({"status": {"lastSyncTime": time, "freshUntil": time}}));
    let (sources, params) = (env.sources(), PatchParams::default());
    let patched = sources.patch_status("team-a", &params, &patch);
    patched.await.expect("a status");
    env.patch_source("team-a", &json!({"spec": {"suspend": false}}))
        .await;
    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    let controller = env.start_controller().await;
    let stale = |p: &ModelArtsPool| says(p, "Synced", "False", "ListFailed");
    env.pool_when("running", "it is stale", stale).await;
    keep_pool(&env, "running", "stale").await;
    controller.stop().await;
}

#[tokio::test]
async fn sources_are_generated() {
    let env = Env::with(Scenario::default()).await;
    put(&env, "0", "running", Some("Running"), "");
    put(
        &env,
        "strange",
        "No Name Of Kubernetes",
        Some("Running"),
        "",
    );
    for i in 0..4 {
        put(&env, "hidden", &format!("hidden-{i}"), Some("Running"), "");
    }
    env.put_secret("wrong", CREDENTIALS_SECRET_TYPE, &json!({"token": "wrong"}))
        .await;
    env.add_source("synced", json!({"interval": "24h"})).await;
    keep_source(&env, "synced", "not-observed").await;

    env.cloud().hold(Selection::of(Operation::ListPools));
    let controller = env.start_controller().await;
    source_when(&env, "synced", "Ready", "Unknown", "FirstPass").await;
    keep_source(&env, "synced", "first-pass").await;
    env.cloud().release();
    source_when(&env, "synced", "Ready", "True", "Synced").await;
    let synced = keep_source(&env, "synced", "synced").await;
    keep_moments(&env, "ModelArtsPoolSource", &synced);
    let specs = [
        (
            "rejected",
            json!({"credentials": {"type": "Token", "secretRef": {"name": "wrong"}}}),
        ),
        (
            "no-secret",
            json!({"credentials": {"secretRef": {"name": "none"}}}),
        ),
        ("skipped", json!({"workspaceIds": ["strange"]})),
        ("halted", json!({"workspaceIds": ["hidden"]})),
    ];
    for (name, mut spec) in specs {
        spec["interval"] = json!("24h");
        env.add_source(name, spec).await;
    }
    source_when(&env, "rejected", "Stalled", "True", "CredentialsRejected").await;
    keep_source(&env, "rejected", "rejected").await;
    source_when(&env, "no-secret", "Stalled", "True", "SecretNotFound").await;
    keep_source(&env, "no-secret", "no-secret").await;
    source_when(&env, "skipped", "PoolsSkipped", "True", "PoolsSkipped").await;
    keep_source(&env, "skipped", "pools-skipped").await;
    source_when(&env, "halted", "Ready", "True", "Synced").await;
    for i in 0..3 {
        let hidden = env
            .cloud()
            .change_pool(&format!("hidden-{i}"), &Change::Hide);
        hidden.expect("a pool");
    }
    env.refresh("halted").await;
    source_when(&env, "halted", "PruneHalted", "True", "TooManyMissing").await;
    keep_source(&env, "halted", "prune-halted").await;

    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    env.add_source("never", json!({"interval": "24h"})).await;
    source_when(&env, "never", "Ready", "False", "CloudUnavailable").await;
    keep_source(&env, "never", "first-pass-failed").await;
    env.refresh("synced").await;
    keep_source(&env, "synced", "list-failed").await;
    env.patch_source("synced", &json!({"spec": {"suspend": true}}))
        .await;
    source_when(&env, "synced", "Ready", "False", "Suspended").await;
    keep_source(&env, "synced", "suspended").await;
    controller.stop().await;
}
