//! Who may ask, and what a refusal says.

use super::loopback::{Loopback, Script};
use super::*;
use crate::simulator::{self, AccessKey, Fault, Operation};

/// A simulated cloud that knows a lasting key, a temporary one and a token.
async fn guarded() -> Simulator {
    let simulator = cloud(&["0/a"]).await;
    let access = |access_key: &str, security_token: Option<&str>| AccessKey {
        access_key: access_key.to_owned(),
        secret_key: format!("secret-of-{access_key}"),
        security_token: security_token.map(str::to_owned),
    };
    simulator.control().set_credentials(simulator::Credentials {
        access_keys: vec![access("LASTING", None), access("TEMPORARY", Some("st/+=="))],
        tokens: vec!["a-token".to_owned()],
        ..simulator::Credentials::default()
    });
    simulator
}

#[tokio::test]
async fn right_credentials_are_accepted_and_wrong_ones_refused() {
    let cloud = guarded().await;
    for (credentials, code) in [
        (key("LASTING", "secret-of-LASTING", None), Ok(())),
        (
            key("TEMPORARY", "secret-of-TEMPORARY", Some("st/+==")),
            Ok(()),
        ),
        (Credentials::Token("a-token".into()), Ok(())),
        (key("LASTING", "wrong", None), Err("APIGW.0301")),
        (key("NOBODY", "secret-of-LASTING", None), Err("APIGW.0301")),
        (
            key("TEMPORARY", "secret-of-TEMPORARY", None),
            Err("APIGW.0301"),
        ),
        (
            key("TEMPORARY", "secret-of-TEMPORARY", Some("st/+=")),
            Err("APIGW.0301"),
        ),
        (
            Credentials::Token("another-token".into()),
            Err("APIGW.0301"),
        ),
    ] {
        let client = client(&cloud.url(), credentials.clone(), options());
        let selection = Selection {
            workspaces: WorkspaceSelection::All,
            ..all()
        };
        let answer = listed(&client, &selection).await;
        match (answer, code) {
            (Ok(found), Ok(())) => assert_eq!(found, ["0/a"]),
            (Err(error), Err(code)) => {
                assert_eq!(error.reason(), Reason::CredentialsRejected, "{error}");
                assert_eq!((error.status, &*error.code), (Some(401), code));
                let requests = cloud.control().requests();
                let last = requests.last.back().expect("a request");
                assert_eq!(error.request_id, last.request_id);
                assert!(error.to_string().contains(&last.request_id), "{error}");
            }
            (answer, _) => panic!("{credentials:?}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_from_a_wrong_key() {
    let cloud = cloud(&["0/a"]).await;
    let client = plain_client(&cloud.url());
    for (clock, words) in [
        (
            (|| Timestamp::UNIX_EPOCH) as fn() -> Timestamp,
            Some("behind the cloud's: "),
        ),
        (Timestamp::now, None),
    ] {
        let client = client.clone().with(clock, MAX_LISTING);
        let answer = listed(&client, &all()).await;
        let said = answer.err().map(|e| (e.reason(), e.to_string()));
        match (said, words) {
            (None, None) => {}
            (Some((Reason::ClockSkew, said)), Some(words)) => {
                assert!(said.contains(words), "{said}");
            }
            (said, _) => panic!("{said:?}"),
        }
    }
    // Also where the gateway says no more than that the signature is wrong.
    let wrong = Fault {
        code: Some("APIGW.0301".to_owned()),
        message: Some("verify aksk signature fail".to_owned()),
        ..Fault::status(Operation::ListPools, 401)
    };
    cloud.control().add_fault(wrong).expect("a fault");
    let ahead = client.with(|| Timestamp::now() + Duration::from_hours(2), MAX_LISTING);
    let error = listed(&ahead, &all()).await.expect_err("an error");
    assert_eq!(error.reason(), Reason::ClockSkew);
    assert!(error.message.contains("ahead of the cloud's"), "{error}");
}

#[tokio::test]
async fn errors_by_status_and_code() {
    let cloud = cloud(&["0/a"]).await;
    let client = plain_client(&cloud.url());
    for (status, code, expected) in [
        (400, "ModelArts.50004000", Reason::InvalidRequest),
        (400, "ModelArts.2837", Reason::AccountSuspended),
        (401, "APIGW.0307", Reason::CredentialsRejected),
        (401, "ModelArts.6203", Reason::AccountSuspended),
        (403, "ModelArts.0206", Reason::CredentialsRejected),
        (403, "ModelArts.0210", Reason::InvalidRequest),
        (404, "APIGW.0101", Reason::EndpointNotFound),
        (429, "ModelArts.2799", Reason::Throttled),
        (500, "ModelArts.50005000", Reason::CloudUnavailable),
        (503, "APIGW.0613", Reason::CloudUnavailable),
    ] {
        let fault = Fault {
            code: Some(code.to_owned()),
            retry_after: Some("7".to_owned()),
            ..Fault::status(Operation::ListPools, status)
        };
        cloud.control().clear_faults();
        cloud.control().add_fault(fault).expect("a fault");
        let error = listed(&client, &all()).await.expect_err("an error");
        let last = cloud.control().requests().last.back().cloned();
        assert_eq!(
            error,
            CloudError {
                operation: "ListPools",
                reason: expected,
                status: Some(status),
                code: code.to_owned(),
                message: error.message.clone(),
                request_id: last.expect("a request").request_id,
                retry_after: Some(std::time::Duration::from_secs(7)),
            }
        );
    }
}

#[tokio::test]
async fn the_cloud_may_ask_to_wait_in_seconds_or_until_a_date() {
    let now = || "2025-11-01T03:49:41Z".parse::<Timestamp>().expect("a time");
    for (said, expected) in [
        ("30", Some(Duration::from_secs(30))),
        (
            "Sat, 01 Nov 2025 03:54:41 GMT",
            Some(Duration::from_mins(5)),
        ),
        ("Sat, 01 Nov 2025 03:49:00 GMT", Some(Duration::ZERO)),
        ("in a while", None),
        ("", None),
    ] {
        let headers = format!("retry-after: {said}\r\n");
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            let server = Loopback::start(Script::answer(status, &headers, b"")).await;
            let client = plain_client(&server.url()).with(now, MAX_LISTING);
            let error = listed(&client, &all()).await.expect_err(status);
            assert_eq!(error.retry_after(), expected, "{status} {said}");
        }
    }
}

#[tokio::test]
async fn an_error_repeats_no_credential_that_the_cloud_repeats() {
    let cloud = guarded().await;
    let echo = "verify aksk signature fail, canonicalRequest:GET|/v2/p/pools/||host:h|x-sdk-date:d|x-security-token:hunter2|host;x-sdk-date;x-security-token|e3b0, hunter3";
    let fault = Fault {
        code: Some("APIGW.0301".to_owned()),
        message: Some(echo.to_owned()),
        ..Fault::status(Operation::ListPools, 401)
    };
    cloud.control().add_fault(fault).expect("a fault");
    for credentials in [
        key("LASTING", "secret-of-LASTING", None),
        Credentials::Token("a-token".into()),
    ] {
        let client = client(&cloud.url(), credentials, options());
        let error = listed(&client, &all()).await.expect_err("an error");
        assert!(error.message.contains("x-sdk-date:d"), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    // What is 200 and no listing is repeated in part as well.
    cloud.control().clear_faults();
    let fault = Fault {
        body: Some(serde_json::json!({"kind": "a-token", "items": []})),
        ..Fault::default()
    };
    cloud.control().add_fault(fault).expect("a fault");
    let client = client(
        &cloud.url(),
        Credentials::Token("a-token".into()),
        options(),
    );
    let error = listed(&client, &all()).await.expect_err("an error");
    assert!(!format!("{error} {error:?}").contains("a-token"), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let client = client(
        "http://127.0.0.1:1",
        key("AK", "hunter2", Some("hunter3")),
        options(),
    );
    let shown = format!("{client:?}");
    assert!(
        shown.contains(DEFAULT_PROJECT_ID) && !shown.contains("hunter"),
        "{shown}"
    );
    let credentials = key("AK", "hunter2", Some("hunter3"));
    let headers = client.headers("/", "", &credentials).expect("headers");
    let shown = format!("{headers:?}");
    assert!(
        headers.contains_key("x-security-token") && !shown.contains("hunter"),
        "{shown}"
    );
    assert!(!shown.contains("Signature="), "{shown}");
}
