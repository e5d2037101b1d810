//! Where one test works: a namespace of its own on the shared API server, and a simulated cloud of its
//! own.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::ApiResource;
use kube::runtime::wait::await_condition;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config};
use modelarts_pool_controller::api::{
    CREDENTIALS_SECRET_TYPE, ModelArtsPool, ModelArtsPoolSource, SkippedPools,
};
use modelarts_pool_controller::runtime::kubernetes::{self, configured};
use modelarts_pool_controller::simulator::{
    Control, DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_SECRET_KEY, Generate, Requests,
    Scenario, Simulator,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::cluster::{Cluster, shared};
use super::controller::Controller;

/// How long anything that must happen may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);
/// Name of the Secret that holds the key which the simulated cloud accepts.
pub const SECRET: &str = "modelarts";

/// A namespace, a simulated cloud, and the Secret that opens it.
pub struct Env {
    pub client: Client,
    pub namespace: String,
    pub cluster: &'static Cluster,
    cloud: Simulator,
}

impl Env {
    /// With the one pool of the documentation in the cloud.
    pub async fn new() -> Self {
        Self::with(Scenario::documented_sample().expect("the documented sample")).await
    }

    pub async fn with(scenario: Scenario) -> Self {
        Self::on(shared(), scenario).await
    }

    /// With so many made-up pools in the cloud.
    pub async fn with_pools(count: usize) -> Self {
        Self::with(Scenario {
            generate: vec![Generate::pools(count)],
            ..Scenario::default()
        })
        .await
    }

    /// On a control plane that the test may stop and start.
    pub async fn on(cluster: &'static Cluster, scenario: Scenario) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Not the program's kind: what a test sets up may take longer on a busy machine.
        let config = config_of(&cluster.kubeconfig(), "modelarts-tests").await;
        let client = Client::try_from(config).expect("a client");
        let namespace = format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let object: Namespace =
            serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("a namespace");
        Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .expect("a namespace");
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let cloud = Simulator::start(scenario, loopback)
            .await
            .expect("a simulated cloud");
        let env = Self {
            client,
            namespace,
            cluster,
            cloud,
        };
        let data = json!({"accessKey": DEFAULT_ACCESS_KEY, "secretKey": DEFAULT_SECRET_KEY});
        env.put_secret(SECRET, CREDENTIALS_SECRET_TYPE, &data).await;
        env
    }

    /// The hand on the simulated cloud.
    pub fn cloud(&self) -> &Control {
        self.cloud.control()
    }

    /// What the cloud was asked, as soon as `is_so`.
    pub async fn asked(&self, is_so: impl FnMut(&Requests) -> bool) -> Requests {
        let asked = timeout(PATIENCE, self.cloud().wait_for(is_so)).await;
        asked.unwrap_or_else(|_| panic!("not asked in time: {:#?}", self.cloud().requests()))
    }

    /// The origin of the simulated cloud.
    pub fn endpoint(&self) -> String {
        self.cloud.url()
    }

    pub fn sources(&self) -> Api<ModelArtsPoolSource> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// For what the types would not let through.
    pub fn sources_as_json(&self) -> Api<DynamicObject> {
        let resource = ApiResource::erase::<ModelArtsPoolSource>(&());
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    pub fn pools(&self) -> Api<ModelArtsPool> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Sets a Secret to `data`.
    pub async fn put_secret(&self, name: &str, type_: &str, data: &Value) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_, "stringData": data,
        });
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        api.patch(
            name,
            &PatchParams::apply("tests").force(),
            &Patch::Apply(secret),
        )
        .await
        .expect("a Secret");
    }

    /// Creates a source of the simulated cloud, with `spec` merged into a good one.
    pub async fn add_source(&self, name: &str, spec: Value) -> ModelArtsPoolSource {
        let mut whole = json!({
            "endpoint": self.endpoint(), "projectId": DEFAULT_PROJECT_ID, "interval": "5s",
            "credentials": {"type": "AccessKey", "secretRef": {"name": SECRET}},
        });
        merge(&mut whole, spec);
        let source = json!({
            "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
            "metadata": {"name": name}, "spec": whole,
        });
        let source = serde_json::from_value(source).expect("a source");
        self.sources()
            .create(&PostParams::default(), &source)
            .await
            .expect("an accepted source")
    }

    /// Merges `patch` into a source.
    pub async fn patch_source(&self, name: &str, patch: &Value) -> ModelArtsPoolSource {
        self.sources()
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("an accepted source")
    }

    /// Runs the controller over this namespace, in this process.
    pub async fn start_controller(&self) -> Controller {
        Controller::start(self).await
    }

    /// The source `name`, as soon as `is_so`.
    pub async fn source_when(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&ModelArtsPoolSource) -> bool + Send + Sync,
    ) -> ModelArtsPoolSource {
        when(self.sources(), name, what, is_so).await
    }

    /// The source `name`, as soon as a pass of the spec it has now has succeeded.
    pub async fn synced(&self, name: &str) -> ModelArtsPoolSource {
        self.source_when(name, "Ready is True", |s| {
            source_condition(s, "Ready").is_some_and(|c| {
                c.status == "True" && c.observed_generation == s.metadata.generation
            })
        })
        .await
    }

    /// The mirror `name`, as soon as `is_so`.
    pub async fn pool_when(
        &self,
        name: &str,
        what: &str,
        is_so: impl Fn(&ModelArtsPool) -> bool + Send + Sync,
    ) -> ModelArtsPool {
        when(self.pools(), name, what, is_so).await
    }

    /// The mirror `name`, as soon as it is whole.
    pub async fn mirrored(&self, name: &str) -> ModelArtsPool {
        self.pool_when(name, "it has a status", |p| p.status.is_some())
            .await
    }

    /// Waits until the mirror `name` is gone.
    pub async fn pool_gone(&self, name: &str) {
        let gone = |pool: Option<&ModelArtsPool>| pool.is_none();
        let waited = timeout(PATIENCE, await_condition(self.pools(), name, gone)).await;
        waited
            .unwrap_or_else(|_| panic!("{name} is still there"))
            .expect("a watch");
    }

    /// The first event about the object `name` with this reason.
    pub async fn event(&self, name: &str, reason: &str) -> Event {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let events = watcher(api, watcher::Config::default()).applied_objects();
        let wanted = |event: &Event| {
            let regarding = event.regarding.as_ref().and_then(|r| r.name.as_deref());
            regarding == Some(name) && event.reason.as_deref() == Some(reason)
        };
        let mut events = std::pin::pin!(events);
        let found = async {
            loop {
                match events.next().await {
                    Some(Ok(event)) if wanted(&event) => return event,
                    Some(_) => {}
                    None => panic!("the watch of events ended"),
                }
            }
        };
        let found = timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no event {reason} about {name}"))
    }

    /// Waits until so many events are published in this namespace.
    pub async fn events_published(&self, count: usize) {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut seen = BTreeSet::new();
        let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).applied_objects());
        let waited = timeout(PATIENCE, async {
            while seen.len() < count {
                if let Some(Ok(event)) = events.next().await {
                    seen.insert(event.metadata.name);
                }
            }
        });
        let all = waited.await.is_ok();
        assert!(all, "{} of {count} events: {seen:?}", seen.len());
    }

    /// All events about the object `name`: reasons and notes, the oldest first.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        let list = api.list(&ListParams::default()).await.expect("events");
        let mut events = list.items;
        events.retain(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
        events.sort_by(|a, b| a.event_time.cmp(&b.event_time));
        let told = |e: Event| (e.reason.unwrap_or_default(), e.note.unwrap_or_default());
        events.into_iter().map(told).collect()
    }

    /// Asks for a pass now and waits until it has ended.
    pub async fn refresh(&self, name: &str) -> ModelArtsPoolSource {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let value = format!("refresh-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let annotation = json!({"modelarts.huaweicloud.com/refresh-requested-at": value});
        self.patch_source(name, &json!({"metadata": {"annotations": annotation}}))
            .await;
        self.source_when(name, "the refresh is handled", |s| {
            let status = s.status.as_ref();
            status.and_then(|s| s.last_handled_refresh.as_ref()) == Some(&value)
        })
        .await
    }

    /// Asks for passes until the source skips no pool: what the API server refuses by may be in force a
    /// little longer than it is there.
    pub async fn skips_nothing(&self, name: &str) {
        while self
            .refresh(name)
            .await
            .status
            .and_then(|s| s.skipped)
            .is_some()
        {}
    }
}

