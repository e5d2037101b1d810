//! What docs/consuming.md promises to those who build on the mirrors, where no other test shows it.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::watcher::{self, Event, watcher};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{Change, Operation, Scenario};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::support::env::{Env, PATIENCE, says};
use super::support::go::go;
use super::support::markdown::{blocks, code, read};
use super::support::policy::Policy;
use super::support::prometheus::promtool;
use super::support::shell::Shell;

const PAGE: &str = "docs/consuming.md";

fn scenario(value: Value) -> Scenario {
    serde_json::from_value(value).expect("a scenario")
}

/// A pool of two nodes as the cloud sends it.
fn pool(id: &str, type_: &str, resources: &Value) -> Value {
    json!({
        "kind": "Pool", "apiVersion": "v2",
        "metadata": {"name": id, "creationTimestamp": "2025-10-01T09:00:00Z"},
        "spec": {"type": type_, "resources": [{"flavor": "f", "count": 2}]},
        "status": {"phase": "Running", "resources": resources},
    })
}

fn two_nodes() -> Value {
    json!({"available": [{"flavor": "f", "count": 2}]})
}

fn change(value: Value) -> Change {
    serde_json::from_value(value).expect("a change")
}

/// What a watch of the mirrors of a namespace shows, from now on: each object as it is then.
struct Watch(futures::stream::BoxStream<'static, ModelArtsPool>);

impl Watch {
    async fn begin(env: &Env) -> Self {
        let mut events = watcher(env.pools(), watcher::Config::default()).boxed();
        loop {
            match events.next().await.expect("a watch").expect("an event") {
                Event::InitDone => break,
                Event::Init | Event::InitApply(_) => {}
                other => panic!("{other:?}"),
            }
        }
        let changes = events.filter_map(|event| async {
            match event.expect("an event") {
                Event::Apply(pool) | Event::Delete(pool) => Some(pool),
                _ => None,
            }
        });
        Self(changes.boxed())
    }

    async fn next(&mut self) -> ModelArtsPool {
        let next = timeout(PATIENCE, self.0.next()).await;
        next.expect("an event in time").expect("a watch")
    }
}

#[tokio::test]
async fn a_watch_over_a_hundred_quiet_passes_shows_nothing() {
    const SOURCES: usize = 20;
    let pools: Vec<Value> = (0..SOURCES)
        .map(|n| {
            let pool = pool(&format!("pool-{n:02}"), "Dedicate", &two_nodes());
            json!({"workspace": format!("w{n}"), "pool": pool})
        })
        .collect();
    let env = Env::with(scenario(json!({"pools": pools}))).await;
    for n in 0..SOURCES {
        let spec =
            json!({"workspaceIds": [format!("w{n}")], "interval": "5s", "statuses": ["created"]});
        env.add_source(&format!("s{n}"), spec).await;
    }
    let controller = env.start_controller().await;
    for n in 0..SOURCES {
        env.synced(&format!("s{n}")).await;
    }
    let mut watch = Watch::begin(&env).await;
    env.cloud().reorder(Some(3));
    let before = env.cloud().requests().gets(Operation::ListPools);
    let hundred = env.asked(|r| r.gets(Operation::ListPools) >= before + 100);
    tokio::select! {
        _ = hundred => {}
        pool = watch.next() => panic!("an event without a change: {pool:#?}"),
    }
    // It does show what changes.
    env.cloud()
        .change_pool("pool-00", &change(json!({"abnormalNodes": {"count": 1}})))
        .expect("a change");
    let changed = watch.next().await;
    assert_eq!(changed.metadata.name.as_deref(), Some("pool-00"));
    controller.stop().await;
}

fn available(pool: &ModelArtsPool) -> Option<i64> {
    pool.status.as_ref()?.counts.as_ref()?.available
}

fn desired(pool: &ModelArtsPool) -> Option<i64> {
    pool.status.as_ref()?.counts.as_ref()?.desired
}

fn observed(pool: &ModelArtsPool) -> Option<i64> {
    pool.status.as_ref()?.observed_generation
}

#[tokio::test]
async fn events_come_in_the_order_that_is_told() {
    let env = Env::with(scenario(json!({}))).await;
    env.add_source(
        "s",
        json!({"interval": "5s", "prune": {"gracePeriod": "0s"}}),
    )
    .await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    let mut watch = Watch::begin(&env).await;

    // A new pool: the object with its spec, and then its status.
    env.cloud()
        .put_pool(&pool("p", "Dedicate", &two_nodes()))
        .expect("a pool");
    let (first, second) = (watch.next().await, watch.next().await);
    assert!(first.status.is_none(), "{first:?}");
    assert_eq!(
        (available(&second), observed(&second)),
        (Some(2), second.metadata.generation)
    );

    // Both change: the spec first, and until the second the status is of the listing before.
    env.cloud()
        .change_pool("p", &change(json!({"scale": {"count": 3}})))
        .expect("a change");
    let (first, last) = (watch.next().await, watch.next().await);
    assert_eq!((desired(&first), observed(&first)), (Some(2), Some(1)));
    assert_eq!(first.metadata.generation, Some(2));
    assert_eq!((desired(&last), observed(&last)), (Some(3), Some(2)));

    // It is gone, and returns: the same name, another object.
    env.cloud().delete_pool("p").expect("a pool");
    env.pool_gone("p").await;
    env.cloud()
        .put_pool(&pool("p", "Dedicate", &two_nodes()))
        .expect("a pool");
    let returned = env.mirrored("p").await;
    assert_ne!(returned.metadata.uid, last.metadata.uid);
    controller.stop().await;
}

/// What the page's block in CEL says of the mirror.
async fn in_cel(env: &Env, name: &str) -> String {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {"example.com/ask": "cel"}}}));
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let refused = env
        .pools()
        .patch(name, &params, &patch)
        .await
        .expect_err("a refusal");
    let message = refused.to_string();
    let (_, said) = message
        .split_once("denied request: ")
        .unwrap_or_else(|| panic!("{message}"));
    said.split([':', '"', ' '])
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Of each mirror: how many nodes can be counted on; nothing where that is not known.
#[tokio::test]
async fn each_language_tells_unknown_from_zero() {
    let empty = json!({"available": []});
    let pools: Vec<Value> = [
        pool("known", "Dedicate", &two_nodes()),
        pool("none", "Dedicate", &empty),
        pool("logical", "Logical", &Value::Null),
        pool("missing", "Dedicate", &two_nodes()),
        pool("gone", "Dedicate", &two_nodes()),
    ]
    .into_iter()
    .map(|pool| json!({"pool": pool}))
    .collect();
    let env = Env::with(scenario(json!({"pools": pools}))).await;
    let prune = json!({"policy": "Retain", "gracePeriod": "0s", "maxPercent": 100});
    env.add_source("s", json!({"interval": "5s", "prune": prune}))
        .await;
    let controller = env.start_controller().await;
    env.synced("s").await;
    env.cloud().delete_pool("gone").expect("a pool");
    env.cloud()
        .change_pool("missing", &change(json!("hide")))
        .expect("a change");
    env.pool_when("gone", "it is gone", |p| says(p, "Listed", "False", "Gone"))
        .await;
    env.pool_when("missing", "it is missing", |p| {
        says(p, "Listed", "False", "Missing")
    })
    .await;
    env.patch_source("s", &json!({"spec": {"interval": "24h"}}))
        .await;
    env.synced("s").await;
    controller.stop().await;
    let expected = [
        ("known", Some(2)),
        ("none", Some(0)),
        ("logical", None),
        ("missing", None),
        ("gone", Some(0)),
    ];

    // Rust
    let source = env.sources().get("s").await.expect("the source");
    for (name, nodes) in expected {
        let pool = env.pools().get(name).await.expect("a mirror");
        let said = pool.available_nodes(None, Some(&source), Timestamp::now());
        assert_eq!(said.ok(), nodes, "{name}");
    }

    // JSONPath
    let shell = Shell::new(env.cluster, &env.namespace);
    let page = read(PAGE);
    let [script] = blocks(&page, "sh")[..] else {
        panic!("one block of commands")
    };
    let said = shell.run(script);
    for line in [
        "known available=2 synced=True listed=Listed",
        "none available=0 synced=True listed=Listed",
        "logical available= synced=True listed=Listed",
        "missing available=2 synced=True listed=Missing",
        "gone available=0 synced=True listed=Gone",
        "s fresh until 20",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }

    // CEL
    let [expression] = blocks(&page, "cel")[..] else {
        panic!("one block of CEL")
    };
    let rules = json!([{"apiGroups": ["modelarts.huaweicloud.com"], "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"], "resources": ["modelartspools"]}]);
    let policy = json!({
        "failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "false", "messageExpression": expression}],
    });
    let policy = Policy::apply(&env, policy).await;
    for (name, nodes) in expected {
        let nodes = nodes.map_or("unknown".to_owned(), |n| n.to_string());
        assert_eq!(in_cel(&env, name).await, nodes, "{name}");
    }
    policy.delete(&env).await;
    go_says(&shell, &expected).await;

    // Old data is unknown in Rust also where nobody was there to say so.
    let day_ago = Timestamp::now() - jiff::SignedDuration::from_hours(24);
    let stale =
        json!({"status": {"freshUntil": day_ago.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}});
    let patched: ModelArtsPoolSource = env
        .sources()
        .patch_status("s", &PatchParams::default(), &Patch::Merge(stale))
        .await
        .expect("a status");
    let pool = env.pools().get("known").await.expect("a mirror");
    assert!(
        pool.available_nodes(None, Some(&patched), Timestamp::now())
            .is_err()
    );
    let params = DeleteParams::default();
    env.sources()
        .delete("s", &params)
        .await
        .expect("a deletion");
}

