//! Passes of sources: keys, failures, reports, and when the loop rests.

use serde_json::json;

use super::rig::{Rig, failure, key, uid, unavailable};
use super::{MINUTE, SECOND};
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::machine::{Action, CredentialsError, Input, Rejection};
use crate::mirror::Step;
use crate::modelarts::Reason;

#[test]
fn a_failed_listing_changes_nothing_and_backs_off() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.cloud = Err(unavailable());
    let before = rig.listings;
    rig.run_for(3_600 * SECOND);
    let failed = rig.listings - before;
    assert!((6..=12).contains(&failed), "{failed} tries in an hour");
    // But that it is old.
    assert_eq!(rig.writes, [("a".to_owned(), Step::ApplyStatus)]);
    assert_eq!(
        rig.api.get("a").expect("a mirror")["status"]["phase"],
        "Running"
    );
}

#[test]
fn a_key_rejected_for_one_source_is_told_by_all_and_tried_by_none() {
    let mut rig = Rig::new();
    rig.cloud = Err(failure(Reason::CredentialsRejected, None));
    rig.see_source("first", &json!({}));
    rig.run();
    rig.see_source("second", &json!({}));
    rig.run();
    assert_eq!(rig.listings, 1);
    let said = rig.reports.iter().filter_map(|(name, status)| {
        let conditions = status.conditions.as_ref()?;
        let ready = conditions.iter().find(|c| c.type_ == "Ready")?;
        Some((name.as_str(), ready.reason.as_str()))
    });
    let expected = [
        ("first", "CredentialsRejected"),
        ("second", "CredentialsRejected"),
    ];
    assert_eq!(said.collect::<Vec<_>>(), expected);
    rig.run_for(299 * SECOND);
    assert_eq!(rig.listings, 1, "not for five minutes");
    rig.run_for(61 * SECOND);
    assert!(rig.listings > 1, "and then again");
}

/// With sources that have these passwords of one user, the first of which IAM has just rejected.
fn with_a_rejected_password(passwords: &[(&'static str, &'static str)]) -> Rig {
    let mut rig = Rig::new();
    rig.spec = json!({"credentials": {"type": "Password", "secretRef": {"name": "keys"}}});
    let mut refused = failure(Reason::CredentialsRejected, None);
    refused.rejected = Some(Rejection::User);
    rig.cloud = Err(refused);
    for (source, password) in passwords {
        rig.passwords.insert(source, password);
        rig.see_source(source, &json!({}));
        rig.run();
    }
    assert_eq!(rig.listings, 1);
    rig
}

#[test]
fn a_rejected_password_stops_its_user_for_a_quarter_of_an_hour() {
    let sources = [("same", "wrong"), ("shared", "wrong"), ("other", "unknown")];
    let mut rig = with_a_rejected_password(&sources);
    for (source, _) in &sources[1..] {
        let conditions = rig.status(source).conditions.as_ref();
        let ready = &conditions.expect("conditions")[0];
        assert_eq!(ready.reason, "CredentialsRejected", "{source}");
        assert!(ready.message.contains("user"), "{}", ready.message);
    }
    // A key is another matter.
    rig.spec = json!({});
    rig.see_source("with-a-token", &json!({}));
    rig.run();
    assert_eq!(rig.listings, 2);
    rig.see_source(
        "with-a-token",
        &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}),
    );
    rig.run_for(899 * SECOND);
    assert_eq!(rig.listings, 2, "not for a quarter of an hour");
    rig.run_for(61 * SECOND);
    assert!(rig.listings > 2, "and then again");
}

/// A source that is not tried for the password of another says when that was rejected, not when it says so: a
/// password that was put right since is tried after a restart.
#[test]
fn a_rejection_is_told_with_its_own_time() {
    let mut rig = with_a_rejected_password(&[("a", "wrong")]);
    let rejected = rig.status("a").credentials_rejected_time.clone();
    rig.pass_time(3 * MINUTE);
    rig.passwords.insert("b", "right");
    rig.see_source("b", &json!({}));
    rig.run();
    let status = rig.status("b");
    let ready = status.condition("Ready").expect("Ready");
    assert_eq!(ready.reason, "CredentialsRejected");
    assert!(rejected.is_some());
    assert_eq!(status.credentials_rejected_time, rejected);
}

