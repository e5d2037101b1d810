//! The command line: one file for each subcommand.

mod crds;
mod run;
mod simulate;
mod version;

use clap::{Parser, Subcommand};

pub use crds::CrdsArgs;
pub use run::RunArgs;
pub use simulate::SimulateArgs;
pub use version::VersionArgs;

/// Mirrors the resource pools of Huawei Cloud ModelArts, read-only, into a Kubernetes cluster.
///
/// Each ModelArtsPoolSource names a project to watch; each of its pools becomes a ModelArtsPool in
/// the same namespace. The cloud is only read: deleting a mirror or a source never touches a pool.
#[derive(Parser)]
#[command(name = "modelarts-pool-controller", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(RunArgs),
    Crds(CrdsArgs),
    Simulate(SimulateArgs),
    Version(VersionArgs),
}

impl Cli {
    /// Does what the arguments say.
    ///
    /// # Errors
    /// What failed, on what, and what to do.
    pub fn run(self) -> Result<(), String> {
        let Self { command } = self;
        match command {
            Command::Run(args) => runtime()?.block_on(args.run()),
            Command::Crds(args) => runtime()?.block_on(args.run()),
            Command::Simulate(args) => runtime()?.block_on(args.run()).map_err(|e| e.to_string()),
            Command::Version(args) => args.run(),
        }
    }
}

/// One thread: the loop is one task, and what blocks (reading a listing) has threads of its own.
fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("failed to start the asynchronous runtime: {e}"))
}

/// Writes to standard output. A reader that has gone away is no error.
fn print(text: &str) -> Result<(), String> {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("failed to write to standard output: {error}"))
        }
        _ => Ok(()),
    }
}
