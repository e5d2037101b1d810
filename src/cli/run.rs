//! `run`: the controller.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::{ArgAction, Args};

use crate::api::CONTROLLER_NAME;
use crate::controller::{self, AmbientNamespaces};
use crate::mirror::is_dns1123_subdomain;
use crate::modelarts::{
    AllowedEndpoints, AmbientOptions, Cloud, Endpoint, EndpointPattern, HttpOptions,
};
use crate::runtime::health::Health;
use crate::runtime::lease::{Leadership, LeaseName, elect};
use crate::runtime::logs::{self, LogFormat};
use crate::runtime::metrics::{Metrics, observer};
use crate::runtime::{kubernetes, server, shutdown};

/// Where every ECS finds its metadata service.
pub(super) const DEFAULT_METADATA_ENDPOINT: &str = "http://169.254.169.254";

/// Runs the controller until SIGTERM or SIGINT.
///
/// The API server is found as kubectl finds it (KUBECONFIG, ~/.kube/config), else as a pod does.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Address of /metrics, /livez and /readyz.
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "[::]:8080",
        env = "MODELARTS_POOL_CONTROLLER_LISTEN"
    )]
    listen: SocketAddr,

    /// Namespaces to watch, separated by commas; all by default, also where it is empty. Mirrors of a
    /// namespace that is taken out are left as they are.
    #[arg(
        long,
        value_name = "NS,...",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_WATCH_NAMESPACES"
    )]
    watch_namespaces: Vec<String>,

    /// Whether several replicas elect the one that lists and writes; false: this is the only one.
    #[arg(long, value_name = "true|false", default_value_t = true, action = ArgAction::Set, env = "MODELARTS_POOL_CONTROLLER_LEADER_ELECT")]
    leader_elect: bool,

    /// Name of the Lease of the election: the same for all replicas.
    #[arg(long, value_name = "NAME", default_value = CONTROLLER_NAME, env = "MODELARTS_POOL_CONTROLLER_LEASE_NAME")]
    lease_name: String,

    /// Namespace of the Lease; by default, also where it is empty, the pod's or the kubeconfig's.
    #[arg(
        long,
        value_name = "NS",
        env = "MODELARTS_POOL_CONTROLLER_LEASE_NAMESPACE"
    )]
    lease_namespace: Option<String>,

    /// Form of the log: lines for people, or JSON.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "MODELARTS_POOL_CONTROLLER_LOG_FORMAT")]
    log_format: LogFormat,

    /// What is logged: error, warn, info, debug or trace, also by module, e.g. info,kube=debug.
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        env = "MODELARTS_POOL_CONTROLLER_LOG_LEVEL"
    )]
    log_level: String,

    /// PEM file of certificates to trust beside the system's, for the cloud; may be repeated.
    #[arg(
        long,
        value_name = "PEM",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_CA_FILE"
    )]
    ca_file: Vec<PathBuf>,

    /// Hosts that credentials may be sent to, e.g. `https://modelarts.*.example.com:8443`, where `*`
    /// stands for one DNS label or any port; may be repeated, and replaces the default: the hosts of
    /// ModelArts and IAM in Huawei Cloud, by https.
    #[arg(
        long,
        value_name = "PATTERN",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_ALLOWED_ENDPOINTS"
    )]
    // Parsed later: clap would show a refused one with the password that someone wrote into it.
    allowed_endpoints: Vec<String>,

    /// Namespaces whose sources may use the controller's own identity (credentials of type Agency and
    /// PodIdentity), each for all projects or one; none by default.
    #[arg(
        long,
        value_name = "NS[=PROJECT],...",
        value_delimiter = ',',
        env = "MODELARTS_POOL_CONTROLLER_AMBIENT_CREDENTIALS_NAMESPACES"
    )]
    ambient_credentials_namespaces: Vec<String>,

    /// Origin of the metadata service that is asked for credentials of type Agency, where it is not the one
    /// that every ECS has, e.g. a simulated one.
    #[arg(
        long,
        value_name = "URL",
        default_value = DEFAULT_METADATA_ENDPOINT,
        env = "MODELARTS_POOL_CONTROLLER_METADATA_ENDPOINT"
    )]
    metadata_endpoint: String,
}

