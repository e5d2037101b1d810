//! `version`.

use clap::Args;

use crate::api::API_VERSION;

/// Prints the version of the program and of the API it writes.
#[derive(Debug, Args)]
pub struct VersionArgs {}

impl VersionArgs {
    /// Prints both.
    ///
    /// # Errors
    /// Where standard output can't be written to.
    pub fn run(self) -> Result<(), String> {
        let Self {} = self;
        super::print(&format!(
            "modelarts-pool-controller {} ({API_VERSION})\n",
            env!("CARGO_PKG_VERSION")
        ))
    }
}
