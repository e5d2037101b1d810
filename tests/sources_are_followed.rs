//! A source says when the cloud is asked, with what, and for what; and its status says how that went.

use modelarts_pool_controller::api::ModelArtsPoolSource;
use modelarts_pool_controller::simulator::{
    DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, Fault, Operation, Selection,
};
use serde_json::{Value, json};

use super::support::env::{Env, SECRET, source_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

fn ready_reason(source: &ModelArtsPoolSource) -> Option<&str> {
    source_condition(source, "Ready").map(|c| c.reason.as_str())
}

/// Adds a workspace with one pool.
fn add_workspace(env: &Env, id: &str) {
    let pool = format!("pool-of-{id}");
    let json = json!({"metadata": {"name": pool}}).to_string();
    env.cloud().put_raw(&pool, id, &json).expect("a pool");
}

/// The source, as soon as it is not ready for `reason`, which only a person can mend; what it says.
async fn stalled(env: &Env, name: &str, reason: &str) -> String {
    let source = env
        .source_when(name, reason, |s| {
            ready_reason(s) == Some(reason) && source_condition(s, "Stalled").is_some()
        })
        .await;
    assert!(source_condition(&source, "Reconciling").is_none());
    let stalled = source_condition(&source, "Stalled").expect("Stalled");
    assert_eq!(
        (stalled.status.as_str(), stalled.reason.as_str()),
        ("True", reason)
    );
    source_condition(&source, "Ready")
        .expect("Ready")
        .message
        .clone()
}

#[tokio::test]
async fn status_tells_of_the_last_pass() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "1m"})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("s").await;
    assert!(source_condition(&source, "Reconciling").is_none());
    let status = source.status.expect("a status");
    assert_eq!(status.observed_generation, Some(1));
    assert_eq!(status.pools, Some(1));
    assert_eq!(status.counts.expect("counts").available, Some(2));
    let (synced, fresh) = (
        status.last_sync_time.expect("a time"),
        status.fresh_until.expect("a time"),
    );
    assert_eq!(status.last_attempt_time.as_ref(), Some(&synced));
    // An interval, and twice as long again for passes that fail.
    assert_eq!(fresh.0.duration_since(synced.0).as_secs(), 180);
    let asked = env.cloud().requests().last[0].at;
    assert!(
        asked.duration_since(synced.0).as_secs().abs() <= 1,
        "when the first request left"
    );
}

#[tokio::test]
async fn the_interval_is_kept_and_a_new_one_is_taken() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    env.patch_source("s", &json!({"spec": {"interval": "5s"}}))
        .await;
    // The change begins a pass; from there on the interval counts.
    let listings = env.cloud().requests().gets(Operation::ListPools);
    let requests = env
        .asked(|r| r.gets(Operation::ListPools) >= listings + 6)
        .await;
    let starts: Vec<_> = requests
        .last
        .iter()
        .filter(|r| !r.query.contains("status="))
        .map(|r| r.at)
        .collect();
    let gap = starts[starts.len() - 1].duration_since(starts[starts.len() - 2]);
    assert!(gap.as_millis() >= 4_490, "{gap}: 5 s with 10 % jitter");
}