/// Fresh, stale, and no source at all.
#[test]
fn promql_shows_what_is_fresh_alone() {
    let page = read(PAGE);
    let [expression] = blocks(&page, "promql")[..] else {
        panic!("one block of PromQL")
    };
    let series = |of: &str, value: &str| json!({"series": of, "values": value});
    let nodes = |source: &str, state: &str| {
        format!(
            r#"modelarts_pool_nodes{{namespace="n", source="{source}", flavor="f", state="{state}"}}"#
        )
    };
    let until = |source: &str| {
        format!(
            r#"modelarts_source_fresh_until_timestamp_seconds{{namespace="n", source="{source}"}}"#
        )
    };
    let test = json!({"tests": [{
        "interval": "1m",
        "input_series": [
            series(&nodes("fresh", "available"), "7x10"), series(&nodes("fresh", "abnormal"), "1x10"),
            series(&nodes("stale", "available"), "3x10"), series(&nodes("none", "available"), "5x10"),
            series(&until("fresh"), "600x10"), series(&until("stale"), "60x10"),
        ],
        "promql_expr_test": [{
            "expr": expression, "eval_time": "5m",
            "exp_samples": [{"labels": nodes("fresh", "available"), "value": 7}],
        }],
    }]});
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("consuming_test.yaml");
    std::fs::write(&file, test.to_string()).expect("a file");
    promtool("test", &[file]).expect("a test that passes");
}

