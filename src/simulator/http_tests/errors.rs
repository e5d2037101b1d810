//! Documented errors, in the shapes of the services that send them, and what a throttled client is told.

use super::*;
use crate::simulator::DOCUMENTED_ERRORS;

#[tokio::test]
async fn each_documented_error_by_status_and_code() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    for error in DOCUMENTED_ERRORS {
        let fault = Fault {
            code: Some(error.code.to_owned()),
            ..Fault::status(Operation::ListPools, error.status)
        };
        control.add_fault(fault.times(1)).unwrap();
        let reply = rig.list(&[]).await;
        let expected = (error.status, error.code, error.message);
        assert_eq!(reply.error(), expected);
        // The gateway names the request in the body too, the service behind it only in the header.
        let id = reply.headers["x-request-id"].to_str().unwrap();
        let said = error.code.starts_with("APIGW").then_some(id);
        assert_eq!(reply.body["request_id"].as_str(), said, "{expected:?}");
        assert_eq!(reply.headers["server"], "api-gateway");
    }
    assert_eq!(rig.list(&[]).await.status, 200);
}

#[tokio::test]
async fn throttled_with_seconds_with_a_date_and_without_a_word() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    for (fault, expected) in [
        (r#"{"preset":"throttle"}"#, None),
        (r#"{"preset":"throttle","retryAfter":"20"}"#, Some("20")),
        (
            r#"{"preset":"throttle","retryAt":"90s"}"#,
            Some("Mon, 24 Nov 2025 08:01:30 GMT"),
        ),
        (
            r#"{"code":"ModelArts.2799","retryAt":"0s"}"#,
            Some("Mon, 24 Nov 2025 08:00:00 GMT"),
        ),
        (r#"{"status":503,"retryAfter":"1"}"#, Some("1")),
    ] {
        assert_eq!(rig.control("POST", "/faults", fault).await.status, 204);
        let reply = rig.list(&[]).await;
        let told = reply
            .headers
            .get("retry-after")
            .map(|v| v.to_str().unwrap());
        assert_eq!(told, expected, "{fault}");
        assert!([429, 503].contains(&reply.status), "{fault}");
        control.clear_faults();
    }
    let both = r#"{"status":429,"retryAfter":"1","retryAt":"1s"}"#;
    assert_eq!(rig.control("POST", "/faults", both).await.status, 400);
}

#[tokio::test]
async fn shapes_of_other_services_are_bodies() {
    let rig = Rig::sample().await;
    let keystone = json!({"error": {"code": 401, "message": "The request you have made requires authentication.", "title": "Unauthorized"}});
    let fault = Fault {
        body: Some(keystone.clone()),
        ..Fault::status(Operation::ListPools, 401)
    };
    rig.simulator.control().add_fault(fault).unwrap();
    let reply = rig.list(&[]).await;
    assert_eq!((reply.status, reply.body), (401, keystone));
}
