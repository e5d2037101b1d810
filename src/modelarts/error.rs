//! What went wrong with a request to the cloud: kinds that the loop can act on, words that a person
//! can.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::credentials::CREATE_TOKEN;
use super::reason::Reason;
use super::rules::reason;
use super::said::{MAX_WORD, Said, readable};

/// Bytes of a message of the cloud that are repeated, at most.
const MAX_MESSAGE: usize = 400;
/// Header of an answer: the cloud's name of the request.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// The clocks may differ by so much before a signature is refused.
const MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);
/// The longest wait that is obeyed: the longest interval of a source.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

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

impl CloudError {
    /// A failure without an error's answer of the cloud.
    #[must_use]
    pub fn new(operation: &'static str, reason: Reason, message: &str) -> Self {
        Self {
            operation,
            reason,
            status: None,
            code: String::new(),
            message: readable(message, MAX_MESSAGE),
            request_id: String::new(),
            retry_after: None,
        }
    }

    /// The same failure, of an answer with this status and request id.
    #[must_use]
    pub(super) fn of_answer(self, status: u16, request_id: &str) -> Self {
        Self {
            status: Some(status),
            request_id: readable(request_id, MAX_WORD),
            ..self
        }
    }

    /// What kind of failure.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The same of an answer to a signed request, which came at `now` by the clock that signed it, and at `date`
    /// by the cloud's: where the two differ by more than a signature allows, that is why it was refused.
    #[must_use]
    pub(super) fn with_skew(self, date: Option<Timestamp>, now: Timestamp) -> Self {
        let skew = date.map(|date| now.duration_since(date));
        // A key that does not exist is wrong at any time.
        let refused = self.reason == Reason::CredentialsRejected
            && self.code.starts_with("API")
            && !self.message.contains("not exist");
        let skewed = refused && skew.is_some_and(|skew| skew.abs() > MAX_SKEW);
        if self.reason != Reason::ClockSkew && !skewed {
            return self;
        }
        let by = skew.filter(|skew| skew.abs() > MAX_SKEW).map(|skew| {
            let side = if skew.is_negative() {
                "behind"
            } else {
                "ahead of"
            };
            let by = SignedDuration::from_secs(skew.abs().as_secs());
            format!("the controller's clock is {by:#} {side} the cloud's: ")
        });
        // Before the cloud's words, which may be too long to be repeated in whole.
        let message = format!("{}{}", by.unwrap_or_default(), self.message);
        Self {
            reason: Reason::ClockSkew,
            message: readable(&message, MAX_MESSAGE),
            ..self
        }
    }

    /// Whether IAM says so, and not the API that its token is for.
    #[must_use]
    pub fn is_of_iam(&self) -> bool {
        self.operation == CREATE_TOKEN
    }

    /// How long the cloud asks to wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The error that an answer other than 200 means. `clean` takes out of the cloud's words what
    /// must not be repeated: the gateway answers a wrong signature with all that was signed, and a
    /// security token is among it.
    #[must_use]
    pub fn from_answer(
        operation: &'static str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
        clean: impl Fn(&str) -> String,
    ) -> Self {
        let said = Said::parse(body);
        // In IAM's errors the code is the status.
        let code = Some(said.code).filter(|code| *code != status.as_str());
        let code = readable(&clean(&code.unwrap_or_default()), MAX_WORD);
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
            reason: reason(operation, status.as_u16(), &code, &message),
            status: Some(status.as_u16()),
            code,
            message: readable(&clean(&message), MAX_MESSAGE),
            request_id: readable(
                &clean(&header(REQUEST_ID).unwrap_or(said.request_id)),
                MAX_WORD,
            ),
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
        let advice = match *operation {
            CREATE_TOKEN => reason.advice_on_tokens(),
            _ => None,
        };
        write!(f, "; {}", advice.unwrap_or_else(|| reason.advice()))
    }
}

impl std::error::Error for CloudError {}

/// Seconds or a date, as HTTP allows.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    }
    let date = http_date(value)?;
    let wait = Duration::try_from(date.duration_since(now)).unwrap_or_default();
    Some(wait.min(MAX_RETRY_AFTER))
}

fn http_date(value: &str) -> Option<Timestamp> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(value.trim()).ok()
}

/// The time of an answer by the clock of who sent it.
pub(super) fn date(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get("date")?.to_str().ok()?)
}

#[cfg(test)]
#[path = "error_tests.rs"]
mod tests;
