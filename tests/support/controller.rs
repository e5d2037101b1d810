//! The controller, run in the process of the test over the namespace of the test.

use std::sync::Arc;
use std::time::Instant;

use kube::Client;
use modelarts_pool_controller::controller::{self, AmbientNamespaces};
use modelarts_pool_controller::modelarts::{AllowedEndpoints, AmbientOptions, Cloud, HttpOptions};
use modelarts_pool_controller::runtime::health::Health;
use modelarts_pool_controller::runtime::lease::Leadership;
use modelarts_pool_controller::runtime::metrics::{Metrics, observer};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::env::{Env, client_of};
use super::proxy::Proxy;

/// A controller that runs until it is stopped or dropped.
pub struct Controller {
    pub metrics: Arc<Metrics>,
    pub health: Arc<Health>,
    /// How the audit log names its requests.
    pub agent: String,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Controller {
    /// As the only replica.
    pub async fn start(env: &Env) -> Self {
        Self::start_as(env, Leadership::unquestioned()).await
    }

    /// As one of several replicas.
    pub async fn start_as(env: &Env, leadership: Leadership) -> Self {
        let client = client_of(env.cluster, &agent_of(env)).await;
        Self::start_with(&[env], client, leadership)
    }

    /// As the only replica, over several namespaces. It has the name of the first.
    pub async fn start_over(envs: &[&Env]) -> Self {
        let client = client_of(envs[0].cluster, &agent_of(envs[0])).await;
        Self::start_with(envs, client, Leadership::unquestioned())
    }

    /// As the only replica, behind a proxy.
    pub fn start_behind(env: &Env, proxy: &Proxy) -> Self {
        Self::start_with(&[env], proxy.client(), Leadership::unquestioned())
    }

    fn start_with(envs: &[&Env], client: Client, leadership: Leadership) -> Self {
        let namespaces: Vec<String> = envs.iter().map(|env| env.namespace.clone()).collect();
        let metrics = Arc::new(Metrics::default());
        let health = Arc::new(Health::new(Instant::now()));
        let allowed = "http://127.0.0.1:*".parse().expect("a pattern");
        let http = HttpOptions {
            allowed: AllowedEndpoints(vec![allowed]),
            observer: observer(metrics.clone()),
            ..HttpOptions::default()
        };
        let ambient = AmbientOptions {
            metadata: Some(envs[0].endpoint().parse().expect("an origin")),
            pod_identity: None,
        };
        let options = controller::Options {
            client,
            leadership,
            cloud: Cloud::new(http, ambient).expect("connections"),
            // Nobody else works in the namespaces of a test.
            ambient: AmbientNamespaces::parse(&namespaces).expect("namespaces"),
            namespaces,
            metrics: metrics.clone(),
            health: health.clone(),
            instance: "test".into(),
        };
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(controller::run(options, async {
            // A dropped sender stops it too.
            let _ = stopped.await;
        }));
        Self {
            metrics,
            health,
            agent: agent_of(envs[0]),
            stop: Some(stop),
            task,
        }
    }

    /// Stops it as SIGTERM does, and waits for its end.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.expect("an orderly end");
    }
}

/// How the audit log names the requests of a controller over the namespace of a test.
pub fn agent_of(env: &Env) -> String {
    format!("controller-of-{}", env.namespace)
}
