//! What the API server was asked, from its own audit log.

use std::fs;
use std::path::Path;

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

/// The writes that `agent` has made so far.
pub fn writes(log: &Path, agent: &str) -> Vec<Request> {
    requests(log, agent)
        .into_iter()
        .filter(|r| !["get", "list", "watch"].contains(&r.verb.as_str()))
        .collect()
}

/// The requests that `agent` has made so far; of a watch its start and its end.
pub fn requests(log: &Path, agent: &str) -> Vec<Request> {
    let text = fs::read_to_string(log).expect("an audit log");
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        // Cheaper than parsing the requests of all tests.
        .filter(|line| line.contains(agent))
        .map(|line| serde_json::from_str(line).expect("an event of the audit log"))
        .filter(|r: &Request| r.user_agent == agent)
        .collect()
}
