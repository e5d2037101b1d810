//! `make bench`: what the mirror costs, side by side with what people would use instead, and with the limit.
//!
//! Each contender gets a real control plane and a simulated cloud of its own, one after the other. Raw results go to
//! `target/bench/results.json` as they come; tables and plots to `docs/benchmarks.md`, or to where `--docs` says.
//! Timings on a shared machine are noisy: read medians and ratios. All share the machine with the control plane and
//! with this program; of the contenders only their own processes are measured.

#![allow(
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a program that shows its progress, and ends with what failed"
)]

mod check;
mod contender;
mod drift;
mod limit;
mod marks;
mod measure;
mod plot;
mod report;
mod requests;
mod results;
mod setup;
mod sources;
mod usage;
mod world;

#[path = "../../tests/support/cluster.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clap::Parser as _;
use modelarts_pool_controller::simulator::Generate;

use check::Mirrors;
use contender::Contender;
use measure::Measured;
use results::{Results, Run};
use world::World;

/// Why a measurement could not be made.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes at once of the client that only writes; the best at the smallest of the larger sizes is kept.
const CONCURRENCIES: [usize; 3] = [16, 32, 64];
/// Of the contenders that apply all in each pass, or each in Python, one repetition of more pools than this must do.
const SLOW: usize = 5_000;
/// Mirrors that are being made while others are edited.
const CREATING: usize = 3_000;

