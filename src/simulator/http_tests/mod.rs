//! The simulator as its clients meet it: over loopback, signed as a client signs.
//!
//! Here: the client that the tests share.

mod access;
mod commands;
mod errors;
mod faults;
mod issuers;
mod lists;

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    AccessKey, Change, Clock, Credentials, DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID,
    DEFAULT_SECRET_KEY, Fault, Generate, Match, Metadata, Operation, Options, Preset, Scenario,
    Selection, Simulator, User,
};
use crate::modelarts::signature;

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// A simulator, a client, and the gateway's clock in the test's hand.
struct Rig {
    simulator: Simulator,
    client: reqwest::Client,
    now: Arc<Mutex<Timestamp>>,
    access_key: String,
    secret_key: String,
    headers: Vec<(String, String)>,
    skew: SignedDuration,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    body: Value,
    headers: reqwest::header::HeaderMap,
}

impl Rig {
    async fn new(scenario: Scenario) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let now = Arc::new(Mutex::new("2025-11-24T08:00:00Z".parse().unwrap()));
        let told = now.clone();
        let clock = Clock::from_fn(move || *told.lock().unwrap_or_else(PoisonError::into_inner));
        let options = Options {
            scenario,
            listen: ([127, 0, 0, 1], 0).into(),
            clock,
        };
        let redirect = reqwest::redirect::Policy::none();
        Self {
            simulator: Simulator::start_with(options).await.unwrap(),
            client: reqwest::Client::builder()
                .redirect(redirect)
                .no_proxy()
                .build()
                .unwrap(),
            now,
            access_key: DEFAULT_ACCESS_KEY.to_owned(),
            secret_key: DEFAULT_SECRET_KEY.to_owned(),
            headers: Vec::new(),
            skew: SignedDuration::ZERO,
        }
    }

    async fn sample() -> Self {
        Self::new(Scenario::documented_sample().unwrap()).await
    }

    fn pass(&self, time: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(time).unwrap();
    }

    /// A signed request.
    fn request(&self, method: &str, path: &str, query: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let date = self
            .now
            .lock()
            .unwrap()
            .checked_add(self.skew)
            .unwrap()
            .strftime("%Y%m%dT%H%M%SZ")
            .to_string();
        let mut headers = vec![
            ("host".to_owned(), self.simulator.address().to_string()),
            ("x-project-id".to_owned(), DEFAULT_PROJECT_ID.to_owned()),
            ("x-sdk-date".to_owned(), date.clone()),
        ];
        headers.extend(self.headers.clone());
        headers.sort();
        let query: Vec<_> = query
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let query = signature::encode_query(&query);
        let canonical = signature::canonical_request(&signature::Parts {
            method,
            path,
            query: &query,
            headers: &headers,
            payload_hash: signature::EMPTY_PAYLOAD_HASH,
        });
        let signed = signature::signature(
            &self.secret_key,
            &signature::string_to_sign(&date, &canonical),
        );
        let names = signature::signed_headers(&headers);
        let authorization = signature::authorization(&self.access_key, &names, &signed);
        let url = format!(
            "{}{path}{}{query}",
            self.simulator.url(),
            if query.is_empty() { "" } else { "?" }
        );
        let request = self
            .client
            .request(method.parse().unwrap(), url)
            .header("authorization", authorization);
        headers
            .iter()
            .skip(1)
            .fold(request, |request, (name, value)| {
                request.header(name, value)
            })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Reply {
        Reply::of(self.request("GET", path, query).send().await.unwrap()).await
    }

    async fn list(&self, query: &[(&str, &str)]) -> Reply {
        self.get(&pools(), query).await
    }

    async fn control(&self, method: &str, path: &str, body: &str) -> Reply {
        let url = format!("{}/control{path}", self.simulator.url());
        Reply::of(
            self.client
                .request(method.parse().unwrap(), url)
                .body(body.to_owned())
                .send()
                .await
                .unwrap(),
        )
        .await
    }
}

impl Reply {
    async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            status,
            body,
            headers,
        }
    }

    fn error(&self) -> (u16, &str, &str) {
        (
            self.status,
            self.body["error_code"].as_str().unwrap_or_default(),
            self.body["error_msg"].as_str().unwrap_or_default(),
        )
    }

    fn ids(&self) -> Vec<&str> {
        self.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pool| pool["metadata"]["name"].as_str().unwrap())
            .collect()
    }
}

fn pools() -> String {
    format!("/v2/{DEFAULT_PROJECT_ID}/pools")
}
