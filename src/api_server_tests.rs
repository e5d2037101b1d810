use std::convert::Infallible;

use k8s_openapi::api::core::v1::Secret;
use kube::client::Body;
use kube::{Api, Client};
use serde_json::json;

use super::*;

fn status(code: u16, message: &str) -> Status {
    let status = json!({"status": "Failure", "code": code, "message": message});
    serde_json::from_value(status).expect("a status")
}

#[test]
fn what_an_answer_means_for_a_write() {
    let m = |text: &str| text.to_owned();
    let terminating = json!({"status": "Failure", "code": 403, "message": "no",
        "details": {"causes": [{"reason": "NamespaceTerminating", "message": "x", "field": "metadata.namespace"}]}});
    let throttled = json!({"status": "Failure", "code": 429, "message": "slow", "details": {"retryAfterSeconds": 7}});
    let parse = |value| serde_json::from_value::<Status>(value).expect("a status");
    let rbac = "modelartspools.modelarts.huaweicloud.com is forbidden: User \"system:serviceaccount:a:b\" cannot create resource";
    let quota =
        "modelartspools \"p\" is forbidden: exceeded quota: q, requested: 1, used: 1, limited: 1";
    let policy =
        "modelartspools \"p\" is forbidden: ValidatingAdmissionPolicy 'x' denied request: no";
    let slow_webhook = "Internal error occurred: failed calling webhook \"w\": failed to call webhook: Post \"https://w?timeout=1s\": context deadline exceeded";
    let no_webhook = "Internal error occurred: failed calling webhook \"w\": failed to call webhook: Post \"https://w?timeout=1s\": dial tcp: connection refused";
    for (status, expected) in [
        (status(409, "x"), WriteError::Conflict(m("x"))),
        (status(404, "x"), WriteError::NotFound(m("x"))),
        (status(400, "x"), WriteError::Refused(m("x"))),
        (status(413, "x"), WriteError::Refused(m("x"))),
        (status(422, "x"), WriteError::Refused(m("x"))),
        (status(401, "x"), WriteError::Forbidden(m("x"))),
        (status(403, rbac), WriteError::Forbidden(m(rbac))),
        (status(403, quota), WriteError::Refused(m(quota))),
        (status(403, policy), WriteError::Refused(m(policy))),
        (parse(terminating), WriteError::NamespaceTerminating),
        (
            parse(throttled),
            WriteError::Throttled {
                message: m("slow"),
                retry_after: Some(7),
            },
        ),
        (
            status(429, "x"),
            WriteError::Throttled {
                message: m("x"),
                retry_after: None,
            },
        ),
        (
            status(500, "etcdserver: request is too large"),
            WriteError::Refused(m("etcdserver: request is too large")),
        ),
        (status(500, "x"), WriteError::ServerError(m("x"))),
        (status(503, "x"), WriteError::ServerError(m("x"))),
        (status(504, "x"), WriteError::TimedOut(m("x"))),
        (
            status(500, slow_webhook),
            WriteError::TimedOut(m(slow_webhook)),
        ),
        (
            status(500, no_webhook),
            WriteError::ServerError(m(no_webhook)),
        ),
    ] {
        assert_eq!(classify_status(&status), expected, "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_ends_in_time() {
    let service = tower::service_fn(|_: axum::http::Request<Body>| {
        std::future::pending::<Result<axum::http::Response<Body>, Infallible>>()
    });
    let api: Api<Secret> = Api::namespaced(Client::new(service, "ns"), "ns");
    let begun = tokio::time::Instant::now();
    let error = call(api.get("p")).await.expect_err("no answer");
    assert!(matches!(error, WriteError::NoAnswer(_)), "{error}");
    assert_eq!(begun.elapsed(), CALL_TIMEOUT);
}
