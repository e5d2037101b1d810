//! As many pools in few sources and in many.

use std::path::Path;
use std::time::Duration;

use modelarts_pool_controller::simulator::{Generate, Operation};

use super::Failure;
use super::contender::Contender;
use super::measure::{Measured, patience};
use super::requests::{Log, last_write, seconds};
use super::usage::{cpu, resident};
use super::world::World;
use super::{pause, say};

/// Each of the many lists once in this time.
const INTERVAL: Duration = Duration::from_secs(30);

/// Measures the controller over so many sources with so many pools each.
pub async fn measure(sources: usize, pools: usize, controller: &Path) -> Result<Measured, Failure> {
    let workspace = |n: usize| format!("workspace-{n}");
    let generate = (0..sources).map(|n| Generate {
        count: pools,
        prefix: format!("p{n}"),
        workspace: workspace(n),
    });
    let world = World::new(generate.collect()).await?;
    for n in 0..sources {
        world
            .add_source(&format!("s-{n}"), &workspace(n), INTERVAL)
            .await?;
    }
    let mut log = Log::from_now(world.cluster.audit_log())?;
    let begun = jiff::Timestamp::now();
    let running = Contender::Controller.start(&world, controller, INTERVAL)?;
    let all = sources * pools;
    let writes = log.statuses(begun, all, patience(all)).await?;
    let took = seconds(begun, last_write(&writes).ok_or("nothing was written")?);
    let mut measured = Measured::new();
    let mut set = |name: &str, value: f64| {
        say(&format!("  {name}: {value:.2}"));
        measured.insert(name.to_owned(), value);
    };
    set("first_mirror_seconds", took);
    set("first_mirror_objects_per_second", all as f64 / took);
    // Every source has been listed once more, so that nothing of the first is left to do; then twice.
    let listed = || world.cloud().requests().of(Operation::ListPools);
    let rounds = async |rounds: u64| -> Result<(), Failure> {
        let begun = std::time::Instant::now();
        // Two requests each: the cloud's default filter, and failed pools.
        let until = listed() + rounds * 2 * sources as u64;
        while listed() < until {
            if begun.elapsed() > patience(all) {
                return Err("the sources are not listed".into());
            }
            pause().await;
        }
        Ok(())
    };
    rounds(1).await?;
    let (used, asked) = (cpu(running.root()), log.read()?.len());
    rounds(2).await?;
    let used = cpu(running.root()).saturating_sub(used);
    set("quiet_cpu_milliseconds", used.as_secs_f64() * 1000.0 / 2.0);
    log.read()?;
    let writes = log.requests[asked..]
        .iter()
        .filter(|r| r.mirror().is_some())
        .count();
    set("quiet_mirror_writes", writes as f64 / 2.0);
    set("memory_settled_mib", resident(running.root()));
    Ok(measured)
}
