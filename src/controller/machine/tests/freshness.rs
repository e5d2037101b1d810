//! Data that is old says so, once, and once no more: law 4 in virtual time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::rig::{Rig, unavailable};
use super::{MINUTE, SECOND};
use crate::api_server::WriteError;
use crate::mirror::Step;

const LISTED: [&str; 3] = ["True/Running", "True/Synced", "True/Listed"];
const STALE: [&str; 3] = ["Unknown/Stale", "False/ListFailed", "True/Listed"];
const SUSPENDED: [&str; 3] = ["True/Running", "False/Suspended", "True/Listed"];

fn fresh_until(rig: &Rig) -> Timestamp {
    rig.status("s").fresh_until.as_ref().expect("a time").0
}

fn steps(rig: &Rig) -> Vec<Step> {
    rig.writes.iter().map(|(_, step)| *step).collect()
}

#[test]
fn the_flip_is_written_once_when_the_time_has_passed_and_the_recovery_once() {
    for (interval, seconds, slack) in [
        ("5s", 5, 30),
        ("15s", 15, 30),
        ("30s", 30, 60),
        ("1m", 60, 120),
        ("15m", 900, 1_800),
        ("1h", 3_600, 1_800),
        ("24h", 86_400, 1_800),
    ] {
        let mut rig = Rig::with_spec(json!({"interval": interval}), &["a", "b"]);
        let synced = rig.status("s").last_sync_time.as_ref().expect("a time").0;
        let limit = synced + SignedDuration::from_secs(seconds + slack);
        assert_eq!(fresh_until(&rig), limit, "{interval}");
        let cloud = std::mem::replace(&mut rig.cloud, Err(unavailable()));
        let left = Duration::try_from(limit.duration_since(rig.now.wall)).expect("a time to come");
        rig.run_for(left);
        assert_eq!(rig.conditions("a"), LISTED, "{interval}: too soon");
        rig.run_for(SECOND);
        assert_eq!(rig.conditions("a"), STALE, "{interval}: too late");
        assert_eq!(fresh_until(&rig), limit, "{interval}: moved by a failure");
        let since = rig.since("a", "Synced");
        rig.run_for(3 * 86_400 * SECOND);
        assert_eq!(steps(&rig), [Step::ApplyStatus; 2], "{interval}");
        assert_eq!(rig.since("a", "Synced"), since);
        rig.cloud = cloud;
        let wait = SECOND * u32::try_from(seconds).expect("a number");
        rig.run_for(wait.max(10 * MINUTE).mul_f64(1.3));
        assert_eq!(rig.conditions("a"), LISTED, "{interval}");
        assert_eq!(steps(&rig), [Step::ApplyStatus; 4], "{interval}");
        assert!(rig.since("a", "Ready") > since, "{interval}");
        assert_eq!(rig.told("s"), ["SyncFailed", "SyncRecovered"], "{interval}");
        assert!(rig.told("a").is_empty(), "{interval}");
    }
}

#[test]
fn what_is_stale_keeps_its_content_and_edits_are_undone() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.cloud = Err(unavailable());
    rig.run_for(10 * MINUTE);
    let stored = rig.api.get("a").expect("a mirror").clone();
    assert_eq!(stored["status"]["phase"], "Running");
    rig.edited("a", |m| {
        m["status"]["phase"] = json!("mine");
        m["metadata"]["managedFields"] = json!([]);
    });
    rig.run_for(SECOND);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["status"], stored["status"]);
    rig.deleted("a");
    rig.run_for(5 * SECOND);
    assert_eq!(rig.conditions("a"), STALE, "also anew");
}

#[test]
fn a_suspended_source_says_so_at_once_and_is_stale_in_its_time() {
    let mut rig = Rig::with_pools(&["a", "b"]);
    let limit = fresh_until(&rig);
    rig.spec = json!({"suspend": true});
    rig.see_source("s", &json!({"generation": 2}));
    rig.run();
    assert_eq!(rig.conditions("a"), SUSPENDED);
    rig.run_for(Duration::try_from(limit.duration_since(rig.now.wall)).expect("a time to come"));
    assert_eq!(rig.conditions("a"), SUSPENDED);
    rig.run_for(SECOND);
    let stale = ["Unknown/Stale", "False/Suspended", "True/Listed"];
    assert_eq!(rig.conditions("a"), stale);
    rig.run_for(86_400 * SECOND);
    assert_eq!(rig.conditions("a"), stale);
    assert_eq!(steps(&rig), [Step::ApplyStatus; 4]);
    // One write each, once a pass has succeeded.
    rig.spec = json!({});
    rig.see_source("s", &json!({"generation": 3}));
    rig.run();
    assert_eq!(rig.conditions("a"), LISTED);
    assert_eq!(steps(&rig), [Step::ApplyStatus; 6]);
}

#[test]
fn a_source_that_goes_on_and_fails_says_what_is_so() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.spec = json!({"suspend": true});
    rig.see_source("s", &json!({"generation": 2}));
    rig.run();
    rig.spec = json!({});
    rig.cloud = Err(unavailable());
    rig.see_source("s", &json!({"generation": 3}));
    rig.run();
    assert_eq!(
        rig.conditions("a"),
        LISTED,
        "it is not suspended, and fresh"
    );
    rig.run_for(5 * MINUTE);
    assert_eq!(rig.conditions("a"), STALE);
}

#[test]
fn a_controller_that_was_away_for_long_writes_nothing_where_nothing_has_changed() {
    let mut rig = Rig::with_pools(&["a", "b"]);
    rig.pass_time(86_400 * SECOND);
    rig.restart();
    rig.run_for(10 * MINUTE);
    assert!(rig.writes.is_empty(), "{:?}", rig.writes);
    assert_eq!(rig.conditions("a"), LISTED);
}

