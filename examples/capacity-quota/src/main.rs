//! Keeps quotas equal to the nodes of ModelArts pools that work: `capacity-quota RULES.yaml`. README.md explains it.

mod decide;
mod rules;
mod seen;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::{BoxStream, select_all};
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ResourceQuota;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use decide::{Decision, decide};
use rules::Rule;
use seen::Seen;
use write::Outcome;

/// After so long all quotas are compared again: nobody watches the ClusterQueues, and a failed write is due again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let path = std::env::args()
        .nth(1)
        .ok_or("usage: capacity-quota RULES.yaml")?;
    let yaml = std::fs::read_to_string(&path).map_err(|e| format!("{path} can't be read: {e}"))?;
    let rules = rules::parse(&yaml).map_err(|e| format!("{path}: {e}"))?;
    let client = Client::try_default()
        .await
        .map_err(|e| format!("no client of the API server: {e}"))?;
    tokio::select! {
        () = follow(&client, &rules) => Ok(()),
        ended = tokio::signal::ctrl_c() => ended.map_err(|e| e.to_string()),
    }
}

/// Follows the pools for ever.
async fn follow(client: &Client, rules: &[Rule]) {
    let namespaces = rules
        .iter()
        .map(|rule| rule.source.namespace.clone())
        .collect();
    let mut seen = Seen::nothing_of(&namespaces);
    let mut pools = select_all(
        namespaces
            .iter()
            .map(|n| watch(client, n, Config::default())),
    );
    let mut sources = select_all(
        namespaces
            .iter()
            .map(|n| watch(client, n, Config::default())),
    );
    let quotas = rules
        .iter()
        .filter_map(|rule| Some(&rule.resource_quota.as_ref()?.namespace));
    let quotas: BTreeSet<_> = quotas.collect();
    let ours = Config::default().labels(&format!("{}={}", write::MANAGED_BY, write::NAME));
    // Only that there is a change is of interest.
    let mut quotas = select_all(
        quotas
            .into_iter()
            .map(|n| watch::<ResourceQuota>(client, n, ours.clone())),
    );
    let mut told = BTreeMap::new();
    loop {
        let now = Timestamp::now();
        for rule in rules {
            if let Some(known) = seen.known(rule) {
                reconcile(client, rule, &decide(rule, &known, now), &mut told).await;
            }
        }
        let end = seen
            .next_end(now)
            .and_then(|end| Duration::try_from(end.duration_since(now)).ok());
        // Just after it, not just before: times have whole seconds.
        let wait = end.map_or(LOOK_AGAIN, |end| {
            LOOK_AGAIN.min(end + Duration::from_millis(1))
        });
        let failed = tokio::select! {
            Some((namespace, event)) = pools.next() => {
                event.map(|event| seen.pool(&namespace, event, Timestamp::now())).err()
            }
            Some((namespace, event)) = sources.next() => {
                event.map(|event| seen.source(&namespace, event)).err()
            }
            Some((_, event)) = quotas.next() => event.err(),
            () = tokio::time::sleep(wait) => None,
        };
        if let Some(error) = failed {
            warn!(%error, "a watch failed, and is begun again");
        }
    }
}

/// What happens to the objects of a kind in a namespace, with that namespace's name.
fn watch<K>(
    client: &Client,
    namespace: &str,
    config: Config,
) -> BoxStream<'static, (String, Result<Event<K>, watcher::Error>)>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Send
        + 'static,
{
    let api = Api::<K>::namespaced(client.clone(), namespace);
    let namespace = namespace.to_owned();
    let events = watcher(api, config).default_backoff();
    events.map(move |event| (namespace.clone(), event)).boxed()
}

/// Makes the quotas of a rule so, and tells what is new about each.
async fn reconcile(
    client: &Client,
    rule: &Rule,
    decision: &Decision,
    told: &mut BTreeMap<String, String>,
) {
    if let Some(target) = &rule.resource_quota {
        let name = format!("ResourceQuota {}/{}", target.namespace, target.name);
        let outcome = write::resource_quota(client, target, decision).await;
        tell(told, name, decision, outcome);
    }
    if let Some(target) = &rule.cluster_queue {
        let name = format!("ClusterQueue {}", target.name);
        let outcome = write::cluster_queue(client, target, decision).await;
        tell(told, name, decision, outcome);
    }
}

/// One line for each quota, when what is to be said is another than before.
fn tell(
    told: &mut BTreeMap<String, String>,
    quota: String,
    decision: &Decision,
    outcome: kube::Result<Outcome>,
) {
    let (words, is_bad) = match (outcome, decision) {
        (Err(error), _) => (format!("not written, to be tried again: {error}"), true),
        (Ok(Outcome::Impossible(why)), _) => (format!("not written: {why}"), true),
        (Ok(_), Decision::Set(units)) => (format!("is {units}"), false),
        (Ok(_), Decision::Hold(why)) => (format!("holds its value: {why}"), true),
    };
    if told.get(&quota) == Some(&words) {
        return;
    }
    if is_bad {
        warn!("{quota} {words}");
    } else {
        info!("{quota} {words}");
    }
    told.insert(quota, words);
}
