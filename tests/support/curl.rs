//! Does what a documented `curl` command does: curl itself may be missing where the tests run.

use reqwest::{Client, Method, StatusCode};

use super::markdown::words;

/// Performs `command` with `from` in its address replaced by `to`; the status and the body.
pub async fn curl(command: &str, from: &str, to: &str) -> (StatusCode, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (mut method, mut body, mut address) = (None, None, None);
    let mut words = words(command).into_iter().skip(1);
    while let Some(word) = words.next() {
        match &*word {
            "-X" => method = words.next(),
            "--data" => body = words.next(),
            option if option.starts_with('-') => panic!("{command}: what does {option} do?"),
            _ => address = Some(word.replace(from, to)),
        }
    }
    let method = match (&method, &body) {
        (Some(method), _) => method.parse().expect("a method"),
        (None, Some(_)) => Method::POST,
        (None, None) => Method::GET,
    };
    let client = Client::builder().no_proxy().build().expect("a client");
    let request = client.request(method, address.expect("an address"));
    let request = request.body(body.unwrap_or_default());
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}