#[test]
fn a_controller_that_comes_back_to_a_dead_cloud_says_that_the_data_is_old_and_no_more() {
    let mut rig = Rig::with_pools(&["a", "b"]);
    let content = rig.api.get("a").expect("a mirror").clone();
    rig.pass_time(86_400 * SECOND);
    rig.cloud = Err(unavailable());
    rig.restart();
    rig.run_for(86_400 * SECOND);
    assert_eq!(rig.conditions("a"), STALE);
    assert_eq!(steps(&rig), [Step::PatchStatus; 2]);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["spec"], content["spec"]);
    assert_eq!(mirror["status"]["phase"], content["status"]["phase"]);
    // And again, from another process: nothing.
    rig.restart();
    rig.run_for(86_400 * SECOND);
    assert_eq!(rig.writes.len(), 2);
    // A stranger's conditions are put right, though the content is not known.
    rig.edited("a", |m| {
        m["status"]["conditions"] = json!([]);
        m["metadata"]["managedFields"] = json!([]);
    });
    rig.run();
    assert_eq!(rig.conditions("a")[..2], STALE[..2]);
}

#[test]
fn a_slow_first_listing_is_not_waited_for_longer_than_a_minute() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(86_400 * SECOND);
    rig.restart();
    let listing = rig.held_listing();
    rig.run_for(59 * SECOND);
    assert_eq!(rig.conditions("a"), LISTED);
    rig.run_for(2 * SECOND);
    assert_eq!(rig.conditions("a"), STALE);
    rig.answer_listing(listing);
    rig.run();
    assert_eq!(rig.conditions("a"), LISTED);
    assert_eq!(steps(&rig), [Step::PatchStatus, Step::ApplyStatus]);
}

#[test]
fn a_suspended_source_is_told_so_after_a_restart() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(86_400 * SECOND);
    rig.spec = json!({"suspend": true});
    rig.see_source("s", &json!({"generation": 2}));
    rig.restart();
    rig.run_for(60 * MINUTE);
    assert_eq!(
        rig.conditions("a"),
        ["Unknown/Stale", "False/Suspended", "True/Listed"]
    );
    assert_eq!(rig.writes.len(), 1, "{:?}", rig.writes);
}

#[test]
fn a_first_listing_that_takes_long_makes_no_stale_mirrors() {
    let mut rig = Rig::new();
    rig.put_pool("a", "Running");
    rig.see_source("s", &json!({}));
    let listing = rig.held_listing();
    rig.run_for(80 * SECOND);
    rig.answer_listing(listing);
    rig.run();
    assert_eq!(rig.conditions("a"), LISTED);
    assert_eq!(steps(&rig), [Step::Create, Step::ApplyStatus]);
}

#[test]
fn a_change_in_the_pass_that_ends_an_outage_is_told() {
    let mut rig = Rig::with_pools(&["a"]);
    let cloud = std::mem::replace(&mut rig.cloud, Err(unavailable()));
    rig.run_for(10 * MINUTE);
    rig.cloud = cloud;
    rig.put_pool("a", "Abnormal");
    rig.run_for(10 * MINUTE);
    assert_eq!(
        rig.conditions("a"),
        ["False/Abnormal", "True/Synced", "True/Listed"]
    );
    assert_eq!(rig.told("a"), ["PhaseChanged"]);
}

/// Lets time pass; every write to a mirror is refused. How many there were.
fn refuse_for(rig: &mut Rig, time: Duration) -> usize {
    let end = rig.now.instant + time;
    let mut refused = 0;
    loop {
        while let Some((ticket, _)) = rig.next_write() {
            refused += 1;
            assert!(refused < 100, "it never rests");
            rig.answer(ticket, Err(WriteError::Refused("a policy".to_owned())));
        }
        let next = rig.machine.next_wakeup(rig.now);
        let Some(next) = next.filter(|next| *next <= end) else {
            return refused;
        };
        rig.pass_time(next - rig.now.instant);
    }
}

#[test]
fn what_is_refused_is_tried_again_though_no_pass_succeeds() {
    let suspend = |rig: &mut Rig| {
        rig.spec = json!({"suspend": true});
        rig.see_source("s", &json!({"generation": 2}));
    };
    let fail = |rig: &mut Rig| rig.cloud = Err(unavailable());
    let cases: [(fn(&mut Rig), _); 2] = [(suspend, "Suspended"), (fail, "ListFailed")];
    for (change, reason) in cases {
        let mut rig = Rig::with_pools(&["a"]);
        change(&mut rig);
        let refused = refuse_for(&mut rig, 4 * MINUTE);
        assert!((1..=6).contains(&refused), "{reason}: {refused}");
        rig.run_for(6 * MINUTE);
        let expected = format!("False/{reason}");
        assert_eq!(rig.conditions("a")[1], expected);
    }
}

#[test]
fn what_is_refused_of_an_unknown_content_is_tried_again_later() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.restart();
    rig.cloud = Err(unavailable());
    let refused = refuse_for(&mut rig, 4 * MINUTE);
    assert!((1..=6).contains(&refused), "{refused}");
    rig.run_for(6 * MINUTE);
    assert_eq!(rig.conditions("a"), STALE);

    // Also where something else was refused before.
    let mut rig = Rig::missing(json!({}), &["a"], 1);
    rig.restart();
    let refused = refuse_for(&mut rig, SECOND);
    assert!((1..=2).contains(&refused), "{refused}");
    rig.cloud = Err(unavailable());
    let refused = refuse_for(&mut rig, 4 * MINUTE);
    assert!((1..=6).contains(&refused), "{refused}");
}
