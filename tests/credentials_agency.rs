//! Credentials of type Agency: the controller's own identity mirrors pools, where a flag says that it may.

use std::time::Duration;

use modelarts_pool_controller::simulator::{Credentials, DEFAULT_PROJECT_ID, Metadata, Operation};
use serde_json::json;

use super::docs_credentials::Documented;
use super::support::env::{Env, source_condition};
use super::support::process::Process;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

fn metadata_service(env: &Env, metadata: Metadata) {
    env.cloud().set_credentials(Credentials {
        metadata,
        // Shorter than the interval: each pass needs keys of its own.
        lifetime: Some(Duration::from_secs(4)),
        ..Credentials::default()
    });
}

/// Starts the controller with these namespaces in the flag.
fn process(env: &Env, ambient: &str) -> Process {
    let arguments = [
        format!("--watch-namespaces={}", env.namespace),
        format!("--allowed-endpoints={}", env.endpoint()),
        format!("--metadata-endpoint={}", env.endpoint()),
        format!("--ambient-credentials-namespaces={ambient}"),
        "--leader-elect=false".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Process::run(env.cluster, &env.cluster.kubeconfig(), &arguments)
}

#[tokio::test]
async fn an_agency_mirrors_pools_and_gets_new_keys() {
    let env = Env::new().await;
    metadata_service(&env, Metadata::V2);
    let source = Documented::of("Agency")
        .apply(&env, json!({"interval": "5s"}))
        .await;
    let _process = process(&env, &format!("{}={DEFAULT_PROJECT_ID}", env.namespace));
    env.synced(&source).await;
    env.mirrored(SAMPLE).await;
    let requests = env.asked(|r| r.of(Operation::GetSecurityKey) >= 3).await;
    assert_eq!(requests.answered(401), 0, "{requests:?}");
    assert_eq!(requests.not_get, 0);

    // Moved to a node whose metadata service knows version 1 alone.
    metadata_service(&env, Metadata::V1);
    let changed = json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(SAMPLE, changed).expect("a pool");
    env.pool_when(SAMPLE, "it follows", |p| {
        p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
    })
    .await;
    // The agency is taken away, and given back.
    metadata_service(&env, Metadata::NoAgency);
    let unavailable = "CredentialsUnavailable";
    let said = env
        .source_when(&source, unavailable, |s| {
            source_condition(s, "Stalled").is_some_and(|c| c.reason == unavailable)
        })
        .await;
    let message = &source_condition(&said, "Ready").expect("Ready").message;
    assert!(message.contains("Agency"), "{message}");
    metadata_service(&env, Metadata::V2);
    env.synced(&source).await;
}

#[tokio::test]
async fn nobody_is_who_the_controller_is_unless_a_flag_says_so() {
    for ambient in ["", "elsewhere", "OWN=another-project"] {
        let env = Env::new().await;
        let ambient = ambient.replace("OWN", &env.namespace);
        let agency = Documented::of("Agency").apply(&env, json!({})).await;
        let pod = Documented::of("PodIdentity").apply(&env, json!({})).await;
        let _process = process(&env, &ambient);
        for source in [agency, pod] {
            let refused = "AmbientCredentialsRefused";
            let said = env
                .source_when(&source, refused, |s| {
                    source_condition(s, "Stalled").is_some_and(|c| c.reason == refused)
                })
                .await;
            let message = &source_condition(&said, "Ready").expect("Ready").message;
            let flag = format!(
                "--ambient-credentials-namespaces={}={DEFAULT_PROJECT_ID}",
                env.namespace
            );
            assert!(message.contains(&flag), "{message}");
        }
        assert_eq!(env.cloud().requests().counts.len(), 0, "nobody was asked");
    }
}
