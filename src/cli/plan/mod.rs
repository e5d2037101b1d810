//! `plan`: what a pass would change.
//!
//! Owns the flags and where things are read from; the plan itself is `crate::controller::plan`.

mod files;
mod inputs;
mod output;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::inputs::Inputs;
use crate::controller::plan::{listing, plan};
use crate::modelarts::shareable;

/// The exit code that says that there is something to do.
const CHANGES: u8 = 2;

/// Shows what a pass would change. Nothing is written.
///
/// The source is read from a file (-f), as if it were applied, or by its name from the cluster; its
/// pools from the cloud or from a saved listing. Exit code 0: nothing to do, 2: changes, 1: an error.
/// docs/plan.md is its guide.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The source, where no file has it.
    #[arg(
        value_name = "NAMESPACE/NAME",
        env = "MODELARTS_POOL_CONTROLLER_PLAN_SOURCE"
    )]
    source: Option<String>,

    /// File with one ModelArtsPoolSource, YAML or JSON; - is standard input.
    #[arg(
        short = 'f',
        long,
        value_name = "FILE",
        env = "MODELARTS_POOL_CONTROLLER_PLAN_FILENAME"
    )]
    filename: Option<PathBuf>,

    /// File with the Secret of the credentials, instead of the one in the cluster.
    #[arg(
        long,
        value_name = "FILE",
        env = "MODELARTS_POOL_CONTROLLER_PLAN_SECRET_FILE"
    )]
    secret_file: Option<PathBuf>,

    /// Saved listing to take the pools from, instead of the cloud: a whole answer of ListPools.
    #[arg(
        long,
        value_name = "FILE",
        env = "MODELARTS_POOL_CONTROLLER_PLAN_FROM_FILE"
    )]
    from_file: Option<PathBuf>,

    /// File with the mirrors to compare with, instead of those in the cluster: what kubectl get
    /// modelartspools --show-managed-fields prints with --output=yaml or json.
    #[arg(
        long,
        value_name = "FILE",
        env = "MODELARTS_POOL_CONTROLLER_PLAN_MIRRORS_FILE"
    )]
    mirrors_file: Option<PathBuf>,

    /// Never asks the cluster. Without --mirrors-file every mirror is new.
    #[arg(long, env = "MODELARTS_POOL_CONTROLLER_PLAN_OFFLINE")]
    offline: bool,

    /// Form of the plan.
    #[arg(short = 'o', long, value_enum, default_value_t = Form::Diff, env = "MODELARTS_POOL_CONTROLLER_PLAN_OUTPUT")]
    output: Form,

    /// Prints the listing, fit for a public bug report, instead of a plan: without secrets, and with all
    /// names, ids and texts replaced. docs/reporting-bugs.md is its guide.
    #[arg(long, env = "MODELARTS_POOL_CONTROLLER_PLAN_REDACT")]
    redact: bool,

    /// PEM file of certificates to trust beside the system's, for the cloud; may be repeated.
    #[arg(
        long,
        value_name = "PEM",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_PLAN_CA_FILE"
    )]
    ca_file: Vec<PathBuf>,

    /// Hosts that credentials may be sent to, as of run; may be repeated, and replaces the default: the
    /// hosts of ModelArts and IAM in Huawei Cloud, by https.
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_PLAN_ALLOWED_ENDPOINTS"
    )]
    // Parsed later: clap would show a refused one with the password that someone wrote into it.
    allowed_endpoints: Vec<String>,

    /// Namespaces whose sources are planned with the identity of where plan runs, where their credentials are of
    /// type Agency or PodIdentity, as of run; none by default.
    #[arg(
        long,
        value_name = "NS[=PROJECT],...",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_PLAN_AMBIENT_CREDENTIALS_NAMESPACES"
    )]
    ambient_credentials_namespaces: Vec<String>,

    /// Origin of the metadata service, as of run.
    #[arg(
        long,
        value_name = "URL",
        default_value = super::run::DEFAULT_METADATA_ENDPOINT,
        env = "MODELARTS_POOL_CONTROLLER_PLAN_METADATA_ENDPOINT"
    )]
    metadata_endpoint: String,
}

/// Form of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    Diff,
    /// For programs and people.
    Yaml,
    /// For programs.
    Json,
}

impl PlanArgs {
    /// Prints the plan, or the listing.
    ///
    /// # Errors
    /// What is missing or wrong, and what to do.
    pub async fn run(self) -> Result<ExitCode, String> {
        self.check_stdin()?;
        if let (true, Some(file)) = (self.redact, &self.from_file) {
            let (_, pools) = inputs::saved(file)?;
            super::print(&redacted(&pools)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let redact = self.redact;
        let form = self.output;
        let request = Inputs::of(self)?.request().await?;
        if redact {
            super::print(&redacted(&listing(request).await?)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let plan = plan(request).await?;
        super::print(&output::text(&plan, form)?)?;
        Ok(match plan.changes[..] {
            [] => ExitCode::SUCCESS,
            _ => ExitCode::from(CHANGES),
        })
    }
}

fn redacted(items: &[String]) -> Result<String, String> {
    let listing = shareable(items.iter().map(String::as_str)).map_err(|e| e.to_string())?;
    Ok(output::safe_json(&listing))
}