/// Condition and reason of each row of the table below this heading of a page.
fn reasons(page: &str, heading: &str, reason_column: usize) -> BTreeSet<(String, String)> {
    let text = read(page);
    let (_, section) = text.split_once(heading).expect("the heading");
    let rows = section.split("\n## ").next().unwrap_or_default().lines();
    let mut found = BTreeSet::new();
    for row in rows.filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let condition = code(cells[1]).next().expect("a condition").to_owned();
        for reason in code(cells[reason_column]) {
            found.insert((condition.clone(), reason.to_owned()));
        }
    }
    found
}

#[test]
fn every_reason_of_a_mirror_says_what_to_do() {
    let mut explained = reasons("docs/troubleshooting.md", "## Conditions of a mirror", 2);
    // Examples of phases, which the other page has as one.
    explained.retain(|(_, reason)| !["Abnormal", "Creating", "Error"].contains(&&**reason));
    let mut judged = reasons(PAGE, "## Conditions, and what to do", 3);
    // What is told of Synced there is so of Ready, too.
    for reason in ["TooLarge", "Refused"] {
        assert!(
            judged.remove(&("Ready".to_owned(), reason.to_owned())),
            "{reason}"
        );
    }
    assert!(judged.len() >= 12, "{judged:?}");
    assert_eq!(judged, explained);
}

/// What the page's block in Go says of the mirrors.
async fn go_says(shell: &Shell, expected: &[(&str, Option<i64>)]) {
    let page = read(PAGE);
    let [block] = blocks(&page, "go")[..] else {
        panic!("one block of Go")
    };
    let around = r#"
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/modelarts-pool-controller/modelarts-pool-controller/clients/go/v1alpha1"
)

func main() {
	var said struct {
		Pools  v1alpha1.ModelArtsPoolList
		Source v1alpha1.ModelArtsPoolSource
	}
	if err := json.NewDecoder(os.Stdin).Decode(&said); err != nil {
		panic(err)
	}
	for i := range said.Pools.Items {
		fmt.Println(said.Pools.Items[i].Name+":", nodes(&said.Pools.Items[i], &said.Source))
	}
}
"#;
    let (program, main) = ("consuming.go", "consuming_main.go");
    for (file, text) in [(program, block), (main, around)] {
        std::fs::write(shell.directory().join(file), text).expect("a file");
    }
    let [program, main] = [program, main].map(|f| shell.directory().join(f).display().to_string());
    let binary = shell.directory().join("consuming").display().to_string();
    go(
        "tests/consumers",
        &["build", "-o", &binary, &program, &main],
    )
    .await;
    let said = shell.run(
        r#"{ printf '{"Pools":'; kubectl get modelartspools --output=json; printf ',"Source":'
        kubectl get modelartspoolsource s --output=json; printf '}'; } | ./consuming"#,
    );
    for (name, nodes) in expected {
        let nodes = nodes.map_or("unknown: ".to_owned(), |n| format!("{n} nodes\n"));
        assert!(said.contains(&format!("{name}: {nodes}")), "{name}: {said}");
    }
}
