//! The pools of `tests/hostile/`, all in one listing: the real API server takes each mirror, the others are
//! named in `skipped`, and none of them spoils another.

use kube::api::ListParams;
use modelarts_pool_controller::simulator::{Fault, Operation, Scenario};
use serde_json::{Value, json};

use super::support::audit::writes;
use super::support::env::{Env, source_condition};

#[path = "hostile/pools.rs"]
mod pools;

use pools::{End, pools};

/// Bytes of an item that is listed here: those of larger ones take the simulated cloud long.
const MAX_ITEM: usize = 2 * 1024 * 1024;

#[tokio::test]
async fn each_is_mirrored_or_named_and_spoils_no_other() {
    let (mut items, mut mirrored, mut skipped) = (Vec::new(), 0, 0);
    for pool in pools().iter().filter(|pool| pool.item.len() <= MAX_ITEM) {
        match pool.end {
            End::Mirror => mirrored += 1,
            End::Skipped(_) => skipped += 1,
            End::Incomplete | End::TooLarge => continue,
        }
        items.push(String::from_utf8_lossy(&pool.item).into_owned());
    }
    assert!(mirrored > 100 && skipped > 15, "{mirrored} {skipped}");
    let body = format!(r#"{{"kind":"PoolList","items":[{}]}}"#, items.join(","));
    let env = Env::with(Scenario::default()).await;
    let listing = Fault {
        operation: Some(Operation::ListPools),
        body: Some(Value::String(body)),
        ..Fault::default()
    };
    env.cloud().add_fault(listing).expect("a listing");
    env.add_source("hostile", json!({"interval": "5s"})).await;
    let controller = env.start_controller().await;

    let source = env.synced("hostile").await;
    let condition = source_condition(&source, "PoolsSkipped").expect("PoolsSkipped");
    assert!(condition.message.len() < 4000, "{}", condition.message);
    let status = source.status.expect("a status");
    let named = status.skipped.map(|s| s.count);
    assert_eq!((status.pools, named), (Some(mirrored), Some(skipped)));
    let mirrors = env.pools().list(&ListParams::default()).await;
    let mirrors = mirrors.expect("all parse").items;
    assert_eq!(i64::try_from(mirrors.len()), Ok(mirrored));
    assert!(mirrors.iter().all(|m| m.status.is_some()));

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
