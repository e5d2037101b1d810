//! Parses the arguments and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use modelarts_pool_controller::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            #[allow(
                clippy::print_stderr,
                reason = "the last word of the program, whether or not a log was started"
            )]
            {
                eprintln!("error: {message}");
            }
            ExitCode::FAILURE
        }
    }
}
