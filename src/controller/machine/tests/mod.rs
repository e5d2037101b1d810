//! The machine's own decisions, in a time of its own: races and paces that a real API server shows only
//! by chance.

mod rig;

use std::time::Duration;

use serde_json::json;

use self::rig::{NAMESPACE, Rig, key, uid};
use crate::controller::fetch::Listing;
use crate::controller::machine::{Action, CredentialsError, Input, ListingError};
use crate::controller::report::PassFailure;
use crate::mirror::Step;
use crate::mirror::apply::WriteError;

const SECOND: Duration = Duration::from_secs(1);

fn names(writes: &[(String, Step)]) -> Vec<(&str, Step)> {
    writes.iter().map(|(n, s)| (n.as_str(), *s)).collect()
}

#[test]
fn a_new_pool_is_two_writes_and_a_quiet_pass_none() {
    let mut rig = Rig::new();
    rig.put_pool("a", "Running");
    rig.see_source("s", &json!({}));
    rig.run();
    assert_eq!(
        names(&rig.writes),
        [("a", Step::Create), ("a", Step::ApplyStatus)]
    );
    rig.run_for(120 * SECOND);
    assert!(rig.listings >= 4, "{}", rig.listings);
    assert_eq!(rig.writes.len(), 2);
    rig.put_pool("a", "Error");
    rig.run_for(60 * SECOND);
    assert_eq!(names(&rig.writes[2..]), [("a", Step::ApplyStatus)]);
}

#[test]
fn our_own_writes_are_no_drift_when_the_watch_shows_them() {
    let mut rig = Rig::with_pools(&["a"]);
    let own = rig.api.observed("a");
    rig.input(Input::MirrorSeen(key("a"), Box::new(own)));
    // Also where it shows one before its answer has come.
    rig.put_pool("a", "Error");
    rig.pass_time(60 * SECOND);
    let write = rig.next_write().expect("a write");
    let answer = rig.write(&write).expect("accepted");
    rig.input(Input::MirrorSeen(key("a"), Box::new(answer.clone())));
    rig.answer(write.0, Ok(answer));
    rig.run();
    assert_eq!(names(&rig.writes), [("a", Step::ApplyStatus)]);
}

#[test]
fn an_answer_may_carry_a_strangers_edit() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.put_pool("a", "Error");
    rig.pass_time(60 * SECOND);
    let write = rig.next_write().expect("a write");
    rig.write(&write).expect("accepted");
    // The edit came before ours was answered: the watch will show the same version as the answer.
    let edited = rig.api.edit("a", |m| m["spec"]["type"] = json!("mine"));
    rig.answer(write.0, Ok(edited.clone()));
    rig.input(Input::MirrorSeen(key("a"), Box::new(edited)));
    rig.run();
    assert_eq!(
        rig.api.get("a").expect("a mirror")["spec"]["type"],
        "Dedicate"
    );
}

#[test]
fn a_deletion_seen_before_the_answer_to_an_older_write_counts() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.put_pool("a", "Error");
    rig.pass_time(60 * SECOND);
    let write = rig.next_write().expect("a write");
    let answer = rig.write(&write);
    let version = rig.api.delete("a");
    rig.input(Input::MirrorGone(key("a"), version));
    rig.answer(write.0, answer);
    rig.run();
    assert!(rig.api.get("a").is_some(), "{:?}", rig.writes);
}

#[test]
fn a_relist_wakes_what_changed_unseen() {
    let mut rig = Rig::with_pools(&["kept", "edited", "deleted"]);
    rig.api
        .edit("edited", |m| m["spec"]["type"] = json!("mine"));
    rig.api.delete("deleted");
    rig.input(Input::MirrorsRelisting(None));
    for name in ["kept", "edited"] {
        let observed = rig.api.observed(name);
        rig.input(Input::MirrorSeen(key(name), Box::new(observed)));
    }
    rig.input(Input::MirrorsRelisted(None));
    rig.run();
    let expected = [
        ("deleted", Step::Create),
        ("deleted", Step::ApplyStatus),
        ("edited", Step::Apply),
        ("edited", Step::ApplyStatus),
    ];
    let mut writes = names(&rig.writes);
    writes.sort_by_key(|(name, _)| *name);
    assert_eq!(writes, expected);
}

#[test]
fn an_answer_that_comes_after_a_relist_without_its_object_is_not_trusted() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.put_pool("a", "Error");
    rig.pass_time(60 * SECOND);
    let write = rig.next_write().expect("a write");
    let answer = rig.write(&write);
    rig.api.delete("a");
    rig.input(Input::MirrorsRelisting(Some(NAMESPACE.into())));
    rig.input(Input::MirrorsRelisted(Some(NAMESPACE.into())));
    rig.answer(write.0, answer);
    rig.run_for(2 * SECOND);
    assert!(rig.api.get("a").is_some(), "{:?}", rig.writes);
}

