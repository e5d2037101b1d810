//! Law 1: only a complete listing can change a mirror. A failed, partial, empty or odd answer changes
//! nothing but what the source says of it.

use futures::future::join_all;
use modelarts_pool_controller::simulator::{Fault, Match, Operation, Preset, Scenario};
use serde_json::{Value, json};

use super::support::env::{Env, source_condition};

/// What the cloud answers to ListPools, and the reason that the source then gives.
fn faults() -> Vec<(&'static str, Fault, &'static str)> {
    let preset = |preset| Fault::preset(Operation::ListPools, preset);
    let status = |status| Fault::status(Operation::ListPools, status);
    let body = |body: Value| Fault {
        body: Some(body),
        ..status(200)
    };
    vec![
        ("truncated", preset(Preset::Truncated), "IncompleteListing"),
        (
            "empty object",
            preset(Preset::EmptyObject),
            "IncompleteListing",
        ),
        ("items null", preset(Preset::ItemsNull), "IncompleteListing"),
        (
            "error with 200",
            preset(Preset::ErrorWith200),
            "IncompleteListing",
        ),
        ("wrong kind", preset(Preset::WrongKind), "IncompleteListing"),
        (
            "item without id",
            preset(Preset::ItemWithoutId),
            "IncompleteListing",
        ),
        (
            "remaining without continue",
            preset(Preset::RemainingWithoutContinue),
            "IncompleteListing",
        ),
        (
            "repeated continue",
            preset(Preset::RepeatedContinue),
            "IncompleteListing",
        ),
        ("closed", preset(Preset::Close), "CloudUnavailable"),
        ("redirect", preset(Preset::Redirect), "CloudUnavailable"),
        ("throttled", preset(Preset::Throttle), "Throttled"),
        ("no JSON", body(json!("<html>")), "IncompleteListing"),
        ("an array", body(json!([])), "IncompleteListing"),
        ("bad request", status(400), "InvalidRequest"),
        ("forbidden", status(403), "Forbidden"),
        (
            "not found",
            Fault {
                code: Some("APIGW.0101".to_owned()),
                ..status(404)
            },
            "EndpointNotFound",
        ),
        ("conflict", status(409), "InvalidRequest"),
        ("server error", status(500), "CloudUnavailable"),
        ("no content", status(204), "CloudUnavailable"),
        ("unavailable", status(503), "CloudUnavailable"),
    ]
}

/// Sets the pool of workspace `w` to `phase`.
fn put(env: &Env, w: usize, phase: &str) {
    let id = format!("pool-{w}");
    let pool = json!({"kind": "Pool", "apiVersion": "v2", "metadata": {"name": id},
        "spec": {"type": "Dedicate"}, "status": {"phase": phase, "resources": {}}});
    let put = env
        .cloud()
        .put_raw(&id, &format!("w{w}"), &pool.to_string());
    put.expect("a pool");
}

#[tokio::test]
async fn whatever_goes_wrong_the_mirrors_stay() {
    let env = Env::with(Scenario::default()).await;
    let faults = faults();
    for (w, _) in faults.iter().enumerate() {
        let workspace = format!("w{w}");
        put(&env, w, "Running");
        env.add_source(
            &format!("source-{w}"),
            json!({"workspaceIds": [workspace], "interval": "24h"}),
        )
        .await;
    }
    let _controller = env.start_controller().await;

    let cases = faults.into_iter().enumerate();
    let checks = cases.map(|(w, (what, fault, reason))| {
        let env = &env;
        async move {
            let name = format!("source-{w}");
            let before = env.synced(&name).await.status.expect("a status");
            let mirror = env.mirrored(&format!("pool-{w}")).await;

            let workspace = format!("w{w}");
            let matching = Match {
                workspace_id: Some(workspace.clone()),
                // The second request of the pass fails: what the first one brought is not used either.
                status: Some("failed".to_owned()),
                ..Match::default()
            };
            let fault = Fault { matching, ..fault };
            env.cloud().add_fault(fault).expect(what);
            put(env, w, "Error");
            let source = env.refresh(&name).await;
            let ready = source_condition(&source, "Ready").expect("Ready");
            assert_eq!(
                (ready.status.as_str(), ready.reason.as_str()),
                ("False", reason),
                "{what}: {}",
                ready.message
            );
            assert!(
                ready.message.contains("ListPools") && ready.message.contains("; "),
                "{what}: {}",
                ready.message
            );
            let status = source.status.expect("a status");
            assert_eq!(status.last_sync_time, before.last_sync_time, "{what}");
            assert_eq!(status.fresh_until, before.fresh_until, "{what}");
            assert_eq!(status.pools, before.pools, "{what}");
            assert_eq!(status.counts, before.counts, "{what}");
            assert!(
                status.last_attempt_time > before.last_attempt_time,
                "{what}"
            );
            let after = env.pools().get(&format!("pool-{w}")).await.expect(what);
            assert_eq!(
                after.metadata.resource_version, mirror.metadata.resource_version,
                "{what}"
            );
        }
    });
    join_all(checks).await;

    // All recover alone, and only then does the change appear.
    env.cloud().clear_faults();
    let recoveries = (0..env.cloud().pool_ids().len()).map(|w| {
        let env = &env;
        async move {
            let source = env.refresh(&format!("source-{w}")).await;
            let ready = source_condition(&source, "Ready").expect("Ready");
            assert_eq!(ready.status, "True", "{}", ready.message);
            let changed = |p: &modelarts_pool_controller::api::ModelArtsPool| {
                p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Error")
            };
            env.pool_when(&format!("pool-{w}"), "it is in phase Error", changed)
                .await;
        }
    });
    join_all(recoveries).await;
    assert_eq!(env.cloud().requests().not_get, 0);
}
