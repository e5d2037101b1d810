use serde_json::json;

use super::*;
use crate::modelarts::said::{breaks_lines, json_problem};

fn answer(status: u16, body: &str) -> CloudError {
    answer_to("ListPools", status, body)
}

fn answer_to(operation: &'static str, status: u16, body: &str) -> CloudError {
    let status = StatusCode::from_u16(status).expect("a status");
    CloudError::from_answer(
        operation,
        status,
        &HeaderMap::new(),
        body.as_bytes(),
        Timestamp::UNIX_EPOCH,
        str::to_owned,
    )
}

#[test]
fn kinds_by_status_and_code() {
    let gateway = |code: &str, message: &str| {
        format!(r#"{{"error_msg":"{message}","error_code":"{code}","request_id":"r1"}}"#)
    };
    for (status, body, expected) in [
        (
            401,
            gateway(
                "APIGW.0301",
                "Incorrect IAM authentication information: verify aksk signature fail",
            ),
            Reason::CredentialsRejected,
        ),
        (
            401,
            gateway(
                "APIGW.0301",
                "signature expired, signature time:1,server time:2",
            ),
            Reason::ClockSkew,
        ),
        (
            401,
            gateway(
                "APIGW.0303",
                "signature expired, signature time:1,server time:2",
            ),
            Reason::ClockSkew,
        ),
        (
            401,
            gateway("APIGW.0307", "The token must be updated"),
            Reason::CredentialsRejected,
        ),
        (
            401,
            r#"{"error":{"code":401,"message":"no","title":"Unauthorized"}}"#.to_owned(),
            Reason::CredentialsRejected,
        ),
        (
            401,
            gateway("ModelArts.6201", "suspended"),
            Reason::AccountSuspended,
        ),
        (
            400,
            gateway("ModelArts.2837", "frozen"),
            Reason::AccountSuspended,
        ),
        (
            403,
            gateway("ModelArts.0206", "invalid AK/SK"),
            Reason::CredentialsRejected,
        ),
        (
            403,
            gateway("ModelArts.0210", "project id"),
            Reason::InvalidRequest,
        ),
        (
            403,
            gateway("APIGW.0302", "not authorised"),
            Reason::Forbidden,
        ),
        (
            404,
            gateway("ModelArts.50015001", "pool not found"),
            Reason::EndpointNotFound,
        ),
        (
            404,
            gateway("APIGW.0101", "not published"),
            Reason::EndpointNotFound,
        ),
        (404, "not json".to_owned(), Reason::EndpointNotFound),
        (429, gateway("APIGW.0308", "throttling"), Reason::Throttled),
        (
            400,
            gateway("ModelArts.50004000", "Bad request"),
            Reason::InvalidRequest,
        ),
        (302, String::new(), Reason::CloudUnavailable),
        (
            500,
            gateway("ModelArts.50005000", "internal"),
            Reason::CloudUnavailable,
        ),
        (503, String::new(), Reason::CloudUnavailable),
    ] {
        assert_eq!(answer(status, &body).reason(), expected, "{status} {body}");
    }
}

#[test]
fn shapes_of_bodies() {
    for (body, code, message) in [
        (r#"{"error_code":"A.1","error_msg":"m"}"#, "A.1", "m"),
        (r#"{"errorCode":"A.1","errorMsg":"m"}"#, "A.1", "m"),
        (r#"{"code":"A.1","message":"m"}"#, "A.1", "m"),
        (r#"{"error":{"code":401,"message":"m"}}"#, "401", "m"),
        (r#"{"error":{"code":"401","message":"m"}}"#, "401", "m"),
        ("plain text", "", "plain text"),
    ] {
        let error = answer(400, body);
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            (code, message),
            "{body}"
        );
    }
}

#[test]
fn an_error_says_what_failed_and_what_to_do() {
    let error = answer(
        429,
        r#"{"error_code":"APIGW.0308","error_msg":"too\nmany","request_id":"r1"}"#,
    )
    .to_string();
    assert_eq!(
        error,
        "ListPools failed: HTTP 429 APIGW.0308: too many (request id r1); raise spec.interval, or look who else uses up the quota of requests"
    );
    assert!(answer(500, &"x".repeat(10_000)).to_string().len() < 700);
}

#[test]
fn retry_after_in_seconds_and_as_a_date() {
    let now: Timestamp = "2025-11-01T03:49:41Z".parse().expect("a time");
    assert_eq!(retry_after("7", now), Some(Duration::from_secs(7)));
    assert_eq!(
        retry_after("Sat, 01 Nov 2025 03:50:41 GMT", now),
        Some(Duration::from_mins(1))
    );
    assert_eq!(
        retry_after("Sat, 01 Nov 2025 03:40:41 GMT", now),
        Some(Duration::ZERO)
    );
    assert_eq!(retry_after("soon", now), None);
    assert_eq!(retry_after("-1", now), None);
    // A longer wait than any source has would be for ever, or no time at all.
    for long in [
        "18446744073709551615",
        "86401",
        "Sat, 01 Nov 9000 03:50:41 GMT",
    ] {
        assert_eq!(retry_after(long, now), Some(MAX_RETRY_AFTER), "{long}");
    }
}

#[test]
fn the_clouds_words_break_no_line_and_end() {
    let body = json!({"error_code": "A\n.1".to_owned() + &"x".repeat(1000), "error_msg": "m\u{1b}[31m\u{2028}\u{202e}x", "request_id": "r\r1"});
    let error = answer(500, &body.to_string());
    let shown = error.to_string();
    assert!(!shown.contains(breaks_lines), "{shown:?}");
    assert!(error.code.len() < 110, "{}", error.code.len());
    assert_eq!(error.request_id, "r 1");
    let ours = CloudError::new("ListPools", Reason::IncompleteListing, &"训\n".repeat(1000));
    assert!(ours.message.len() < 410 && !ours.message.contains('\n'));
}

#[test]
fn what_is_wrong_with_json_repeats_nothing_of_it() {
    for text in [
        r#""hunter2""#,
        r#"{"a":"hunter2"}"#,
        r#"["hunter2"]"#,
        "{hunter2",
    ] {
        let error = serde_json::from_str::<std::collections::BTreeMap<String, u8>>(text)
            .expect_err("another shape");
        let problem = json_problem(&error);
        assert!(!problem.contains("hunter2"), "{problem}");
        assert!(problem.contains("line 1"), "{problem}");
    }
}

#[test]
fn only_show_pool_learns_that_a_pool_is_gone() {
    let gone = r#"{"error_code":"ModelArts.50015001","error_msg":"pool not found"}"#;
    assert_eq!(
        answer_to("ShowPool", 404, gone).reason(),
        Reason::PoolNotFound
    );
    // A gateway's 404 says nothing of the pool.
    let gateway = r#"{"error_code":"APIGW.0101","error_msg":"not published"}"#;
    let reason = answer_to("ShowPool", 404, gateway).reason();
    assert_eq!(reason, Reason::EndpointNotFound);
}

#[test]
fn a_skewed_clock_is_told_from_a_wrong_key_by_how_much() {
    let date: Timestamp = "2026-01-01T12:00:00Z".parse().expect("a time");
    let of = |status: u16, code: &str, message: &str| {
        let body = serde_json::json!({"error_code": code, "error_msg": message}).to_string();
        let status = StatusCode::from_u16(status).expect("a status");
        let (headers, body) = (HeaderMap::new(), body.as_bytes());
        CloudError::from_answer("ListPools", status, &headers, body, date, str::to_owned)
    };
    let wrong = "verify aksk signature fail";
    let expired = "signature expired, signature time:x,server time:y";
    for (error, seconds, expected) in [
        (of(401, "APIGW.0301", wrong), 15 * 60, None),
        (of(401, "APIGW.0301", wrong), -15 * 60, None),
        (
            of(401, "APIGW.0301", wrong),
            15 * 60 + 1,
            Some("15m 1s ahead of"),
        ),
        (
            of(401, "APIGW.0301", wrong),
            -(3 * 3600 + 5),
            Some("3h 5s behind"),
        ),
        (of(401, "APIGW.0301", "ak AK not exist"), 3600, None),
        (of(401, "ModelArts.0203", "token"), 3600, None),
        (of(403, "APIGW.0302", "no"), 3600, None),
        (of(503, "APIGW.0613", "no"), 3600, None),
    ] {
        let now = date.checked_add(SignedDuration::from_secs(seconds));
        let (before, words) = (error.reason(), error.message.clone());
        let error = error.with_skew(Some(date), now.expect("a time"));
        match expected {
            Some(by) => {
                let said = format!("the controller's clock is {by} the cloud's: {words}");
                assert_eq!(
                    (error.reason(), &*error.message),
                    (Reason::ClockSkew, &*said)
                );
            }
            None => assert_eq!((error.reason(), &*error.message), (before, &*words)),
        }
    }
    // The gateway's own word counts, also where it is not known by how much.
    for of_the_cloud in [None, Some(date)] {
        let error = of(401, "APIGW.0301", expired).with_skew(of_the_cloud, date);
        assert_eq!(
            (error.reason(), &*error.message),
            (Reason::ClockSkew, expired)
        );
    }
}