#[test]
fn what_the_api_server_makes_of_a_write_is_final() {
    let mut rig = Rig::new();
    rig.api.mutate = Some(|spec| spec["type"] = json!("changed by a webhook"));
    rig.put_pool("a", "Running");
    rig.see_source("s", &json!({}));
    rig.run_for(600 * SECOND);
    assert!(rig.listings > 15, "{}", rig.listings);
    assert!(rig.writes.len() <= 4, "{:?}", rig.writes);
    // What the cloud changes is still written.
    let before = rig.writes.len();
    rig.put_pool("a", "Error");
    rig.run_for(60 * SECOND);
    assert!(rig.writes.len() > before);
    assert_eq!(
        rig.api.get("a").expect("a mirror")["status"]["phase"],
        "Error"
    );
    assert!(rig.writes.len() <= before + 3, "{:?}", rig.writes);
}

#[test]
fn a_mirror_that_is_edited_again_and_again_waits_longer() {
    let mut rig = Rig::with_pools(&["a"]);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let edited = rig.api.edit("a", |m| m["spec"]["type"] = json!("mine"));
        let begun = rig.now.instant;
        rig.input(Input::MirrorSeen(key("a"), Box::new(edited)));
        let before = rig.writes.len();
        while rig.writes.len() == before {
            rig.run();
            if rig.writes.len() == before {
                let next = rig.machine.next_wakeup(rig.now).expect("something to come");
                rig.pass_time(next - rig.now.instant);
            }
        }
        waits.push((rig.now.instant - begun).as_secs());
    }
    assert_eq!(waits, [0, 1, 2, 4, 8, 16]);
}

#[test]
fn repairs_go_before_the_writes_of_a_pass() {
    let ids: Vec<String> = (0..100).map(|i| format!("new-{i:03}")).collect();
    let mut rig = Rig::with_pools(&["old", "old-too"]);
    for id in &ids {
        rig.put_pool(id, "Running");
    }
    rig.put_pool("old-too", "Error");
    rig.pass_time(60 * SECOND);
    // The pass is planned, its first write is under way.
    let first = rig.next_write().expect("a write");
    for name in ["old", "old-too"] {
        let edited = rig.api.edit(name, |m| m["spec"]["type"] = json!("mine"));
        rig.input(Input::MirrorSeen(key(name), Box::new(edited)));
    }
    let answer = rig.write(&first);
    rig.answer(first.0, answer);
    rig.run();
    let at = |name: &str| {
        rig.writes
            .iter()
            .position(|(n, s)| n == name && *s == Step::Apply)
    };
    assert!(
        at("old").is_some_and(|at| at <= 4),
        "{:?}",
        &rig.writes[..6]
    );
    assert!(
        at("old-too").is_some_and(|at| at <= 4),
        "{:?}",
        &rig.writes[..6]
    );
}

