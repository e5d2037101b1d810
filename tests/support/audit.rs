//! What the API server was asked, from its own audit log.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// One request that has ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub stage: String,
    pub verb: String,
    #[serde(default)]
    pub user_agent: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    #[serde(default)]
    pub object_ref: Object,
    pub user: User,
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: Timestamp,
    /// Nothing at the start of a watch.
    pub response_status: Option<Status>,
}

/// In whose name a request was made.
#[derive(Clone, Debug, Deserialize)]
pub struct User {
    pub username: String,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Status {
    pub code: u16,
}

impl Request {
    /// Whether it may have changed something.
    pub fn is_write(&self) -> bool {
        !["get", "list", "watch"].contains(&self.verb.as_str())
    }

    pub fn is_accepted(&self) -> bool {
        let code = self.response_status.map(|status| status.code);
        code.is_some_and(|code| (200..300).contains(&code))
    }
}

/// What a request was about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Object {
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub subresource: String,
}

/// The most of these times that lie within a second.
pub fn busiest_second(times: impl IntoIterator<Item = Timestamp>) -> usize {
    let times: Vec<_> = times.into_iter().collect();
    let within = |first: &Timestamp| {
        let end = *first + SignedDuration::from_secs(1);
        times.iter().filter(|at| (*first..end).contains(at)).count()
    };
    times.iter().map(within).max().unwrap_or(0)
}

/// The writes that `agent` has made so far.
pub fn writes(log: &Path, agent: &str) -> Vec<Request> {
    requests(log, agent)
        .into_iter()
        .filter(Request::is_write)
        .collect()
}

/// The requests that `agent` has made so far; of a watch its start and its end.
pub fn requests(log: &Path, agent: &str) -> Vec<Request> {
    let mut requests = requests_that_name(log, agent);
    requests.retain(|r| r.user_agent == agent);
    requests
}

/// The requests so far in the log of which this word is.
pub fn requests_that_name(log: &Path, word: &str) -> Vec<Request> {
    let text = fs::read_to_string(log).expect("an audit log");
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        // Cheaper than parsing the requests of all tests.
        .filter(|line| line.contains(word))
        .map(|line| serde_json::from_str(line).expect("an event of the audit log"))
        .collect()
}
