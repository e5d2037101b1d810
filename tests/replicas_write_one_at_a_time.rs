//! Two replicas, of which the one that lists and writes is cut off without an end: it stops by itself
//! before the other begins, and what it had begun changes nothing when it comes back.

use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};
use modelarts_pool_controller::simulator::{Operation, Selection};
use serde_json::json;

use super::support::env::Env;
use super::support::replicas::{
    Replica, SAMPLE, assert_one_writer, edit, edit_is_undone, lease_holder, lease_renewed,
    two_replicas,
};
use super::support::wire::Wire;

/// How long a lease is held without a renewal, and what a takeover may take beside.
const TAKEOVER: Duration = Duration::from_secs(15 + 3);

fn is_abnormal(pool: &ModelArtsPool) -> bool {
    pool.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Abnormal")
}

fn synced_at(source: &ModelArtsPoolSource) -> Option<Time> {
    source.status.as_ref()?.last_sync_time.clone()
}

/// Stopped in the middle of a pass, with an edit to undo as soon as it goes on.
#[tokio::test]
async fn a_process_that_was_stopped_changes_nothing_when_it_goes_on() {
    let (env, mut a, b) = two_replicas().await;

    env.cloud().hold(Selection::of(Operation::ListPools));
    env.cloud().wait_for(|requests| requests.held == 1).await;
    let change = json!({"status": {"phase": "Abnormal"}});
    env.cloud().patch_pool(SAMPLE, change).expect("a pool");
    let begin = Instant::now();
    a.process.signal("STOP");
    edit(&env).await;
    b.leads_within(&env, begin, TAKEOVER).await;
    env.cloud().release();
    env.pool_when(SAMPLE, "the change is mirrored", is_abnormal)
        .await;
    edit_is_undone(&env).await;

    let before = a.requests(&env).len();
    a.process.signal("CONT");
    a.says_that_it_leads(false).await;
    edit(&env).await;
    edit_is_undone(&env).await;
    let after = a.requests(&env).split_off(before);
    let write = after.iter().find(|request| request.is_write());
    assert!(write.is_none(), "{write:#?}");
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 2);
    // It is alive, ready and up to date: it goes on at once where the other ends.
    for probe in ["/livez", "/readyz"] {
        a.process.probe_says(probe, 200, "ok").await;
    }
    let begin = Instant::now();
    b.process.signal("TERM");
    a.leads_within(&env, begin, Duration::from_secs(3)).await;
    edit(&env).await;
    edit_is_undone(&env).await;
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 3);
}

/// The API server is there, and answers the one no more.
#[tokio::test]
async fn a_replica_that_the_api_server_answers_no_more_stops_before_the_other_begins() {
    let env = Env::new().await;
    env.add_source("s", json!({"interval": "5s"})).await;
    let wire = Wire::to(&env.cluster.server()).await;
    let mut a = Replica::start_at(&env, "a", &wire);
    a.leads(&env).await;
    let before = env.synced("s").await;
    let mut b = Replica::start(&env, "b");
    b.process.ready().await;

    // Not amid a renewal: the next one is to be on the wire as a whole.
    lease_renewed(&env).await;
    wire.stall();
    let begin = Instant::now();
    edit(&env).await;
    a.says_that_it_leads(false).await;
    let holder = lease_holder(&env).await.expect("a holder");
    assert!(holder.starts_with("a_"), "{holder} began before a stopped");
    a.process.probe_says("/livez", 200, "ok").await;
    b.leads_within(&env, begin, TAKEOVER).await;
    edit_is_undone(&env).await;
    env.source_when("s", "the other one has made a pass", |s| {
        synced_at(s) > synced_at(&before)
    })
    .await;

    wire.go_on();
    a.process.logged("standing by").await;
    a.process.ready().await;
    // What it had sent may arrive still, unless its connection was given up first. Then it is refused:
    // another version was stored meanwhile.
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 2);
}
