//! `crds`: prints the CRDs, or updates them in the cluster.

use std::time::Duration;

use clap::Args;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use tokio::time::timeout;

use crate::api::{CONTROLLER_NAME, crds};
use crate::runtime::kubernetes;

/// How long the API server may take to serve an applied CRD.
const ESTABLISHED_TIMEOUT: Duration = Duration::from_secs(30);

/// Prints the CRDs as YAML, to read or to apply; with --apply, updates them in the cluster.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Applies the CRDs to the cluster of the kubeconfig (else the one that this runs in) and waits
    /// until they are served.
    #[arg(long, env = "MODELARTS_POOL_CONTROLLER_CRDS_APPLY")]
    apply: bool,
}

impl CrdsArgs {
    /// Prints or applies them.
    ///
    /// # Errors
    /// What failed, on which CRD.
    pub async fn run(self) -> Result<(), String> {
        let Self { apply } = self;
        if !apply {
            let yaml =
                crds::yaml().map_err(|e| format!("failed to write the CRDs as YAML: {e}"))?;
            return super::print(&yaml);
        }
        let api: Api<CustomResourceDefinition> = Api::all(kubernetes::client().await?);
        let params = PatchParams::apply(CONTROLLER_NAME).force();
        for (_, crd) in crds::all() {
            let name = crd.metadata.name.clone().unwrap_or_default();
            api.patch(&name, &params, &Patch::Apply(&crd))
                .await
                .map_err(|e| format!("failed to apply the CRD {name}: {e}; it needs the right to get, create and patch it"))?;
            let established = await_condition(api.clone(), &name, conditions::is_crd_established());
            match timeout(ESTABLISHED_TIMEOUT, established).await {
                Ok(Ok(_)) => super::print(&format!("{name} applied\n"))?,
                Ok(Err(error)) => {
                    return Err(format!("failed to wait for the CRD {name}: {error}"));
                }
                Err(_) => {
                    return Err(format!(
                        "the CRD {name} was applied and is not served after {} s; see its conditions",
                        ESTABLISHED_TIMEOUT.as_secs()
                    ));
                }
            }
        }
        Ok(())
    }
}