#[tokio::test]
async fn a_suspended_source_asks_nothing_and_goes_on_later() {
    let env = Env::new().await;
    env.add_source("s", json!({"suspend": true})).await;
    let _controller = env.start_controller().await;
    let suspended = |s: &ModelArtsPoolSource| ready_reason(s) == Some("Suspended");
    env.source_when("s", "it is suspended", suspended).await;
    assert_eq!(env.cloud().requests().counts.len(), 0);

    env.patch_source("s", &json!({"spec": {"suspend": false}}))
        .await;
    let synced = env.synced("s").await.status.expect("a status");
    // Suspended while it lists: the listing is given up, its mirrors stay, and an edit is still undone.
    env.cloud().hold(Selection::of(Operation::ListPools));
    env.asked(|r| r.held > 0).await;
    let changed = json!({"spec": {"type": "Logical"}});
    env.cloud().patch_pool(SAMPLE, changed).expect("a change");
    env.patch_source("s", &json!({"spec": {"suspend": true}}))
        .await;
    let source = env.source_when("s", "it is suspended", suspended).await;
    env.cloud().release();
    env.asked(|r| r.in_flight == 0).await;
    let status = source.status.expect("a status");
    assert_eq!(status.last_sync_time, synced.last_sync_time);
    assert_eq!(status.pools, Some(1));
    let edit = kube::api::Patch::Merge(json!({"spec": {"scope": ["mine"]}}));
    env.pools()
        .patch(SAMPLE, &kube::api::PatchParams::default(), &edit)
        .await
        .expect("an edit");
    let pool = env
        .pool_when(SAMPLE, "the edit is undone", |p| {
            p.spec.scope.as_ref().is_some_and(|s| s.len() == 2)
        })
        .await;
    assert_eq!(
        pool.spec.type_.as_deref(),
        Some("Dedicate"),
        "the given-up listing changed nothing"
    );
}

#[tokio::test]
async fn a_refresh_skips_the_interval_and_is_answered_also_by_a_failure() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "24h"})).await;
    let _controller = env.start_controller().await;
    env.synced("s").await;
    env.cloud()
        .add_fault(Fault::status(Operation::ListPools, 503))
        .expect("a fault");
    let source = env.refresh("s").await;
    assert_eq!(ready_reason(&source), Some("CloudUnavailable"));
    env.cloud().clear_faults();
    let source = env.refresh("s").await;
    assert_eq!(ready_reason(&source), Some("Synced"));

    // Two requests at once are at most one pass in 5 s, and the last one is answered.
    env.cloud().reset_requests();
    env.refresh("s").await;
    env.refresh("s").await;
    let starts: Vec<_> = env
        .cloud()
        .requests()
        .last
        .iter()
        .filter(|r| !r.query.contains("status="))
        .map(|r| r.at)
        .collect();
    // The passes begin 5 s apart. A request leaves later where reading the Secret before it took longer.
    assert!(
        starts
            .windows(2)
            .all(|w| w[1].duration_since(w[0]).as_millis() >= 3_000),
        "{starts:?}"
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_said_by_name() {
    let env = Env::new().await;
    let cases: [(&str, &str, Option<Value>, &str, &str); 5] = [
        ("none", "Opaque", None, "SecretNotFound", "none"),
        (
            "wrong-type",
            "kubernetes.io/basic-auth",
            Some(json!({"username": "u", "password": "hunter2"})),
            "SecretInvalid",
            "kubernetes.io/basic-auth",
        ),
        (
            "no-key",
            "Opaque",
            Some(json!({"accessKey": "AK"})),
            "SecretInvalid",
            "secretKey",
        ),
        (
            "empty-key",
            "Opaque",
            Some(json!({"accessKey": "", "secretKey": "hunter2"})),
            "SecretInvalid",
            "accessKey",
        ),
        (
            "unprintable",
            "Opaque",
            Some(json!({"accessKey": "AK", "secretKey": "hunter\n2"})),
            "SecretInvalid",
            "secretKey",
        ),
    ];
    for (secret, type_, data, ..) in &cases {
        if let Some(data) = data {
            env.put_secret(secret, type_, data).await;
        }
        let credentials = json!({"credentials": {"secretRef": {"name": secret}}});
        env.add_source(secret, credentials).await;
    }
    let _controller = env.start_controller().await;
    for (secret, _, _, reason, named) in &cases {
        let message = stalled(&env, secret, reason).await;
        assert!(
            message.contains(&format!("{}/{secret}", env.namespace)),
            "{message}"
        );
        assert!(
            message.contains(named) && !message.contains("hunter"),
            "{message}"
        );
    }
    assert_eq!(env.cloud().requests().counts.len(), 0, "nothing was asked");

    // Mended, they are read again without a restart.
    let good = json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY});
    env.put_secret("none", "Opaque", &good).await;
    env.put_secret("no-key", "Opaque", &good).await;
    let source = env.synced("none").await;
    assert!(source_condition(&source, "Stalled").is_none());
    env.source_when("no-key", "it reads the mended Secret", |s| {
        source_condition(s, "Stalled").is_none()
    })
    .await;
}

