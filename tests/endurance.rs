//! A long run under churn, faults and restarts: what the process holds stays flat, and what it shows is
//! right in the end. `SOAK_SECONDS` says how long; `make soak` asks for an hour.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::time::{Duration, Instant};

use fastrand::Rng;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use modelarts_pool_controller::api::ModelArtsPool;
use modelarts_pool_controller::simulator::{Change, Fault, Generate, Operation, Preset};
use serde_json::{Value, json};

use super::support::env::{Env, says};
use super::support::metrics::value;
use super::support::process::Process;

const POOLS: usize = 1_000;
const ABSENT: usize = 50;
const SECONDS: u64 = 90;
const SOURCE: &str = "s";
const BURST: u64 = 16;

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident_kib: u64,
    threads: u64,
    tasks: u64,
    files: u64,
    connections: u64,
}

impl Held {
    async fn by(process: &mut Process) -> Self {
        let pid = process.pid().await;
        let metrics = process.metrics().await;
        let tasks = value(&metrics, "modelarts_runtime_tasks", &[]).expect("a metric");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let number = |field: &str| {
            let line = status.lines().find_map(|l| l.strip_prefix(field));
            let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
            number.expect("a number")
        };
        let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
        let targets: Vec<_> = files
            // One that is closed meanwhile is none.
            .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
            .collect();
        let is_socket = |path: &&std::path::PathBuf| path.to_string_lossy().starts_with("socket:");
        Self {
            resident_kib: number("VmRSS:"),
            threads: number("Threads:"),
            tasks: tasks.to_string().parse().expect("a whole number"),
            files: targets.len() as u64,
            connections: targets.iter().filter(is_socket).count() as u64,
        }
    }

    /// The greatest of each.
    fn peak(samples: &[Self]) -> Self {
        let peak = |of: fn(&Self) -> u64| samples.iter().map(of).max().expect("samples");
        Self {
            resident_kib: peak(|h| h.resident_kib),
            threads: peak(|h| h.threads),
            tasks: peak(|h| h.tasks),
            files: peak(|h| h.files),
            connections: peak(|h| h.connections),
        }
    }
}

/// The cloud, the people and the luck of a long run.
struct Soak {
    env: Env,
    rng: Rng,
    /// Pools that are still to come, and those that are gone and come again.
    absent: VecDeque<Value>,
}

impl Soak {
    async fn begin() -> Self {
        let env = Env::with_pools(POOLS).await;
        let spec = json!({"interval": "5s", "prune": {"gracePeriod": "0s", "maxPercent": 100}});
        env.add_source(SOURCE, spec).await;
        Self {
            env,
            rng: Rng::with_seed(1),
            absent: Generate::pools(POOLS + ABSENT).iter().skip(POOLS).collect(),
        }
    }

    fn some_pool(&mut self) -> String {
        let ids = self.env.cloud().pool_ids();
        self.rng.choice(&ids).expect("pools").clone()
    }

    /// Pools come, change and go; as many as there were are there again.
    fn churn(&mut self) {
        for _ in 0..10 {
            let id = self.some_pool();
            let count = self.rng.u64(..4);
            let change = Change::AbnormalNodes {
                count,
                flavor: None,
            };
            // One that has fewer nodes stays as it is.
            let _ = self.env.cloud().change_pool(&id, &change);
        }
        for _ in 0..5 {
            let id = self.some_pool();
            let pool = self.env.cloud().pool(&id).expect("a pool");
            self.absent
                .push_back(serde_json::from_str(&pool).expect("JSON"));
            self.env.cloud().delete_pool(&id).expect("a pool");
            let pool = self.absent.pop_front().expect("an absent pool");
            self.env.cloud().put_pool(&pool).expect("a new pool");
        }
        self.env.cloud().reorder(Some(self.rng.u64(..)));
    }

