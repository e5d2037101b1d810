//! How rejected keys are left alone, by all sources and after restarts: law 8.

use serde_json::json;

use super::rig::{Rig, failure, key};
use super::{MINUTE, SECOND};
use crate::controller::fetch::Listing;
use crate::controller::machine::credentials::REJECTIONS;
use crate::controller::machine::{Action, Input};
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
    let end = rig.now.instant + MINUTE;
    while rig.now.instant < end {
        while let Some(action) = rig.machine.next_action(rig.now) {
            match action {
                Action::List { key, pass, .. } => held.push((key, pass)),
                other => assert!(rig.perform(other).is_none()),
            }
        }
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
        "lastAttemptTime": "2026-01-01T00:00:00Z",
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
