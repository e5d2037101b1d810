//! No credential and no secret of a pool is written anywhere: log at its most talkative, objects,
//! events, metrics.

use k8s_openapi::ByteString;
use modelarts_pool_controller::api::CREDENTIALS_SECRET_TYPE;
use modelarts_pool_controller::simulator::{
    AccessKey, Credentials, Fault, Metadata, Operation, Preset, Scenario, User,
};
use serde_json::{Value, json};

use super::support::cluster::run;
use super::support::env::{Env, source_condition};
use super::support::process::Process;

/// In every value that must not be seen.
pub(super) const MARK: &str = "hunter";
pub(super) const SECRET_KEY: &str = "hunter-secret-key";
pub(super) const SECURITY_TOKEN: &str = "hunter-security-token";
pub(super) const IAM_TOKEN: &str = "hunter-iam-token";
const PASSWORD: &str = "hunter of iam";
const POD_TOKEN: &str = "hunter-pod-token";
/// In every value that the simulated cloud issues.
const ISSUED: &str = "issued-";
/// In values beside them, which must arrive: the secrets were there to be left out.
pub(super) const NEIGHBOUR: &str = "kept-neighbour";
pub(super) const POOL: &str = "pool-with-secrets";

/// A pool with secrets wherever one can be.
pub(super) fn pool() -> Value {
    let in_a_string = |value: Value| json!(value.to_string());
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {
            "name": POOL, "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"os.modelarts/name": "telling", "os.modelarts/access.token": "hunter-label", "team": NEIGHBOUR},
            "annotations": {
                "os.modelarts/login": in_a_string(json!({"user": NEIGHBOUR, "password": "hunter-annotation"})),
                "os.modelarts/cut-off": "{\"password\": \"hunter-cut",
                "credentials": "hunter-other-annotation",
            },
        },
        "spec": {
            "type": "Dedicate",
            "userLogin": {"keyPairName": NEIGHBOUR, "password": "hunter-login"},
            "resources": [{
                "flavor": "modelarts.vm.cpu.4ud", "count": 1,
                "extendParams": {"dockerBaseSize": NEIGHBOUR, "alpha.cce/postInstall": "hunter-post-install"},
                "template": in_a_string(json!({
                    "deeper": json!({"private_key": "hunter-nested", "b": NEIGHBOUR}).to_string(),
                })),
                "postInstall": "#!/bin/sh\necho hunter-script",
                "taints": [{"key": "db-password", "value": "hunter-taint", "effect": "NoSchedule"}],
            }],
            "unknown": {"list": [{"apiToken": {"value": "hunter-object"}, "ok": NEIGHBOUR}]},
        },
        "status": {
            "phase": "Running", "registrySecret": ["hunter-array"],
            "scope": [{"scopeType": "Train", "state": "Enabled", "PassWd": "hunter-case"}],
        },
    })
}

pub(super) fn credentials(secret_key: &str, iam_token: &str) -> Credentials {
    let key = AccessKey {
        access_key: "AKOFATEST0".to_owned(),
        secret_key: secret_key.to_owned(),
        security_token: Some(SECURITY_TOKEN.to_owned()),
    };
    Credentials {
        access_keys: vec![key],
        tokens: vec![iam_token.to_owned()],
        users: vec![user(PASSWORD)],
        metadata: Metadata::V2,
        pod_tokens: vec![POD_TOKEN.to_owned()],
        lifetime: None,
    }
}

fn user(password: &str) -> User {
    User {
        domain_name: "account".to_owned(),
        username: "reader".to_owned(),
        password: password.to_owned(),
    }
}

/// A cloud with the pool that holds secrets, the Secret `key` that opens it, and what is in that.
pub(super) async fn marked() -> (Env, Value) {
    let mut scenario = Scenario {
        credentials: Some(credentials(SECRET_KEY, IAM_TOKEN)),
        ..Scenario::documented_sample().expect("the documented sample")
    };
    scenario.pools[0].pool = pool();
    let env = Env::with(scenario).await;
    let key = json!({"accessKey": "AKOFATEST0", "secretKey": SECRET_KEY, "securityToken": SECURITY_TOKEN});
    env.put_secret("key", CREDENTIALS_SECRET_TYPE, &key).await;
    (env, key)
}

/// Secrets of every kind, good and bad.
async fn put_secrets(env: &Env) {
    env.put_secret("token", "Opaque", &json!({"token": IAM_TOKEN}))
        .await;
    let user = json!({"domainName": "account", "username": "reader", "password": PASSWORD});
    env.put_secret("user", "Opaque", &user).await;
    let malformed = json!({"accessKey": "AKOFATEST1", "secretKey": "hunter with spaces"});
    env.put_secret("malformed", "Opaque", &malformed).await;
    env.put_secret("incomplete", "Opaque", &json!({"secretKey": SECRET_KEY}))
        .await;
    let login = json!({"username": "hunter-user", "password": "hunter-password"});
    env.put_secret("of-another-type", "kubernetes.io/basic-auth", &login)
        .await;
}

/// A controller at its most talkative, with an identity of its own.
fn start(env: &Env) -> Process {
    let namespace = format!("--watch-namespaces={}", env.namespace);
    let allowed = format!("--allowed-endpoints={}", env.endpoint());
    let lease = format!("--lease-namespace={}", env.namespace);
    let ambient = format!("--ambient-credentials-namespaces={}", env.namespace);
    let metadata = format!("--metadata-endpoint={}", env.endpoint());
    let arguments = [
        "run",
        "--listen=127.0.0.1:0",
        &namespace,
        &allowed,
        &ambient,
        &metadata,
        &lease,
        "--log-level=trace,kube_client=trace",
    ];
    let token_file = env.cluster.dir().join("pod-token-of-keeps-secrets");
    std::fs::write(&token_file, POD_TOKEN).expect("a file");
    let agent = format!("{}/v1/credentials", env.endpoint());
    let variables = [
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", &*agent),
        (
            "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            token_file.to_str().expect("UTF-8"),
        ),
    ];
    let kubeconfig = env.cluster.kubeconfig();
    Process::start(env.cluster.dir(), &kubeconfig, &arguments, &variables)
}

