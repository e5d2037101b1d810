//! The cloud's own SDK for Python takes the simulated cloud for the real one, and signs as we do.

use std::net::SocketAddr;

use modelarts_pool_controller::simulator::{
    AccessKey, Credentials, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, DOCUMENTED_ERRORS, Fault,
    Operation, Preset, Scenario, ScenarioPool, Simulator,
};
use serde_json::{Value, json};

use super::support::sdk::{ask, call};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

async fn play(scenario: Scenario) -> Simulator {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    Simulator::start(scenario, loopback)
        .await
        .expect("a simulated cloud")
}

async fn sample() -> Simulator {
    play(Scenario::documented_sample().expect("the documented sample")).await
}

/// A project with these pools: id, workspace, label `os.modelarts/name`, phase.
fn project(pools: &[(&str, &str, &str, &str)]) -> Scenario {
    let pools = pools.iter().map(|(id, workspace, name, phase)| ScenarioPool {
        workspace: (*workspace).to_owned(),
        hidden: false,
        pool: json!({
            "kind": "Pool", "apiVersion": "v2",
            "metadata": {"name": id, "creationTimestamp": "2025-01-01T00:00:00Z", "labels": {"os.modelarts/name": name}},
            "spec": {"type": "Dedicate", "scope": [], "resources": []}, "status": {"phase": phase},
        }),
    });
    Scenario {
        pools: pools.collect(),
        ..Scenario::default()
    }
}

#[tokio::test]
async fn it_lists_by_workspace_status_and_label() {
    let cloud = play(project(&[
        ("a", "0", "训练 池", "Running"),
        ("b", "0", "wow!", "Running"),
        ("c", "0", "plain", "Creating"),
        ("d", "0", "plain", "CreationFailed"),
        ("e", "team-a", "plain", "Running"),
    ]))
    .await;
    let cases = [
        (json!({}), "a b c"),
        (json!({"workspace_id": "team-a"}), "e"),
        (json!({"status": "created"}), "a b"),
        (json!({"status": "creating"}), "c"),
        (json!({"status": "failed"}), "d"),
        (json!({"label_selector": "os.modelarts/name=训练 池"}), "a"),
        (
            json!({"label_selector": "os.modelarts/name!=训练 池"}),
            "b c",
        ),
        (json!({"label_selector": "os.modelarts/name=wow!"}), "b"),
        (json!({"label_selector": "!os.modelarts/name"}), ""),
        (
            json!({"label_selector": "os.modelarts/name in (训练 池, plain)", "status": "created"}),
            "a",
        ),
        (
            json!({"label_selector": "os.modelarts/name=训练 池,a!=b", "status": "created", "workspace_id": "0"}),
            "a",
        ),
    ];
    let calls = cases.iter().map(|(request, _)| call("list_pools", request));
    let outcomes = ask(&cloud.url(), calls.collect()).await;
    for ((request, expected), outcome) in cases.iter().zip(&outcomes) {
        assert_eq!(outcome.names().join(" "), *expected, "{request}");
        assert_eq!(outcome.typed.join(" "), *expected, "{request}");
    }
    let requests = cloud.control().requests();
    let last = requests.last.back().expect("a request");
    assert_eq!(
        last.query,
        "labelSelector=os.modelarts%2Fname%3D%E8%AE%AD%E7%BB%83%20%E6%B1%A0%2Ca%21%3Db&status=created&workspaceId=0"
    );
}

#[tokio::test]
async fn it_shows_a_pool_and_lists_workspaces() {
    let cloud = play(project(&[
        ("a", "0", "one", "Running"),
        ("b", "team-a", "two", "CreationFailed"),
    ]))
    .await;
    let calls = vec![
        call(
            "show_pool",
            &json!({"pool_name": "a", "x_model_arts_user_id": "somebody"}),
        ),
        call("show_pool", &json!({"pool_name": "b"})),
        call("list_workspace", &json!({})),
        call("list_workspace", &json!({"limit": 1, "offset": 1})),
    ];
    let outcomes = ask(&cloud.url(), calls).await;
    for (outcome, id) in outcomes.iter().zip(["a", "b"]) {
        assert_eq!(outcome.typed, [id]);
        let shown: Value = serde_json::from_str(&outcome.raw).expect("JSON");
        let pool = cloud.control().pool(id).expect("a pool");
        assert_eq!(shown, serde_json::from_str::<Value>(&pool).expect("JSON"));
    }
    assert_eq!(outcomes[2].typed, ["0", "team-a"]);
    assert_eq!(outcomes[3].typed, ["team-a"]);
    assert_eq!(outcomes[3].json()["total_count"], 2);
}

