//! The default world, the example scenario and the reading of scenario files.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Scenario, World, query::Query};

const ROUND: u64 = 90;
const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";
const NPU: &str = "pool-npu-0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const CREATED: &str = "pool-ae01-6f5da086876d4cd084d36f8bd3346036";

fn world() -> World {
    World::new(
        &Scenario::default_world().unwrap(),
        "2025-11-24T08:00:00Z".parse().unwrap(),
    )
    .unwrap()
}

fn at(seconds: u64) -> World {
    let mut world = world();
    world.advance_to(Duration::from_secs(seconds));
    world
}

fn pool(world: &World, id: &str) -> Value {
    serde_json::from_str(&world.pool(id).unwrap()).unwrap()
}

fn listed(world: &World, query: &str) -> Vec<Value> {
    let body: Value =
        serde_json::from_str(&world.list(&Query::parse(query)).unwrap().render()).unwrap();
    body["items"].as_array().unwrap().clone()
}

/// The counts (desired, creating, available, abnormal, deleting) of a pool.
fn counts(pool: &Value) -> [u64; 5] {
    let sum = |entries: &Value| match entries {
        Value::Array(entries) => entries
            .iter()
            .map(|entry| entry["count"].as_u64().unwrap())
            .sum(),
        entry => entry["count"].as_u64().unwrap_or(0),
    };
    let found = &pool["status"]["resources"];
    [
        &pool["spec"]["resources"],
        &found["creating"],
        &found["available"],
        &found["abnormal"],
        &found["deleting"],
    ]
    .map(sum)
}