impl RunArgs {
    /// Runs the controller.
    ///
    /// # Errors
    /// What is missing at the start, or what ended the controller.
    pub async fn run(self) -> Result<(), String> {
        let Self {
            listen,
            watch_namespaces,
            leader_elect,
            lease_name,
            lease_namespace,
            log_format,
            log_level,
            ca_file,
            allowed_endpoints,
            ambient_credentials_namespaces,
            metadata_endpoint,
        } = self;
        logs::start(log_format, &log_level)
            .map_err(|e| format!("--log-level {log_level:?} is no filter: {e}"))?;
        let namespaces = namespaces(watch_namespaces)?;
        let metrics = Arc::new(Metrics::default());
        let allowed = allowed(&allowed_endpoints)?;
        let http = HttpOptions {
            ca_files: ca_file,
            allowed,
            observer: observer(metrics.clone()),
            ..HttpOptions::default()
        };
        let cloud = Cloud::new(http, ambient_options(&metadata_endpoint)?)?;
        let ambient = ambient_namespaces(&ambient_credentials_namespaces)?;
        let config = kubernetes::config().await?;
        let instance = instance();
        let (leadership, elector) = if leader_elect {
            let lease = lease(lease_name, lease_namespace, &config.default_namespace)?;
            let client = kubernetes::client_of(config.clone())?;
            let identity = format!("{instance}_{:016x}", fastrand::u64(..));
            let (leadership, elector) = elect(client, lease, &identity);
            (leadership, Some(elector))
        } else {
            (Leadership::unquestioned(), None)
        };
        let client = kubernetes::client_of_leader(config, leadership.clone())?;
        let listener = server::bind(listen).await?;
        let address = listener
            .local_addr()
            .map_err(|e| format!("failed to listen on {listen}: {e}"))?;
        let health = Arc::new(Health::new(Instant::now()));
        let (stop, signals) =
            shutdown::on_signals().map_err(|e| format!("failed to wait for signals: {e}"))?;
        tracing::info!(version = env!("CARGO_PKG_VERSION"), %address, "starting");

        let options = controller::Options {
            client,
            leadership,
            namespaces,
            cloud,
            ambient,
            metrics: metrics.clone(),
            health: health.clone(),
            instance,
        };
        // One handle is kept: with the last one, the task that waits for signals ends, and all with it.
        let work = controller::run(options, stop.clone().wait());
        let work = async {
            match elector {
                Some(elector) => elector.run(work).await,
                None => work.await,
            }
        };
        // The probes are served until the last write has ended and the lease is given back.
        tokio::select! {
            () = work => {}
            ended = server::serve(listener, health, metrics) => {
                return Err(format!("the server at {address} ended: {ended:?}"));
            }
            () = signals => {}
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// The name of this process in events. In a pod the variable holds the pod's name.
fn instance() -> Arc<str> {
    let name = std::env::var("HOSTNAME").ok().filter(|n| !n.is_empty());
    name.unwrap_or_else(|| CONTROLLER_NAME.to_owned()).into()
}

/// The Lease that is named so, by default in `own`, the namespace of the pod or the kubeconfig.
fn lease(name: String, namespace: Option<String>, own: &str) -> Result<LeaseName, String> {
    let namespace = namespace.filter(|given| !given.is_empty());
    let namespace = namespace.unwrap_or_else(|| own.to_owned());
    if !is_dns1123_subdomain(&name) {
        return Err(format!(
            "--lease-name: {name:?} is no name of a Lease (1 to 253 of a-z, 0-9, - and ., beginning and ending with a letter or digit)"
        ));
    }
    if !is_namespace(&namespace) {
        return Err(format!(
            "--lease-namespace: {namespace:?} is no name of a namespace (1 to 63 of a-z, 0-9 and -, no - at an end)"
        ));
    }
    Ok(LeaseName { namespace, name })
}

/// The namespaces to watch, each once: two watches of one namespace would be taken for one. Empty: all.
fn namespaces(given: Vec<String>) -> Result<Vec<String>, String> {
    // A variable that is set and empty says no more than one that is not set.
    if given == [""] {
        return Ok(Vec::new());
    }
    match given.iter().find(|name| !is_namespace(name)) {
        Some(bad) => Err(format!(
            "--watch-namespaces: {bad:?} is no name of a namespace (1 to 63 of a-z, 0-9 and -, no - at an end); separate names by a comma alone"
        )),
        None => Ok(BTreeSet::from_iter(given).into_iter().collect()),
    }
}

/// Whether it is a DNS-1123 label, as the names of namespaces are.
fn is_namespace(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && !name.starts_with('-')
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The patterns in force: those given, else the default.
pub(super) fn allowed(patterns: &[String]) -> Result<AllowedEndpoints, String> {
    if patterns.is_empty() {
        return Ok(AllowedEndpoints::default());
    }
    let parsed: Result<Vec<EndpointPattern>, _> = patterns.iter().map(|p| p.parse()).collect();
    parsed
        .map(AllowedEndpoints)
        .map_err(|e| format!("--allowed-endpoints: {e}"))
}

/// Who may use the identity of this process.
pub(super) fn ambient_namespaces(entries: &[String]) -> Result<AmbientNamespaces, String> {
    AmbientNamespaces::parse(entries).map_err(|e| format!("--ambient-credentials-namespaces: {e}"))
}

/// Where this process finds its identity.
pub(super) fn ambient_options(metadata_endpoint: &str) -> Result<AmbientOptions, String> {
    let metadata: Endpoint = metadata_endpoint
        .parse()
        .map_err(|e| format!("--metadata-endpoint: {e}"))?;
    Ok(AmbientOptions {
        metadata: Some(metadata),
        pod_identity: AmbientOptions::pod_identity_of_environment()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&str]) -> Result<Vec<String>, String> {
        namespaces(values.iter().map(|&v| v.to_owned()).collect())
    }

    #[test]
    fn each_namespace_is_watched_once() {
        assert_eq!(read(&[]), Ok(vec![]));
        // The variable is set and empty.
        assert_eq!(read(&[""]), Ok(vec![]));
        let twice = read(&["b", "a-1", "b"]);
        assert_eq!(twice, Ok(vec!["a-1".to_owned(), "b".to_owned()]));
        assert!(read(&[&"a".repeat(63)]).is_ok());
    }

    #[test]
    fn what_is_no_namespace_is_refused() {
        let long = "a".repeat(64);
        for bad in ["", " b", "A", "a.b", "-a", "a-", "a/b", "*", "训练", &long] {
            let error = read(&["a", bad]).expect_err(bad);
            let named = format!("--watch-namespaces: {bad:?} ");
            assert!(error.starts_with(&named), "{error}");
        }
    }
}