#[test]
fn a_stripped_owner_waits_for_a_check_of_the_source() {
    let mut rig = Rig::with_pools(&["a"]);
    // An orphaning deletion strips the mirrors; the source's own event comes later.
    let orphan = rig
        .api
        .edit("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.input(Input::MirrorSeen(key("a"), Box::new(orphan)));
    let check = rig.machine.next_action(rig.now).expect("a check");
    assert!(matches!(check, Action::Check { .. }), "{check:?}");
    rig.input(Input::Checked(key("s"), uid("s").into(), Ok(false)));
    rig.run_for(3_600 * SECOND);
    assert_eq!(names(&rig.writes), []);
}

#[test]
fn an_unreachable_api_server_is_asked_by_one_write_at_a_time() {
    let mut rig = Rig::new();
    let ids: Vec<String> = (0..50).map(|i| format!("p-{i:02}")).collect();
    for id in &ids {
        rig.put_pool(id, "Running");
    }
    rig.see_source("s", &json!({}));
    let mut under_way: Vec<_> = std::iter::from_fn(|| rig.next_write()).collect();
    assert_eq!(under_way.len(), 16, "all that may be written at once");
    rig.api.unreachable = true;
    for write in under_way.drain(..) {
        let answer = rig.write(&write);
        rig.answer(write.0, answer);
    }
    rig.writes.clear();
    for _ in 0..60 {
        while let Some(write) = rig.next_write() {
            assert!(rig.next_write().is_none(), "one at a time");
            let answer = rig.write(&write);
            rig.answer(write.0, answer);
        }
        rig.pass_time(SECOND);
    }
    let tries = rig.writes.len();
    assert!((5..=30).contains(&tries), "{tries} tries in a minute");
    // It recovers alone, and at once.
    rig.api.unreachable = false;
    rig.run_for(5 * SECOND);
    assert_eq!(rig.writes.len(), tries + 100);
}

#[test]
fn a_failed_listing_changes_nothing_and_backs_off() {
    let mut rig = Rig::with_pools(&["a"]);
    let failure = PassFailure {
        reason: "CloudUnavailable",
        message: "no".to_owned(),
        stalled: false,
        retry_after: None,
    };
    rig.cloud = Err(ListingError {
        failure,
        rejected: false,
    });
    let before = rig.listings;
    rig.run_for(3_600 * SECOND);
    let failed = rig.listings - before;
    assert!((6..=12).contains(&failed), "{failed} tries in an hour");
    assert_eq!(names(&rig.writes), []);
    assert!(rig.api.get("a").is_some());
}

#[test]
fn what_a_stranger_did_to_times_comes_back() {
    let mut rig = Rig::with_pools(&["a"]);
    let before = rig.api.get("a").expect("a mirror")["status"].clone();
    rig.pass_time(3_600 * SECOND);
    let edited = rig.api.edit("a", |m| {
        m["status"]["conditions"] = json!([]);
        // Whoever changes an atomic status owns it from then on.
        m["metadata"]["managedFields"]
            .as_array_mut()
            .expect("entries")
            .retain(|e| e["subresource"] != "status");
    });
    rig.input(Input::MirrorSeen(key("a"), Box::new(edited)));
    rig.run();
    assert_eq!(rig.api.get("a").expect("a mirror")["status"], before);
}

#[test]
fn nothing_is_kept_of_what_neither_exists_nor_is_wanted() {
    let mut rig = Rig::with_pools(&["a"]);
    if let Ok(pools) = &mut rig.cloud {
        pools.clear();
    }
    rig.run_for(60 * SECOND);
    let version = rig.api.delete("a");
    rig.input(Input::MirrorGone(key("a"), version));
    rig.run_for(60 * SECOND);
    assert!(rig.machine.mirrors.get(&key("a")).is_none());
    assert!(rig.api.version() >= version);
}

#[test]
fn a_key_rejected_for_one_source_is_told_by_all_and_tried_by_none() {
    let mut rig = Rig::new();
    rig.cloud = Err(ListingError {
        failure: PassFailure {
            reason: "CredentialsRejected",
            message: "no".to_owned(),
            stalled: true,
            retry_after: None,
        },
        rejected: true,
    });
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

#[test]
fn sources_that_share_a_key_prove_it_one_after_the_other() {
    let mut rig = Rig::new();
    for name in ["a", "b", "c"] {
        rig.see_source(name, &json!({}));
    }
    let mut under_way = Vec::new();
    while let Some(action) = rig.machine.next_action(rig.now) {
        match action {
            Action::List { key, pass, .. } => under_way.push((key, pass)),
            other => assert!(rig.perform(other).is_none()),
        }
    }
    assert_eq!(under_way.len(), 1, "{under_way:?}");
    rig.check_rest();
    // Accepted, all others may use it at once.
    let (first, pass) = under_way.remove(0);
    rig.input(Input::Listed(first, pass, Ok(Listing::default())));
    while let Some(action) = rig.machine.next_action(rig.now) {
        match action {
            Action::List { key, pass, .. } => under_way.push((key, pass)),
            other => assert!(rig.perform(other).is_none()),
        }
    }
    assert_eq!(under_way.len(), 2, "{under_way:?}");
}

#[test]
fn a_key_that_was_rejected_before_a_restart_is_not_tried_at_once() {
    let status = json!({
        "lastAttemptTime": "2026-01-01T00:00:00Z",
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
        let pass = loop {
            match rig.machine.next_action(rig.now).expect("a listing") {
                Action::List { pass, .. } => break pass,
                other => assert!(rig.perform(other).is_none()),
            }
        };
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
fn a_relist_that_is_behind_loses_no_mirror() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.input(Input::MirrorsRelisting(None));
    rig.input(Input::MirrorsRelisted(None));
    // The create finds it in its way, the watch shows it at the version that was known before.
    let observed = rig.api.observed("a");
    rig.input(Input::MirrorSeen(key("a"), Box::new(observed)));
    rig.run_for(60 * SECOND);
    assert_eq!(names(&rig.writes), []);

    // Where no watch shows it, it is looked at.
    rig.input(Input::MirrorsRelisting(None));
    rig.input(Input::MirrorsRelisted(None));
    rig.run_for(60 * SECOND);
    assert_eq!(
        names(&rig.writes),
        [("a", Step::Create), ("a", Step::Nothing)]
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

fn unavailable() -> ListingError {
    ListingError {
        failure: PassFailure {
            reason: "CloudUnavailable",
            message: "no".to_owned(),
            stalled: false,
            retry_after: None,
        },
        rejected: false,
    }
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