/// What works, and what does not, each in its way.
async fn all_goes_wrong(env: &Env) {
    let source = |secret: Option<&str>, type_: &str| {
        let secret = secret.map(|name| json!({"name": name}));
        let credentials = json!({"type": type_, "secretRef": secret});
        json!({"interval": "24h", "iamEndpoint": env.endpoint(), "credentials": credentials})
    };
    for (name, secret, type_) in [
        ("with-key", Some("key"), "AccessKey"),
        ("with-token", Some("token"), "Token"),
        ("with-password", Some("user"), "Password"),
        ("with-agency", None, "Agency"),
        ("with-pod", None, "PodIdentity"),
    ] {
        env.add_source(name, source(secret, type_)).await;
        env.synced(name).await;
    }
    env.mirrored(POOL).await;
    for name in ["malformed", "incomplete", "of-another-type"] {
        env.add_source(name, source(Some(name), "AccessKey")).await;
        failed(env, name, "SecretInvalid").await;
    }
    // Answers that can't be understood, with the secrets in them.
    env.cloud()
        .add_fault(Fault::preset(Operation::ListPools, Preset::Truncated).times(2))
        .expect("a fault");
    refresh_fails(env, "with-key", "IncompleteListing").await;
    env.cloud().clear_faults();
    // A key and a token that are no longer good.
    env.cloud()
        .set_credentials(credentials("another", "another"));
    for name in ["with-token", "with-key"] {
        refresh_fails(env, name, "CredentialsRejected").await;
    }
    // What was issued is no longer good, and who issues says no, in words that repeat what it was asked with.
    env.cloud().set_credentials(Credentials::default());
    env.cloud().expire_credentials();
    for (operation, secret) in [
        (Operation::CreateToken, PASSWORD),
        (Operation::AssumeAgencyForPodIdentity, POD_TOKEN),
    ] {
        let fault = Fault {
            message: Some(format!("wrong: {secret}")),
            ..Fault::status(operation, 401)
        };
        env.cloud().add_fault(fault).expect("a fault");
    }
    for (name, reason) in [
        ("with-password", "CredentialsRejected"),
        ("with-agency", "CredentialsUnavailable"),
        ("with-pod", "CredentialsUnavailable"),
    ] {
        refresh_fails(env, name, reason).await;
    }
}

#[tokio::test]
async fn no_secret_is_written_anywhere() {
    let (env, _) = marked().await;
    put_secrets(&env).await;
    let mut process = start(&env);
    all_goes_wrong(&env).await;

    let (status, metrics) = process.get("/metrics").await;
    assert_eq!(status, 200);
    process.signal("TERM");
    assert_eq!(process.ended(super::support::env::PATIENCE).await, Some(0));
    let mut kubectl = env.cluster.kubectl();
    let kinds = "modelartspoolsources,modelartspools,events,configmaps";
    kubectl.args([
        "get",
        kinds,
        "-o=json",
        "--show-managed-fields",
        "--namespace",
        &env.namespace,
    ]);
    let objects = run(&mut kubectl).expect("the objects");
    let log = process.log();

    // It was looked at the right things.
    assert!(
        log.contains("TRACE") && log.contains("CredentialsRejected"),
        "{log}"
    );
    assert!(metrics.contains("SecretInvalid"), "{metrics}");
    let mirror = serde_json::to_string_pretty(&env.mirrored(POOL).await).expect("JSON");
    // The tag, user, keyPairName, dockerBaseSize, deeper, unknown.
    assert_eq!(mirror.matches(NEIGHBOUR).count(), 6, "{mirror}");

    // As they are, and as the API server keeps what is in a Secret.
    let in_base64 = [
        SECRET_KEY,
        SECURITY_TOKEN,
        IAM_TOKEN,
        "hunter with spaces",
        "hunter-password",
        PASSWORD,
    ]
    .map(|value| json!(ByteString(value.into())))
    .map(|value| value.as_str().unwrap_or_default().to_owned());
    let admin = env.cluster.admin_token();
    let stdout = process.stdout();
    for (place, text) in [
        ("log", &log),
        ("objects", &objects),
        ("metrics", &metrics),
        ("stdout", &stdout),
    ] {
        for value in in_base64
            .iter()
            .map(String::as_str)
            .chain([MARK, ISSUED, admin])
        {
            if let Some(at) = text.find(value) {
                let line = text[..at].rfind('\n').map_or(0, |start| start + 1);
                panic!(
                    "{value} in {place}: {}",
                    text[line..].lines().next().unwrap_or_default()
                );
            }
        }
    }
}

async fn failed(env: &Env, name: &str, reason: &str) {
    env.source_when(name, reason, |s| {
        source_condition(s, "Ready").is_some_and(|c| c.status == "False" && c.reason == reason)
    })
    .await;
}

async fn refresh_fails(env: &Env, name: &str, reason: &str) {
    let asked = json!({"modelarts.huaweicloud.com/refresh-requested-at": reason});
    env.patch_source(name, &json!({"metadata": {"annotations": asked}}))
        .await;
    failed(env, name, reason).await;
}
