//! Law 2: a pass over unchanged pools writes nothing to any mirror, and at most one status to the
//! source.

use std::collections::BTreeMap;

use kube::api::ListParams;
use modelarts_pool_controller::simulator::{Change, Operation, Scenario};
use serde_json::json;

use super::support::audit::{Request, writes};
use super::support::env::Env;

/// The default world without its timeline.
fn world() -> Scenario {
    let mut scenario = Scenario::default_world().expect("the default world");
    scenario.timeline.clear();
    scenario
}

async fn versions(env: &Env) -> BTreeMap<String, String> {
    let list = env.pools().list(&ListParams::default()).await;
    let items = list.expect("a list").items.into_iter();
    items
        .map(|p| {
            (
                p.metadata.name.expect("a name"),
                p.metadata.resource_version.expect("a version"),
            )
        })
        .collect()
}

fn to_mirrors(requests: &[Request]) -> Vec<&Request> {
    let is_mirror = |r: &&Request| r.object_ref.resource == "modelartspools";
    requests.iter().filter(is_mirror).collect()
}

#[tokio::test]
async fn nothing_changed_nothing_written() {
    let env = Env::with(world()).await;
    env.add_source("s", json!({"workspaceIds": ["*"], "interval": "24h"}))
        .await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let before = versions(&env).await;
    assert!(before.len() >= 7);
    let log = env.cluster.audit_log();
    let writes_before = writes(&log, &controller.agent).len();
    let listings = env.cloud().requests().gets(Operation::ListPools);

    // The cloud's order means nothing, of pools or of what is in them.
    env.cloud().reorder(Some(7));
    env.refresh("s").await;
    let reversed = json!({"spec": {"scope": ["Notebook", "Infer", "Train"]}});
    let npu = "pool-npu-0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    env.cloud().patch_pool(npu, reversed).expect("a change");
    env.refresh("s").await;
    // A controller that has just started knows nothing and writes nothing either.
    controller.stop().await;
    let controller = env.start_controller().await;
    env.refresh("s").await;

    assert!(env.cloud().requests().gets(Operation::ListPools) >= listings + 6);
    assert_eq!(versions(&env).await, before);
    let writes = writes(&log, &controller.agent).split_off(writes_before);
    assert!(to_mirrors(&writes).is_empty(), "{writes:#?}");
    assert!(
        writes.iter().all(|r| r.object_ref.subresource == "status"),
        "{writes:#?}"
    );
    // Two refreshes, the first pass after the start, and one refresh more, which may be that pass.
    assert!((3..=4).contains(&writes.len()), "{writes:#?}");
}

#[tokio::test]
async fn one_change_is_one_write() {
    let env = Env::with(world()).await;
    env.add_source("s", json!({"workspaceIds": ["*"], "interval": "24h"}))
        .await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let before = versions(&env).await;
    let log = env.cluster.audit_log();
    let writes_before = writes(&log, &controller.agent).len();

    let gpu = "pool-gpu-0a1b2c3d4e5f60718293a4b5c6d7e8f9";
    let nodes = Change::AbnormalNodes {
        count: 1,
        flavor: None,
    };
    env.cloud().change_pool(gpu, &nodes).expect("a change");
    env.refresh("s").await;

    let writes = writes(&log, &controller.agent).split_off(writes_before);
    let to_mirrors = to_mirrors(&writes);
    assert_eq!(to_mirrors.len(), 1, "{writes:#?}");
    assert_eq!(to_mirrors[0].object_ref.name, gpu);
    assert_eq!(to_mirrors[0].object_ref.subresource, "status");
    let after = versions(&env).await;
    let changed: Vec<_> = after.iter().filter(|(n, v)| before[*n] != **v).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
}
