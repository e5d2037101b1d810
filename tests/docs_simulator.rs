//! docs/simulator.md is true: its scenarios play, its commands work, and nothing is left out.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use modelarts_pool_controller::simulator::{
    AccessKey, Change, Credentials, DOCUMENTED_ERRORS, Event, Fault, Generate, Match, Metadata,
    Operation, Preset, Scenario, ScenarioPool, Simulator, User, Workspace,
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::support::curl::curl;
use super::support::markdown::{blocks, code, read};

const GUIDE: &str = "docs/simulator.md";

async fn play(scenario: Scenario) -> Simulator {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    Simulator::start(scenario, loopback)
        .await
        .expect("a simulator")
}

#[tokio::test]
async fn each_scenario_plays() {
    let mut scenarios: Vec<String> = vec![read("examples/scenario.yaml")];
    let guide = read(GUIDE);
    scenarios.extend(blocks(&guide, "yaml").into_iter().map(str::to_owned));
    assert!(scenarios.len() >= 3, "the guide has lost its scenarios");
    for text in scenarios {
        let scenario = Scenario::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let simulator = play(scenario).await;
        // An event that can't happen is seen only when its time has come.
        simulator
            .control()
            .advance(std::time::Duration::from_mins(3));
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn each_command_works() {
    let guide = read(GUIDE);
    let commands: Vec<&str> = blocks(&guide, "sh")
        .into_iter()
        .flat_map(str::lines)
        .collect();
    assert!(commands.len() > 15, "the guide has lost its commands");
    let simulator = play(Scenario::default_world().expect("the default world")).await;
    for command in commands {
        let (status, body) = curl(command, "http://127.0.0.1:8088", &simulator.url()).await;
        assert!(status.is_success(), "{command}: {status} {body}");
    }
    simulator.shutdown().await;
}

#[test]
fn the_commands_are_those_of_the_code() {
    let source = read("src/simulator/control_http.rs");
    let rows: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | "))
        .collect();
    assert!(rows.len() > 15, "the code has lost its table");
    let guide = read(GUIDE);
    for row in rows {
        assert!(guide.contains(row), "{GUIDE} does not say: {row}");
    }
}

#[test]
fn each_change_of_the_table_is_one() {
    let guide = read(GUIDE);
    let (_, table) = guide
        .split_once("| change | what happens |")
        .expect("a table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let cells: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).collect();
    assert!(cells.len() > 7, "only {cells:?}");
    for change in cells.into_iter().flat_map(code) {
        let yaml = change.replace("{…}", "{}");
        let parsed: Result<Change, _> = serde_saphyr::from_str(&yaml);
        assert!(parsed.is_ok(), "{change}: {parsed:?}");
    }
}

#[test]
fn the_documented_errors_are_those_of_the_code() {
    let guide = read(GUIDE);
    let (_, table) = guide.split_once("| status | codes |").expect("a table");
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let said: Vec<(u16, &str)> = rows
        .flat_map(|row| {
            let status = row.split('|').nth(1).expect("a status").trim();
            let status = status.parse().expect("a number");
            code(row).map(move |code| (status, code))
        })
        .collect();
    let played: Vec<(u16, &str)> = DOCUMENTED_ERRORS
        .iter()
        .map(|error| (error.status, error.code))
        .collect();
    assert_eq!(said, played);
}

#[test]
fn every_field_and_word_is_in_the_guide() {
    let guide = read(GUIDE);
    let said: BTreeSet<&str> = guide
        .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'))
        .collect();
    let mut names = Vec::new();
    names.extend(fields::<Scenario>());
    names.extend(fields::<Credentials>());
    names.extend(fields::<AccessKey>());
    names.extend(fields::<User>());
    names.extend(words::<Metadata>());
    names.extend(fields::<Workspace>());
    names.extend(fields::<ScenarioPool>());
    names.extend(fields::<Generate>());
    names.extend(fields::<Event>());
    names.extend(fields::<Fault>());
    names.extend(fields::<Match>());
    names.extend(words::<Change>());
    names.extend(words::<Preset>());
    names.extend(words::<Operation>());
    assert!(names.len() > 50, "only {names:?}");
    for name in names {
        assert!(said.contains(&*name), "{GUIDE} does not say {name}");
    }
}

/// The fields of a type, as its refusal of another one lists them.
fn fields<T: DeserializeOwned>() -> Vec<String> {
    expected(serde_json::from_value::<T>(json!({"no-such-field": 1})))
}

/// The words of an enumeration, likewise.
fn words<T: DeserializeOwned>() -> Vec<String> {
    expected(serde_json::from_value::<T>(json!("no-such-word")))
}

fn expected<T>(refused: serde_json::Result<T>) -> Vec<String> {
    let text = refused.err().expect("a refusal").to_string();
    let (_, list) = text.split_once("expected").expect("a list");
    code(list).map(str::to_owned).collect()
}
