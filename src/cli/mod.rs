//! The command line: one file for each subcommand.

mod crds;
mod plan;
mod run;
mod simulate;
mod version;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use crds::CrdsArgs;
pub use plan::PlanArgs;
pub use run::RunArgs;
pub use simulate::SimulateArgs;
pub use version::VersionArgs;

/// What a newcomer does first.
const FIRST_STEPS: &str = "\
First steps, without an account of Huawei Cloud:
  modelarts-pool-controller crds --apply   once per cluster
  modelarts-pool-controller simulate       prints what to apply, and how to run the controller
Each flag has an environment variable too: see --help of each command.";

/// Mirrors the resource pools of Huawei Cloud ModelArts, read-only, into a Kubernetes cluster.
///
/// Each ModelArtsPoolSource names a project to watch; each of its pools becomes a ModelArtsPool in
/// the same namespace. The cloud is only read: deleting a mirror or a source never touches a pool.
#[derive(Parser)]
#[command(
    name = "modelarts-pool-controller",
    version,
    propagate_version = true,
    after_help = FIRST_STEPS
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(RunArgs),
    Crds(CrdsArgs),
    Plan(PlanArgs),
    Simulate(SimulateArgs),
    Version(VersionArgs),
}

impl Cli {
    /// Does what the arguments say; the exit code, where nothing failed.
    ///
    /// # Errors
    /// What failed, on what, and what to do.
    pub fn run(self) -> Result<ExitCode, String> {
        let Self { command } = self;
        let done = |()| ExitCode::SUCCESS;
        match command {
            Command::Run(args) => runtime()?.block_on(args.run()).map(done),
            Command::Crds(args) => runtime()?.block_on(args.run()).map(done),
            Command::Plan(args) => runtime()?.block_on(args.run()),
            Command::Simulate(args) => {
                let played = runtime()?.block_on(args.run());
                played.map(done).map_err(|e| e.to_string())
            }
            Command::Version(args) => args.run().map(done),
        }
    }

    /// The exit code of arguments that can't be understood.
    #[must_use]
    pub fn usage_error(first_argument: Option<&std::ffi::OsStr>) -> ExitCode {
        // Of `plan`, 2 says that there are changes.
        let is_plan = first_argument.is_some_and(|a| a == "plan");
        ExitCode::from(if is_plan { 1 } else { 2 })
    }
}

/// One thread: the loop is one task, and nothing in it blocks.
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn each_flag_has_help_and_its_own_variable_in_one_style() {
        let cli = Cli::command();
        cli.clone().debug_assert();
        let mut variables = std::collections::BTreeSet::new();
        for command in cli.get_subcommands() {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for flag in command.get_arguments() {
                let (id, command) = (flag.get_id().as_str(), command.get_name());
                assert!(flag.get_help().is_some(), "{command} {id} has no help");
                // The main command needs no prefix of its own: what is deployed sets its flags.
                let prefix = if command == "run" {
                    String::new()
                } else {
                    format!("{command}_")
                };
                let expected =
                    format!("MODELARTS_POOL_CONTROLLER_{prefix}{id}").to_ascii_uppercase();
                let variable = flag.get_env().and_then(|v| v.to_str());
                assert_eq!(variable, Some(&*expected), "{command} {id}");
                assert!(
                    variables.insert(expected),
                    "{command} {id} shares a variable"
                );
            }
        }
        assert!(variables.len() > 15, "only {variables:?}");
    }
}
