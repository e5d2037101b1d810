//! The question whether the cloud has a missing pool, its answers, and the deletions that follow.

use serde_json::json;

use super::rig::{Rig, failure, key, prune, unavailable};
use super::{MINUTE, SECOND};
use crate::api_server::WriteError;
use crate::controller::machine::{Action, Input};
use crate::mirror::Step;
use crate::mirror::apply::Written;
use crate::modelarts::Reason;

#[test]
fn a_changed_spec_voids_what_was_confirmed() {
    let mut bad = Vec::new();
    for spec in [
        json!({"prune": {"policy": "Retain", "gracePeriod": "1h"}}),
        json!({"workspaceIds": ["0", "1"], "prune": {"gracePeriod": "1h"}}),
        json!({"suspend": true}),
    ] {
        let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
        if spec["workspaceIds"].is_array() {
            rig.hidden.insert("a".to_owned(), Some("1".into()));
        }
        let asked = rig.until_confirmation();
        rig.answer_confirmation(asked);
        // The write is on its way to the check; the spec changes first.
        rig.spec = spec.clone();
        rig.see_source("s", &json!({"generation": 2}));
        rig.run();
        if rig.api.get("a").is_none() {
            bad.push(spec);
        }
    }
    assert!(bad.is_empty(), "deleted under {bad:?}");
}

#[test]
fn the_watch_shows_the_deletion_before_the_answer() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    let asked = rig.until_confirmation();
    rig.answer_confirmation(asked);
    let write = rig.next_write().expect("a deletion");
    assert_eq!(write.0.step, Step::Delete);
    let answer = rig.write(&write);
    let version = rig.api.version();
    rig.input(Input::MirrorGone(key("a"), version));
    rig.answer(write.0, answer);
    rig.run();
    assert_eq!(rig.told("a"), ["PoolMissing", "PoolGone"]);
}

/// A watch that lags shows what was before: a mirror that was deleted is not written as if it came back.
#[test]
fn the_watch_shows_a_change_after_the_deletion() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    let asked = rig.until_confirmation();
    rig.answer_confirmation(asked);
    let before = rig.api.observed("a");
    rig.run();
    let version = rig.api.version();
    rig.input(Input::MirrorSeen(key("a"), Box::new(before)));
    rig.writes.clear();
    rig.cloud = Err(unavailable());
    rig.run_for(10 * MINUTE);
    let written: Vec<_> = rig.writes.iter().map(|(name, _)| &**name).collect();
    assert_eq!(written, ["b"], "it says that it is old");
    rig.input(Input::MirrorGone(key("a"), version));
    assert!(rig.machine.mirrors.get(&key("a")).is_none());
}

/// Where the watch breaks meanwhile, the list that follows shows the deletion.
#[test]
fn a_relist_shows_the_deletion() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    let asked = rig.until_confirmation();
    rig.answer_confirmation(asked);
    rig.run();
    rig.input(Input::MirrorsRelisting(None));
    let kept = rig.api.observed("b");
    rig.input(Input::MirrorSeen(key("b"), Box::new(kept)));
    rig.input(Input::MirrorsRelisted(None));
    assert!(rig.machine.mirrors.get(&key("a")).is_none());
}

#[test]
fn a_refused_deletion_leaves_the_pool_missing() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    let end = rig.now.instant + 15 * MINUTE;
    let mut deletions = 0;
    while rig.now.instant < end {
        while let Some(write) = rig.next_write() {
            if write.0.step == Step::Delete {
                deletions += 1;
                rig.answer(write.0, Err(WriteError::Refused("a policy".to_owned())));
            } else {
                let answer = rig.write(&write);
                rig.answer(write.0, answer);
            }
        }
        rig.pass_time(SECOND);
    }
    assert!(deletions > 0, "none was tried");
    assert_eq!(rig.conditions("a")[2], "False/Missing");
    assert_eq!(rig.told("a"), ["PoolMissing"]);
}

#[test]
fn one_pool_that_cannot_be_asked_for_keeps_no_other() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b", "c", "d"], 2);
    rig.unsaid.insert("a".to_owned());
    rig.run_for(5 * MINUTE);
    assert_eq!(rig.api.names(), ["a", "c", "d"]);
    let halted = rig.status("s").condition("PruneHalted").expect("a halt");
    assert_eq!(halted.reason, "ConfirmationFailed");
    assert!(
        halted.message.contains("missing pool a is"),
        "{}",
        halted.message
    );
    rig.unsaid.clear();
    rig.run_for(MINUTE);
    assert_eq!(rig.api.names(), ["c", "d"]);
}

