//! Credentials of type Password: a user of IAM mirrors pools; its token is renewed, its password can change, and
//! a wrong one is tried once.

use std::time::Duration;

use modelarts_pool_controller::api::{CREDENTIALS_SECRET_TYPE, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{Credentials, Operation, User};
use serde_json::{Value, json};

use super::docs_credentials::Documented;
use super::support::env::{Env, source_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// Accepts this user, and the key of tests.
fn accept(env: &Env, user: User, lifetime: Option<Duration>) {
    env.cloud().set_credentials(Credentials {
        users: vec![user],
        lifetime,
        ..Credentials::documented()
    });
}

fn reason(source: &ModelArtsPoolSource) -> Option<&str> {
    source_condition(source, "Ready").map(|c| &*c.reason)
}

async fn ready_message(env: &Env, name: &str, wanted: &str) -> String {
    let source = env
        .source_when(name, wanted, |s| reason(s) == Some(wanted))
        .await;
    let ready = source_condition(&source, "Ready").expect("Ready");
    ready.message.clone()
}

#[tokio::test]
async fn a_user_mirrors_pools_and_gets_new_tokens() {
    let env = Env::new().await;
    let documented = Documented::of("Password");
    // Shorter than the interval: each pass needs a token of its own.
    accept(&env, documented.user(), Some(Duration::from_secs(4)));
    let source = documented.apply(&env, json!({"interval": "5s"})).await;
    let _controller = env.start_controller().await;
    env.synced(&source).await;
    env.mirrored(SAMPLE).await;
    let requests = env.asked(|r| r.of(Operation::CreateToken) >= 3).await;
    assert_eq!(requests.answered(401), 0, "{requests:?}");
    assert_eq!(requests.not_get, 0);
    let changed = json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(SAMPLE, changed).expect("a pool");
    env.pool_when(SAMPLE, "it follows", |p| {
        p.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_until_the_secret_changes() {
    let env = Env::new().await;
    let mut documented = Documented::of("Password");
    accept(&env, documented.user(), None);
    let first = documented.apply(&env, json!({"interval": "5s"})).await;
    env.cloud()
        .put_raw(
            "pool-of-other",
            "other",
            r#"{"metadata":{"name":"pool-of-other"}}"#,
        )
        .expect("a pool");
    let spec = json!({
        "workspaceIds": ["other"], "iamEndpoint": env.endpoint(),
        "credentials": {"type": "Password", "secretRef": {"name": "modelarts-user"}},
    });
    env.add_source("second", spec).await;
    let _controller = env.start_controller().await;
    env.synced(&first).await;
    env.synced("second").await;
    let tokens = |env: &Env| env.cloud().requests().of(Operation::CreateToken);
    assert_eq!(tokens(&env), 1, "both sources have one token");

    // Somebody changes the password in the cloud: what was issued ends, and the old password is tried once.
    documented.data["password"] = json!("another-password");
    accept(&env, documented.user(), None);
    for source in [&*first, "second"] {
        let message = ready_message(&env, source, "CredentialsRejected").await;
        assert!(message.contains("domainName"), "{message}");
        assert!(!message.contains("a-password"), "{message}");
    }
    // A source with a key shows that time goes by and passes are made.
    let before = env.cloud().requests().answered(200);
    env.add_source("by-key", json!({"workspaceIds": ["other"]}))
        .await;
    env.asked(|r| r.answered(200) >= before + 6).await;
    assert_eq!(tokens(&env), 2);

    env.put_secret("modelarts-user", CREDENTIALS_SECRET_TYPE, &documented.data)
        .await;
    for source in [&*first, "second"] {
        env.source_when(source, "the new password is used", |s| {
            reason(s) == Some("Synced")
        })
        .await;
    }
    assert_eq!(tokens(&env), 3);
}

#[tokio::test]
async fn what_is_missing_is_said_by_name() {
    let env = Env::new().await;
    let cases: [(&str, &str, Value, &str); 4] = [
        (
            "no-username",
            "Password",
            json!({"password": "hunter2", "domainName": "d"}),
            "username",
        ),
        (
            "no-password",
            "Password",
            json!({"username": "u", "domainName": "d"}),
            "password",
        ),
        (
            "no-domain",
            "Password",
            json!({"username": "u", "password": "hunter2"}),
            "domainName",
        ),
        ("no-token", "Token", json!({"password": "hunter2"}), "token"),
    ];
    for (name, type_, data, _) in &cases {
        env.put_secret(name, "Opaque", data).await;
        let credentials = json!({"type": type_, "secretRef": {"name": name}});
        let spec = json!({"iamEndpoint": env.endpoint(), "credentials": credentials});
        env.add_source(name, spec).await;
    }
    let _controller = env.start_controller().await;
    for (name, _, _, key) in cases {
        let message = ready_message(&env, name, "SecretInvalid").await;
        let words = format!("key {key} is missing");
        assert!(message.contains(&words), "{message}");
        assert!(!message.contains("hunter"), "{message}");
    }
    assert_eq!(env.cloud().requests().counts.len(), 0);
}
