//! Gathers what a plan is made from: files first, then the cluster, which is asked for no more than the
//! files leave open.

use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;
use kube::Client;
use kube::core::DynamicObject;

use super::{PlanArgs, files};
use crate::api::SOURCE_KIND;
use crate::cli::run;
use crate::controller::plan::{
    CredentialsFrom, Known, Objects, PlanRequest, Pools, Texts, objects,
};
use crate::controller::{AmbientNamespaces, Key, Now};
use crate::modelarts::{Cloud, HttpOptions, PoolSink as _, read_saved};
use crate::runtime::kubernetes;

/// The namespace of a source whose file names none, where no kubeconfig is read.
const DEFAULT_NAMESPACE: &str = "default";

/// What the flags and their files say.
pub(super) struct Inputs {
    source: Named,
    pools: Pools,
    mirrors: Option<Vec<DynamicObject>>,
    credentials: Option<CredentialsFrom>,
    ambient: AmbientNamespaces,
    offline: bool,
}

/// How the source is given.
enum Named {
    /// By its name in the cluster.
    InCluster(Key),
    /// By a file.
    InFile(Box<DynamicObject>),
}

impl PlanArgs {
    /// Looks that only one of the flags names standard input.
    pub(super) fn check_stdin(&self) -> Result<(), String> {
        files::check_stdin(&[
            ("-f", self.filename.as_ref()),
            ("--secret-file", self.secret_file.as_ref()),
            ("--from-file", self.from_file.as_ref()),
            ("--mirrors-file", self.mirrors_file.as_ref()),
        ])
    }
}

impl Inputs {
    /// Reads the files. What is wrong with them is said before anybody is asked.
    pub(super) fn of(args: PlanArgs) -> Result<Self, String> {
        let PlanArgs {
            source,
            filename,
            secret_file,
            from_file,
            mirrors_file,
            offline,
            output: _,
            redact: _,
            ca_file,
            allowed_endpoints,
            ambient_credentials_namespaces,
            metadata_endpoint,
        } = args;
        let source = match (source, filename) {
            (Some(_), Some(_)) => {
                return Err(
                    "both -f and NAMESPACE/NAME are given: which source is meant? Give one of them"
                        .to_owned(),
                );
            }
            (None, None) => {
                return Err("no source is given: name one of the cluster (NAMESPACE/NAME), or give its file with -f".to_owned());
            }
            (Some(_), None) if offline => {
                return Err(
                    "--offline asks no cluster for a source: give its file with -f".to_owned(),
                );
            }
            (Some(name), None) => Named::InCluster(key_of(&name)?),
            (None, Some(file)) => Named::InFile(Box::new(files::source(&file)?)),
        };
        let pools = match from_file {
            Some(file) => Pools::Saved(saved(&file)?.0),
            None => Pools::Cloud(Cloud::new(
                HttpOptions {
                    ca_files: ca_file,
                    allowed: run::allowed(&allowed_endpoints)?,
                    ..HttpOptions::default()
                },
                run::ambient_options(&metadata_endpoint)?,
            )?),
        };
        let mirrors = mirrors_file.as_deref().map(files::mirrors).transpose()?;
        let credentials = match (&pools, secret_file) {
            (_, Some(file)) => Some(files::secret(&file)?),
            (Pools::Saved(_), None) => Some(CredentialsFrom::Nowhere),
            // A source whose credentials are of type Agency or PodIdentity needs none.
            (Pools::Cloud(_), None) if offline => Some(CredentialsFrom::Nowhere),
            (Pools::Cloud(_), None) => None,
        };
        Ok(Self {
            source,
            pools,
            mirrors,
            credentials,
            ambient: run::ambient_namespaces(&ambient_credentials_namespaces)?,
            offline,
        })
    }

    /// Asks the cluster for the rest.
    pub(super) async fn request(self) -> Result<PlanRequest, String> {
        let Self {
            source,
            pools,
            mirrors,
            credentials,
            ambient,
            offline,
        } = self;
        let from_cluster = !offline && mirrors.is_none();
        let by_name = matches!(source, Named::InCluster(_));
        let client = if by_name || from_cluster || credentials.is_none() {
            let client = kubernetes::client().await;
            Some(client.map_err(|e| without_cluster(&e))?)
        } else {
            None
        };
        let namespace = client.as_ref().map(Client::default_namespace);
        let (key, file) = match source {
            Named::InCluster(key) => (key, None),
            Named::InFile(file) => (
                key_in(&file, namespace.unwrap_or(DEFAULT_NAMESPACE))?,
                Some(*file),
            ),
        };
        if offline && mirrors.is_none() {
            note("without --mirrors-file every mirror is taken for a new one");
        }
        let mut there = mirrors.unwrap_or_default();
        if let Some(client) = client.as_ref().filter(|_| by_name || from_cluster) {
            let mut found = objects(client, &key.namespace)
                .await
                .map_err(|e| without_cluster(&e))?;
            if !from_cluster {
                // The mirrors are those of the file. What it can't tell is how the sources are.
                there.retain(|object| !is_source(object));
                found.retain(is_source);
            }
            there.extend(found);
        }
        let now = Now {
            instant: Instant::now(),
            wall: Timestamp::now(),
        };
        let known = Known::of(Objects {
            file,
            key,
            there,
            from_cluster,
            now: now.wall,
        })?;
        known.notes.iter().for_each(|text| note(text));
        let credentials = match (credentials, client) {
            (Some(credentials), _) => credentials,
            (None, Some(client)) => CredentialsFrom::Cluster(client),
            (None, None) => CredentialsFrom::Nowhere,
        };
        Ok(PlanRequest {
            known,
            credentials,
            ambient,
            pools,
            now,
        })
    }
}

/// A saved listing: all of it, and the pools in it.
pub(super) fn saved(file: &Path) -> Result<(Vec<u8>, Vec<String>), String> {
    let body = files::bytes("--from-file", file)?;
    let mut pools = Texts::default();
    read_saved(&body, |item| pools.pool("", item)).map_err(|problem| {
        format!(
            "--from-file {} is no complete listing: {problem}; nothing is planned",
            file.display()
        )
    })?;
    Ok((body, pools.0))
}

fn is_source(object: &DynamicObject) -> bool {
    let types = object.types.as_ref();
    types.is_some_and(|t| t.kind == SOURCE_KIND)
}

fn without_cluster(problem: &str) -> String {
    format!("{problem}; with --offline no cluster is asked")
}

/// What NAMESPACE/NAME says.
fn key_of(text: &str) -> Result<Key, String> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(Key::new(namespace, name))
        }
        _ => Err(format!(
            "{text:?} is not NAMESPACE/NAME of a ModelArtsPoolSource, such as team-a/main"
        )),
    }
}

/// The name that a file gives its source.
fn key_in(file: &DynamicObject, namespace: &str) -> Result<Key, String> {
    let name = file.metadata.name.as_deref().filter(|n| !n.is_empty());
    let name = name.ok_or("the source of -f has no metadata.name; give it one")?;
    let own = file.metadata.namespace.as_deref();
    Ok(Key::new(
        own.filter(|n| !n.is_empty()).unwrap_or(namespace),
        name,
    ))
}

/// Says something beside the plan.
fn note(text: &str) {
    // Nobody reads it where that fails.
    let _ = writeln!(std::io::stderr().lock(), "note: {text}");
}
