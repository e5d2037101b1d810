//! Law 5: a pool that can't be mirrored is named in `skipped`, and the others are mirrored all the same.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use kube::Resource;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use modelarts_pool_controller::api::{ModelArtsPoolSource, SkippedPools};
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::support::env::{Env, source_condition};

fn skipped(source: &ModelArtsPoolSource) -> SkippedPools {
    let status = source.status.as_ref();
    let skipped = status.and_then(|s| s.skipped.clone());
    skipped.unwrap_or_else(|| panic!("nothing skipped: {source:?}"))
}

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
    let policy = Policy::apply(&env, "object.metadata.name != 'refused'").await;
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
    // The policy may be in force a little longer.
    while env
        .refresh("s")
        .await
        .status
        .and_then(|s| s.skipped)
        .is_some()
    {}
    env.mirrored("refused").await;
}

/// A policy for the mirrors of one namespace.
struct Policy(String);

impl Policy {
    /// Applies it, and returns when it is in force.
    async fn apply(env: &Env, rule: &str) -> Self {
        let name = format!("rules-of-{}", env.namespace);
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [{
                    "apiGroups": ["modelarts.huaweicloud.com"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["modelartspools"],
                }]},
                "validations": [{"expression": rule, "message": "this house has rules"}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
            "spec": {
                "policyName": name, "validationActions": ["Deny"],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": env.namespace}}},
            },
        });
        apply::<ValidatingAdmissionPolicy>(env, &name, policy).await;
        apply::<ValidatingAdmissionPolicyBinding>(env, &name, binding).await;
        let probe = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool", "metadata": {"name": "refused"}, "spec": {},
        });
        let probe = serde_json::from_value(probe).expect("an object");
        let params = kube::api::PostParams {
            dry_run: true,
            ..Default::default()
        };
        // Each try is a request to the API server, which reads its policies every few moments.
        while env.pools().create(&params, &probe).await.is_ok() {}
        Self(name)
    }

    async fn delete(self, env: &Env) {
        let api: Api<ValidatingAdmissionPolicyBinding> = Api::all(env.client.clone());
        let params = DeleteParams::default();
        api.delete(&self.0, &params).await.expect("a deletion");
    }
}

async fn apply<K>(env: &Env, name: &str, object: Value)
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::all(env.client.clone());
    let params = PatchParams::apply("tests");
    let applied = api.patch(name, &params, &Patch::Apply(object)).await;
    applied.expect("an accepted policy");
}