#[tokio::test]
async fn only_a_right_key_opens_the_simulated_cloud() {
    let cloud = sample().await;
    let with = |more: &[(&str, &str)]| {
        let mut call = call("list_pools", &json!({}));
        for (key, value) in more {
            call[*key] = json!(value);
        }
        call
    };
    let wrong = with(&[("secretKey", "wrong")]);
    let mut calls = vec![
        with(&[]),
        wrong.clone(),
        with(&[("accessKey", "NOBODY")]),
        with(&[("projectId", "another")]),
    ];
    // The signature of the call before was right: the failure before it is forgotten. Six lock.
    calls.extend(std::iter::repeat_n(wrong, 6));
    calls.push(with(&[]));
    let outcomes = ask(&cloud.url(), calls).await;
    assert_eq!(outcomes[0].names(), [SAMPLE]);
    let refused = |at: usize, status: u16, code: &str, words: &str| {
        let outcome = &outcomes[at];
        assert_eq!(outcome.exception.as_deref(), Some("ClientRequestException"));
        assert_eq!((outcome.status, &*outcome.code), (Some(status), code));
        assert!(outcome.message.contains(words), "{outcome:?}");
        assert!(outcome.request_id.is_some(), "{outcome:?}");
    };
    // What was signed comes back, as the gateway does it: both sides see the same request.
    let project = modelarts_pool_controller::simulator::DEFAULT_PROJECT_ID;
    let host = cloud.address();
    let echo = format!(
        "verify aksk signature fail, canonicalRequest:GET|/v2/{project}/pools/||content-type:application/json|host:{host}|"
    );
    let signed = "||content-type;host;user-agent;x-project-id;x-sdk-date|";
    refused(1, 401, "APIGW.0301", &echo);
    refused(1, 401, "APIGW.0301", signed);
    refused(2, 401, "APIGW.0301", "ak NOBODY not exist");
    refused(3, 403, "ModelArts.0210", "does not match the token");
    for at in 4..10 {
        refused(at, 401, "APIGW.0301", &echo);
    }
    refused(
        10,
        401,
        "APIGW.0301",
        "AK access failed to reach the limit,forbidden",
    );

    let key = |security_token: &str| AccessKey {
        access_key: DEFAULT_ACCESS_KEY.to_owned(),
        secret_key: DEFAULT_SECRET_KEY.to_owned(),
        security_token: Some(security_token.to_owned()),
    };
    cloud.control().set_credentials(Credentials {
        access_keys: vec![key("st/+==")],
        ..Credentials::default()
    });
    let calls = vec![
        with(&[("securityToken", "st/+==")]),
        with(&[("securityToken", "another")]),
    ];
    let outcomes = ask(&cloud.url(), calls).await;
    assert_eq!(outcomes[0].names(), [SAMPLE]);
    assert_eq!(
        (outcomes[1].status, &*outcomes[1].code),
        (Some(401), "APIGW.0301")
    );
}

#[tokio::test]
async fn it_gets_each_documented_error() {
    let cloud = sample().await;
    let mut calls = Vec::new();
    for error in DOCUMENTED_ERRORS {
        let fault = Fault {
            code: Some(error.code.to_owned()),
            ..Fault::status(Operation::ListPools, error.status)
        };
        cloud.control().add_fault(fault.times(1)).expect("a fault");
        calls.push(call("list_pools", &json!({})));
    }
    let outcomes = ask(&cloud.url(), calls).await;
    let requests = cloud.control().requests();
    for ((error, outcome), seen) in DOCUMENTED_ERRORS.iter().zip(&outcomes).zip(&requests.last) {
        let class = if error.status < 500 {
            "ClientRequestException"
        } else {
            "ServerResponseException"
        };
        assert_eq!(outcome.exception.as_deref(), Some(class), "{error:?}");
        assert_eq!(outcome.status, Some(error.status), "{error:?}");
        if error.status == 429 {
            // The SDK's own: it loses what it was told.
            assert_eq!(outcome.code, "429");
            assert!(outcome.message.contains("too many 429 error responses"));
            continue;
        }
        assert_eq!(
            (&*outcome.code, &*outcome.message),
            (error.code, error.message)
        );
        assert_eq!(outcome.request_id.as_ref(), Some(&seen.request_id));
    }
    assert_eq!(requests.last.len(), DOCUMENTED_ERRORS.len());
}

