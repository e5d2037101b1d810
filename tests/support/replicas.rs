//! Several replicas of the program over the namespace of a test, each in its own name.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::json;
use tokio::time::timeout;

use super::audit::{Request, requests_that_name};
use super::chart::kubectl;
use super::env::{Env, PATIENCE};
use super::metrics::{Sample, value};
use super::process::{Process, kubeconfig_of, kubeconfig_through};
use super::wire::Wire;

const LEASE: &str = "modelarts-pool-controller";
/// The one pool in the cloud.
pub const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

/// One replica.
pub struct Replica {
    pub process: Process,
    name: String,
}

impl Replica {
    /// Starts one that is called `name`, as a pod is, with a service account of that name.
    pub fn start(env: &Env, name: &str) -> Self {
        Self::start_on(env, name, None)
    }

    /// The same, on a wire to the API server.
    pub fn start_at(env: &Env, name: &str, wire: &Wire) -> Self {
        Self::start_on(env, name, Some(wire))
    }

    fn start_on(env: &Env, name: &str, wire: Option<&Wire>) -> Self {
        let (cluster, namespace) = (env.cluster, &*env.namespace);
        let kubectl = |arguments: &[&str]| kubectl(cluster, namespace, arguments).expect("kubectl");
        kubectl(&["create", "serviceaccount", name]);
        let subject = format!("--serviceaccount={namespace}:{name}");
        let role = "--clusterrole=cluster-admin";
        kubectl(&["create", "rolebinding", name, role, &subject]);
        let token = kubectl(&["create", "token", name]);
        let kubeconfig = match wire {
            None => kubeconfig_of(cluster, namespace, name, token.trim()),
            Some(wire) => {
                kubeconfig_through(cluster, namespace, name, token.trim(), &wire.origin())
            }
        };
        let watched = format!("--watch-namespaces={namespace}");
        let allowed = format!("--allowed-endpoints={}", env.endpoint());
        let arguments = ["run", "--listen=127.0.0.1:0", &watched, &allowed];
        let variables = [("HOSTNAME", name)];
        let process = Process::start(cluster.dir(), &kubeconfig, &arguments, &variables);
        Self {
            process,
            name: name.to_owned(),
        }
    }

    /// Waits until it holds the lease, and fails where that takes longer than `limit` since `begin`.
    pub async fn leads_within(&self, env: &Env, begin: Instant, limit: Duration) {
        let prefix = format!("{}_", self.name);
        let holds = |lease: Option<&Lease>| {
            lease
                .and_then(holder)
                .is_some_and(|h| h.starts_with(&prefix))
        };
        let waited = timeout(PATIENCE, await_condition(leases(env), LEASE, holds)).await;
        let waited = waited.map(|answer| answer.expect("a watch"));
        let took = begin.elapsed();
        let log = self.process.log();
        assert!(
            waited.is_ok() && took <= limit,
            "{} leads after {took:?}, not {limit:?}: {log}",
            self.name
        );
    }

    /// Waits until it holds the lease.
    pub async fn leads(&self, env: &Env) {
        self.leads_within(env, Instant::now(), PATIENCE).await;
    }

    /// Waits until it says that it leads, or that it does not.
    pub async fn says_that_it_leads(&mut self, leads: bool) -> Vec<Sample> {
        let said = f64::from(u8::from(leads));
        let says = |samples: &[Sample]| value(samples, "modelarts_leader", &[]) == Some(said);
        self.process.metrics_when("modelarts_leader", says).await
    }

    /// Its requests so far.
    pub fn requests(&self, env: &Env) -> Vec<Request> {
        let user = self.user(env);
        let mut requests = requests_that_name(&env.cluster.audit_log(), &user);
        requests.retain(|request| request.user.username == user);
        requests
    }

    fn user(&self, env: &Env) -> String {
        format!("system:serviceaccount:{}:{}", env.namespace, self.name)
    }
}

/// `a` leads and has mirrored the pool; `b` is ready and stands by.
pub async fn two_replicas() -> (Env, Replica, Replica) {
    let env = Env::new().await;
    env.add_source("s", json!({})).await;
    let a = Replica::start(&env, "a");
    a.leads(&env).await;
    env.synced("s").await;
    let mut b = Replica::start(&env, "b");
    b.process.ready().await;
    (env, a, b)
}

/// Somebody edits the mirror.
pub async fn edit(env: &Env) {
    let edit = Patch::Merge(json!({"spec": {"type": "mine"}}));
    let pools = env.pools();
    let edited = pools.patch(SAMPLE, &PatchParams::default(), &edit).await;
    edited.expect("an edit");
}

/// Waits until the edit is undone.
pub async fn edit_is_undone(env: &Env) {
    env.pool_when(SAMPLE, "the edit is undone", |pool| {
        pool.spec.type_.as_deref() != Some("mine")
    })
    .await;
}

/// Who holds the lease.
pub async fn lease_holder(env: &Env) -> Option<String> {
    let lease = leases(env).get(LEASE).await.expect("a lease");
    holder(&lease).map(str::to_owned)
}

/// Waits until the lease is written: the next renewal comes more than a second later.
pub async fn lease_renewed(env: &Env) {
    let version = |lease: &Lease| lease.metadata.resource_version.clone();
    let before = version(&leases(env).get(LEASE).await.expect("a lease"));
    let renewed = |lease: Option<&Lease>| lease.is_some_and(|lease| version(lease) != before);
    let waited = timeout(PATIENCE, await_condition(leases(env), LEASE, renewed)).await;
    waited.expect("a renewal").expect("a watch");
}

fn leases(env: &Env) -> Api<Lease> {
    Api::namespaced(env.client.clone(), &env.namespace)
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

/// By the audit log: every accepted write was made by the replica that had written the lease last, in the
/// order in which the API server received them. Returns how often the lease went to another.
pub fn assert_one_writer(env: &Env, replicas: &[&Replica]) -> usize {
    let all = replicas.iter().flat_map(|replica| replica.requests(env));
    let mut writes: Vec<_> = all.filter(|r| r.is_write() && r.is_accepted()).collect();
    writes.sort_by_key(|request| request.received);
    let mut holder = String::new();
    let (mut terms, mut others) = (0, 0);
    for write in &writes {
        let user = &write.user.username;
        if write.object_ref.resource != "leases" {
            others += 1;
            assert_eq!(*user, holder, "{write:#?}");
        } else if *user != holder {
            terms += 1;
            holder.clone_from(user);
        }
    }
    assert!(others > 0, "nobody wrote anything");
    terms
}
