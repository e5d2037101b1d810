//! What another process makes of what is stored, and of mirrors that nobody owns or knows.

use std::collections::BTreeMap;

use serde_json::json;

use super::rig::{Rig, failure, key, prune};
use super::{MINUTE, SECOND};
use crate::api_server::WriteError;
use crate::controller::fetch::Listing;
use crate::controller::machine::Input;
use crate::mirror::Step;
use crate::modelarts::Reason;

/// Suspends the source, and lets another process take over before anything is listed.
fn suspended_and_restarted(rig: &mut Rig) {
    rig.spec["suspend"] = json!(true);
    rig.see_source("s", &json!({"generation": 2}));
    rig.restart();
    rig.run();
}

#[test]
fn a_gone_pool_is_never_ready_after_a_restart() {
    let mut rig = Rig::missing(prune("Retain", "1m", 50), &["a", "b"], 1);
    rig.run_for(5 * MINUTE);
    assert_eq!(rig.conditions("a")[0], "False/Gone");
    suspended_and_restarted(&mut rig);
    assert_eq!(rig.conditions("a")[0], "False/Gone");
}

#[test]
fn an_overdue_pool_is_not_ready_after_a_restart() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.run_for(5 * MINUTE);
    assert_eq!(rig.conditions("a")[0], "Unknown/Missing");
    suspended_and_restarted(&mut rig);
    assert_eq!(rig.conditions("a")[0], "Unknown/Missing");
}

#[test]
fn a_cloud_that_was_asked_too_often_is_not_asked_at_once_after_a_restart() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(MINUTE);
    rig.cloud = Err(failure(Reason::Throttled, Some(20 * SECOND)));
    rig.run();
    rig.pass_time(5 * SECOND);
    let before = rig.listings;
    rig.restart();
    rig.run_for(24 * SECOND);
    assert_eq!(rig.listings, before);
    rig.run_for(2 * SECOND);
    assert_eq!(rig.listings, before + 1, "an interval after it was asked");
}

/// The cloud may ask to wait for hours: not only the process that it asked must.
#[test]
fn what_the_cloud_asked_to_wait_holds_after_a_restart() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(MINUTE);
    rig.cloud = Err(failure(Reason::Throttled, Some(40 * MINUTE)));
    rig.run();
    rig.cloud = Ok(BTreeMap::new());
    rig.pass_time(5 * SECOND);
    let before = rig.listings;
    rig.restart();
    rig.run_for(39 * MINUTE + 54 * SECOND);
    assert_eq!(rig.listings, before);
    rig.run_for(2 * SECOND);
    assert_eq!(rig.listings, before + 1);
    assert_eq!(rig.status("s").not_before, None);
}

/// What is said of a source meanwhile hides no rejection: six of them lock the customer's key.
#[test]
fn a_key_that_was_rejected_before_a_pause_rests_after_a_restart() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(MINUTE);
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.run();
    let before = rig.listings;
    rig.spec = json!({"suspend": true});
    rig.see_source("s", &json!({"generation": 2}));
    rig.run();
    assert_eq!(
        rig.status("s").condition("Ready").expect("Ready").reason,
        "Suspended"
    );
    rig.restart();
    rig.spec = json!({});
    rig.see_source("s", &json!({"generation": 3}));
    rig.run_for(299 * SECOND);
    assert_eq!(rig.listings, before);
    rig.cloud = Ok(BTreeMap::new());
    rig.run_for(2 * MINUTE);
    assert!(rig.listings > before);
    assert_eq!(rig.status("s").credentials_rejected_time, None);
}

#[test]
fn what_a_stranger_calls_gone_is_not() {
    let mut rig = Rig::missing(prune("Retain", "1h", 50), &["a", "b"], 1);
    rig.api.edit("a", |m| {
        let since = "1970-01-01T00:00:00Z";
        m["status"]["counts"]["available"] = json!(3);
        m["status"]["conditions"] = json!([
            {"type": "Listed", "status": "False", "reason": "Gone", "message": "x", "lastTransitionTime": since}]);
        m["metadata"]["managedFields"] = json!([]);
    });
    rig.restart();
    rig.run();
    let mirror = rig.api.get("a").expect("a mirror").clone();
    assert_eq!(
        rig.conditions("a")[2],
        "False/Missing",
        "{}",
        mirror["status"]
    );
}

#[test]
fn an_orphan_of_a_pool_that_is_gone_is_judged() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.restart();
    rig.run();
    assert_eq!(rig.conditions("a")[2], "False/Missing");
    rig.edited("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.run_for(60 * MINUTE);
    let mirror = rig.api.get("a").cloned();
    assert!(
        mirror.is_none(),
        "{:?} owners {}",
        rig.conditions("a"),
        mirror.unwrap()["metadata"]["ownerReferences"]
    );
}