/// A client of an administrator, whose requests the audit log shows under the name `agent`.
pub async fn client_of(cluster: &Cluster, agent: &str) -> Client {
    let config = config_of(&cluster.kubeconfig(), agent).await;
    kubernetes::client_of(config).expect("a client")
}

/// A client of the user `name`, who has the rights that the test gives to that name. Not the program's kind: a
/// person's write may take longer on a busy machine.
pub async fn client_as(cluster: &Cluster, name: &str) -> Client {
    let mut config = config_of(&cluster.kubeconfig(), name).await;
    config.auth_info.impersonate = Some(name.to_owned());
    Client::try_from(config).expect("a client")
}

/// The configuration of a client, as the program's but for the name in the audit log.
pub async fn config_of(kubeconfig: &Path, agent: &str) -> Config {
    // The same provider as the program's, where that has not installed it yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = configured(config.expect("a config"));
    config.headers.clear();
    config.headers.push((
        "user-agent".parse().expect("a header"),
        agent.parse().expect("a value"),
    ));
    config
}

/// The condition of this type of a source.
pub fn source_condition<'a>(
    source: &'a ModelArtsPoolSource,
    type_: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let conditions = source.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_)
}

/// The condition of this type of a mirror.
pub fn pool_condition<'a>(
    pool: &'a ModelArtsPool,
    type_: &str,
) -> Option<&'a k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    let conditions = pool.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_)
}

/// The pools that a source skips.
pub fn skipped(source: &ModelArtsPoolSource) -> SkippedPools {
    let status = source.status.as_ref();
    let skipped = status.and_then(|s| s.skipped.clone());
    skipped.unwrap_or_else(|| panic!("nothing skipped: {source:?}"))
}

/// Whether a condition of a mirror says so.
pub fn says(pool: &ModelArtsPool, type_: &str, status: &str, reason: &str) -> bool {
    pool_condition(pool, type_).is_some_and(|c| c.status == status && c.reason == reason)
}

/// The object `name`, as soon as `is_so`; fails with what it is instead where that takes too long.
async fn when<K>(api: Api<K>, name: &str, what: &str, is_so: impl Fn(&K) -> bool + Send + Sync) -> K
where
    K: Clone + Debug + Send + DeserializeOwned + kube::Resource + 'static,
{
    let condition = || |object: Option<&K>| object.is_some_and(&is_so);
    let waited = async {
        loop {
            // Other tests replace the definitions: a watch may end with that.
            if let Ok(object) = await_condition(api.clone(), name, condition()).await {
                return object.expect("an object");
            }
        }
    };
    if let Ok(object) = timeout(PATIENCE, waited).await {
        return object;
    }
    let now = api.get_opt(name).await;
    panic!("{name}: not within {PATIENCE:?}: {what}; it is {now:#?}");
}

/// Merges `patch` into `target`; null removes.
pub fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                } else {
                    merge(target.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}