/// Measures the mirror beside its peers.
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// Numbers of pools.
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000,10000")]
    sizes: Vec<usize>,
    /// Numbers of pools of the controller and the limit alone, once.
    #[arg(long, value_delimiter = ',')]
    growth: Vec<usize>,
    /// Times that everything is measured.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Who is measured, beside the limit.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Contender::ALL)]
    contenders: Vec<Contender>,
    /// Measure edits while 3,000 mirrors are being made, and as many pools in few sources and in many.
    #[arg(long)]
    more: bool,
    /// Directory of benchmarks.md and benchmarks/.
    #[arg(long, default_value = "docs")]
    docs: PathBuf,
    /// The controller: the static program of the image.
    #[arg(long)]
    controller: PathBuf,
    /// As cargo bench and cargo test hand it on.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let done = done
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(bench(&arguments)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn bench(arguments: &Arguments) -> Result<(), Failure> {
    let controller = fs::canonicalize(&arguments.controller).map_err(|e| {
        format!(
            "{}: {e}; make bench builds it",
            arguments.controller.display()
        )
    })?;
    say("building the peers, where they are not built yet");
    for contender in &arguments.contenders {
        contender.build()?;
    }
    let mut results = setup::results(&arguments.contenders);
    setup::sizes(&mut results, &controller, &arguments.contenders);
    let concurrency = match arguments.sizes.iter().find(|&&n| n >= 100) {
        Some(&pools) => best_concurrency(pools, &controller).await?,
        None => CONCURRENCIES[0],
    };
    for &pools in &arguments.sizes {
        for repetition in 0..arguments.repetitions {
            let few = pools > SLOW && repetition > 0;
            let slow = |c: &Contender| matches!(c, Contender::Kopf | Contender::Shell);
            let contenders = arguments
                .contenders
                .iter()
                .copied()
                .filter(|c| !(few && slow(c)));
            side_by_side(
                &mut results,
                pools,
                repetition,
                contenders,
                &controller,
                concurrency,
            )
            .await?;
        }
    }
    for &pools in &arguments.growth {
        let alone = [Contender::Controller].into_iter();
        side_by_side(&mut results, pools, 0, alone, &controller, concurrency).await?;
    }
    if arguments.more {
        for contender in arguments.contenders.iter().copied().filter(|c| c.watches()) {
            say(&format!(
                "{}: edits while {CREATING} mirrors are being made",
                contender.name()
            ));
            let measured = measure::edits_while_creating(contender, CREATING, &controller).await?;
            keep(&mut results, contender.name(), CREATING, 0, measured)?;
        }
        for (sources, pools) in [(10, 1_000), (1_000, 10)] {
            let name = format!("{sources} sources of {pools}");
            say(&name);
            let measured = sources::measure(sources, pools, &controller).await?;
            keep(&mut results, &name, sources * pools, 0, measured)?;
        }
    }
    write_report(&results, &arguments.docs)
}

/// Measures all with as many pools; whoever made other mirrors than the controller ends it all.
async fn side_by_side(
    results: &mut Results,
    pools: usize,
    repetition: usize,
    contenders: impl Iterator<Item = Contender>,
    controller: &Path,
    concurrency: usize,
) -> Result<(), Failure> {
    let mut expected: Option<Mirrors> = None;
    let mut all: Vec<Contender> = contenders.collect();
    // It says what is expected of the others.
    all.sort();
    for contender in all {
        say(&format!(
            "{}: {pools} pools, repetition {repetition}",
            contender.name()
        ));
        let measured = measure::measure(contender, pools, controller, expected.as_ref()).await;
        let (measured, mirrors) =
            measured.map_err(|e| format!("{}, {pools} pools: {e}", contender.name()))?;
        keep(results, contender.name(), pools, repetition, measured)?;
        if mirrors.len() != pools {
            return Err(format!(
                "{} has made {} mirrors of {pools} pools",
                contender.name(),
                mirrors.len()
            )
            .into());
        }
        expected.get_or_insert(mirrors);
    }
    let Some(expected) = expected else {
        return Ok(());
    };
    say(&format!("limit: {pools} pools, repetition {repetition}"));
    let world = World::new(vec![Generate::pools(pools)]).await?;
    let took = limit::write(&world, &expected.bodies, concurrency).await?;
    let rate = pools as f64 / took;
    say(&format!("  first_mirror_objects_per_second: {rate:.2}"));
    let measured = [
        ("first_mirror_seconds", took),
        ("first_mirror_objects_per_second", rate),
    ];
    keep(results, "limit", pools, repetition, named(&measured))?;
    let readings = limit::read(&world, 5).await?;
    let cpu = median(
        readings
            .iter()
            .map(|r| r.cpu.as_secs_f64() * 1000.0)
            .collect(),
    );
    say(&format!("  quiet_cpu_milliseconds: {cpu:.2}"));
    let measured = [
        ("quiet_cpu_milliseconds", cpu),
        ("quiet_cloud_bytes", readings[0].bytes as f64),
    ];
    keep(results, "listing", pools, repetition, named(&measured))
}

/// With how many writes at once the client that only writes is fastest.
async fn best_concurrency(pools: usize, controller: &Path) -> Result<usize, Failure> {
    say(&format!(
        "limit: looking for its best concurrency with {pools} pools"
    ));
    let world = World::new(vec![Generate::pools(pools)]).await?;
    world
        .add_source(world::SOURCE, "0", Duration::from_hours(24))
        .await?;
    let mut log = requests::Log::from_now(world.cluster.audit_log())?;
    let begun = jiff::Timestamp::now();
    let running = Contender::Controller.start(&world, controller, Duration::from_hours(24))?;
    log.statuses(begun, pools, measure::patience(pools)).await?;
    drop(running);
    let bodies = Mirrors::read(&world).await?.bodies;
    drop(world);
    let mut best = (0.0, CONCURRENCIES[0]);
    for concurrency in CONCURRENCIES {
        let world = World::new(Vec::new()).await?;
        let rate = pools as f64 / limit::write(&world, &bodies, concurrency).await?;
        say(&format!("  {concurrency} at once: {rate:.0} objects/s"));
        if rate > best.0 {
            best = (rate, concurrency);
        }
    }
    Ok(best.1)
}

/// Adds a run, and writes all down: what is measured is not lost where a later one fails.
fn keep(
    results: &mut Results,
    contender: &str,
    pools: usize,
    repetition: usize,
    measured: Measured,
) -> Result<(), Failure> {
    results.runs.push(Run {
        contender: contender.to_owned(),
        pools,
        repetition,
        measured,
    });
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&directory)?;
    fs::write(
        directory.join("results.json"),
        serde_json::to_string_pretty(results)? + "\n",
    )?;
    Ok(())
}

fn write_report(results: &Results, docs: &Path) -> Result<(), Failure> {
    let plots = docs.join("benchmarks");
    fs::create_dir_all(&plots)?;
    fs::write(
        plots.join("results.json"),
        serde_json::to_string_pretty(results)? + "\n",
    )?;
    for (name, svg) in plot::plots(results)? {
        fs::write(plots.join(name), svg)?;
    }
    fs::write(docs.join("benchmarks.md"), report::markdown(results))?;
    say(&format!(
        "written: {}",
        docs.join("benchmarks.md").display()
    ));
    Ok(())
}

fn named(measured: &[(&str, f64)]) -> BTreeMap<String, f64> {
    measured
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect()
}

/// The middle one; 0 of none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Between two looks at what no event tells of.
pub async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// Shows progress, with the time since the start.
pub fn say(what: &str) {
    static START: OnceLock<Instant> = OnceLock::new();
    let seconds = START.get_or_init(Instant::now).elapsed().as_secs();
    eprintln!("bench {:>3}:{:02} {what}", seconds / 60, seconds % 60);
}
