//! A mirror says what the official SDK is sent of its pool, field by field, for every fixture there is:
//! spec, status and metadata, without what is left out or moved on purpose.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Generate, Scenario, World};
use serde_json::{Value, json};

use super::odd_pools_are_mirrored::odd_pools;
use super::process_keeps_secrets::pool as pool_with_secrets;
use super::support::differences::differences;
use super::support::env::Env;
use super::support::expected::expected;
use super::support::markdown::{blocks, read};
use super::support::sdk::{Outcome, ask, call};

const SOURCE: &str = "peer";

/// The pools of a scenario at each second of its first minutes in which one of them is new or changed,
/// under names of their own.
fn film(scenario: &Scenario, prefix: &str) -> Vec<String> {
    let mut world = World::new(scenario, Timestamp::UNIX_EPOCH).expect("a world");
    let mut frames: Vec<Value> = Vec::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for second in 0..180 {
        world.advance_to(Duration::from_secs(second));
        let ids: Vec<String> = world.ids().map(str::to_owned).collect();
        for id in ids {
            let json = world.pool(&id).expect("a pool").to_string();
            let mut frame: Value = serde_json::from_str(&json).expect("JSON");
            if known.insert(id.clone(), json.clone()) == Some(json) {
                continue;
            }
            let name = format!("{prefix}-{second}-{id}");
            frame["metadata"]["name"] = json!(name);
            frames.push(frame);
        }
    }
    frames.iter().map(Value::to_string).collect()
}

/// What no other fixture has, all at once: secrets, and labels that can't stay labels.
fn guarded() -> String {
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {
            "name": "guarded", "creationTimestamp": "2025-01-01T08:00:00.75+08:00",
            "labels": {"os.modelarts/name": "训练 池!", "os.modelarts/训练": "x", "os.modelarts.pool/biz": "private",
                "os.modelarts/workspace.id": "another", "argocd.argoproj.io/instance": "x", "os.modelarts/privileged": true,
                "app.kubernetes.io/managed-by": "Helm", "os.modelartsx/a": "1", "os.modelarts/login-token": "hidden"},
            "annotations": {"os.modelarts/description": "含中文", "os.modelarts/billing.mode": 0, "meta.helm.sh/release-name": "x",
                "os.modelarts/access": r#"{"type":"Enabled","accessToken":"hidden","deep":[{"db_password":"hidden","n":1}]}"#},
        },
        "spec": {
            "type": "Dedicate", "scope": ["Train", "X-Infer"], "controlMode": "9", "ipv6enable": "true",
            "userLogin": {"keyPairName": "ops", "password": "hidden"},
            "resources": [{"flavor": "f", "count": "2", "maxCount": 2.0, "nodePool": null,
                "extendParams": {"post_install": "hidden", "PostInstall": "hidden", "dockerBaseSize": 50, "new": {"secretKey": "hidden", "x": [null, {}]}},
                "dataVolumes": {"volumeType": "SSD", "size": 500, "count": "1"},
                "volumeGroupConfigs": {"volumeGroup": "vgpaas", "types": ["local"]}}],
            "new": {"privateKey": "hidden", "credentials": {"ak": "hidden"}, "kept": [1, "a", null]},
        },
        "status": {
            "phase": "NewInTheCloud", "message": "", "resources": {"available": {"flavor": "f", "count": 2}, "creating": null, "new": 1},
            "clusters": {"name": "c", "plugins": {"name": "p"}}, "conditions": [{"type": "Ready"}], "counts": {"available": 99},
            "flavors": "mine", "cloud": {"x": 1}, "observedGeneration": "y", "otherMetadata": null, "creationTimestamp": 5,
        },
    })
    .to_string()
}

/// Every fixture, by the workspace that it is put into.
pub(super) fn fixtures() -> Vec<(&'static str, Vec<String>)> {
    let sample = Scenario::documented_sample().expect("the documented sample");
    let verbatim = sample.pools.iter().map(|placed| placed.pool.to_string());
    let world = Scenario::default_world().expect("the default world");
    let guide = read("docs/simulator.md");
    let mut examples = vec![read("examples/scenario.yaml")];
    examples.extend(blocks(&guide, "yaml").into_iter().map(str::to_owned));
    let examples = examples.iter().enumerate().flat_map(|(index, text)| {
        let scenario = Scenario::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        film(&scenario, &format!("example-{index}"))
    });
    vec![
        ("0", verbatim.collect()),
        ("world", film(&world, "world")),
        ("examples", examples.collect()),
        // Its kinds of pools come again after a hundred.
        (
            "generated",
            Generate::pools(100)
                .iter()
                .map(|pool| pool.to_string())
                .collect(),
        ),
        ("guarded", vec![guarded(), pool_with_secrets().to_string()]),
        ("odd", odd_pools()),
    ]
}

