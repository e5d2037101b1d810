//! What the mirror costs: one run on a real control plane with the simulated cloud.
//!
//! `make bench` (`POOLS=10000 make bench`) prints a table and writes target/bench/scale.json. Timings on
//! a shared machine are noisy: read the ratios. The control plane, the simulated cloud and this program
//! share the machine with the controller; only the controller's own process is measured.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that fails has nothing better to do than to say so"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use futures::stream::{StreamExt as _, iter};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::ApiResource;
use kube::runtime::wait::await_condition;
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Generate, Operation, Scenario, Selection};
use serde_json::{Map, Value, json};

use support::env::{Env, client_of};
use support::metrics::value;
use support::process::Process;

/// Writes at once, as the controller has them.
const CONCURRENCY: usize = 16;
/// Quiet passes over which CPU time is averaged.
const QUIET_PASSES: usize = 6;
/// Edits of which the median is taken.
const EDITS: usize = 21;

type Results = Map<String, Value>;

fn main() {
    let pools = std::env::var("POOLS").map_or(1000, |n| n.parse().expect("POOLS is a number"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let results = runtime.expect("a runtime").block_on(measure(pools));
    println!("\n{:<44} {:>12}", "measured", "value");
    for (name, value) in &results {
        println!("{name:<44} {value:>12}");
    }
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
    std::fs::create_dir_all(dir).expect("a directory");
    let json = serde_json::to_string_pretty(&results).expect("JSON");
    std::fs::write(format!("{dir}/scale.json"), json).expect("a writable file");
}

async fn measure(pools: usize) -> Results {
    let scenario = Scenario {
        generate: vec![Generate::pools(pools)],
        ..Scenario::default()
    };
    progress("starting a control plane and a simulated cloud");
    let env = Env::with(scenario).await;
    let ids = env.cloud().pool_ids();
    let mut results = Results::new();
    results.insert("pools".to_owned(), json!(pools));

    progress("first mirror");
    let mut controller = Process::of(&env);
    controller.ready().await;
    let begun = Instant::now();
    env.add_source("s", json!({"interval": "24h"})).await;
    // A mirror that is there early, and is edited while the others are still being made.
    let early = drift(&env, &ids[0], 1).await;
    let created = env.pools().list_metadata(&ListParams::default()).await;
    let during = created.expect("a list").items.len();
    synced(&env, Duration::from_mins(20)).await;
    let first = begun.elapsed();
    set(&mut results, "first mirror: objects/s", rate(pools, first));
    set(&mut results, "first mirror: edit undone, ms", median(early));
    set(
        &mut results,
        "first mirror: mirrors there at that edit",
        during as f64,
    );
    memory(&mut results, "first mirror", &controller.pid().await);

    progress("the API server's limit: the same objects from a client that only writes");
    let limit = limit(&env).await;
    set(&mut results, "limit: objects/s", rate(pools, limit));
    set(
        &mut results,
        "first mirror, share of the limit",
        limit.as_secs_f64() / first.as_secs_f64(),
    );

    progress("quiet passes");
    let writes = mirror_writes(&mut controller).await;
    let pid = controller.pid().await;
    let cpu = cpu_time(&pid);
    for _ in 0..QUIET_PASSES {
        env.refresh("s").await;
    }
    let cpu = cpu_time(&pid).saturating_sub(cpu) / u32::try_from(QUIET_PASSES).expect("a few");
    set(&mut results, "quiet pass: CPU ms", millis(cpu));
    set(
        &mut results,
        "quiet pass: CPU µs per pool",
        millis(cpu) * 1000.0 / pools as f64,
    );
    let quiet_writes = mirror_writes(&mut controller).await - writes;
    set(
        &mut results,
        "quiet passes: writes to mirrors",
        quiet_writes,
    );
    memory(&mut results, "quiet", &pid);

    progress("edits of an idle mirror, and amid a listing that does not end");
    let apply = round_trip(&env, &ids[1]).await;
    let idle = median(drift_of_each(&env, &ids[2..]).await);
    set(&mut results, "round trip of one apply, ms", apply);
    set(&mut results, "idle: edit undone, ms", idle);
    set(&mut results, "idle: edit undone, round trips", idle / apply);
    env.cloud().hold(Selection::of(Operation::ListPools));
    let interval = json!({"spec": {"interval": "5s"}});
    env.patch_source("s", &interval).await;
    env.asked(|r| r.held > 0).await;
    let slow = median(drift_of_each(&env, &ids[2 + EDITS..]).await);
    set(&mut results, "slow listing: edit undone, ms", slow);
    env.cloud().release();

    progress("a restart");
    drop(controller);
    env.patch_source("s", &json!({"spec": {"interval": "24h"}}))
        .await;
    let mut controller = Process::of(&env);
    synced(&env, Duration::from_mins(5)).await;
    env.refresh("s").await;
    let writes = mirror_writes(&mut controller).await;
    set(&mut results, "restart: writes to mirrors", writes);
    // What no noise excuses: quiet passes and restarts write nothing, repairs begin within a second.
    assert!(
        quiet_writes == 0.0 && writes == 0.0,
        "something was written"
    );
    assert!(idle < 1000.0 && slow < 1000.0, "repairs took too long");
    memory(&mut results, "restarted", &controller.pid().await);
    results
}

fn progress(what: &str) {
    println!("scale: {what}");
}

fn set(results: &mut Results, name: &str, value: f64) {
    let rounded = (value * 100.0).round() / 100.0;
    println!("scale:   {name}: {rounded}");
    results.insert(name.to_owned(), json!(rounded));
}

fn rate(pools: usize, time: Duration) -> f64 {
    pools as f64 / time.as_secs_f64()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Waits until a pass over the source as it is now has succeeded.
async fn synced(env: &Env, limit: Duration) {
    let is_synced = |source: Option<&modelarts_pool_controller::api::ModelArtsPoolSource>| {
        source.is_some_and(|s| {
            let ready = support::env::source_condition(s, "Ready");
            ready.is_some_and(|c| {
                c.status == "True" && c.observed_generation == s.metadata.generation
            })
        })
    };
    let waited = tokio::time::timeout(limit, await_condition(env.sources(), "s", is_synced)).await;
    waited.expect("a pass in time").expect("a watch");
}

/// Edits one mirror so many times; for each the milliseconds until it was undone.
async fn drift(env: &Env, id: &str, times: usize) -> Vec<f64> {
    let mut all = Vec::new();
    for _ in 0..times {
        let before = env.mirrored(id).await;
        let params = PatchParams::default();
        let edit = Patch::Merge(json!({"spec": {"type": "edited"}}));
        let edited = env.pools().patch(id, &params, &edit).await;
        let generation = edited.expect("an edit").metadata.generation;
        let begun = Instant::now();
        env.pool_when(id, "the edit is undone", |p: &ModelArtsPool| {
            p.metadata.generation > generation && p.spec == before.spec
        })
        .await;
        all.push(millis(begun.elapsed()));
    }
    all
}

/// Edits [`EDITS`] mirrors, each once: one that is edited again within a minute waits on purpose.
async fn drift_of_each(env: &Env, ids: &[String]) -> Vec<f64> {
    let mut all = Vec::new();
    for id in ids.iter().take(EDITS) {
        all.extend(drift(env, id, 1).await);
    }
    all
}

/// Milliseconds that one apply and the news of it take, at the median.
async fn round_trip(env: &Env, id: &str) -> f64 {
    let mut all = Vec::new();
    for i in 0..EDITS {
        let value = i.to_string();
        let label = json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
            "metadata": {"labels": {"stranger/label": value}}});
        let begun = Instant::now();
        let params = PatchParams::apply("stranger");
        let applied = env.pools().patch(id, &params, &Patch::Apply(label)).await;
        applied.expect("an apply");
        env.pool_when(id, "the apply is seen", |p| {
            let labels = p.metadata.labels.as_ref();
            labels.and_then(|l| l.get("stranger/label")) == Some(&value)
        })
        .await;
        all.push(millis(begun.elapsed()));
    }
    median(all)
}

/// How long a client takes that does nothing but write the same objects to another namespace.
async fn limit(env: &Env) -> Duration {
    let namespace = format!("{}-limit", env.namespace);
    let object: Namespace =
        serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("a namespace");
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let created = namespaces.create(&PostParams::default(), &object).await;
    created.expect("a namespace");
    let resource = ApiResource::erase::<ModelArtsPool>(&());
    let own: Api<DynamicObject> =
        Api::namespaced_with(env.client.clone(), &env.namespace, &resource);
    let list = own.list(&ListParams::default()).await.expect("a list");
    let bodies: Vec<(String, Value, Value)> = list.items.into_iter().map(bodies_of).collect();

    let client = client_of(env.cluster, "limit").await;
    let api: Api<DynamicObject> = Api::namespaced_with(client, &namespace, &resource);
    let begun = Instant::now();
    let writes = iter(bodies).map(|(name, object, status)| {
        let api = api.clone();
        async move {
            let params = PatchParams::apply("limit");
            let created = api.patch(&name, &params, &Patch::Apply(object)).await;
            created.expect("an accepted object");
            let applied = api
                .patch_status(&name, &params, &Patch::Apply(status))
                .await;
            applied.expect("an accepted status");
        }
    });
    writes
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<()>>()
        .await;
    begun.elapsed()
}

/// The bodies of the two writes that make an object like this one.
fn bodies_of(object: DynamicObject) -> (String, Value, Value) {
    let name = object.metadata.name.expect("a name");
    let base = json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool", "metadata": {"name": name}});
    let (mut whole, mut status) = (base.clone(), base);
    whole["metadata"]["labels"] = json!(object.metadata.labels);
    whole["metadata"]["annotations"] = json!(object.metadata.annotations);
    whole["spec"] = object.data["spec"].clone();
    status["status"] = object.data["status"].clone();
    (name, whole, status)
}

async fn mirror_writes(controller: &mut Process) -> f64 {
    let metrics = controller.metrics().await;
    let operations = ["create", "update", "status"].into_iter();
    operations
        .filter_map(|o| {
            value(
                &metrics,
                "modelarts_mirror_writes_total",
                &[("operation", o)],
            )
        })
        // Not `sum`: that of nothing is -0.
        .fold(0.0, |all, part| all + part)
}

/// Resident memory now and at its peak, MiB.
fn memory(results: &mut Results, when: &str, pid: &str) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    for (field, what) in [("VmRSS:", "resident"), ("VmHWM:", "resident at the peak")] {
        let line = status.lines().find_map(|l| l.strip_prefix(field));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        let mib = kib.expect("kilobytes") / 1024.0;
        set(results, &format!("{when}: {what} MiB"), mib);
    }
}

/// CPU time of a process, from clock ticks of 10 ms.
fn cpu_time(pid: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let fields = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |i: usize| fields[i].parse::<u64>().expect("clock ticks");
    // utime and stime: the 14th and 15th fields of the whole line.
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
