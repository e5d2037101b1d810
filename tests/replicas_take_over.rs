//! Two replicas: when the one that lists and writes goes, in good order or not, the other goes on.

use std::time::{Duration, Instant};

use modelarts_pool_controller::runtime::lease::{LeaseName, elect};
use serde_json::json;

use super::support::audit::Request;
use super::support::controller::Controller;
use super::support::env::{Env, PATIENCE};
use super::support::metrics::Sample;
use super::support::process::eventually;
use super::support::replicas::{
    SAMPLE, assert_one_writer, edit, edit_is_undone, lease_holder, two_replicas,
};

/// How long a lease is held without a renewal.
const LEASE: Duration = Duration::from_secs(15);
/// What a takeover may take beside.
const TAKEOVER: Duration = Duration::from_secs(3);

/// The pool gets into this phase, and its mirror too.
async fn phase_is_mirrored(env: &Env, phase: &str) {
    let change = json!({"status": {"phase": phase}});
    env.cloud().patch_pool(SAMPLE, change).expect("a pool");
    env.pool_when(SAMPLE, phase, |pool| {
        pool.status.as_ref().and_then(|s| s.phase.as_deref()) == Some(phase)
    })
    .await;
}

fn of_sources(samples: &[Sample]) -> Vec<&Sample> {
    let of_a_source = |s: &&Sample| s.labels.contains_key("source");
    samples.iter().filter(of_a_source).collect()
}

#[tokio::test]
async fn a_standby_is_ready_and_does_nothing() {
    let (env, mut a, mut b) = two_replicas().await;
    // The other one lists, writes and undoes meanwhile.
    edit(&env).await;
    edit_is_undone(&env).await;
    phase_is_mirrored(&env, "Abnormal").await;
    env.event(SAMPLE, "PhaseChanged").await;
    let samples = a.says_that_it_leads(true).await;
    assert!(!of_sources(&samples).is_empty());
    let samples = b.says_that_it_leads(false).await;
    assert!(of_sources(&samples).is_empty(), "{samples:?}");
    let asked = samples.iter().find(|s| s.name.contains("cloud_requests"));
    assert_eq!(asked, None);
    for probe in ["/readyz", "/livez"] {
        assert_eq!(b.process.get(probe).await, (200, "ok\n".to_owned()));
    }
    let writes = b.requests(&env).into_iter().find(Request::is_write);
    assert!(writes.is_none(), "{writes:?}");
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 1);
}

/// Else the node would restart it after a minute.
#[tokio::test]
async fn the_loop_of_a_standby_goes_round() {
    let env = Env::new().await;
    let name = LeaseName {
        namespace: env.namespace.clone(),
        name: "of-nobody".to_owned(),
    };
    // It takes no part in the election, and so never leads.
    let (leadership, _elector) = elect(env.client.clone(), name, "standby");
    let begin = Instant::now();
    let controller = Controller::start_as(&env, leadership).await;
    // Who would still be alive then has gone round since, with nothing to do.
    let then = begin + Duration::from_secs(60 + 6);
    eventually("it goes round", || controller.health.live(then).is_ok()).await;
    controller.stop().await;
}

#[tokio::test]
async fn after_sigterm_the_other_one_leads_within_three_seconds() {
    let (env, mut a, mut b) = two_replicas().await;
    let begin = Instant::now();
    a.process.signal("TERM");
    b.leads_within(&env, begin, TAKEOVER).await;
    assert_eq!(a.process.ended(PATIENCE).await, Some(0));
    edit(&env).await;
    edit_is_undone(&env).await;
    phase_is_mirrored(&env, "Abnormal").await;
    let samples = b.says_that_it_leads(true).await;
    assert!(!of_sources(&samples).is_empty());
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 2);
    // The last one leaves the lease to whoever comes.
    b.process.signal("TERM");
    assert_eq!(b.process.ended(PATIENCE).await, Some(0));
    assert_eq!(lease_holder(&env).await, None);
}

#[tokio::test]
async fn after_kill_9_the_other_one_leads_when_the_lease_has_ended() {
    let (env, mut a, b) = two_replicas().await;
    let begin = Instant::now();
    a.process.signal("KILL");
    a.process.ended(PATIENCE).await;
    edit(&env).await;
    b.leads_within(&env, begin, LEASE + TAKEOVER).await;
    edit_is_undone(&env).await;
    phase_is_mirrored(&env, "Abnormal").await;
    assert_eq!(assert_one_writer(&env, &[&a, &b]), 2);
}
