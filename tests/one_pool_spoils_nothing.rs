//! Law 5: a pool that can't be mirrored is named in `skipped`, and the others are mirrored all the same.

use kube::api::ListParams;
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::json;

use super::support::env::{Env, skipped, source_condition};
use super::support::policy::Policy;

#[tokio::test]
async fn pools_that_can_not_be_mirrored_are_named() {
    let pool = |id: &str| json!({"metadata": {"name": id}, "spec": {"type": "Dedicate"}});
    let mut large = pool("large");
    large["spec"]["x"] = json!("x".repeat(1024 * 1024));
    let mut pools: Vec<String> = ["Upper-Case", "under_score", "-dash", "中文", "a..b", "a/b"]
        .iter()
        .map(|id| pool(id).to_string())
        .collect();
    pools.extend(["good", "also.good"].iter().map(|id| pool(id).to_string()));
    pools.push(pool(&"long".repeat(100)).to_string());
    pools.push(large.to_string());
    // As large as a pool may be. The rest of an object must fit into what etcd takes, too.
    let mut largest = pool("largest");
    let room = 1024 * 1024 - largest.to_string().len() - r#","x":"""#.len();
    largest["spec"]["x"] = json!("x".repeat(room));
    assert_eq!(largest.to_string().len(), 1024 * 1024);
    pools.push(largest.to_string());

    let env = Env::with(Scenario::default()).await;
    let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &pools);
    put.expect("pools");
    env.add_source("s", json!({})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("s").await;
    let skipped = skipped(&source);
    let found: Vec<(&str, &str)> = skipped
        .pools
        .iter()
        .map(|s| (s.id.get(..12).unwrap_or(&s.id), s.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("-dash", "InvalidName"),
            ("Upper-Case", "InvalidName"),
            ("a..b", "InvalidName"),
            ("a/b", "InvalidName"),
            ("large", "TooLarge"),
            ("longlonglong", "InvalidName"),
            ("under_score", "InvalidName"),
            ("中文", "InvalidName"),
        ]
    );
    assert_eq!(skipped.count, 8);
    assert_eq!(source.status.as_ref().and_then(|s| s.pools), Some(3));
    let condition = source_condition(&source, "PoolsSkipped").expect("PoolsSkipped");
    assert!(condition.message.contains("8 pools"), "{condition:?}");
    let mirrors = env.pools().list(&ListParams::default()).await;
    let names = mirrors.expect("a list").items.into_iter();
    let mut names: Vec<_> = names.filter_map(|m| m.metadata.name).collect();
    names.sort();
    assert_eq!(names, ["also.good", "good", "largest"]);

    // The condition goes with its cause.
    for id in ["Upper-Case", "under_score", "-dash", "中文", "a..b", "a/b"] {
        env.cloud().delete_pool(id).expect("a pool");
    }
    env.cloud().delete_pool("large").expect("a pool");
    let long = "long".repeat(100);
    env.cloud().delete_pool(&long).expect("a pool");
    let source = env.refresh("s").await;
    assert_eq!(source.status.as_ref().and_then(|s| s.skipped.clone()), None);
    assert!(source_condition(&source, "PoolsSkipped").is_none());
}

#[tokio::test]
async fn what_a_policy_refuses_is_named_and_tried_again_on_request() {
    let pools = ["good-1", "refused", "good-2"]
        .map(|id| json!({"metadata": {"name": id}, "spec": {"type": "Dedicate"}}).to_string());
    let env = Env::with(Scenario::default()).await;
    let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &pools);
    put.expect("pools");
    let policy = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [{
            "apiGroups": ["modelarts.huaweicloud.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["modelartspools"],
        }]},
        "validations": [{"expression": "object.metadata.name != 'refused'", "message": "this house has rules"}],
    });
    let policy = Policy::apply(&env, policy).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("s").await;
    let skipped = skipped(&source);
    assert_eq!(skipped.pools.len(), 1, "{skipped:?}");
    assert_eq!(skipped.pools[0].id, "refused");
    assert_eq!(skipped.pools[0].reason, "Refused");
    let message = &skipped.pools[0].message;
    assert!(message.contains("this house has rules"), "{message}");
    env.mirrored("good-1").await;
    env.mirrored("good-2").await;

    policy.delete(&env).await;
    env.skips_nothing("s").await;
    env.mirrored("refused").await;
}
