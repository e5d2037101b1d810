//! Where one contender works: a control plane and a simulated cloud of its own, so that none meets what another left.

use std::net::SocketAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::{Client, Config};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{
    Control, DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY, Generate, Operation,
    Scenario, Seen, Simulator,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::requests::AGENT;
use super::{Failure, pause};

/// The namespace of source and mirrors.
pub const NAMESPACE: &str = "bench";
/// The source of the contenders that take one.
pub const SOURCE: &str = "s";
/// A token for the peers, which sign nothing.
pub const TOKEN: &str = "token-of-the-peers";

/// A control plane, a simulated cloud, and the Secret that opens it. All of it ends when this is dropped.
pub struct World {
    pub cluster: Cluster,
    pub client: Client,
    cloud: Simulator,
}

impl World {
    /// With these pools in the cloud, and no source.
    pub async fn new(generate: Vec<Generate>) -> Result<Self, Failure> {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await??;
        let client = client(&cluster).await?;
        let mut credentials = Scenario::default().credentials();
        credentials.tokens.push(TOKEN.to_owned());
        let scenario = Scenario {
            generate,
            credentials: Some(credentials),
            ..Scenario::default()
        };
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let cloud = Simulator::start(scenario, loopback).await?;
        let namespace: Namespace = from(json!({"metadata": {"name": NAMESPACE}}))?;
        let params = PostParams::default();
        Api::all(client.clone()).create(&params, &namespace).await?;
        let secret: Secret = from(json!({
            "metadata": {"name": "modelarts"}, "type": "modelarts.huaweicloud.com/credentials",
            "stringData": {"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY},
        }))?;
        Api::namespaced(client.clone(), NAMESPACE)
            .create(&params, &secret)
            .await?;
        Ok(Self {
            cluster,
            client,
            cloud,
        })
    }

    /// Creates a source of one workspace of the cloud.
    pub async fn add_source(
        &self,
        name: &str,
        workspace: &str,
        interval: Duration,
    ) -> Result<(), Failure> {
        let source: ModelArtsPoolSource = from(json!({
            "metadata": {"name": name},
            "spec": {
                "endpoint": self.endpoint(), "projectId": DEFAULT_PROJECT_ID, "workspaceIds": [workspace],
                "interval": format!("{}s", interval.as_secs()),
                "credentials": {"type": "AccessKey", "secretRef": {"name": "modelarts"}},
            },
        }))?;
        let sources = Api::namespaced(self.client.clone(), NAMESPACE);
        sources.create(&PostParams::default(), &source).await?;
        Ok(())
    }

    /// The hand on the simulated cloud.
    pub fn cloud(&self) -> &Control {
        self.cloud.control()
    }

    /// The origin of the simulated cloud.
    pub fn endpoint(&self) -> String {
        self.cloud.url()
    }

    /// The mirrors, as they are on the API server.
    pub fn mirrors(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<ModelArtsPool>(&());
        Api::namespaced_with(self.client.clone(), NAMESPACE, &resource)
    }

    /// Begins of passes so far: of each pass the first request. The last 200 requests alone are known.
    pub fn passes(&self) -> Vec<Seen> {
        let begins = |seen: &Seen| {
            seen.operation == Operation::ListPools
                && !seen.query.contains("continue=")
                // The controller asks for failed pools, too.
                && !seen.query.contains("status=failed")
        };
        let last = self.cloud().requests().last;
        last.into_iter().filter(begins).collect()
    }

    /// The next pass that begins after now, once its listing is answered.
    pub async fn next_pass(&self, limit: Duration) -> Result<Seen, Failure> {
        let now = jiff::Timestamp::now();
        let deadline = std::time::Instant::now() + limit;
        loop {
            if let Some(pass) = self.passes().into_iter().find(|seen| seen.at > now) {
                return Ok(pass);
            }
            if std::time::Instant::now() > deadline {
                return Err(format!("no pass began within {limit:?}").into());
            }
            pause().await;
        }
    }
}

/// A client of the administrator, under the name of the harness in the audit log.
async fn client(cluster: &Cluster) -> Result<Client, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(cluster.kubeconfig())?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    config.headers.push(("user-agent".parse()?, AGENT.parse()?));
    Ok(Client::try_from(config)?)
}

fn from<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    Ok(serde_json::from_value(value)?)
}