#[test]
fn an_orphan_that_could_not_be_taken_over_before_its_pool_was_gone_is_removed() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.run_for(100 * SECOND);
    assert!(rig.shown.is_empty());
    rig.edited("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    let (ticket, _) = rig.next_write().expect("a write");
    assert_eq!(ticket.step, Step::ReplaceOwner);
    rig.answer(ticket, Err(WriteError::Forbidden("not now".to_owned())));
    // The next pass finds it overdue: what is decided next is its removal.
    rig.run_for(60 * MINUTE);
    assert!(rig.api.get("a").is_none(), "{:?}", rig.conditions("a"));
}

#[test]
fn an_orphan_of_a_pool_that_can_be_mirrored_no_more_is_taken_over() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.unlist("a");
    rig.too_large = vec!["a".to_owned()];
    rig.input(Input::SourceGone(key("s")));
    rig.edited("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.see_source_with("s", &json!({"uid": "anew"}), &json!(null));
    rig.run_for(MINUTE);
    let owner = rig.api.observed("a").controller.map(|c| c.uid);
    assert_eq!(owner.as_deref(), Some("anew"));
    assert_eq!(rig.conditions("a")[1], "False/TooLarge");
}

#[test]
fn an_orphan_of_a_pool_that_is_gone_goes_stale() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.api
        .edit("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.restart();
    rig.run_for(60 * MINUTE);
    assert!(rig.api.get("a").is_none(), "{:?}", rig.conditions("a"));
}

#[test]
fn a_mirror_whose_creation_is_answered_after_a_listing_without_it_is_known() {
    let mut rig = Rig::new();
    rig.spec = json!({"interval": "5s", "prune": {"gracePeriod": "1m"}});
    rig.put_pool("a", "Running");
    rig.put_pool("b", "Running");
    rig.see_source("s", &json!({}));
    let first = rig.next_write().expect("a write");
    let second = rig.next_write().expect("a write");
    let held = first.0.mirror.name.to_string();
    // The other one is not answered: the pass ends.
    rig.answer(second.0, Err(WriteError::Unreachable("no".to_owned())));
    rig.unlist(&held);
    rig.pass_time(7 * SECOND);
    while let Some(write) = rig.next_write() {
        let answer = rig.write(&write);
        rig.answer(write.0, answer);
    }
    let answer = rig.write(&first);
    assert!(answer.is_ok());
    rig.answer(first.0, answer);
    rig.run_for(60 * MINUTE);
    let left = rig.api.get(&held).map(|m| m["status"].clone());
    assert_eq!(left, None, "an owned mirror of a gone pool stays for ever");
}

#[test]
fn two_listings_right_after_one_another_are_not_the_grace_period_apart() {
    let mut rig = Rig::new();
    rig.spec = json!({"prune": {"gracePeriod": "1m"}});
    for id in ["a", "b"] {
        rig.put_pool(id, "Running");
        rig.leave_out("s", id);
    }
    rig.see_source("s", &json!({}));
    rig.see_source("t", &json!({}));
    rig.run();
    assert_eq!(rig.api.names(), ["a", "b"]);
    // Another process: the key is proven by one pass at a time.
    rig.restart();
    rig.unlist("a");
    let first = rig.held_listing();
    assert_eq!(&*first.0.name, "s");
    assert!(rig.next_write().is_none());
    rig.pass_time(100 * SECOND);
    rig.input(Input::Listed(first.0, first.1, Ok(Listing::default())));
    let before = rig.listings;
    rig.run();
    assert!(
        rig.shown.is_empty() && rig.api.get("a").is_some(),
        "asked and deleted {} listings and 0 s after the first without it: {:?} {:?}",
        rig.listings - before,
        rig.shown,
        rig.told("a")
    );
}

#[test]
fn nothing_is_kept_of_a_name_that_was_refused_and_left() {
    let mut rig = Rig::with_pools(&["b"]);
    rig.put_pool("a", "Running");
    let end = rig.now.instant + MINUTE;
    while rig.now.instant < end {
        while let Some(write) = rig.next_write() {
            rig.answer(write.0, Err(WriteError::Refused("a quota".to_owned())));
        }
        rig.pass_time(SECOND);
    }
    rig.unlist("a");
    rig.run_for(10 * MINUTE);
    assert!(rig.machine.mirrors.get(&key("a")).is_none());
}

/// The cloud takes the listing and then rejects the question about one pool: six of those lock the customer's key.
#[test]
fn a_rejected_question_about_a_pool_rests_the_key_after_a_restart() {
    let mut rig = Rig::missing(prune("Delete", "0s", 100), &["a", "b"], 1);
    rig.show_failure = Some(failure(Reason::CredentialsRejected, None));
    let halted = |rig: &Rig| {
        let of = rig.reports.iter().map(|(_, status)| status);
        of.filter(|s| s.condition("PruneHalted").is_some())
            .map(|s| s.credentials_rejected_time.clone())
            .next()
    };
    for _ in 0..600 {
        rig.run();
        if halted(&rig).is_some() {
            break;
        }
        rig.pass_time(SECOND);
    }
    // With the pass that met it, not with the next.
    assert!(halted(&rig).expect("a halt").is_some());
    let listings = rig.listings;
    rig.restart();
    rig.run_for(299 * SECOND);
    assert_eq!(rig.listings, listings);
}
