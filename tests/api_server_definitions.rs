//! The definitions of our kinds are not there yet, or go and come again; and an object that was stored
//! under other definitions does not fit the types.

use kube::api::ListParams;
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Generate, Scenario};
use serde_json::{Value, json};

use super::support::audit::busiest_second;
use super::support::cluster::{Cluster, breakable, run};
use super::support::env::Env;
use super::support::process::{Process, eventually, output};

const CRDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");

fn scenario(pools: usize) -> Scenario {
    Scenario {
        generate: vec![Generate::pools(pools)],
        ..Scenario::default()
    }
}

fn apply_crds(cluster: &Cluster) {
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = ("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"));
    let applied = output(&["crds", "--apply"], &[kubeconfig]);
    assert!(applied.status.success(), "{applied:?}");
}

// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_that_go_and_come_again_need_no_restart() {
    let (_turn, cluster) = breakable().await;
    let env = Env::on(cluster, scenario(20)).await;
    env.add_source("s", json!({})).await;
    let mut process = Process::of(&env);
    env.synced("s").await;
    let begun = Process::asked(cluster, &env.namespace).len();

    run(cluster
        .kubectl()
        .args(["delete", "--wait", "--filename", CRDS]))
    .expect("no definitions");
    // Another one starts without them.
    let mut early = Process::of(&env);
    for process in [&mut process, &mut early] {
        for resource in ["modelartspools", "modelartspoolsources"] {
            let words = format!(
                "{resource} (modelarts.huaweicloud.com/v1alpha1) in namespace {}: 404 page not found; the API server does not serve it: apply the CRDs",
                env.namespace
            );
            process.probe_says("/readyz", 503, &words).await;
        }
        assert_eq!(process.get("/livez").await, (200, "ok\n".to_owned()));
    }
    drop(early);
    let asked = || Process::asked(cluster, &env.namespace);
    let gone = asked().len();
    eventually("it has looked for a while", || asked().len() >= gone + 16).await;
    let since = asked().split_off(gone);
    let most = busiest_second(since.iter().map(|r| r.received));
    assert!(most <= 6, "{most} requests in a second: {since:#?}");
    let all = asked().split_off(begun);
    let most = busiest_second(all.iter().map(|r| r.received));
    assert!(most <= 100, "{most} requests in a second: {all:#?}");

    apply_crds(cluster);
    process.ready().await;
    env.add_source("s", json!({})).await;
    env.synced("s").await;
    let mirrors = env.pools().list(&ListParams::default()).await;
    assert_eq!(mirrors.expect("a list").items.len(), 20);
}

// kubectl blocks a thread; the simulated cloud needs another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fits_no_type_is_healed_and_spoils_nothing() {
    let (_turn, cluster) = breakable().await;
    let env = Env::on(cluster, scenario(5)).await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let id = env.cloud().pool_ids().into_iter().next().expect("a pool");
    let before = env.mirrored(&id).await;
    controller.stop().await;

    // Stored while the definition said less, as an older one may have done.
    let kubectl = |arguments: &[&str], patch: &Value| {
        let mut kubectl = cluster.kubectl();
        let kubectl = kubectl.args(["--namespace", &env.namespace, "patch"]);
        run(kubectl
            .args(arguments)
            .args(["--patch", &patch.to_string()]))
    };
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    for (kind, crd) in [
        ("modelartspools", "modelartspools.modelarts.huaweicloud.com"),
        (
            "modelartspoolsources",
            "modelartspoolsources.modelarts.huaweicloud.com",
        ),
    ] {
        let mut lax = vec![json!({
            "op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": any,
        })];
        if kind == "modelartspools" {
            lax.push(json!({"op": "remove", "path": "/spec/versions/0/selectableFields"}));
        }
        kubectl(&["crd", crd, "--type=json"], &lax.into()).expect("a lax definition");
    }
    let odd = json!({"spec": {"type": 5, "resources": "none", "scope": {"a": 1}}});
    let odd_status = json!({"status": {
        "phase": ["x"], "resources": 7, "conditions": "good", "counts": [], "observedGeneration": "x",
    }});
    let mirror = ["modelartspool", &*id, "--type=merge"];
    let in_force = || kubectl(&mirror, &odd).is_ok();
    eventually("the lax definition of mirrors is in force", in_force).await;
    let of_mirror = [&mirror[..], &["--subresource=status"]].concat();
    kubectl(&of_mirror, &odd_status).expect("an odd status");
    let of_source = [
        "modelartspoolsource",
        "s",
        "--type=merge",
        "--subresource=status",
    ];
    let in_force = || kubectl(&of_source, &odd_status).is_ok();
    eventually("the lax definition of sources is in force", in_force).await;
    env.add_source("odd", json!({"interval": "24h"})).await;
    let odd_spec = json!({"spec": {"labelSelector": 5}});
    kubectl(&["modelartspoolsource", "odd", "--type=merge"], &odd_spec).expect("an odd spec");
    apply_crds(cluster);

    let controller = env.start_controller().await;
    for id in env.cloud().pool_ids() {
        env.mirrored(&id).await;
    }
    let healed = |p: &ModelArtsPool| {
        let phase = |p: &ModelArtsPool| p.status.as_ref().and_then(|s| s.phase.clone());
        p.spec == before.spec && phase(p) == phase(&before)
    };
    env.pool_when(&id, "it is as it was", healed).await;
    env.synced("s").await;
    // A spec is its owner's: it is told, and kept.
    let event = env.event("odd", "StatusNotWritten").await;
    let note = event.note.unwrap_or_default();
    assert!(note.contains(".spec.labelSelector"), "{note}");
    kubectl(
        &["modelartspoolsource", "odd", "--type=merge"],
        &json!({"spec": {"labelSelector": ""}}),
    )
    .expect("a spec");
    env.source_when("odd", "it says something", |s| {
        s.status.as_ref().is_some_and(|s| s.conditions.is_some())
    })
    .await;
    assert_eq!(controller.health.ready(), Ok(()));
}