#[test]
fn a_changed_password_is_tried_though_its_user_is_stopped() {
    let mut rig = with_a_rejected_password(&[("a", "wrong"), ("b", "wrong"), ("c", "unknown")]);
    rig.cloud = Ok(std::collections::BTreeMap::new());
    rig.passwords.insert("b", "right");
    rig.run_for(61 * SECOND);
    let ready = |rig: &Rig, source: &str| {
        let conditions = rig.status(source).conditions.as_ref();
        conditions.expect("conditions")[0].status.clone()
    };
    // What is not changed is still not tried.
    let now = ["a", "b", "c"].map(|source| ready(&rig, source));
    assert_eq!(now, ["False", "True", "False"]);
}

#[test]
fn sources_that_share_a_key_prove_it_one_after_the_other() {
    let mut rig = Rig::new();
    for name in ["a", "b", "c"] {
        rig.see_source(name, &json!({}));
    }
    let mut under_way = rig.held_listings();
    assert_eq!(under_way.len(), 1, "{under_way:?}");
    // Accepted, all others may use it at once.
    rig.answer_listing(under_way.remove(0));
    under_way = rig.held_listings();
    assert_eq!(under_way.len(), 2, "{under_way:?}");
}

#[test]
fn sources_that_wait_for_a_key_hold_up_no_others() {
    let mut rig = Rig::new();
    let many: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    for name in &many {
        rig.see_source(name, &json!({}));
    }
    // The cloud does not answer it.
    assert_eq!(rig.held_listings().len(), 1);
    rig.passwords.insert("other", "p");
    rig.spec = json!({"credentials": {"type": "Password", "secretRef": {"name": "keys"}}});
    rig.see_source("other", &json!({}));
    let held = rig.held_listings();
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].0, key("other"));
}

#[test]
fn no_more_than_eight_sources_ask_the_cloud_at_once() {
    let mut rig = Rig::new();
    rig.spec = json!({"interval": "1h"});
    rig.see_source("first", &json!({}));
    rig.run();
    for n in 0..20 {
        rig.see_source(&format!("s{n}"), &json!({}));
    }
    let mut held = rig.held_listings();
    assert_eq!(held.len(), 8);
    rig.answer_listing(held.remove(0));
    assert_eq!(rig.held_listings().len(), 1);
}

/// A source `second` waits for what becomes of the key that `first` asks with; the listing of `first`.
fn with_one_that_waits_for_its_key() -> (Rig, (Key, u64)) {
    let mut rig = Rig::new();
    rig.see_source("first", &json!({}));
    let first = rig.held_listing();
    rig.see_source("second", &json!({}));
    assert!(rig.held_listings().is_empty());
    (rig, first)
}

#[test]
fn a_pass_that_waited_for_its_key_is_tried_again_an_interval_after_it_asked() {
    let (mut rig, first) = with_one_that_waits_for_its_key();
    rig.pass_time(600 * SECOND);
    rig.answer_listing(first);
    let of_second = |rig: &mut Rig| {
        let mut held = rig.held_listings().into_iter();
        held.find(|(source, _)| *source == key("second"))
    };
    let second = of_second(&mut rig).expect("a listing");
    rig.cloud = Err(unavailable());
    rig.answer_listing(second);
    for _ in 0..30 {
        assert_eq!(of_second(&mut rig), None);
        rig.pass_time(SECOND);
    }
}

