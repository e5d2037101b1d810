//! `HTTPS_PROXY` and `NO_PROXY`. The environment is read when the client is made, and belongs to the
//! whole process: each case runs this test binary once more, with an environment of its own.

use std::process::{Command, Output};

use super::loopback::{Loopback, Script};
use super::*;
use crate::modelarts::{AmbientOptions, Cloud, Identity, PodIdentityOptions};
use crate::simulator::{DEFAULT_POD_TOKEN, Operation};

const CHILD: &str = "modelarts::client::tests::proxy::child";
const ENDPOINT: &str = "TEST_ENDPOINT";
/// Where set: who issues credentials, of every kind.
const ISSUERS: &str = "TEST_ISSUERS";
const TOKEN_FILE: &str = "TEST_TOKEN_FILE";

/// What the child does: one listing, or one with what each issuer issues; prints its error, or nothing.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the other tests of this file"]
async fn child() {
    let url = std::env::var(ENDPOINT).expect(ENDPOINT);
    let clients = match std::env::var(ISSUERS) {
        Ok(issuers) => issued_clients(&url, &issuers),
        Err(_) => vec![plain_client(&url)],
    };
    for client in clients {
        if let Err(error) = listed(&client, &all()).await {
            println!("error: {error:?}");
        }
    }
}

fn issued_clients(url: &str, issuers: &str) -> Vec<Client> {
    let ambient = AmbientOptions {
        metadata: Some(issuers.parse().expect("an origin")),
        pod_identity: Some(PodIdentityOptions {
            url: format!("{issuers}/v1/credentials").parse().expect("a URL"),
            token_file: std::env::var_os(TOKEN_FILE).expect(TOKEN_FILE).into(),
        }),
    };
    let cloud = Cloud::new(options(), ambient).expect("connections");
    let client = |identity: &Identity| {
        let project = DEFAULT_PROJECT_ID.to_owned();
        let client = cloud.client(url.parse().expect(url), None, project, identity);
        client.expect("a client")
    };
    vec![client(&Identity::Agency), client(&Identity::PodIdentity)]
}

async fn listing_in_child(endpoint: String, environment: Vec<(&'static str, String)>) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args([CHILD, "--exact", "--ignored", "--nocapture"])
        .env(ENDPOINT, endpoint);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command
            .env_remove(name)
            .env_remove(name.to_ascii_lowercase());
    }
    command.envs(environment);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("a child");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("1 passed"), "the child ran: {printed}");
    output
}

#[tokio::test]
async fn https_goes_through_the_proxy_unless_excepted() {
    let endpoint = Loopback::start(Script::Silence(Vec::new())).await;
    let proxy = Loopback::start(Script::answer("403 Forbidden", "", b"no")).await;
    let url = format!("https://{}", endpoint.address);
    let with_password = format!("http://user:hunter2@{}", proxy.address);

    let output = listing_in_child(url.clone(), vec![("HTTPS_PROXY", with_password.clone())]).await;
    let connect = format!("CONNECT {} HTTP/1.1\r\n", endpoint.address);
    let heads = proxy.heads();
    assert!(heads.iter().all(|h| h.starts_with(&connect)), "{heads:?}");
    assert!(
        !heads.is_empty() && endpoint.connections() == 0,
        "{heads:?}"
    );
    // What the proxy is told is what it needs; nothing of it is in the error.
    for head in &heads {
        let head = head.to_ascii_lowercase();
        assert!(head.contains("proxy-authorization"), "{head}");
        assert!(!head.contains("x-sdk-date"), "{head}");
    }
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains("CloudUnavailable"), "{printed}");
    assert!(!printed.contains("hunter2"), "{printed}");

    // Excepted: the proxy is not asked. The child does not trust the endpoint, but it has been there.
    let direct = tls::Server::start().await;
    let asked = proxy.connections();
    let url = format!("https://{}", direct.loopback.address);
    let environment = vec![
        ("HTTPS_PROXY", with_password),
        ("NO_PROXY", "example.com,127.0.0.1".to_owned()),
    ];
    listing_in_child(url, environment).await;
    assert_eq!(proxy.connections(), asked);
    assert_eq!(direct.loopback.connections(), 1);
}

#[tokio::test]
async fn who_is_on_this_machine_is_never_asked_through_a_proxy() {
    let issuers = cloud(&[]).await;
    let proxy = Loopback::start(Script::answer("403 Forbidden", "", b"no")).await;
    let directory = tempfile::tempdir().expect("a directory");
    let token_file = directory.path().join("token");
    std::fs::write(&token_file, DEFAULT_POD_TOKEN).expect("a file");
    let by_proxy = format!("http://{}", proxy.address);
    let environment = vec![
        ("HTTP_PROXY", by_proxy.clone()),
        ("http_proxy", by_proxy.clone()),
        ("ALL_PROXY", by_proxy),
        (ISSUERS, issuers.url()),
        (TOKEN_FILE, token_file.display().to_string()),
    ];
    // Nobody is there: what asks for pools must go through the proxy.
    let endpoint = "http://127.0.0.1:9".to_owned();
    listing_in_child(endpoint, environment).await;
    let asked = |operation| issuers.control().requests().of(operation);
    assert_eq!(asked(Operation::CreateMetadataToken), 1);
    assert_eq!(asked(Operation::GetSecurityKey), 1);
    assert_eq!(asked(Operation::AssumeAgencyForPodIdentity), 1);
    let heads = proxy.heads();
    assert_eq!(heads.len(), 2, "{heads:?}");
    assert!(
        heads.iter().all(|head| head.contains("/pools")),
        "{heads:?}"
    );
}
