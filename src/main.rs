//! Parses the arguments and hands over.

use std::process::ExitCode;

use clap::Parser as _;
use modelarts_pool_controller::cli::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help is no error, and nobody is left to tell where it can't be printed.
            let _ = error.print();
            if !error.use_stderr() {
                return ExitCode::SUCCESS;
            }
            return Cli::usage_error(std::env::args_os().nth(1).as_deref());
        }
    };
    match cli.run() {
        Ok(code) => code,
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
