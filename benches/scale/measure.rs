//! What one contender costs with so many pools: first mirror, quiet passes, changes, edits, memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use modelarts_pool_controller::simulator::{Change, Generate, Operation, Selection};

use super::check::Mirrors;
use super::contender::{Contender, Running};
use super::limit::round_trips;
use super::requests::{Log, Request, last_write, seconds, since};
use super::usage::{Peak, between, cpu, resident, traffic};
use super::world::{SOURCE, World};
use super::{Failure, drift, median, say};

/// Measured values by their names, units in the names.
pub type Measured = BTreeMap<String, f64>;

/// Edits of which the median is taken.
const EDITS: usize = 11;
/// Passes over which what a quiet one costs is averaged.
const QUIET_PASSES: u32 = 2;
/// With so many mirrors a contender that applies all in each pass is not asked to undo edits.
const MANY: usize = 1_000;

/// The time from the start of one pass to the next. A third of the time in which the controller calls its data fresh: the
/// first mirror of so many takes less on a small machine.
pub fn interval(pools: usize) -> Duration {
    Duration::from_secs(match pools {
        0..5_000 => 5,
        5_000..20_000 => 40,
        _ => 150,
    })
}

/// How long anything may take that must happen with so many pools.
pub fn patience(pools: usize) -> Duration {
    Duration::from_mins(2) + Duration::from_millis(120) * u32::try_from(pools).unwrap_or(u32::MAX)
}

/// A contender at work.
struct Trial {
    contender: Contender,
    pools: usize,
    world: World,
    running: Running,
    log: Log,
    measured: Measured,
}

/// Measures `contender` with so many pools. Its mirrors must be `expected`, where those are known; they are returned.
pub async fn measure(
    contender: Contender,
    pools: usize,
    controller: &Path,
    expected: Option<&Mirrors>,
) -> Result<(Measured, Mirrors), Failure> {
    let world = World::new(vec![Generate::pools(pools)]).await?;
    world.add_source(SOURCE, "0", interval(pools)).await?;
    let log = Log::from_now(world.cluster.audit_log())?;
    let begun = Timestamp::now();
    let running = contender.start(&world, controller, interval(pools))?;
    let peak = Peak::of(running.root());
    let mut trial = Trial {
        contender,
        pools,
        world,
        running,
        log,
        measured: Measured::new(),
    };
    trial.first_mirror(begun).await?;
    let mirrors = Mirrors::read(&trial.world).await?;
    if let Some(expected) = expected {
        expected.equal(&mirrors)?;
    }
    trial.quiet_passes().await?;
    trial.set("memory_settled_mib", resident(trial.running.root()));
    trial.changes("changed_1pct", pools.div_ceil(100)).await?;
    trial.changes("changed_one", 1).await?;
    if contender.watches() || pools <= MANY {
        trial.edits().await?;
    }
    trial.set("memory_peak_mib", peak.mib());
    trial.running.check()?;
    Ok((trial.measured, mirrors))
}

impl Trial {
    fn set(&mut self, name: &str, value: f64) {
        say(&format!("  {name}: {value:.2}"));
        self.measured.insert(name.to_owned(), value);
    }

    /// From the first request for a listing to the last write of a status.
    async fn first_mirror(&mut self, begun: Timestamp) -> Result<(), Failure> {
        let limit = patience(self.pools);
        self.running.check()?;
        let asked = tokio::time::timeout(
            limit,
            self.world
                .cloud()
                .wait_for(|r| r.of(Operation::ListPools) > 0),
        );
        asked.await.map_err(|_| "the cloud is not asked")?;
        let listed = Timestamp::now();
        let writes = self.log.statuses(begun, self.pools, limit).await?;
        let first = writes
            .iter()
            .filter(|r| r.mirror().is_some())
            .map(|r| r.begun)
            .min();
        let (first, last) = first
            .zip(last_write(&writes))
            .ok_or("nothing was written")?;
        let took = seconds(listed, last);
        self.set("start_seconds", seconds(begun, first));
        let used = cpu(self.running.root());
        self.set("first_mirror_cpu_seconds", used.as_secs_f64());
        self.set("first_mirror_seconds", took);
        self.set("first_mirror_objects_per_second", self.pools as f64 / took);
        Ok(())
    }