/// The calls that list all of a workspace, as one must who wants the failed pools too.
fn listings(workspace: &str) -> [Value; 2] {
    [
        call("list_pools", &json!({"workspace_id": workspace})),
        call(
            "list_pools",
            &json!({"workspace_id": workspace, "status": "failed"}),
        ),
    ]
}

/// What the SDK was sent: workspace and JSON of each pool.
async fn sent(env: &Env) -> BTreeMap<String, (String, Value)> {
    let workspaces = ask(&env.endpoint(), vec![call("list_workspace", &json!({}))]).await;
    let workspaces = workspaces[0].typed.clone();
    let calls = workspaces
        .iter()
        .flat_map(|workspace| listings(workspace))
        .collect();
    let lists = ask(&env.endpoint(), calls).await;
    let mut sent = BTreeMap::new();
    for (workspace, lists) in workspaces.iter().zip(lists.chunks(2)) {
        for list in lists {
            // Its own types stumble over nothing but what is made to make one stumble.
            assert!(
                list.read || ["odd", "guarded"].contains(&&**workspace),
                "{list:?}"
            );
            for pool in list.json()["items"].as_array().expect("items") {
                let name = pool["metadata"]["name"].as_str().expect("a name");
                sent.insert(name.to_owned(), (workspace.clone(), pool.clone()));
            }
        }
    }
    sent
}

async fn mirrors(env: &Env) -> BTreeMap<String, Value> {
    let resource = ApiResource::erase::<ModelArtsPool>(&());
    let api: Api<DynamicObject> =
        Api::namespaced_with(env.client.clone(), &env.namespace, &resource);
    let list = api.list(&ListParams::default()).await.expect("a list");
    let named = list.items.iter().map(|mirror| {
        let name = mirror.metadata.name.clone().expect("a name");
        (name, serde_json::to_value(mirror).expect("JSON"))
    });
    named.collect()
}

/// What of a mirror comes from the cloud.
fn clouds_part(mirror: &Value) -> Value {
    let mut status = mirror["status"].clone();
    for ours in ["counts", "flavors", "conditions", "observedGeneration"] {
        status.as_object_mut().expect("a status").remove(ours);
    }
    let metadata = |field: &str| match &mirror["metadata"][field] {
        Value::Null => json!({}),
        map => map.clone(),
    };
    json!({
        "labels": metadata("labels"), "annotations": metadata("annotations"),
        "spec": mirror["spec"], "status": status,
    })
}

#[tokio::test]
async fn for_every_fixture() {
    let env = Env::with(Scenario::default()).await;
    let mut count = 0;
    for (workspace, pools) in fixtures() {
        for text in &pools {
            let pool: Value = serde_json::from_str(text).expect("JSON");
            let id = pool["metadata"]["name"].as_str().expect("a name");
            env.cloud().put_raw(id, workspace, text).expect("a pool");
        }
        assert!(!pools.is_empty(), "{workspace} has lost its pools");
        count += pools.len();
    }
    env.add_source(SOURCE, json!({"workspaceIds": ["*"], "interval": "24h"}))
        .await;
    let controller = env.start_controller().await;
    let source = env.synced(SOURCE).await;
    assert_eq!(source.status.expect("a status").skipped, None);
    let sent = sent(&env).await;
    let mirrors = mirrors(&env).await;
    controller.stop().await;

    assert_eq!(sent.len(), count, "each fixture has its own name");
    let names = |map: Vec<&String>| map.into_iter().cloned().collect::<Vec<String>>();
    assert_eq!(
        names(mirrors.keys().collect()),
        names(sent.keys().collect())
    );
    let mut wrong = Vec::new();
    for (name, (workspace, pool)) in &sent {
        let expected = expected(pool, SOURCE, workspace);
        let expected = json!({
            "labels": expected.labels, "annotations": expected.annotations,
            "spec": expected.spec, "status": expected.status,
        });
        differences(&expected, &clouds_part(&mirrors[name]), name, &mut wrong);
    }
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(!json!(mirrors).to_string().contains("hidden"));

    // ShowPool says the same as the list.
    let calls = sent
        .keys()
        .map(|name| call("show_pool", &json!({"pool_name": name})));
    let shown: Vec<Outcome> = ask(&env.endpoint(), calls.collect()).await;
    for ((name, (_, pool)), shown) in sent.iter().zip(shown) {
        assert_eq!(&shown.json(), pool, "{name}");
    }
}
