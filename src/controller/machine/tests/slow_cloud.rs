//! A cloud that answers slowly ages no data and costs no writes.

use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::{Rig, failure, prune};
use super::{MINUTE, SECOND};
use crate::controller::key::Key;
use crate::controller::machine::{Action, Confirmation, Input};
use crate::modelarts::Reason;

/// How long answers take, and those that are to come.
#[derive(Default)]
struct Slow {
    listing: Duration,
    showing: Duration,
    listings: Vec<(Instant, (Key, u64))>,
    shows: Vec<(Instant, (Key, u64))>,
}

/// Does what is to be done within `time`; questions about single pools fail.
fn drive(rig: &mut Rig, slow: &mut Slow, time: Duration) {
    let end = rig.now.instant + time;
    while rig.now.instant < end {
        while let Some(action) = rig.machine.next_action(rig.now) {
            let now = rig.now.instant;
            match action {
                Action::List { key, pass, .. } => {
                    slow.listings.push((now + slow.listing, (key, pass)));
                }
                Action::Confirm { key, pass, .. } => {
                    slow.shows.push((now + slow.showing, (key, pass)));
                }
                other => {
                    if let Some(write) = rig.perform(other) {
                        let answer = rig.write(&write);
                        rig.answer(write.0, answer);
                    }
                }
            }
        }
        rig.pass_time(Duration::from_millis(500));
        let now = rig.now.instant;
        let due: Vec<_> = slow.listings.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, listing) in due {
            rig.listings += 1;
            rig.answer_listing(listing);
        }
        let due: Vec<_> = slow.shows.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, (key, pass)) in due {
            let answers = Confirmation {
                pools: vec![],
                failure: Some(failure(Reason::CloudUnavailable, None)),
            };
            rig.input(Input::Confirmed(key, pass, answers));
        }
    }
}

#[test]
fn listings_that_are_old_when_they_end_write_no_mirror_each_pass() {
    let mut rig = Rig::with_spec(json!({"interval": "5s"}), &["a", "b"]);
    let mut slow = Slow {
        listing: 40 * SECOND,
        ..Slow::default()
    };
    drive(&mut rig, &mut slow, 10 * MINUTE);
    let writes = rig.writes.len();
    drive(&mut rig, &mut slow, 20 * MINUTE);
    assert_eq!(rig.writes.len(), writes);
    assert_eq!(rig.conditions("a")[1], "False/ListFailed");
}

#[test]
fn slow_answers_about_single_pools_age_nothing() {
    for interval in ["5s", "10s", "30s"] {
        let mut spec = prune("Delete", "1m", 50);
        spec["interval"] = json!(interval);
        let mut rig = Rig::missing(spec, &["a", "b"], 1);
        let mut slow = Slow {
            showing: 10 * SECOND,
            ..Slow::default()
        };
        drive(&mut rig, &mut slow, 10 * MINUTE);
        let writes = rig.writes.len();
        drive(&mut rig, &mut slow, 20 * MINUTE);
        assert_eq!(rig.writes.len(), writes, "{interval}");
        assert_eq!(rig.conditions("b")[1], "True/Synced", "{interval}");
    }
}

#[test]
fn a_listing_that_waits_for_its_key_begins_when_its_first_request_leaves() {
    let mut rig = Rig::new();
    rig.see_source("s", &json!({}));
    let first = rig.held_listing();
    rig.see_source("t", &json!({}));
    assert!(rig.next_write().is_none());
    rig.pass_time(100 * SECOND);
    rig.answer_listing(first);
    rig.run();
    let synced = rig.status("t").last_sync_time.as_ref();
    assert_eq!(synced.map(|t| t.0), Some(rig.now.wall));
}
