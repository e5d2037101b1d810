//! `plan` takes credentials of every type: a user's from a file, and who it runs as itself where a flag says so.

use modelarts_pool_controller::simulator::{DEFAULT_POD_TOKEN, DEFAULT_USER, Operation};
use serde_json::{Value, json};

use super::support::env::Env;
use super::support::plan::{Planned, run};

/// Files of one test.
struct Files(tempfile::TempDir);

impl Files {
    fn write(&self, name: &str, text: &str) -> String {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    }

    fn source(&self, env: &Env, credentials: &Value) -> String {
        let source = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
            "metadata": {"name": "s", "namespace": "ns"},
            "spec": {
                "endpoint": env.endpoint(), "iamEndpoint": env.endpoint(), "credentials": credentials,
                "projectId": modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID,
            },
        });
        self.write("source.json", &source.to_string())
    }

    fn user(&self, password: &str) -> String {
        let [domain, username, _] = DEFAULT_USER;
        let data = json!({"domainName": domain, "username": username, "password": password});
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "stringData": data});
        self.write("secret.json", &secret.to_string())
    }
}

/// Plans without any cluster.
async fn plan(env: &Env, arguments: &[&str], variables: &[(&str, &str)]) -> Planned {
    let allowed = format!("--allowed-endpoints={}", env.endpoint());
    let metadata = format!("--metadata-endpoint={}", env.endpoint());
    let arguments = [&["--offline", &*allowed, &metadata], arguments].concat();
    run(&arguments, variables).await
}

fn refused(planned: &Planned, words: &[&str]) {
    assert_eq!(planned.code, Some(1), "{}", planned.stderr);
    for word in words {
        assert!(planned.stderr.contains(word), "{}", planned.stderr);
    }
}

#[tokio::test]
async fn a_password_from_a_file() {
    let env = Env::new().await;
    let files = Files(tempfile::tempdir().expect("a directory"));
    let reference = json!({"type": "Password", "secretRef": {"name": "user"}});
    let source = files.source(&env, &reference);
    let secret = files.user(DEFAULT_USER[2]);
    let arguments = ["-f", &source, "--secret-file", &secret];
    plan(&env, &arguments, &[]).await.says(2, &["auto-pool-os"]);
    assert_eq!(env.cloud().requests().of(Operation::CreateToken), 1);

    let secret = files.user("hunter2");
    let planned = plan(&env, &["-f", &source, "--secret-file", &secret], &[]).await;
    refused(&planned, &["CredentialsRejected", "CreateToken failed"]);
    assert!(!planned.stderr.contains("hunter2"), "{}", planned.stderr);
    let planned = plan(&env, &["-f", &source], &[]).await;
    refused(&planned, &["--offline", "--secret-file"]);
}

#[tokio::test]
async fn who_plan_runs_as_where_a_flag_says_so() {
    let env = Env::new().await;
    let files = Files(tempfile::tempdir().expect("a directory"));
    let url = format!("{}/v1/credentials", env.endpoint());
    let token = files.write("token", DEFAULT_POD_TOKEN);
    let pod = [
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", &*url),
        ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
    ];
    for type_ in ["Agency", "PodIdentity"] {
        let source = files.source(&env, &json!({"type": type_}));
        let planned = plan(&env, &["-f", &source], &pod).await;
        let flag = "--ambient-credentials-namespaces=ns=";
        refused(&planned, &["AmbientCredentialsRefused", type_, flag]);
        let allowed = "--ambient-credentials-namespaces=ns";
        let planned = plan(&env, &["-f", &source, allowed], &pod).await;
        planned.says(2, &["auto-pool-os"]);
        // A Secret would not be used: that is said.
        let secret = files.user("hunter2");
        let both = ["-f", &source, allowed, "--secret-file", &secret];
        let planned = plan(&env, &both, &pod).await;
        refused(&planned, &["--secret-file", type_, "leave it away"]);
    }
    let source = files.source(&env, &json!({"type": "PodIdentity"}));
    let allowed = ["-f", &source, "--ambient-credentials-namespaces=ns"];
    let planned = plan(&env, &allowed, &[]).await;
    refused(&planned, &["HC_CONTAINER_CREDENTIALS_FULL_URI"]);
    let broken = [
        ("HC_CONTAINER_CREDENTIALS_FULL_URI", "hunter2"),
        ("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token),
    ];
    let planned = plan(&env, &allowed, &broken).await;
    refused(&planned, &["HC_CONTAINER_CREDENTIALS_FULL_URI", "URL"]);
    assert!(!planned.stderr.contains("hunter2"), "{}", planned.stderr);
}