#[tokio::test]
async fn it_gets_the_errors_that_requests_bring_upon_themselves() {
    let cloud = sample().await;
    let cases = [
        (
            "show_pool",
            json!({"pool_name": "gone"}),
            404,
            "ModelArts.50015001",
        ),
        (
            "list_pools",
            json!({"workspace_id": "9"}),
            400,
            "ModelArts.0102",
        ),
        (
            "list_pools",
            json!({"status": "gone"}),
            400,
            "ModelArts.50004000",
        ),
        (
            "list_pools",
            json!({"label_selector": "a b"}),
            400,
            "ModelArts.50004000",
        ),
        (
            "list_workspace",
            json!({"limit": "x"}),
            400,
            "ModelArts.50004000",
        ),
    ];
    let calls = cases
        .iter()
        .map(|(operation, request, ..)| call(operation, request));
    let outcomes = ask(&cloud.url(), calls.collect()).await;
    for ((operation, request, status, code), outcome) in cases.iter().zip(&outcomes) {
        assert_eq!(
            (outcome.status, &*outcome.code),
            (Some(*status), *code),
            "{operation} {request}"
        );
    }
}

#[tokio::test]
async fn it_gets_what_other_services_and_broken_gateways_say() {
    let cloud = sample().await;
    let with_body = |status: u16, body: Value| Fault {
        body: Some(body),
        ..Fault::status(Operation::ListPools, status)
    };
    let html = "<html><body>502 Bad Gateway</body></html>";
    let cases = [
        (
            with_body(
                401,
                json!({"error": {"code": 401, "message": "Unauthorized.", "title": "Unauthorized"}}),
            ),
            ("401", "Unauthorized.", None),
        ),
        (
            with_body(
                403,
                json!({"error_code": "PAP5.0001", "error_msg": "denied", "encoded_authorization_message": "abc"}),
            ),
            ("PAP5.0001", "denied", Some("abc")),
        ),
        (with_body(502, json!(html)), ("502", html, None)),
    ];
    for (fault, _) in &cases {
        let fault = fault.clone().times(1);
        cloud.control().add_fault(fault).expect("a fault");
    }
    let calls = cases.iter().map(|_| call("list_pools", &json!({})));
    let outcomes = ask(&cloud.url(), calls.collect()).await;
    for ((_, expected), outcome) in cases.iter().zip(&outcomes) {
        let said = (
            &*outcome.code,
            &*outcome.message,
            outcome.authorization.as_deref(),
        );
        assert_eq!(said, *expected);
    }
}

/// Why the controller must look closer than the SDK: these are no errors to it, and no pools either.
#[tokio::test]
async fn it_takes_broken_lists_for_empty_ones() {
    let cloud = sample().await;
    let presets = [
        Preset::Truncated,
        Preset::EmptyObject,
        Preset::ItemsNull,
        Preset::ErrorWith200,
    ];
    let mut calls = Vec::new();
    for preset in presets {
        let fault = Fault::preset(Operation::ListPools, preset).times(1);
        cloud.control().add_fault(fault).expect("a fault");
        calls.push(call("list_pools", &json!({})));
    }
    for (preset, outcome) in presets.iter().zip(ask(&cloud.url(), calls).await) {
        assert_eq!(
            (&outcome.exception, outcome.status),
            (&None, Some(200)),
            "{preset:?}"
        );
        assert!(outcome.typed.is_empty(), "{preset:?}");
    }
}

#[tokio::test]
async fn it_waits_as_the_simulated_cloud_says() {
    for (retry_after, retry_at, least) in [
        (None, None, 0),
        (Some("1"), None, 1000),
        // A date is in whole seconds: up to one is lost.
        (None, Some(std::time::Duration::from_secs(2)), 1000),
    ] {
        let cloud = sample().await;
        let fault = Fault {
            retry_after: retry_after.map(str::to_owned),
            retry_at,
            ..Fault::preset(Operation::ListPools, Preset::Throttle)
        };
        cloud.control().add_fault(fault.times(1)).expect("a fault");
        let mut call = call("list_pools", &json!({}));
        call["retries"] = json!(1);
        let outcomes = ask(&cloud.url(), vec![call]).await;
        assert_eq!(outcomes[0].names(), [SAMPLE]);
        let requests = cloud.control().requests();
        let times: Vec<_> = requests.last.iter().map(|seen| seen.at).collect();
        assert_eq!(times.len(), 2, "one was throttled");
        let waited = times[1].duration_since(times[0]).as_millis();
        assert!(
            waited >= least,
            "{waited} ms after {retry_after:?} {retry_at:?}"
        );
    }
}