    /// Over some passes in which nothing is to be done.
    async fn quiet_passes(&mut self) -> Result<(), Failure> {
        let limit = patience(self.pools);
        // What follows from the first mirror may go on in the pass after.
        self.world.next_pass(limit).await?;
        let from = self.world.next_pass(limit).await?;
        let root = self.running.root();
        let (cpu_before, traffic_before) = (cpu(root), traffic(root));
        let asked_before = self.log.read()?.len();
        let mut to = from.clone();
        for _ in 0..QUIET_PASSES {
            to = self.world.next_pass(limit).await?;
        }
        let passes = f64::from(QUIET_PASSES);
        let used = (cpu(root).saturating_sub(cpu_before)).as_secs_f64() * 1000.0 / passes;
        let traffic_after = traffic(root);
        self.log.read()?;
        let requests = &self.log.requests[asked_before..];
        // A watch is begun anew on a schedule of its own, and noted twice: as long as it lasts it is no cost of a pass.
        let asked = requests.iter().filter(|r| r.verb != "watch").count() as f64;
        let writes = requests.iter().filter(|r| r.mirror().is_some()).count() as f64;
        self.set("quiet_cpu_milliseconds", used);
        self.set(
            "quiet_seconds_between_passes",
            seconds(from.at, to.at) / passes,
        );
        self.set("quiet_api_requests", asked / passes);
        self.set("quiet_mirror_writes", writes / passes);
        let port = |url: &str| {
            url.rsplit(':')
                .next()
                .and_then(|p| p.trim_end_matches('/').parse::<u16>().ok())
        };
        let ports = [
            ("quiet_cloud_bytes", self.world.endpoint()),
            ("quiet_api_bytes", self.world.cluster.server()),
        ];
        for (name, url) in ports {
            // A contender that opens connections for each request shows none.
            if let (Some(before), Some(after), Some(port)) =
                (&traffic_before, &traffic_after, port(&url))
            {
                let bytes = between(before, after, port);
                if bytes > 0.0 {
                    self.set(name, bytes / passes);
                }
            }
        }
        Ok(())
    }

    /// So many pools change right after a pass has listed them; what the next one does of it.
    async fn changes(&mut self, name: &str, count: usize) -> Result<(), Failure> {
        let limit = patience(self.pools);
        for id in self.running_pools().iter().take(count) {
            let message = format!("changed at {}", Timestamp::now());
            let change = Change::SetPhase {
                phase: Some("Error".to_owned()),
                message: Some(message),
            };
            self.world.cloud().change_pool(id, &change)?;
        }
        let pass = self.world.next_pass(limit).await?.at;
        let applies_all = self.contender == Contender::Shell;
        let wanted = if applies_all { self.pools } else { count };
        let writes = self.log.statuses(pass, wanted, limit).await?;
        let last = last_write(&writes).ok_or("nothing was written")?;
        self.set(&format!("{name}_visible_seconds"), seconds(pass, last));
        // What comes late counts, too.
        self.world.next_pass(limit).await?;
        let writes = since(self.log.read()?, pass);
        let writes = writes.iter().filter(|r| r.mirror().is_some()).count();
        self.set(&format!("{name}_writes"), writes as f64);
        Ok(())
    }

    /// The ids of pools, other ones than the first, which are edited.
    fn running_pools(&self) -> Vec<String> {
        let mut ids = self.world.cloud().pool_ids();
        ids.reverse();
        ids
    }

    /// Edits of mirrors, each of another one: in peace, and while a listing does not end.
    async fn edits(&mut self) -> Result<(), Failure> {
        let ids = self.world.cloud().pool_ids();
        let apply = median(round_trips(&self.world, &ids[0], EDITS).await?);
        self.set("apply_milliseconds", apply);
        let times = if self.contender.watches() { EDITS } else { 1 };
        let half = (ids.len() / 2).min(times);
        let undone = median(drift::undone(&self.world, &mut self.log, &ids[..half]).await?);
        self.set("drift_milliseconds", undone);
        self.set("drift_round_trips", undone / apply);
        if self.contender.watches() {
            self.world.cloud().hold(Selection::of(Operation::ListPools));
            let held = self.world.cloud().wait_for(|r| r.held > 0);
            tokio::time::timeout(patience(self.pools), held)
                .await
                .map_err(|_| "no listing is held")?;
            let slow =
                median(drift::undone(&self.world, &mut self.log, &ids[half..half + half]).await?);
            self.world.cloud().release();
            self.set("drift_slow_listing_round_trips", slow / apply);
        }
        Ok(())
    }
}

/// Edits of mirrors that are there while others are still being made: round trips of one apply, made at the same time. Whoever
/// undoes edits after all are made takes that long.
pub async fn edits_while_creating(
    contender: Contender,
    pools: usize,
    controller: &Path,
) -> Result<Measured, Failure> {
    let world = World::new(vec![Generate::pools(pools)]).await?;
    world.add_source(SOURCE, "0", interval(pools)).await?;
    let mut log = Log::from_now(world.cluster.audit_log())?;
    let start = Timestamp::now();
    let _running = contender.start(&world, controller, interval(pools))?;
    let begun = log.statuses(start, 100, patience(pools)).await?;
    let mut there: Vec<String> = begun
        .iter()
        .filter_map(Request::status)
        .map(str::to_owned)
        .collect();
    there.sort();
    there.dedup();
    let apply = median(round_trips(&world, &there[0], EDITS).await?);
    let undone = median(drift::undone(&world, &mut log, &there[1..=EDITS]).await?);
    let made = log.read()?.iter().filter(|r| r.status().is_some()).count();
    say(&format!(
        "  drift_creating_round_trips: {:.2}, at {made} of {pools}",
        undone / apply
    ));
    Ok(Measured::from([(
        "drift_creating_round_trips".to_owned(),
        undone / apply,
    )]))
}