    /// The cloud has a bad moment: twice, then it is over.
    fn fail(&mut self) {
        let presets = [
            Preset::Truncated,
            Preset::EmptyObject,
            Preset::ItemsNull,
            Preset::ErrorWith200,
            Preset::WrongKind,
            Preset::RemainingWithoutContinue,
            Preset::RepeatedContinue,
            Preset::Close,
            Preset::Redirect,
        ];
        let preset = self.rng.choice(presets).expect("one of them");
        let operation = match self.rng.u8(..4) {
            0 => Operation::ShowPool,
            _ => Operation::ListPools,
        };
        let fault = Fault {
            operation: Some(operation),
            preset: Some(preset),
            times: Some(1),
            ..Fault::default()
        };
        self.env.cloud().add_fault(fault).expect("a fault");
    }

    /// Somebody edits a mirror, and deletes another.
    async fn meddle(&mut self) {
        let pools = self.env.pools();
        let patch = Patch::Merge(json!({"spec": {"type": "edited"}}));
        let (edited, deleted) = (self.some_pool(), self.some_pool());
        // The mirror of a new pool may not be there yet.
        let _ = pools.patch(&edited, &PatchParams::default(), &patch).await;
        let _ = pools.delete(&deleted, &DeleteParams::default()).await;
    }

    async fn round(&mut self) {
        self.churn();
        self.fail();
        self.meddle().await;
        self.env.refresh(SOURCE).await;
    }

    /// Waits until the mirrors are those of the cloud, all of them fresh.
    async fn settle(&self) {
        self.env.cloud().clear_faults();
        let wanted: BTreeSet<String> = self.env.cloud().pool_ids().into_iter().collect();
        let mut missing: Vec<String> = wanted.iter().cloned().collect();
        loop {
            self.env.refresh(SOURCE).await;
            let mirrors = self.env.pools().list(&ListParams::default()).await;
            let mirrors = mirrors.expect("mirrors").items;
            let shown = |mirror: &ModelArtsPool| mirror.metadata.name.clone().expect("a name");
            let names: BTreeSet<String> = mirrors.iter().map(shown).collect();
            let is_fresh = |mirror: &ModelArtsPool| {
                says(mirror, "Listed", "True", "Listed") && says(mirror, "Synced", "True", "Synced")
            };
            let left: Vec<String> = wanted.symmetric_difference(&names).cloned().collect();
            if left.is_empty() && mirrors.iter().all(is_fresh) {
                return;
            }
            assert!(
                left.is_empty() || left != missing,
                "a pass has brought nothing nearer: {left:?}"
            );
            missing = left;
        }
    }
}

fn duration() -> Duration {
    let seconds = std::env::var("SOAK_SECONDS").map_or(SECONDS, |given| {
        given.parse().expect("SOAK_SECONDS is a number of seconds")
    });
    Duration::from_secs(seconds)
}

#[tokio::test]
async fn what_the_process_holds_stays_flat() {
    let start = Instant::now();
    let mut soak = Soak::begin().await;
    // One that is killed in the midst of it, and the one that is watched.
    let killed = Process::of(&soak.env);
    soak.env.synced(SOURCE).await;
    soak.round().await;
    soak.churn();
    killed.signal("KILL");
    let mut watched = Process::of(&soak.env);
    soak.settle().await;

    let mut samples = Vec::new();
    let end = start + duration();
    // Fewer rounds could not show a trend.
    while samples.len() < 6 || Instant::now() < end {
        soak.round().await;
        samples.push(Held::by(&mut watched).await);
    }
    soak.settle().await;
    let last = Held::by(&mut watched).await;
    let (warm, late) = samples.split_at(samples.len() / 2);
    let (warm, late) = (Held::peak(warm), Held::peak(late));
    println!(
        "{} rounds in {:?}: at first {warm:?}, then {late:?}, at rest {last:?}",
        samples.len(),
        start.elapsed()
    );
    // As many connections and tasks more as a burst of writes opens and keeps for a while; a tenth of
    // memory for what an allocator keeps.
    for held in [late, last] {
        assert!(held.threads <= warm.threads, "{warm:?} {held:?}");
        assert!(held.tasks <= warm.tasks + BURST, "{warm:?} {held:?}");
        assert!(held.files <= warm.files + BURST, "{warm:?} {held:?}");
        assert!(
            held.connections <= warm.connections + BURST,
            "{warm:?} {held:?}"
        );
        let bound = warm.resident_kib + warm.resident_kib / 10 + 1024;
        assert!(held.resident_kib <= bound, "{warm:?} {held:?}");
    }
}
