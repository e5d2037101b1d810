//! Credentials of type PodIdentity: the identity that CCE gives to the controller's pod mirrors pools, and the
//! pod's token is renewed in its file.

use std::fs;
use std::time::Duration;

use modelarts_pool_controller::simulator::{Credentials, Operation};
use serde_json::json;

use super::docs_credentials::Documented;
use super::support::env::Env;
use super::support::process::Process;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

#[tokio::test]
async fn a_pod_mirrors_pools_and_gets_new_keys_for_new_tokens() {
    let env = Env::new().await;
    let file = env.cluster.dir().join("pod-token");
    let renew_token = |token: &str| {
        fs::write(&file, token).expect("a file");
        env.cloud().set_credentials(Credentials {
            pod_tokens: vec![token.to_owned()],
            // Shorter than the interval: each pass needs keys of its own.
            lifetime: Some(Duration::from_secs(4)),
            ..Credentials::default()
        });
    };
    renew_token("first-token");
    let source = Documented::of("PodIdentity")
        .apply(&env, json!({"interval": "5s"}))
        .await;
    let arguments = [
        "run".to_owned(),
        "--listen=127.0.0.1:0".to_owned(),
        format!("--watch-namespaces={}", env.namespace),
        format!("--allowed-endpoints={}", env.endpoint()),
        format!("--ambient-credentials-namespaces={}", env.namespace),
        "--leader-elect=false".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let agent = format!("{}/v1/credentials", env.endpoint());
    let variables = [
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", &*agent),
        (
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            file.to_str().expect("UTF-8"),
        ),
    ];
    let kubeconfig = env.cluster.kubeconfig();
    let _process = Process::start(env.cluster.dir(), &kubeconfig, &arguments, &variables);
    env.synced(&source).await;
    env.mirrored(SAMPLE).await;
    let asked =
        |count: u64| env.asked(move |r| r.of(Operation::AssumeAgencyForPodIdentity) >= count);
    let requests = asked(2).await;
    assert_eq!(requests.answered(401), 0, "{requests:?}");

    renew_token("second-token");
    let before = requests.of(Operation::AssumeAgencyForPodIdentity);
    asked(before + 2).await;
    let changed = json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(SAMPLE, changed).expect("a pool");
    env.pool_when(SAMPLE, "it follows", |p| {
        p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
    })
    .await;
}
