//! How rejected keys are left alone, by all sources and after restarts: law 8.

use serde_json::json;

use super::rig::{Rig, failure, key, prune};
use super::{MINUTE, SECOND};
use crate::controller::fetch::Listing;
use crate::controller::key::Key;
use crate::controller::machine::Input;
use crate::controller::reason::REJECTIONS;
use crate::modelarts::Reason;

#[test]
fn whatever_counts_as_a_rejection_stops_the_key() {
    for reason in REJECTIONS {
        let mut rig = Rig::new();
        rig.spec = json!({"interval": "5s"});
        rig.cloud = Err(failure(reason, None));
        rig.see_source("first", &json!({}));
        rig.see_source("second", &json!({}));
        rig.run_for(299 * SECOND);
        assert_eq!(rig.listings, 1, "{reason:?}");
        rig.run_for(30 * MINUTE);
        // Six in a row would lock it, whoever sent them; what is five minutes apart does not.
        assert!(
            (2..=7).contains(&rig.listings),
            "{reason:?}: {}",
            rig.listings
        );
    }
}

#[test]
fn a_refresh_does_not_try_a_rejected_key() {
    let mut rig = Rig::new();
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.see_source("s", &json!({}));
    rig.run();
    for request in 0..20 {
        let asked = request.to_string();
        let annotations = json!({"modelarts.huaweicloud.com/refresh-requested-at": asked});
        rig.see_source("s", &json!({"annotations": annotations}));
        rig.run_for(10 * SECOND);
    }
    assert_eq!(rig.listings, 1);
}

#[test]
fn another_key_in_the_secret_is_tried_within_a_minute_alone() {
    let mut rig = Rig::new();
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    for name in ["a", "b", "c"] {
        rig.see_source(name, &json!({}));
    }
    rig.run();
    rig.run_for(MINUTE);
    assert_eq!(rig.listings, 1);
    rig.token = "another".to_owned();
    // All of them come to read it; one asks.
    let mut held = Vec::new();
    for _ in 0..60 {
        held.extend(rig.held_listings());
        rig.pass_time(SECOND);
    }
    assert_eq!(held.len(), 1, "{held:?}");
    rig.cloud = Ok([].into());
    rig.answer_listing(held.remove(0));
    rig.run();
    assert!(rig.listings >= 3, "and once it is accepted, the others");
}

