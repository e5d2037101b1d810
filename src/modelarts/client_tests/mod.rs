//! The client against the simulated cloud, and against servers on loopback that do what no cloud
//! should.
//!
//! Here: what the tests share.

mod access;
mod hostile;
mod issued;
mod limits;
mod listing;
mod loopback;
mod proxy;
mod tls;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use super::super::{
    AllowedEndpoints, CloudError, HttpClient, HttpOptions, InvalidItem, Pool, PoolSink, Reason,
    Selection, StatusFilter, WorkspaceSelection, list,
};
use super::*;
use crate::simulator::{
    Control, DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY, Scenario, Simulator,
};

/// What a listing brought: workspace and id, in the order in which they came.
#[derive(Debug, Default)]
struct Seen(Vec<(String, String)>);

impl PoolSink for Seen {
    fn pool(&mut self, workspace: &str, json: &str) -> Result<(), InvalidItem> {
        let id = Pool::parse(json)?.id;
        self.0.push((workspace.to_owned(), id));
        Ok(())
    }
}

impl Seen {
    /// As `workspace/id`, for short expectations.
    fn words(&self) -> Vec<String> {
        self.0.iter().map(|(w, id)| format!("{w}/{id}")).collect()
    }
}

/// Options that allow every host on loopback.
fn options() -> HttpOptions {
    let patterns = [
        "http://127.0.0.1:*",
        "https://127.0.0.1:*",
        "https://localhost:*",
    ];
    HttpOptions {
        allowed: AllowedEndpoints(patterns.map(|p| p.parse().expect(p)).into()),
        ..HttpOptions::default()
    }
}

fn key(access_key: &str, secret_key: &str, security_token: Option<&str>) -> Credentials {
    Credentials::AccessKey {
        access_key: access_key.to_owned(),
        secret_key: secret_key.into(),
        security_token: security_token.map(Into::into),
    }
}

fn client(url: &str, credentials: Credentials, options: HttpOptions) -> Client {
    Client::new(
        HttpClient::new(options).expect("a client"),
        url.parse().expect(url),
        DEFAULT_PROJECT_ID.to_owned(),
        credentials,
    )
}

/// A client with the default key.
fn plain_client(url: &str) -> Client {
    client(
        url,
        key(DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, None),
        options(),
    )
}

fn selection(workspaces: &[&str], statuses: &[StatusFilter]) -> Selection {
    Selection {
        workspaces: match workspaces {
            ["*"] => WorkspaceSelection::All,
            ids => WorkspaceSelection::List(ids.iter().map(|&id| id.to_owned()).collect()),
        },
        label_selector: String::new(),
        statuses: statuses.to_vec(),
    }
}

/// All of workspace `0`.
fn all() -> Selection {
    selection(
        &["0"],
        &[
            StatusFilter::Created,
            StatusFilter::Creating,
            StatusFilter::Failed,
        ],
    )
}

async fn listed(client: &Client, selection: &Selection) -> Result<Vec<String>, CloudError> {
    let listing = ends(list(client, selection, Seen::default())).await;
    listing.map(|seen| seen.words())
}

/// A test that waits for what never comes must fail, not hang.
async fn ends<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), work)
        .await
        .expect("it ends")
}

/// A simulated cloud with these pools, by `workspace/id`; an id that begins with `failed` has the
/// phase of a failed creation.
async fn cloud(pools: &[&str]) -> Simulator {
    let simulator = Simulator::start(Scenario::default(), ([127, 0, 0, 1], 0).into())
        .await
        .expect("a simulator");
    put(simulator.control(), pools);
    simulator
}

fn put(control: &Control, pools: &[&str]) {
    for pool in pools {
        let (workspace, id) = pool.split_once('/').expect(pool);
        let phase = match id.split('-').next() {
            Some("failed") => "CreationFailed",
            Some("new") => "Creating",
            _ => "Running",
        };
        let json = format!(r#"{{"metadata":{{"name":"{id}"}},"status":{{"phase":"{phase}"}}}}"#);
        control.put_raw(id, workspace, &json).expect("a pool");
    }
}
