//! What went wrong with a request to the cloud: kinds that the loop can act on, words that a person
//! can.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Bytes of a message of the cloud that are repeated, at most.
const MAX_MESSAGE: usize = 400;

/// A request to the cloud that brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudError {
    /// Which request, e.g. `ListPools`.
    pub operation: &'static str,
    /// What kind of failure.
    pub reason: Reason,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The cloud's code, e.g. `APIGW.0301`; empty where it sent none.
    pub code: String,
    /// What happened, in the cloud's words where it has some.
    pub message: String,
    /// The cloud's name of the request, for its support.
    pub request_id: String,
    /// How long the cloud asks to wait.
    pub retry_after: Option<Duration>,
}

/// Kinds of failure: a closed set, used alike in conditions and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The cloud does not accept the key or token.
    CredentialsRejected,
    /// The clocks differ by more than the signature allows.
    ClockSkew,
    /// The key is good and may not do this.
    Forbidden,
    /// Too many requests.
    Throttled,
    /// The request is not one the cloud takes.
    InvalidRequest,
    /// The host answers, and has no such API.
    EndpointNotFound,
    /// There is no such pool.
    PoolNotFound,
    /// The cloud can't be reached, or fails.
    CloudUnavailable,
    /// The answer is not a whole listing.
    IncompleteListing,
    /// The answer is larger than is read.
    ListingTooLarge,
    /// The host is none of those that may be asked.
    EndpointRefused,
}

impl Reason {
    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialsRejected => "CredentialsRejected",
            Self::ClockSkew => "ClockSkew",
            Self::Forbidden => "Forbidden",
            Self::Throttled => "Throttled",
            Self::InvalidRequest => "InvalidRequest",
            Self::EndpointNotFound => "EndpointNotFound",
            Self::PoolNotFound => "PoolNotFound",
            Self::CloudUnavailable => "CloudUnavailable",
            Self::IncompleteListing => "IncompleteListing",
            Self::ListingTooLarge => "ListingTooLarge",
            Self::EndpointRefused => "EndpointRefused",
        }
    }

    /// What a person can do.
    const fn advice(self) -> &'static str {
        match self {
            Self::CredentialsRejected => {
                "check the keys in the Secret; they are not tried again for 5 min or until the Secret changes"
            }
            Self::ClockSkew => "set the clock of the controller's node (the cloud allows 15 min)",
            Self::Forbidden => {
                "grant the user modelarts:pool:list and modelarts:pool:get on this project and workspace"
            }
            Self::Throttled => {
                "raise spec.interval, or look who else uses up the quota of requests"
            }
            Self::InvalidRequest => "check projectId, workspaceIds and labelSelector of the source",
            Self::EndpointNotFound => "check region and endpoint of the source",
            Self::PoolNotFound => "the pool is gone",
            Self::CloudUnavailable => {
                "nothing to do if it passes; else check endpoint, proxy, DNS and network policy"
            }
            Self::IncompleteListing => {
                "nothing was changed; if it lasts, report it with the request id"
            }
            Self::ListingTooLarge => "narrow the source by workspaceIds or labelSelector",
            Self::EndpointRefused => {
                "correct the source, or allow the host with --allowed-endpoints"
            }
        }
    }
}

impl CloudError {
    /// A failure without an answer of the cloud.
    #[must_use]
    pub fn new(operation: &'static str, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            operation,
            reason,
            status: None,
            code: String::new(),
            message: message.into(),
            request_id: String::new(),
            retry_after: None,
        }
    }

    /// What kind of failure.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// How long the cloud asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error that an answer other than 2xx means.
    #[must_use]
    pub fn from_answer(
        operation: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Self {
        let said = Said::parse(body);
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .map(str::to_owned)
        };
        let message = match &said.message {
            message if !message.is_empty() => message.clone(),
            _ if status.is_redirection() => "the cloud redirects, which is not followed".to_owned(),
            _ => status.canonical_reason().unwrap_or("no message").to_owned(),
        };
        Self {
            operation,
            reason: reason(status.as_u16(), &said.code, &message),
            status: Some(status.as_u16()),
            code: said.code,
            message: readable(&message),
            request_id: readable(&header("x-request-id").unwrap_or(said.request_id)),
            retry_after: header("retry-after").and_then(|v| retry_after(&v, now)),
        }
    }
}

impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            reason,
            status,
            code,
            message,
            request_id,
            retry_after: _,
        } = self;
        write!(f, "{operation} failed")?;
        if let Some(status) = status {
            write!(f, ": HTTP {status}")?;
        }
        if !code.is_empty() {
            write!(f, " {code}")?;
        }
        write!(f, ": {message}")?;
        if !request_id.is_empty() {
            write!(f, " (request id {request_id})")?;
        }
        write!(f, "; {}", reason.advice())
    }
}

impl std::error::Error for CloudError {}

/// What the body of an error says, in any of the shapes that gateway, ModelArts and IAM use.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: String,
}

impl Said {
    fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(&value, 0),
            Err(_) => Self {
                message: String::from_utf8_lossy(body).into_owned(),
                ..Self::default()
            },
        }
    }

    fn of(value: &Value, depth: usize) -> Self {
        let text = |names: &[&str]| {
            names.iter().find_map(|name| match value.get(*name)? {
                Value::String(s) => Some(s.clone()),
                Value::Number(n) => Some(n.to_string()),
                _ => None,
            })
        };
        let said = Self {
            code: text(&["error_code", "errorCode", "code"]).unwrap_or_default(),
            message: text(&["error_msg", "errorMsg", "message"]).unwrap_or_default(),
            request_id: text(&["request_id"]).unwrap_or_default(),
        };
        let inner = value
            .get("error")
            .filter(|e| e.is_object() && said == Self::default() && depth == 0);
        inner.map_or(said, |inner| Self::of(inner, depth + 1))
    }
}

/// The kind of failure. The code alone does not tell: some mean other things with other statuses.
fn reason(status: u16, code: &str, message: &str) -> Reason {
    let number = code.rsplit('.').next().unwrap_or_default();
    let gateway = code.starts_with("API");
    match status {
        // The gateway reports a skewed clock as a wrong signature.
        401 if gateway && message.contains("signature expired") => Reason::ClockSkew,
        401 => match number {
            "6201" | "6203" | "4116" | "4118" | "5017" => Reason::Forbidden,
            _ => Reason::CredentialsRejected,
        },
        403 if !gateway && matches!(number, "0203" | "0206") => Reason::CredentialsRejected,
        403 => Reason::Forbidden,
        404 if code == "ModelArts.50015001" => Reason::PoolNotFound,
        404 => Reason::EndpointNotFound,
        429 => Reason::Throttled,
        408 => Reason::CloudUnavailable,
        400..=499 => Reason::InvalidRequest,
        _ => Reason::CloudUnavailable,
    }
}

/// Seconds or a date, as HTTP allows.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(value.trim())
        .ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

/// The cloud's words, without what could break a line, and not without end.
pub(super) fn readable(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match clean.floor_char_boundary(MAX_MESSAGE) {
        end if end < clean.len() => format!("{}…", &clean[..end]),
        _ => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> CloudError {
        let status = StatusCode::from_u16(status).expect("a status");
        CloudError::from_answer(
            "ListPools",
            status,
            &HeaderMap::new(),
            body.as_bytes(),
            Timestamp::UNIX_EPOCH,
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
                Reason::Forbidden,
            ),
            (
                403,
                gateway("ModelArts.0206", "invalid AK/SK"),
                Reason::CredentialsRejected,
            ),
            (
                403,
                gateway("ModelArts.0210", "project id"),
                Reason::Forbidden,
            ),
            (
                403,
                gateway("APIGW.0302", "not authorised"),
                Reason::Forbidden,
            ),
            (
                404,
                gateway("ModelArts.50015001", "pool not found"),
                Reason::PoolNotFound,
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
            Some(Duration::from_secs(60))
        );
        assert_eq!(
            retry_after("Sat, 01 Nov 2025 03:40:41 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("soon", now), None);
    }
}
