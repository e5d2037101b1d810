//! The official SDK's signer makes of each request that the controller's client sends what that client
//! has made of it: the same bytes on the wire, the same signature.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::Response;
use modelarts_pool_controller::modelarts::{
    AllowedEndpoints, Client, Credentials, HttpClient, HttpOptions, InvalidItem, PoolSink,
    Selection, StatusFilter, WorkspaceSelection, list,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use super::support::sdk::peer;

const ACCESS_KEY: &str = "AN-ACCESS-KEY";
const SECRET_KEY: &str = "a/secret+key==";

/// A request as it came over the wire.
#[derive(Clone, Debug, Serialize)]
struct Seen {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
}

/// What the SDK's signer makes of a request.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Signed {
    authorization: String,
    target: String,
}

type Log = Arc<Mutex<Vec<Seen>>>;

/// Takes a request down. It is a cloud with one workspace and no pools.
async fn take_down(State(log): State<Log>, request: Request) -> Response {
    let target = request.uri().to_string();
    let text = |value: &axum::http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let headers = request.headers().iter();
    let seen = Seen {
        method: request.method().to_string(),
        headers: headers
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        target: target.clone(),
    };
    log.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(seen);
    let body = if target.contains("/workspaces") {
        json!({"total_count": 1, "count": 1, "workspaces": [{"id": "工作 空间/a+b&c=d"}]})
    } else {
        json!({"kind": "PoolList", "apiVersion": "v2", "items": []})
    };
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .expect("an answer")
}

/// Takes no pool.
struct Nothing;

impl PoolSink for Nothing {
    fn pool(&mut self, _: &str, _: &str) -> Result<(), InvalidItem> {
        Ok(())
    }
}

#[tokio::test]
async fn each_request_is_signed_as_the_sdk_would_sign_it() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let app = axum::Router::new()
        .fallback(take_down)
        .with_state(log.clone());
    let server = tokio::spawn(async move { axum::serve(listener, app).await });

    let http = HttpClient::new(HttpOptions {
        allowed: AllowedEndpoints(vec!["http://127.0.0.1:*".parse().expect("a pattern")]),
        ..HttpOptions::default()
    });
    let http = http.expect("an HTTP client");
    for security_token in [None, Some("st/+==")] {
        let credentials = Credentials::AccessKey {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.into(),
            security_token: security_token.map(Into::into),
        };
        let endpoint = endpoint.parse().expect("an endpoint");
        let client = Client::new(http.clone(), endpoint, "project_1".to_owned(), credentials);
        for selector in [
            "",
            "os.modelarts/name=训练 池,a!=b",
            "!a, b in (c, d),e notin (f)",
            "~-._!*'();:@&=+$,/?#[]%20\"<>\\^`{|}😀",
        ] {
            for statuses in [
                vec![
                    StatusFilter::Created,
                    StatusFilter::Creating,
                    StatusFilter::Failed,
                ],
                vec![StatusFilter::Creating],
            ] {
                let selection = Selection {
                    workspaces: WorkspaceSelection::All,
                    label_selector: selector.to_owned(),
                    statuses,
                };
                let listed = list(&client, &selection, Nothing).await;
                listed.expect("an empty listing");
            }
        }
        for id in ["a", "训练 池", "a/b", "a%2Fb", "~*'()!"] {
            // It is no such pool; what was asked is what counts.
            let _ = client.show_pool(id).await;
        }
    }
    server.abort();
    let seen = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // A list of workspaces each, and one request or two for pools; and the pools.
    assert_eq!(seen.len(), 2 * (4 * (3 + 2) + 5));

    let order = json!({"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY, "sign": seen});
    let signed: Vec<Signed> = peer(order).await;
    assert_eq!(signed.len(), seen.len());
    for (seen, signed) in seen.into_iter().zip(signed) {
        let ours = Signed {
            authorization: seen.headers["authorization"].clone(),
            target: seen.target,
        };
        assert_eq!(ours, signed);
    }
}
