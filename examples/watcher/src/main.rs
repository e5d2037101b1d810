//! Prints how many nodes of each pool can be counted on, whenever that changes.
//!
//! `cargo run --package modelarts-pool-watcher -- [NAMESPACE]` in a cluster or with a kubeconfig. What makes it right, and is easily
//! forgotten: unknown is told, not shown as 0; and data gets old without any event, so that somebody has to look
//! at the clock.

use std::collections::BTreeMap;
use std::error::Error;
use std::future;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::try_default().await?;
    let namespace = std::env::args().nth(1);
    let (pools, pools_writer) = store::<ModelArtsPool>();
    let (sources, sources_writer) = store::<ModelArtsPoolSource>();
    let everything = watcher::Config::default;
    // A watch that fails is begun again, and a source's status changes at each pass: no matter here.
    let mut changes = std::pin::pin!(futures::stream::select(
        watcher(api(&client, namespace.as_deref()), everything())
            .default_backoff()
            .reflect(pools_writer)
            .map(|event| event.map(drop)),
        watcher(api(&client, namespace.as_deref()), everything())
            .default_backoff()
            .reflect(sources_writer)
            .map(|event| event.map(drop)),
    ));
    // Before both are whole, a source that is not there may just not have been read.
    let mut whole = std::pin::pin!(async {
        let (pools, sources) = (pools.wait_until_ready(), sources.wait_until_ready());
        futures::future::join(pools, sources).await
    });
    let mut is_whole = false;
    let mut told = BTreeMap::new();
    loop {
        let now = Timestamp::now();
        if is_whole {
            tell(&pools, &sources, now, &mut told);
        }
        tokio::select! {
            _ = &mut whole, if !is_whole => is_whole = true,
            change = changes.next() => if let Some(Err(error)) = change {
                eprintln!("watching again: {error}");
            },
            () = next_end(&sources, now) => {}
        }
    }
}

/// The objects of a kind in a namespace, or in all.
fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Prints what of each pool is another than was told.
fn tell(
    pools: &Store<ModelArtsPool>,
    sources: &Store<ModelArtsPoolSource>,
    now: Timestamp,
    told: &mut BTreeMap<String, String>,
) {
    let mut present = BTreeMap::new();
    for pool in pools.state() {
        let namespace = pool.namespace().unwrap_or_default();
        let source = pool
            .source_name()
            .map(|s| ObjectRef::new(s).within(&namespace));
        let source = source.and_then(|s| sources.get(&s));
        let nodes = match pool.available_nodes(None, source.as_deref(), now) {
            Ok(nodes) => format!("{nodes} nodes"),
            Err(unknown) => format!("unknown: {unknown}"),
        };
        present.insert(format!("{namespace}/{}", pool.name_any()), nodes);
    }
    for (pool, nodes) in &present {
        if told.get(pool) != Some(nodes) {
            println!("{pool}: {nodes}");
        }
    }
    for pool in told.keys().filter(|pool| !present.contains_key(*pool)) {
        println!("{pool}: gone");
    }
    *told = present;
}

/// Ends when the next source's data gets old.
async fn next_end(sources: &Store<ModelArtsPoolSource>, now: Timestamp) {
    let sources = sources.state();
    let ends = sources.iter().filter_map(|source| {
        let until = source.status.as_ref()?.fresh_until.as_ref()?.0;
        (until >= now).then_some(until)
    });
    match ends.min() {
        Some(end) => {
            let left = Duration::try_from(end.duration_since(now)).unwrap_or_default();
            // freshUntil has whole seconds; just after it, not just before.
            tokio::time::sleep(left + Duration::from_millis(1)).await;
        }
        None => future::pending().await,
    }
}
