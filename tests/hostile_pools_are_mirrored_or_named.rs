//! The pools of `tests/hostile/`, all in one listing: the real API server takes each mirror, the others are
//! named in `skipped`, and none of them spoils another.

use modelarts_pool_controller::modelarts::Pool;
use modelarts_pool_controller::simulator::{Fault, Operation, Scenario};
use serde_json::{Value, json};

use super::support::audit::writes;
use super::support::env::{Env, source_condition};

#[path = "hostile/pools.rs"]
mod pools;

use pools::{End, pools};

/// Bytes of an item that is listed here: those of larger ones take the simulated cloud long.
const MAX_ITEM: usize = 2 * 1024 * 1024;

/// A cloud that lists all of them.
pub(super) struct Hostile {
    pub(super) env: Env,
    /// Those that have a mirror: what they are, and their ids.
    pub(super) mirrored: Vec<(&'static str, String)>,
    skipped: i64,
}

pub(super) async fn hostile() -> Hostile {
    let (mut items, mut mirrored, mut skipped) = (Vec::new(), Vec::new(), 0);
    for pool in pools() {
        let text = String::from_utf8_lossy(&pool.item).into_owned();
        match pool.end {
            _ if text.len() > MAX_ITEM => continue,
            End::Mirror => mirrored.push((pool.name, Pool::parse(&text).expect("a pool").id)),
            End::Skipped(_) => skipped += 1,
            End::Incomplete | End::TooLarge => continue,
        }
        items.push(text);
    }
    let body = format!(r#"{{"kind":"PoolList","items":[{}]}}"#, items.join(","));
    let env = Env::with(Scenario::default()).await;
    let listing = Fault {
        operation: Some(Operation::ListPools),
        body: Some(Value::String(body)),
        ..Fault::default()
    };
    env.cloud().add_fault(listing).expect("a listing");
    Hostile {
        env,
        mirrored,
        skipped,
    }
}

#[tokio::test]
async fn each_is_mirrored_or_named_and_spoils_no_other() {
    let Hostile {
        env,
        mirrored,
        skipped,
    } = hostile().await;
    let expected = i64::try_from(mirrored.len()).expect("few");
    assert!(expected > 100 && skipped > 15, "{expected} {skipped}");
    env.add_source("hostile", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;

    let source = env.synced("hostile").await;
    let condition = source_condition(&source, "PoolsSkipped").expect("PoolsSkipped");
    assert!(condition.message.len() < 4000, "{}", condition.message);
    let status = source.status.expect("a status");
    let named = status.skipped.map(|s| s.count);
    assert_eq!((status.pools, named), (Some(expected), Some(skipped)));
    for (name, id) in mirrored {
        let mirror = env.pools().get(&id).await;
        let mirror = mirror.unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(mirror.status.is_some(), "{name}");
    }

    // None of it looks like a change the next time.
    let mirror_writes = || {
        let writes = writes(&env.cluster.audit_log(), &controller.agent).into_iter();
        let of_mirrors = writes.filter(|r| r.object_ref.resource == "modelartspools");
        of_mirrors.collect::<Vec<_>>()
    };
    let before = mirror_writes().len();
    env.refresh("hostile").await;
    let after = mirror_writes();
    assert_eq!(after.len(), before, "{:#?}", &after[before..]);
}
