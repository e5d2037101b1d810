//! `HTTPS_PROXY` and `NO_PROXY`. The environment is read when the client is made, and belongs to the
//! whole process: each case runs this test binary once more, with an environment of its own.

use std::process::{Command, Output};

use super::loopback::{Loopback, Script};
use super::*;

const CHILD: &str = "modelarts::client::tests::proxy::child";
const ENDPOINT: &str = "TEST_ENDPOINT";

/// What the child does: one listing; prints its error, or nothing.
#[tokio::test]
#[ignore = "runs in a process of its own, started by the other tests of this file"]
async fn child() {
    let url = std::env::var(ENDPOINT).expect(ENDPOINT);
    let client = plain_client(&url);
    if let Err(error) = listed(&client, &all()).await {
        println!("error: {error:?}");
    }
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