#[test]
fn a_refresh_waits_from_when_a_pass_asked_that_had_waited_for_its_key() {
    let (mut rig, first) = with_one_that_waits_for_its_key();
    rig.pass_time(10 * SECOND);
    rig.answer_listing(first);
    let second = rig.held_listing();
    rig.cloud = Err(unavailable());
    rig.answer_listing(second);
    rig.pass_time(SECOND);
    let asked = json!({"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "now"}});
    rig.see_source("second", &asked);
    rig.run_for(3 * SECOND);
    assert_eq!(rig.listings, 0);
    rig.run_for(2 * SECOND);
    assert_eq!(rig.listings, 1);
}

#[test]
fn a_key_that_was_rejected_before_a_restart_is_not_tried_at_once() {
    let status = json!({
        "lastAttemptTime": "2026-01-01T00:00:00Z", "credentialsRejectedTime": "2026-01-01T00:00:00Z",
        "conditions": [{"type": "Ready", "status": "False", "reason": "CredentialsRejected", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    });
    let mut rig = Rig::new();
    rig.now.wall = "2026-01-01T00:01:00Z".parse().expect("a time");
    rig.see_source_with("s", &json!({}), &status);
    rig.run_for(239 * SECOND);
    assert_eq!(rig.listings, 0, "until five minutes after the rejection");
    rig.run_for(61 * SECOND);
    assert!(rig.listings > 0);

    // The user of a password for longer.
    let mut rig = Rig::new();
    rig.now.wall = "2026-01-01T00:01:00Z".parse().expect("a time");
    rig.spec = json!({"credentials": {"type": "Password", "secretRef": {"name": "keys"}}});
    rig.passwords.insert("s", "wrong");
    rig.see_source_with("s", &json!({}), &status);
    rig.run_for(839 * SECOND);
    assert_eq!(rig.listings, 0, "until a quarter of an hour after it");
    rig.run_for(61 * SECOND);
    assert!(rig.listings > 0);

    // A Secret that was changed since is tried at once.
    let mut rig = Rig::new();
    rig.now.wall = "2026-01-01T00:01:00Z".parse().expect("a time");
    rig.secret_changed = Some("2026-01-01T00:00:30Z".parse().expect("a time"));
    rig.see_source_with("s", &json!({}), &status);
    rig.run();
    assert_eq!(rig.listings, 1);
}

#[test]
fn a_listing_that_is_of_no_use_any_more_is_given_up() {
    let suspend = json!({"generation": 2});
    for given_up in [
        Some(json!({"deletionTimestamp": "2026-01-01T00:00:00Z"})),
        Some(suspend),
        None,
    ] {
        let mut rig = Rig::new();
        rig.see_source("s", &json!({}));
        rig.run();
        rig.pass_time(60 * SECOND);
        let (_, pass) = rig.held_listing();
        match given_up {
            Some(metadata) => rig.see_source("s", &metadata),
            None => rig.input(Input::SourceGone(key("s"))),
        }
        let action = rig.machine.next_action(rig.now).expect("an action");
        assert!(
            matches!(action, Action::GiveUp { pass: p } if p == pass),
            "{action:?}"
        );
    }
}

#[test]
fn a_report_that_comes_while_another_is_written_is_not_lost() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.pass_time(60 * SECOND);
    let report = loop {
        match rig.machine.next_action(rig.now).expect("a report") {
            Action::Report { number, .. } => break number,
            other => assert!(rig.perform(other).is_none()),
        }
    };
    // Meanwhile the source is asked for, and the cloud is gone.
    rig.cloud = Err(unavailable());
    rig.pass_time(10 * SECOND);
    let asked = json!({"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "now"}});
    rig.see_source("s", &asked);
    while let Some(action) = rig.machine.next_action(rig.now) {
        assert!(rig.perform(action).is_none());
    }
    rig.input(Input::Reported(key("s"), uid("s").into(), report, Ok(())));
    rig.run();
    let (_, status) = rig.reports.last().expect("a report");
    assert_eq!(status.last_handled_refresh.as_deref(), Some("now"));
    let conditions = status.conditions.as_ref().expect("conditions");
    assert_eq!(conditions[0].reason, "CloudUnavailable");
}

#[test]
fn what_waits_to_be_said_of_a_deleted_source_stops_no_other() {
    let mut rig = Rig::new();
    rig.api.unreachable = true;
    for name in ["a", "b"] {
        rig.see_source(name, &json!({}));
    }
    rig.run();
    rig.see_source("a", &json!({"deletionTimestamp": "2026-01-01T00:00:00Z"}));
    rig.api.unreachable = false;
    rig.reports.clear();
    rig.run_for(60 * SECOND);
    assert!(
        rig.reports.iter().any(|(name, _)| name == "b"),
        "{:?}",
        rig.reports
    );
}

#[test]
fn what_fails_a_pass_and_what_skips_a_pool() {
    let cases = [
        (WriteError::Conflict("x".to_owned()), Some("WriteFailed")),
        (WriteError::ServerError("x".to_owned()), Some("WriteFailed")),
        (
            WriteError::Unreachable("x".to_owned()),
            Some("APIServerUnreachable"),
        ),
        (
            WriteError::Throttled {
                message: "x".to_owned(),
                retry_after: None,
            },
            Some("APIServerThrottled"),
        ),
        (
            WriteError::Forbidden("x".to_owned()),
            Some("APIServerForbidden"),
        ),
        (
            WriteError::NamespaceTerminating,
            Some("NamespaceTerminating"),
        ),
        (WriteError::Refused("x".to_owned()), None),
    ];
    for (error, reason) in cases {
        let mut rig = Rig::with_pools(&["bad", "good"]);
        let before = rig.reports.last().expect("a report").1.clone();
        rig.reports.clear();
        rig.put_pool("bad", "Error");
        rig.put_pool("good", "Error");
        rig.pass_time(60 * SECOND);
        let mut tries = 0;
        while rig.reports.is_empty() {
            while let Some(write) = rig.next_write() {
                let answer = match &*write.0.mirror.name {
                    "bad" => Err(error.clone()),
                    _ => rig.write(&write),
                };
                tries += 1;
                assert!(tries < 1000, "{error}: it spins");
                rig.answer(write.0, answer);
            }
            rig.check_rest();
            let next = rig.machine.next_wakeup(rig.now).expect("something to come");
            rig.pass_time(next - rig.now.instant);
        }
        let status = &rig.reports[0].1;
        let ready = &status.conditions.as_ref().expect("conditions")[0];
        assert_eq!(ready.reason, reason.unwrap_or("Synced"), "{error}");
        assert_eq!(
            status.last_sync_time == before.last_sync_time,
            reason.is_some(),
            "{error}"
        );
        assert_eq!(
            status.fresh_until == before.fresh_until,
            reason.is_some(),
            "{error}"
        );
        let skipped = status.skipped.as_ref().map_or(0, |s| s.count);
        assert_eq!(skipped == 1, reason.is_none(), "{error}");
    }
}

#[test]
fn a_throttling_api_server_is_no_loop_that_is_stuck() {
    let ids: Vec<String> = (0..500).map(|i| format!("p-{i:03}")).collect();
    let mut rig = Rig::new();
    for id in &ids {
        rig.put_pool(id, "Running");
    }
    rig.see_source("s", &json!({}));
    let throttled = WriteError::Throttled {
        message: "slow down".to_owned(),
        retry_after: Some(20),
    };
    for _ in 0..120 {
        while let Some((ticket, _)) = rig.next_write() {
            rig.answer(ticket, Err(throttled.clone()));
        }
        rig.check_rest();
        rig.pass_time(10 * SECOND);
        assert_eq!(rig.machine.stuck(rig.now.instant, 60 * SECOND), None);
    }
}

#[test]
fn credentials_of_a_former_spec_are_not_used_for_another() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.see_source("s", &json!({"generation": 2}));
    let Some(Action::ReadCredentials { key, pass, .. }) = rig.machine.next_action(rig.now) else {
        panic!("no credentials are read");
    };
    let silent = CredentialsError::ApiServer(WriteError::Unreachable("no".to_owned()));
    let before = rig.listings;
    rig.input(Input::CredentialsRead(key, pass, Err(silent)));
    rig.run();
    assert_eq!(rig.listings, before);
}

#[test]
fn nothing_is_to_be_done_before_all_was_seen_once() {
    let mut rig = Rig::unsynced();
    rig.see_source("s", &json!({}));
    rig.run();
    assert_eq!(rig.machine.next_wakeup(rig.now), None);
}

#[test]
fn a_pass_that_never_ends_is_a_loop_that_is_stuck() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.put_pool("a", "Error");
    rig.pass_time(60 * SECOND);
    let write = rig.next_write().expect("a write");
    let late = |rig: &Rig| rig.machine.stuck(rig.now.instant, 60 * SECOND).cloned();
    rig.pass_time(300 * SECOND);
    assert_eq!(late(&rig), None);
    rig.pass_time(120 * SECOND);
    assert_eq!(
        late(&rig),
        Some(key("s")),
        "nothing was answered, also not by a timeout"
    );
    let answer = rig.write(&write);
    rig.answer(write.0, answer);
    assert_eq!(late(&rig), None);
}

#[test]
fn eight_passes_run_at_once() {
    let mut rig = Rig::new();
    for i in 0..20 {
        rig.see_source(&format!("s-{i:02}"), &json!({}));
    }
    let mut reading = Vec::new();
    while let Some(action) = rig.machine.next_action(rig.now) {
        match action {
            Action::ReadCredentials { .. } => reading.push(action),
            other => assert!(rig.perform(other).is_none()),
        }
    }
    assert_eq!(reading.len(), 8);
    rig.check_rest();
    while let Some(action) = reading.pop() {
        assert!(rig.perform(action).is_none());
    }
    rig.run();
    assert_eq!(rig.listings, 20);
}