#[tokio::test]
async fn a_rejected_key_is_not_tried_again_until_the_secret_changes() {
    let env = Env::new().await;
    env.put_secret(
        SECRET,
        "modelarts.huaweicloud.com/credentials",
        &json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": "hunter2"}),
    )
    .await;
    env.add_source("s", json!({})).await;
    let _controller = env.start_controller().await;
    let message = stalled(&env, "s", "CredentialsRejected").await;
    assert!(
        message.contains("HTTP 401") && !message.contains("hunter2"),
        "{message}"
    );
    assert_eq!(env.cloud().requests().answered(401), 1);
    // Neither a refresh nor the next passes try it again: six rejections lock the key.
    let asked = json!({"metadata": {"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "now"}}});
    env.patch_source("s", &asked).await;
    // Another source with another key shows that time goes by and passes are made.
    env.put_secret(
        "other",
        "Opaque",
        &json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY}),
    )
    .await;
    env.add_source(
        "other",
        json!({"credentials": {"secretRef": {"name": "other"}}}),
    )
    .await;
    env.asked(|r| r.answered(200) >= 6).await;
    assert_eq!(env.cloud().requests().answered(401), 1);

    env.put_secret(
        SECRET,
        "modelarts.huaweicloud.com/credentials",
        &json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY}),
    )
    .await;
    let source = env
        .source_when("s", "it reads the changed Secret", |s| {
            ready_reason(s) == Some("Synced")
        })
        .await;
    assert!(source_condition(&source, "Stalled").is_none());
}

#[tokio::test]
async fn only_allowed_endpoints_are_asked() {
    let env = Env::new().await;
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    elsewhere.set_nonblocking(true).expect("a socket");
    let port = elsewhere.local_addr().expect("an address").port();
    // The name is another than the allowed address, though it leads to the same place.
    env.add_source("s", json!({"endpoint": format!("http://localhost:{port}")}))
        .await;
    let _controller = env.start_controller().await;
    let message = stalled(&env, "s", "EndpointRefused").await;
    assert!(message.contains("--allowed-endpoints"), "{message}");
    assert!(elsewhere.accept().is_err(), "nobody called");
}

#[tokio::test]
async fn retry_after_is_obeyed_also_by_a_refresh() {
    let env = Env::new().await;
    env.add_source("s", json!({})).await;
    let throttle = Fault {
        retry_after: Some("3600".to_owned()),
        times: Some(1),
        ..Fault::status(Operation::ListPools, 429)
    };
    env.cloud().add_fault(throttle).expect("a fault");
    let _controller = env.start_controller().await;
    env.source_when("s", "it is throttled", |s| {
        ready_reason(s) == Some("Throttled")
    })
    .await;
    let asked = json!({"metadata": {"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "now"}}});
    env.patch_source("s", &asked).await;
    env.patch_source("s", &json!({"spec": {"interval": "6s"}}))
        .await;
    // Another source shows that time goes by and passes are made.
    add_workspace(&env, "other");
    env.add_source("other", json!({"workspaceIds": ["other"]}))
        .await;
    env.asked(|r| r.answered(200) >= 6).await;
    let requests = env.cloud().requests();
    let of_the_first = requests
        .last
        .iter()
        .filter(|r| r.query.contains("workspaceId=0"));
    assert_eq!(of_the_first.count(), 1, "{requests:?}");
}
