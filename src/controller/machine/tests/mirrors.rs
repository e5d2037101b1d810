//! Single mirrors: races of writes, watches and relists.

use serde_json::json;

use super::rig::{NAMESPACE, Rig, key, prune, uid};
use super::{MINUTE, SECOND};
use crate::api::{API_VERSION, POOL_KIND};
use crate::api_server::WriteError;
use crate::controller::machine::{Action, Input};
use crate::mirror::Step;
use crate::mirror::apply::Written;

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
    let shown = rig.api.observed("a");
    rig.input(Input::MirrorSeen(key("a"), Box::new(shown)));
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
    rig.answer(write.0, Ok(Written::Stored(Box::new(edited.clone()))));
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

/// Another source that lists the pool, too, creates its mirror only after somebody has looked for that source since.
#[test]
fn a_deletion_seen_while_a_write_is_under_way_has_all_sources_checked() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.see_source("t", &json!({}));
    rig.run();
    rig.edited("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    let mut checks = Vec::new();
    for _ in 0..40 {
        while let Some(action) = rig.machine.next_action(rig.now) {
            checks.push(action);
        }
        rig.pass_time(SECOND / 20);
    }
    let second = checks.pop().expect("a check of the second");
    let Action::Check { key: other, .. } = &second else {
        panic!("{second:?}");
    };
    let other = other.clone();
    let is_its_check = |a: &Action| matches!(a, Action::Check { key, .. } if *key == other);
    rig.perform(checks.pop().expect("a check of the first"));
    let write = rig.next_write().expect("it is taken back");
    let version = rig.api.delete("a");
    rig.input(Input::MirrorGone(key("a"), version));
    let answer = rig.write(&write);
    rig.answer(write.0, answer);
    rig.perform(second);
    let (mut checked, mut created) = (false, false);
    for _ in 0..40 {
        while let Some(action) = rig.machine.next_action(rig.now) {
            checked |= is_its_check(&action);
            if let Some((ticket, order)) = rig.perform(action) {
                created |= ticket.step == Step::Create && ticket.source == other;
                assert!(checked || !created, "it is created without a look");
                // That of the other source is not accepted: both come to it.
                let answer = match ticket.step {
                    Step::Create => Err(WriteError::Refused("a quota".to_owned())),
                    _ => rig.api.write(&ticket, &order),
                };
                rig.answer(ticket, answer);
            }
        }
        rig.pass_time(SECOND / 20);
    }
    assert!(created);
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
fn one_mirror_that_is_never_answered_is_tried_now_and_then_and_stops_no_other() {
    let mut rig = Rig::new();
    for id in ["a", "b", "c"] {
        rig.put_pool(id, "Running");
    }
    rig.see_source("s", &json!({}));
    let mut tries = 0;
    for _ in 0..60 * 20 {
        while let Some(write) = rig.next_write() {
            let answer = if &*write.0.mirror.name == "a" {
                tries += 1;
                Err(WriteError::Unreachable("reset".to_owned()))
            } else {
                rig.write(&write)
            };
            rig.answer(write.0, answer);
        }
        rig.check_rest();
        rig.pass_time(SECOND / 20);
    }
    assert!((15..=25).contains(&tries), "{tries} tries in a minute");
    assert!(rig.api.get("b").is_some() && rig.api.get("c").is_some());
}

#[test]
fn what_a_stranger_did_to_times_comes_back() {
    let mut rig = Rig::with_pools(&["a"]);
    let before = rig.api.get("a").expect("a mirror")["status"].clone();
    rig.pass_time(20 * SECOND);
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
fn a_mirror_whose_change_is_refused_says_that_it_is_old() {
    let refused = || Err(WriteError::Refused("a policy says no".to_owned()));
    let mut rig = Rig::with_pools(&["a"]);
    let pool = json!({"metadata": {"name": "a"}, "spec": {"type": "Logical"}, "status": {"phase": "Running"}});
    rig.put("a", pool);
    rig.pass_time(40 * SECOND);
    let (ticket, _) = rig.next_write().expect("a write");
    assert_eq!(ticket.step, Step::Apply);
    rig.answer(ticket, refused());
    rig.run();
    assert_eq!(
        rig.conditions("a"),
        ["Unknown/Refused", "False/Refused", "True/Listed"]
    );
    assert_eq!(
        rig.api.get("a").expect("a mirror")["spec"]["type"],
        "Dedicate"
    );
    let skipped = rig.status("s").skipped.as_ref().expect("a skipped pool");
    assert_eq!(skipped.pools[0].reason, "Refused");
    // Not even that may be said: nothing is tried again and again.
    let mut writes = Vec::new();
    for _ in 0..20 {
        while let Some((ticket, _)) = rig.next_write() {
            writes.push(ticket.step);
            rig.answer(ticket, refused());
        }
        rig.pass_time(30 * SECOND);
    }
    assert!(writes.len() <= 3, "{writes:?}");
    // It is taken at last.
    rig.run_for(600 * SECOND);
    assert_eq!(
        rig.conditions("a"),
        ["True/Running", "True/Synced", "True/Listed"]
    );
    assert_eq!(rig.status("s").skipped, None);
}

#[test]
fn a_mirror_that_another_source_left_is_not_restored() {
    let mut rig = Rig::with_spec(prune("Delete", "1m", 50), &["a", "b"]);
    rig.see_source("t", &json!({}));
    rig.run_for(60 * SECOND);
    rig.leave_out("s", "a");
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.spec = json!({"workspaceIds": ["1"], "prune": {"gracePeriod": "1m"}});
    rig.see_source("s", &json!({"generation": 2}));
    let end = rig.now.instant + 5 * (60 * SECOND);
    while rig.now.instant < end {
        while let Some(write) = rig.next_write() {
            let delete = write.0.step == Step::Delete;
            let answer = rig.write(&write);
            let version = rig.api.version();
            rig.answer(write.0, answer);
            if delete {
                rig.input(Input::MirrorGone(key("a"), version));
            }
        }
        rig.pass_time(SECOND);
    }
    assert!(
        !rig.told("a").contains(&"MirrorRestored"),
        "{:?}",
        rig.events
            .iter()
            .filter(|e| &*e.object.name == "a")
            .map(|e| &e.news)
            .collect::<Vec<_>>()
    );
}

#[test]
fn what_is_refused_is_not_told_as_restored() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.edited("a", |m| m["spec"]["type"] = json!("mine"));
    while let Some(write) = rig.next_write() {
        if write.0.step == Step::Apply {
            rig.answer(write.0, Err(WriteError::Refused("a policy".to_owned())));
        } else {
            let answer = rig.write(&write);
            rig.answer(write.0, answer);
        }
    }
    assert_eq!(rig.api.get("a").expect("a")["spec"]["type"], "mine");
    assert!(rig.told("a").is_empty(), "{:?}", rig.told("a"));
}

/// Somebody makes anew what is being deleted, and the watch is faster than the answer.
#[test]
fn what_is_made_anew_before_the_answer_of_its_deletion_is_another() {
    let mut rig = Rig::missing(prune("Delete", "0s", 100), &["a", "b"], 1);
    let mut deletion = None;
    for _ in 0..600 {
        match rig.next_write() {
            Some(write) if write.0.step == Step::Delete => {
                deletion = Some(write);
                break;
            }
            Some(write) => {
                let answer = rig.write(&write);
                rig.answer(write.0, answer);
            }
            None => rig.pass_time(SECOND),
        }
    }
    let deletion = deletion.expect("a deletion");
    let answer = rig.write(&deletion);
    let version = rig.api.version();
    rig.input(Input::MirrorGone(key("a"), version));
    let strange = json!({"apiVersion": API_VERSION, "kind": POOL_KIND, "spec": {},
        "metadata": {"namespace": "ns", "name": "a", "uid": "another"}});
    let strange = rig.api.make("a", strange);
    rig.input(Input::MirrorSeen(key("a"), Box::new(strange)));
    rig.answer(deletion.0, answer);
    // The pool returns, and its name is held.
    rig.put_pool("a", "Running");
    rig.writes.clear();
    rig.run_for(5 * MINUTE);
    assert!(rig.writes.len() < 20, "{:?}", names(&rig.writes));
    let skipped = rig.status("s").skipped.clone().expect("skipped pools");
    assert_eq!(skipped.pools[0].reason, "NameConflict");
}

/// An orphaning deletion strips a mirror while a write to it is under way.
#[test]
fn an_owner_stripped_during_a_write_waits_for_a_check_of_the_source() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.edited("a", |m| m["spec"]["type"] = json!("edited"));
    let repair = rig.next_write().expect("a repair");
    let orphan = rig
        .api
        .edit("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.input(Input::MirrorSeen(key("a"), Box::new(orphan)));
    let answer = rig.write(&repair);
    assert!(answer.is_err(), "another version is there");
    rig.answer(repair.0, answer);
    let mut checked = false;
    for _ in 0..100 {
        while let Some(action) = rig.machine.next_action(rig.now) {
            assert!(
                !matches!(action, Action::Write(..)),
                "before a check: {action:?}"
            );
            if matches!(action, Action::Check { .. }) {
                checked = true;
                rig.input(Input::Checked(key("s"), uid("s").into(), Ok(false)));
            } else {
                rig.perform(action);
            }
        }
        rig.pass_time(SECOND);
    }
    assert!(checked);
}