#[test]
fn after_a_restart_one_source_tells_of_a_rejection_for_all_that_use_the_secret() {
    let rejected = json!({
        "lastAttemptTime": "2026-01-01T00:00:00Z", "credentialsRejectedTime": "2026-01-01T00:00:00Z",
        "conditions": [{"type": "Ready", "status": "False", "reason": "CredentialsRejected", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    for new_first in [true, false] {
        let mut rig = Rig::unsynced();
        rig.now.wall = "2026-01-01T00:01:00Z".parse().expect("a time");
        // One that has said nothing of the key so far.
        let mut sources = [("a", json!(null)), ("b", rejected.clone())];
        if !new_first {
            sources.reverse();
        }
        for (name, status) in sources {
            rig.see_source_with(name, &json!({}), &status);
        }
        rig.input(Input::Synced);
        rig.run_for(239 * SECOND);
        assert_eq!(rig.listings, 0, "{new_first}");
        rig.run_for(2 * MINUTE);
        assert!(rig.listings > 0, "{new_first}");
    }
    // Another Secret is another key.
    let mut rig = Rig::unsynced();
    rig.now.wall = "2026-01-01T00:01:00Z".parse().expect("a time");
    rig.see_source_with("b", &json!({}), &rejected);
    let other = json!({"type": "AccessKey", "secretRef": {"name": "others"}});
    rig.spec = json!({"credentials": other});
    rig.token = "another".to_owned();
    rig.see_source("a", &json!({}));
    rig.input(Input::Synced);
    let (asked, pass) = rig.held_listing();
    assert_eq!(asked, key("a"));
    rig.input(Input::Listed(asked, pass, Ok(Listing::default())));
}

#[test]
fn a_rejection_ends_what_is_under_way_with_the_key() {
    let mut rig = Rig::new();
    for name in ["a", "b", "c"] {
        rig.see_source(name, &json!({}));
    }
    rig.run();
    rig.pass_time(MINUTE);
    let mut held = rig.held_listings();
    assert_eq!(held.len(), 3, "the key is proven");
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.answer_listing(held.remove(0));
    rig.run();
    let mut given_up = std::mem::take(&mut rig.given_up);
    given_up.sort_unstable();
    let mut others: Vec<u64> = held.iter().map(|(_, pass)| *pass).collect();
    others.sort_unstable();
    assert_eq!(given_up, others);
    let rejected = |rig: &Rig| {
        let sources = ["a", "b", "c"];
        let reasons = sources.map(|source| ready(rig, source));
        assert_eq!(reasons, ["CredentialsRejected"; 3]);
    };
    rejected(&rig);
    // What the cloud has answered before it could be given up proves nothing.
    rig.cloud = Ok([].into());
    for listing in held {
        rig.answer_listing(listing);
    }
    rig.run();
    rejected(&rig);
    let before = rig.listings;
    rig.run_for(239 * SECOND);
    assert_eq!(rig.listings, before);
}

#[test]
fn a_rejection_ends_the_questions_about_single_pools() {
    let mut rig = Rig::missing(prune("Delete", "0s", 100), &["p"], 1);
    rig.pass_time(MINUTE);
    rig.run();
    let (asked, pass, _) = rig.until_confirmation();
    rig.see_source("other", &json!({}));
    let listing = rig.held_listing();
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.answer_listing(listing);
    rig.run();
    assert_eq!(rig.given_up, [pass], "{asked}");
    assert!(rig.api.get("p").is_some());
}

/// The spec of `s` changes while its key is tried for the first time; the listing that is awaited.
fn changed_meanwhile(rig: &mut Rig) -> (Key, u64) {
    rig.see_source("s", &json!({}));
    let listing = rig.held_listing();
    rig.see_source("s", &json!({"generation": 2}));
    assert!(rig.held_listings().is_empty());
    listing
}

/// A spec that is changed again and again must not send a bad key each time: nobody would learn that it
/// is rejected, and it would be locked.
#[test]
fn a_changed_spec_awaits_what_becomes_of_a_key_that_is_not_proven() {
    let mut rig = Rig::new();
    let listing = changed_meanwhile(&mut rig);
    assert!(rig.given_up.is_empty());
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.answer_listing(listing);
    rig.run();
    assert_eq!(ready(&rig, "s"), "CredentialsRejected");
    rig.see_source("s", &json!({"generation": 3}));
    rig.run_for(239 * SECOND);
    assert_eq!(rig.listings, 0);
}

#[test]
fn what_a_former_spec_listed_counts_for_its_key_alone() {
    let mut rig = Rig::new();
    rig.put_pool("p", "Running");
    let listing = changed_meanwhile(&mut rig);
    rig.answer_listing(listing);
    let again = rig.held_listing();
    assert!(rig.writes.is_empty() && rig.reports.len() <= 1);
    rig.see_source("other", &json!({}));
    assert_eq!(rig.held_listings().len(), 1, "the key is proven");
    rig.answer_listing(again);
    rig.run();
    assert_eq!(rig.writes.len(), 2);
}

#[test]
fn a_changed_spec_waits_for_a_silent_cloud_half_a_minute() {
    let mut rig = Rig::new();
    let (_, pass) = changed_meanwhile(&mut rig);
    let mut waited = 0;
    while rig.held_listings().is_empty() {
        let next = rig.machine.next_wakeup(rig.now).expect("a wakeup");
        let wait = next - rig.now.instant;
        waited += wait.as_secs();
        rig.pass_time(wait);
    }
    assert_eq!(waited, 30);
    assert_eq!(rig.given_up, [pass]);
}

/// Two sources list with a proven key; the first fails, so that the next that lists has to prove it anew. Returns
/// the listing of the second, and that.
fn proving_anew(rig: &mut Rig) -> ((Key, u64), (Key, u64)) {
    for name in ["a", "b"] {
        rig.see_source(name, &json!({}));
    }
    rig.run();
    rig.pass_time(MINUTE);
    let mut held = rig.held_listings();
    rig.cloud = Err(failure(Reason::CloudUnavailable, None));
    rig.answer_listing(held.remove(0));
    rig.see_source("x", &json!({}));
    let proving = rig.held_listing();
    assert_eq!(proving.0, key("x"));
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    (held.remove(0), proving)
}

#[test]
fn a_rejection_ends_also_what_was_to_prove_the_key() {
    for spec_changes in [false, true] {
        let mut rig = Rig::new();
        let (other, (_, proving)) = proving_anew(&mut rig);
        if spec_changes {
            rig.see_source("x", &json!({"generation": 2}));
            assert!(rig.held_listings().is_empty());
        }
        rig.answer_listing(other);
        rig.run();
        assert_eq!(rig.given_up, [proving], "{spec_changes}");
        assert_eq!(ready(&rig, "x"), "CredentialsRejected");
    }
}

#[test]
fn a_source_whose_listing_was_ended_waits_for_its_interval_too() {
    let mut rig = Rig::new();
    rig.spec = json!({"interval": "24h"});
    for name in ["a", "b"] {
        rig.see_source(name, &json!({}));
    }
    rig.run();
    rig.pass_time(2 * 24 * 60 * MINUTE);
    let mut held = rig.held_listings();
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.answer_listing(held.remove(0));
    let before = rig.listings;
    rig.run_for(60 * MINUTE);
    assert_eq!(rig.listings, before);
}

#[test]
fn what_the_cloud_asks_to_wait_holds_for_the_next_spec() {
    let mut rig = Rig::new();
    let listing = changed_meanwhile(&mut rig);
    rig.cloud = Err(failure(Reason::Throttled, Some(MINUTE)));
    rig.answer_listing(listing);
    rig.run_for(59 * SECOND);
    assert_eq!(rig.listings, 0);
    rig.run_for(2 * SECOND);
    assert_eq!(rig.listings, 1);
}

#[test]
fn a_proven_key_whose_request_is_given_up_is_proven_anew() {
    let mut rig = Rig::new();
    rig.see_source("s", &json!({}));
    rig.run();
    rig.pass_time(MINUTE);
    let (_, first) = rig.held_listing();
    rig.see_source("s", &json!({"generation": 2}));
    rig.held_listing();
    assert_eq!(rig.given_up, [first]);
    // That one is heard, whatever becomes of the spec.
    rig.see_source("s", &json!({"generation": 3}));
    assert!(rig.held_listings().is_empty());
    assert_eq!(rig.given_up, [first]);
}

/// The reason of a source's condition Ready.
fn ready(rig: &Rig, source: &str) -> String {
    let ready = rig.status(source).condition("Ready").expect("Ready");
    ready.reason.clone()
}