#[test]
fn the_documented_sample_is_verbatim() {
    let documented: Value = serde_json::from_str(include_str!("documented-sample.json")).unwrap();
    assert_eq!(pool(&world(), SAMPLE), documented["items"][0]);
    let alone = World::new(
        &Scenario::documented_sample().unwrap(),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap();
    assert_eq!(
        listed(&alone, ""),
        documented["items"].as_array().unwrap().clone()
    );
}

#[test]
fn half_a_minute_shows_creation_illness_recovery_and_scaling() {
    let phase = |seconds, id| pool(&at(seconds), id)["status"]["phase"].clone();
    assert_eq!(phase(0, CREATED), Value::Null);
    assert_eq!(phase(5, CREATED), "Creating");
    assert_eq!(phase(12, CREATED), "Running");
    assert_eq!(
        [0, 6, 20].map(|seconds| phase(seconds, NPU)),
        ["Running", "Abnormal", "Running"]
    );
    assert_eq!(
        [5, 6, 20].map(|seconds| counts(&pool(&at(seconds), NPU))),
        [[6, 0, 6, 0, 0], [6, 0, 4, 2, 0], [6, 0, 6, 0, 0]]
    );
    assert_eq!(
        [7, 8, 18, 50, 58].map(|seconds| counts(&pool(&at(seconds), SAMPLE))),
        [
            [2, 0, 2, 0, 0],
            [3, 1, 2, 0, 0],
            [3, 0, 3, 0, 0],
            [2, 0, 2, 0, 1],
            [2, 0, 2, 0, 0]
        ]
    );
    assert_eq!(
        [66, 73].map(|seconds| phase(seconds, CREATED)),
        ["Deleting", "Deleting"]
    );
    assert!(at(74).pool(CREATED).is_none());
}

#[test]
fn a_round_ends_as_it_began_and_goes_on_for_ever() {
    let without_times = |world: World| {
        let mut pools: Vec<Value> = world.ids().map(|id| pool(&world, id)).collect();
        for pool in &mut pools {
            if pool["metadata"]["name"] == CREATED {
                pool["metadata"]["creationTimestamp"] = json!("");
            }
        }
        pools
    };
    let start = without_times(world());
    for rounds in [1, 2, 50] {
        assert_eq!(
            without_times(at(rounds * ROUND)),
            start,
            "after {rounds} rounds"
        );
    }
    assert_eq!(
        pool(&at(ROUND), CREATED)["metadata"]["creationTimestamp"],
        "2025-11-24T08:01:30Z"
    );
}

#[test]
fn the_state_depends_on_the_time_alone_not_on_how_often_one_looks() {
    let mut often = world();
    for millis in (0..200_000).step_by(700) {
        often.advance_to(Duration::from_millis(millis));
    }
    often.advance_to(Duration::from_secs(200));
    let once = at(200);
    assert_eq!(often.pools, once.pools);
    assert_eq!(often.revision(), once.revision());
}

#[test]
fn who_lists_what() {
    let world = world();
    let ids = |query: &str| -> BTreeSet<String> {
        listed(&world, query)
            .iter()
            .map(|pool| {
                pool["metadata"]["labels"]["os.modelarts/name"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(
        ids("status=failed"),
        BTreeSet::from(["pool-nocapacity".to_owned()])
    );
    assert_eq!(
        ids("status=creating"),
        BTreeSet::from(["pool-ae01".to_owned()])
    );
    assert_eq!(ids("").len(), 7);
    assert_eq!(
        ids("workspaceId=5b3c1f7e90a24d6f8e21c4a7d9b06f35"),
        BTreeSet::from(["pool-research".to_owned()])
    );
}

#[test]
fn every_pool_is_one_of_the_field_table_at_every_moment() {
    for seconds in 0..ROUND {
        let world = at(seconds);
        for id in world.ids() {
            check(&pool(&world, id), id)
                .unwrap_or_else(|problem| panic!("{id} at {seconds}s: {problem}"));
        }
    }
}

/// The field table of the documentation, as far as it binds.
fn check(pool: &Value, id: &str) -> Result<(), String> {
    let ensure = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
    let among = |value: &Value, allowed: &[&str]| {
        value.as_str().is_some_and(|text| allowed.contains(&text))
    };
    ensure(pool["kind"] == "Pool" && pool["apiVersion"] == "v2", "kind")?;
    ensure(
        pool["metadata"]["name"] == id && (36..=63).contains(&id.len()),
        "name",
    )?;
    ensure(
        pool["metadata"]["creationTimestamp"]
            .as_str()
            .is_some_and(|time| time.parse::<Timestamp>().is_ok() && time.len() == 20),
        "creationTimestamp",
    )?;
    for (key, value) in pool["metadata"]["labels"].as_object().unwrap() {
        ensure(key.starts_with("os.modelarts") && value.is_string(), key)?;
    }
    for (key, value) in pool["metadata"]["annotations"].as_object().unwrap() {
        ensure(
            key.starts_with("os.modelarts") && (value.is_string() || value.is_number()),
            key,
        )?;
    }
    let (spec, status) = (&pool["spec"], &pool["status"]);
    ensure(among(&spec["type"], &["Dedicate", "Logical"]), "type")?;
    for scope in spec["scope"].as_array().into_iter().flatten() {
        ensure(among(scope, &["Train", "Infer", "Notebook"]), "scope")?;
    }
    let resources = spec["resources"].as_array().unwrap();
    ensure(!resources.is_empty(), "resources")?;
    for entry in resources {
        ensure(
            entry["flavor"].is_string() && entry["count"].is_u64(),
            "resources[]",
        )?;
    }
    let phases = [
        "Creating",
        "Running",
        "Abnormal",
        "Deleting",
        "Error",
        "CreationFailed",
        "ScalingFailed",
        "Waiting",
    ];
    ensure(
        status["phase"].is_null() || among(&status["phase"], &phases),
        "phase",
    )?;
    for (bucket, entries) in status["resources"].as_object().unwrap() {
        ensure(
            [
                "creating",
                "available",
                "abnormal",
                "deleting",
                "creationFailed",
            ]
            .contains(&bucket.as_str()),
            bucket,
        )?;
        let entries = entries
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![entries.clone()]);
        for entry in entries {
            let count = entry["count"].as_u64().unwrap_or(0);
            let zones: u64 = entry["azs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|zone| zone["count"].as_u64().unwrap())
                .sum();
            ensure(entry["flavor"].is_string() && count > 0, bucket)?;
            ensure(entry["azs"].is_null() || zones == count, "azs")?;
        }
    }
    for scope in status["scope"].as_array().into_iter().flatten() {
        ensure(
            among(
                &scope["state"],
                &[
                    "Enabling",
                    "Enabled",
                    "Disabling",
                    "Disabled",
                    "EnableFailed",
                ],
            ),
            "status.scope",
        )?;
    }
    Ok(())
}

#[test]
fn the_example_scenario_plays() {
    let scenario = Scenario::parse(include_str!("../../examples/scenario.yaml")).unwrap();
    let mut world = World::new(&scenario, Timestamp::UNIX_EPOCH).unwrap();
    let before = world.revision();
    world.advance_to(Duration::from_mins(2));
    assert!(world.revision() > before);
}

#[test]
fn text_stays_text_and_numbers_stay_numbers() {
    let world = world();
    let lite = pool(&world, "pool-lite-0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    assert_eq!(
        lite["metadata"]["annotations"]["os.modelarts/billing.mode"],
        "1"
    );
    assert_eq!(lite["spec"]["resources"][0]["taints"][2]["value"], "yes");
    let logical = pool(&world, "pool-logic-01-0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    assert_eq!(
        logical["metadata"]["annotations"]["os.modelarts/billing.mode"],
        0
    );
    assert_eq!(logical["status"]["resources"], json!({}));
}

#[test]
fn json_and_an_empty_file_are_scenarios() {
    let json = json!({"projectId": "p", "pools": [{"pool": {"metadata": {"name": "a"}}}], "timeline": [{"at": "1s", "pool": "a", "changes": ["hide"]}]});
    let mut world = World::new(
        &Scenario::parse(&json.to_string()).unwrap(),
        Timestamp::UNIX_EPOCH,
    )
    .unwrap();
    assert_eq!(listed(&world, "").len(), 1);
    world.advance_to(Duration::from_secs(1));
    assert_eq!(listed(&world, "").len(), 0);
    assert!(Scenario::parse("\n# nothing\n").unwrap().pools.is_empty());
}

#[test]
fn a_bad_file_is_told_where() {
    for (text, hints) in [
        ("projectId: p\npoolz: []\n", &["line 2", "poolz"][..]),
        (
            "pools:\n- pool: {metadata: {}}\n",
            &["pools[0].pool.metadata.name"],
        ),
        (
            "pools:\n- pool: {metadata: {name: a}}\n- pool: {metadata: {name: a}}\n",
            &["pools[1]", "twice"],
        ),
        (
            "timeline:\n- {at: soon, pool: a, changes: [hide]}\n",
            &["soon", "1m30s"],
        ),
        (
            "timeline:\n- {at: 1s, changes: [hide]}\n",
            &["timeline[0].pool"],
        ),
        (
            "timeline:\n- {at: 1s, pool: a, changes: [{scale: {cuont: 1}}]}\n",
            &["cuont"],
        ),
        (
            "timeline:\n- {at: 1s, pool: a, changes: [explode]}\n",
            &["explode"],
        ),
        (
            "timeline:\n- {at: 1s, pool: a, changes: [{create: {pool: {metadata: {name: b}}}}]}\n",
            &["timeline[0].changes", "must be a"],
        ),
        (
            "timeline:\n- {at: 1s, faults: [{operation: ListPools}]}\n",
            &["timeline[0].faults"],
        ),
        ("{\"projectId\": 1}", &["line 1"]),
        ("pools: [", &["line 1"]),
    ] {
        let error = Scenario::parse(text).unwrap_err().to_string();
        for hint in hints {
            assert!(
                error.contains(hint),
                "{text:?} gives {error:?}, without {hint:?}"
            );
        }
    }
}

#[test]
fn credentials_are_not_shown() {
    let shown = format!(
        "{:?}",
        Scenario {
            credentials: Some(Scenario::default().credentials()),
            ..Scenario::default()
        }
    );
    assert!(!shown.contains(super::DEFAULT_SECRET_KEY), "{shown}");
}
