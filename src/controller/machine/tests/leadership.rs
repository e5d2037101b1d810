//! A replica that stands by, takes over, and loses the lease.

use serde_json::json;

use super::rig::{Rig, failure, key, unavailable};
use super::{MINUTE, SECOND};
use crate::controller::machine::Input;
use crate::mirror::Step;
use crate::modelarts::Reason;

/// With one pool, mirrored by another replica, and a source that it has listed.
fn standby() -> Rig {
    let mut rig = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
    rig.input(Input::StandBy);
    rig.reports.clear();
    rig.listings = 0;
    rig
}

#[test]
fn a_standby_takes_in_what_is_seen_and_does_nothing() {
    let mut rig = standby();
    rig.edited("a", |m| m["spec"]["type"] = json!("mine"));
    rig.spec["suspend"] = json!(true);
    rig.see_source("t", &json!({}));
    rig.run_for(60 * MINUTE);
    rig.deleted("a");
    rig.run_for(60 * MINUTE);
    assert!(rig.machine.next_wakeup(rig.now).is_none());
    assert_eq!(
        (rig.listings, rig.writes.len(), rig.reports.len()),
        (0, 0, 0)
    );
    assert!(rig.machine.stuck(rig.now.instant, SECOND).is_none());
    assert!(rig.machine.mirrors.get(&key("a")).is_none());
}

#[test]
fn it_takes_over_at_once_and_rights_what_was_edited_meanwhile() {
    let mut rig = standby();
    rig.edited("a", |m| m["spec"]["type"] = json!("mine"));
    rig.pass_time(SECOND);
    rig.input(Input::Lead);
    rig.run();
    assert_eq!(rig.listings, 1);
    assert_eq!(
        rig.api.get("a").expect("a mirror")["spec"]["type"],
        "Dedicate"
    );
}

#[test]
fn a_process_that_begins_as_a_standby_works_once_it_leads_and_has_seen_everything() {
    for lead_first in [true, false] {
        let mut rig = Rig::unsynced();
        rig.input(Input::StandBy);
        rig.put_pool("a", "Running");
        rig.see_source("s", &json!({}));
        let mut inputs = [Input::Synced, Input::Lead];
        if lead_first {
            inputs.reverse();
        }
        let [first, second] = inputs;
        rig.input(first);
        rig.run_for(MINUTE);
        assert_eq!(rig.listings, 0, "{lead_first}");
        rig.input(second);
        rig.run();
        assert_eq!(rig.listings, 1, "{lead_first}");
        assert_eq!(rig.api.names(), ["a"], "{lead_first}");
    }
}

/// The cloud locks a key after a few rejections, whoever sent it.
#[test]
fn a_key_that_another_replica_saw_rejected_is_not_tried_at_once() {
    let mut rig = standby();
    let mut other = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
    other.cloud = Err(failure(Reason::CredentialsRejected, None));
    other.run_for(10 * SECOND);
    let told = json!(other.status("s"));
    rig.pass_time(10 * SECOND);
    rig.see_source_with("s", &json!({}), &told);
    rig.input(Input::Lead);
    rig.run_for(4 * MINUTE);
    assert_eq!(rig.listings, 0);
    rig.run_for(2 * MINUTE);
    assert!(rig.listings > 0);
}

/// The status could not be written: the lease was lost for the same reason.
#[test]
fn a_key_that_was_rejected_in_a_former_term_is_not_tried_at_once() {
    let mut rig = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.pass_time(10 * SECOND);
    let listing = rig.held_listing();
    rig.answer_listing(listing);
    rig.input(Input::StandBy);
    rig.run_for(10 * SECOND);
    rig.input(Input::Lead);
    rig.listings = 0;
    rig.run_for(4 * MINUTE);
    assert_eq!(rig.listings, 0);
    rig.run_for(2 * MINUTE);
    assert!(rig.listings > 0);
}

/// How old the data is, is told by what is stored, not by what this replica saw first.
#[test]
fn data_that_another_replica_has_kept_fresh_is_not_called_stale() {
    let mut rig = standby();
    let mut other = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
    other.run_for(30 * MINUTE);
    let told = json!(other.status("s"));
    rig.pass_time(30 * MINUTE);
    rig.see_source_with("s", &json!({}), &told);
    rig.cloud = Err(unavailable());
    rig.input(Input::Lead);
    rig.run_for(20 * SECOND);
    assert_eq!(rig.conditions("a")[1], "True/Synced");
    rig.run_for(2 * MINUTE);
    assert_eq!(rig.conditions("a")[1], "False/ListFailed");
}

#[test]
fn what_was_begun_is_given_up_and_its_answers_change_nothing() {
    let mut rig = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
    rig.put_pool("b", "Running");
    rig.pass_time(10 * SECOND);
    let listing = rig.held_listing();
    rig.input(Input::StandBy);
    rig.answer_listing(listing.clone());
    rig.run_for(MINUTE);
    assert_eq!(rig.api.names(), ["a"]);
    // Not even as the answer to a pass of its own next term.
    rig.input(Input::Lead);
    let next = rig.held_listing();
    assert_ne!(next.1, listing.1);
    rig.cloud.as_mut().expect("pools").clear();
    rig.answer_listing(listing);
    assert!(rig.next_write().is_none());
    rig.put_pool("a", "Running");
    rig.put_pool("b", "Running");
    rig.answer_listing(next);
    rig.run();
    assert_eq!(rig.api.names(), ["a", "b"]);
}

/// A write whose answer was not waited for may have been accepted, or not.
#[test]
fn a_write_of_a_former_term_is_made_again_where_it_was_lost_and_else_not() {
    for accepted in [true, false] {
        let mut rig = Rig::with_spec(json!({"interval": "5s"}), &["a"]);
        rig.put_pool("a", "Abnormal");
        rig.pass_time(10 * SECOND);
        let write = rig.next_write().expect("a write");
        if accepted {
            rig.write(&write).expect("an accepted write");
            let observed = rig.api.observed("a");
            rig.input(Input::StandBy);
            rig.input(Input::MirrorSeen(key("a"), Box::new(observed)));
        } else {
            rig.input(Input::StandBy);
        }
        rig.writes.clear();
        rig.input(Input::Lead);
        rig.run();
        assert_eq!(rig.conditions("a")[0], "False/Abnormal");
        let again: &[_] = if accepted {
            &[]
        } else {
            &[("a".to_owned(), Step::ApplyStatus)]
        };
        assert_eq!(rig.writes, again, "{accepted}");
    }
}
