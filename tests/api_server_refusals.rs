//! An API server that refuses single things: a right is taken away, a quota is full. The source says which,
//! the rest goes on, and nothing is needed once it is mended.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::support::audit::busiest_second;
use super::support::chart::{RELEASE, install, kubectl};
use super::support::env::{Env, skipped, source_condition};
use super::support::process::Process;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// The rules of the account, without this verb on this resource.
fn rules_without(rules: &Value, verb: &str, resource: &str) -> Value {
    let mut rules = rules.as_array().expect("rules").clone();
    let rule = rules
        .iter()
        .position(|r| r["resources"] == json!([resource]));
    let rule = rule.unwrap_or_else(|| panic!("no rule of {resource}"));
    let verbs = rules[rule]["verbs"].as_array_mut().expect("verbs");
    let at = verbs.iter().position(|v| v == verb);
    verbs.remove(at.unwrap_or_else(|| panic!("no right to {verb} {resource}")));
    // A rule without verbs is refused.
    if verbs.is_empty() {
        rules.remove(rule);
    }
    rules.into()
}

// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_is_taken_away_is_named() {
    let env = Env::new().await;
    let kubeconfig = install(&env);
    let namespace = &*env.namespace;
    let process = Process::over(&env, &kubeconfig, &[]);
    env.synced("team-a").await;
    let role = kubectl(env.cluster, namespace, &["get", "role", RELEASE, "-o=json"]);
    let role: Value = serde_json::from_str(&role.expect("a Role")).expect("JSON");
    let set = |rules: &Value| {
        let patch = json!({ "rules": rules }).to_string();
        let arguments = ["patch", "role", RELEASE, "--type=merge", "--patch", &patch];
        kubectl(env.cluster, namespace, &arguments).expect("a Role");
    };
    let mut scope = 0;
    for (verb, resource) in [("get", "secrets"), ("patch", "modelartspools/status")] {
        set(&rules_without(&role["rules"], verb, resource));
        scope += 1;
        let change = json!({"spec": {"scope": [format!("S{scope}")]}, "status": {"message": format!("m{scope}")}});
        env.cloud().patch_pool(SAMPLE, change).expect("a pool");
        let source = env
            .source_when("team-a", &format!("{verb} {resource} is missed"), |s| {
                source_condition(s, "Ready").is_some_and(|c| c.reason == "APIServerForbidden")
            })
            .await;
        let ready = source_condition(&source, "Ready").expect("Ready");
        let words = format!("cannot {verb} resource \"{resource}\"");
        assert!(
            ready.message.contains(&words),
            "no {words:?} in: {}",
            ready.message
        );
        assert!(
            ready.message.contains("service account"),
            "{}",
            ready.message
        );
        set(&role["rules"]);
        env.synced("team-a").await;
        env.pool_when(SAMPLE, "it shows the change", |p| {
            let said = p.status.as_ref().and_then(|s| s.message.as_deref());
            said == Some(&*format!("m{scope}"))
                && p.spec.scope.as_deref() == Some(&[format!("S{scope}")])
        })
        .await;
    }
    // The status of the source can't say that it can't be written: the log does.
    set(&rules_without(
        &role["rules"],
        "patch",
        "modelartspoolsources/status",
    ));
    process
        .logged("cannot patch resource \"modelartspoolsources/status\"")
        .await;
    let event = env.event("team-a", "StatusNotWritten").await;
    let note = event.note.unwrap_or_default();
    assert!(note.contains("cannot patch resource"), "{note}");
    set(&role["rules"]);
    let before = env
        .synced("team-a")
        .await
        .status
        .and_then(|s| s.last_sync_time);
    env.source_when("team-a", "a pass is told", |s| {
        s.status.as_ref().and_then(|s| s.last_sync_time.as_ref()) > before.as_ref()
    })
    .await;
    let asked = Process::asked(env.cluster, namespace);
    let most = busiest_second(asked.iter().map(|r| r.received));
    assert!(most <= 25, "{most} requests in a second: {asked:#?}");
}

/// A quota of the namespace lets in two mirrors of three.
#[tokio::test]
async fn a_quota_skips_what_is_over_it() {
    let env = Env::with_pools(3).await;
    let name = "count/modelartspools.modelarts.huaweicloud.com";
    let api: Api<ResourceQuota> = Api::namespaced(env.client.clone(), &env.namespace);
    let quota = json!({"metadata": {"name": "mirrors"}, "spec": {"hard": {name: "2"}}});
    let quota = serde_json::from_value(quota).expect("a quota");
    api.create(&PostParams::default(), &quota)
        .await
        .expect("a quota");
    // As the controller that counts would do: none runs here.
    let set = async |hard: &str, used: &str| {
        let spec = Patch::Merge(json!({"spec": {"hard": {name: hard}}}));
        let status = Patch::Merge(json!({"status": {"hard": {name: hard}, "used": {name: used}}}));
        let params = PatchParams::default();
        api.patch("mirrors", &params, &spec).await.expect("a quota");
        api.patch_status("mirrors", &params, &status)
            .await
            .expect("a quota");
    };
    set("2", "0").await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("s").await;
    let skipped = skipped(&source);
    assert_eq!(skipped.count, 1);
    assert_eq!(skipped.pools[0].reason, "Refused");
    let message = &skipped.pools[0].message;
    assert!(message.contains("exceeded quota: mirrors"), "{message}");
    let mirrors = env.pools().list(&ListParams::default()).await;
    let mirrors = mirrors.expect("a list").items;
    assert_eq!(mirrors.len(), 2);
    assert!(mirrors.iter().all(|m| m.status.is_some()));

    set("3", "2").await;
    env.skips_nothing("s").await;
    let mirrors = env.pools().list(&ListParams::default()).await;
    assert_eq!(mirrors.expect("a list").items.len(), 3);
}