#[test]
fn a_gone_pool_that_the_cloud_has_shows_no_zeros() {
    let mut rig = Rig::new();
    rig.spec = prune("Retain", "1m", 50);
    let pool = json!({"metadata": {"name": "a"}, "spec": {"type": "Dedicate", "resources": [{"flavor": "f", "count": 3}]}, "status": {"phase": "Running", "resources": {"available": [{"flavor": "f", "count": 3}]}}});
    rig.put("a", pool);
    rig.put_pool("b", "Running");
    rig.see_source("s", &json!({}));
    rig.run();
    rig.unlist("a");
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.conditions("a")[0], "False/Gone");
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.spec = prune("Delete", "1m", 50);
    rig.see_source("s", &json!({"generation": 2}));
    rig.run_for(3 * MINUTE);
    let counts = &rig.api.get("a").expect("a mirror")["status"]["counts"];
    // As they were listed last.
    assert_eq!(counts["available"], json!(3));
}

#[test]
fn a_finalizer_repeats_no_event() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    let asked = rig.until_confirmation();
    rig.answer_confirmation(asked);
    let mut gone = 0;
    let end = rig.now.instant + 10 * MINUTE;
    while rig.now.instant < end {
        while let Some(write) = rig.next_write() {
            if write.0.step == Step::Delete {
                gone += 1;
                let waits = rig.api.edit("a", |m| {
                    m["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:10:00Z");
                });
                rig.answer(write.0, Ok(Written::Stored(Box::new(waits.clone()))));
                rig.input(Input::MirrorSeen(key("a"), Box::new(waits)));
            } else {
                let answer = rig.write(&write);
                rig.answer(write.0, answer);
            }
        }
        rig.pass_time(SECOND);
    }
    assert_eq!((gone, rig.told("a")), (1, vec!["PoolMissing", "PoolGone"]));
}

#[test]
fn suspended_asks_nothing_more() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    let asked = rig.until_confirmation();
    rig.spec["suspend"] = json!(true);
    rig.see_source("s", &json!({"generation": 2}));
    let mut given_up = false;
    while let Some(action) = rig.machine.next_action(rig.now) {
        given_up |= matches!(action, Action::GiveUp { pass } if pass == asked.1);
        if let Some(w) = rig.perform(action) {
            let a = rig.write(&w);
            rig.answer(w.0, a);
        }
    }
    assert!(given_up);
}

#[test]
fn a_source_that_is_suspended_or_deleted_meanwhile_removes_nothing() {
    for metadata in [
        json!({"generation": 2}),
        json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    ] {
        let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
        rig.run_for(33 * SECOND);
        let asked = rig.until_confirmation();
        if metadata["generation"] == 2 {
            rig.spec["suspend"] = json!(true);
        }
        rig.see_source("s", &metadata);
        rig.answer_confirmation(asked);
        rig.run_for(60 * MINUTE);
        assert!(rig.api.get("a").is_some(), "{metadata}");
    }
}

#[test]
fn what_the_cloud_said_long_ago_removes_nothing() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    rig.run_for(33 * SECOND);
    let asked = rig.until_confirmation();
    // The API server can't be reached for long enough, and the pool is made anew.
    rig.api.unreachable = true;
    rig.answer_confirmation(asked);
    rig.cloud = Err(failure(Reason::CloudUnavailable, None));
    rig.run_for(2 * MINUTE);
    rig.api.unreachable = false;
    rig.run_for(10 * MINUTE);
    assert!(rig.api.get("a").is_some());
}

#[test]
fn a_pool_that_the_cloud_has_is_not_asked_about_again_since_its_mirror_was_away() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.run_for(2 * MINUTE);
    assert_eq!(rig.shown, ["a"]);
    // A relist does not show the mirror, then a watch does.
    rig.input(Input::MirrorsRelisting(None));
    rig.input(Input::MirrorsRelisted(None));
    let observed = rig.api.edit("a", |_| {});
    rig.input(Input::MirrorSeen(key("a"), Box::new(observed)));
    rig.run_for(8 * MINUTE);
    assert_eq!(rig.shown, ["a"]);
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.shown, ["a", "a"]);
}

#[test]
fn a_pool_that_returns_and_hides_again_is_not_asked_about_sooner() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.run_for(2 * MINUTE);
    rig.put_pool("a", "Running");
    rig.run_for(MINUTE);
    rig.unlist("a");
    rig.run_for(6 * MINUTE);
    assert_eq!(rig.shown, ["a"]);
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.shown, ["a", "a"]);
}
