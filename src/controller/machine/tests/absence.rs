//! Pools that the list lacks, line by line of law 3, in virtual time.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::rig::{Rig, failure, key, prune};
use super::{MINUTE, SECOND};
use crate::api::PoolCounts;
use crate::api::conditions::PRUNE_HALTED;
use crate::mirror::Step;
use crate::modelarts::Reason;

const MISSING: [&str; 3] = ["True/Running", "True/Synced", "False/Missing"];
const OVERDUE: [&str; 3] = ["Unknown/Missing", "True/Synced", "False/Missing"];
const GONE: [&str; 3] = ["False/Gone", "True/Synced", "False/Gone"];
const LISTED: [&str; 3] = ["True/Running", "True/Synced", "True/Listed"];

fn halt(rig: &Rig) -> Option<String> {
    let halted = rig.status("s").condition(PRUNE_HALTED)?;
    Some(halted.reason.clone())
}

#[test]
fn a_pool_that_is_gone_takes_its_mirror_along_after_the_grace_period() {
    let mut rig = Rig::missing(prune("Delete", "2m", 50), &["a", "b"], 1);
    rig.run_for(40 * SECOND);
    assert_eq!(rig.conditions("a"), MISSING);
    assert_eq!(rig.conditions("b"), LISTED);
    let since = rig.since("a", "Listed");
    assert!(rig.shown.is_empty(), "asked within the grace period");
    // Sums are of listed pools.
    assert_eq!(rig.status("s").pools, Some(1));
    rig.run_for(80 * SECOND);
    assert_eq!(rig.conditions("a"), MISSING);
    assert_eq!(rig.since("a", "Listed"), since);
    rig.run_for(90 * SECOND);
    assert_eq!(rig.shown, ["a"], "asked once");
    assert!(rig.api.get("a").is_none());
    let expected = [
        ("a".to_owned(), Step::ApplyStatus),
        ("a".to_owned(), Step::Delete),
    ];
    assert_eq!(rig.writes, expected);
    assert_eq!(rig.told("a"), ["PoolMissing", "PoolGone"]);
    assert!(rig.told("b").is_empty());
    rig.run_for(3_600 * SECOND);
    assert_eq!(rig.writes.len(), 2, "nothing comes after");
}

#[test]
fn a_retained_mirror_of_a_gone_pool_says_so_and_shows_no_nodes() {
    let mut rig = Rig::missing(prune("Retain", "1m", 50), &["a", "b"], 1);
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.conditions("a"), GONE);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["status"]["counts"], json!(PoolCounts::zero()));
    assert_eq!(mirror["status"]["phase"], "Running");
    assert_eq!(rig.told("a"), ["PoolMissing", "PoolGone"]);
    let (writes, shown) = (rig.writes.len(), rig.shown.len());
    rig.run_for(3_600 * SECOND);
    assert_eq!((rig.writes.len(), rig.shown.len()), (writes, shown));

    // An edit is undone, also now.
    rig.edited("a", |m| {
        m["status"]["counts"] = json!({"available": 9});
        m["metadata"]["managedFields"] = json!([]);
    });
    rig.run();
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["status"]["counts"], json!(PoolCounts::zero()));
    // It comes back in the same object.
    let uid = rig.api.observed("a").uid;
    rig.put_pool("a", "Running");
    rig.run_for(MINUTE);
    assert_eq!(rig.conditions("a"), LISTED);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["status"]["counts"], json!({}));
    assert_eq!(rig.api.observed("a").uid, uid);
    assert_eq!(rig.told("a").last(), Some(&"PoolReturned"));
}

#[test]
fn a_kept_mirror_that_somebody_deletes_is_not_restored() {
    for policy in ["Delete", "Retain"] {
        for time in [40, 300] {
            let mut rig = Rig::missing(prune(policy, "1m", 50), &["a", "b"], 1);
            rig.hidden.insert("a".to_owned(), None);
            if policy == "Retain" {
                rig.hidden.clear();
            }
            rig.run_for(time * SECOND);
            rig.deleted("a");
            rig.run_for(3_600 * SECOND);
            assert!(rig.api.get("a").is_none(), "{policy} {time}");
            // But when the pool is listed again, its mirror is made.
            rig.put_pool("a", "Running");
            rig.run_for(MINUTE);
            assert_eq!(rig.conditions("a"), LISTED, "{policy} {time}");
        }
    }
}

#[test]
fn a_pool_that_hides_stays_missing_and_returns() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.conditions("a"), OVERDUE);
    assert_eq!(rig.shown.len(), 1);
    rig.run_for(8 * MINUTE);
    assert_eq!(rig.shown.len(), 1, "asked again within ten minutes");
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.shown.len(), 2);
    rig.put_pool("a", "Running");
    rig.run_for(MINUTE);
    assert_eq!(rig.conditions("a"), LISTED);
    assert_eq!(rig.told("a"), ["PoolMissing", "PoolReturned"]);
    let expected = [Step::ApplyStatus; 3];
    let steps: Vec<Step> = rig.writes.iter().map(|(_, step)| *step).collect();
    assert_eq!(steps, expected, "missing, overdue, listed");
}

#[test]
fn a_pool_that_is_not_asked_for_any_more_is_deselected_whatever_the_policy() {
    let cases = [
        (json!({"labelSelector": "a=b"}), Some("0"), true),
        (json!({"statuses": ["created"]}), Some("0"), true),
        (json!({"workspaceIds": ["1"]}), Some("0"), true),
        // The cloud does not say the workspace: the one it was listed in counts.
        (json!({"workspaceIds": ["1"]}), None, true),
        (json!({"workspaceIds": ["0"]}), Some("1"), true),
        (json!({"workspaceIds": ["0", "1"]}), Some("1"), false),
        (json!({"workspaceIds": ["*"]}), Some("1"), false),
        (
            json!({"statuses": ["failed", "creating", "created"]}),
            Some("0"),
            false,
        ),
    ];
    for (spec, workspace, deselected) in cases {
        for policy in ["Delete", "Retain"] {
            let mut whole = prune(policy, "1m", 50);
            let target = whole.as_object_mut().expect("an object");
            target.extend(spec.as_object().expect("an object").clone());
            let mut rig = Rig::missing(whole, &["a", "b"], 1);
            rig.hidden.insert("a".to_owned(), workspace.map(Box::from));
            rig.run_for(3 * MINUTE);
            let case = format!("{spec} {workspace:?} {policy}");
            assert_eq!(rig.api.get("a").is_none(), deselected, "{case}");
            let last = if deselected {
                "PoolDeselected"
            } else {
                "PoolMissing"
            };
            assert_eq!(rig.told("a").last(), Some(&last), "{case}");
        }
    }
}

#[test]
fn too_many_missing_halt_all_before_the_cloud_is_asked() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    for (percent, missing_pools, halted) in [
        (50, 2, false),
        (50, 3, false),
        (50, 4, true),
        (50, 6, true),
        (0, 2, false),
        (0, 3, true),
        (100, 6, false),
    ] {
        let mut rig = Rig::missing(prune("Delete", "1m", percent), &ids, missing_pools);
        rig.run_for(5 * MINUTE);
        let case = format!("{percent} % {missing_pools}");
        let left = ids.iter().filter(|id| rig.api.get(id).is_some()).count();
        if halted {
            assert_eq!(halt(&rig).as_deref(), Some("TooManyMissing"), "{case}");
            assert_eq!(left, ids.len(), "{case}");
            assert!(rig.shown.is_empty(), "{case}");
            assert_eq!(rig.conditions("a"), OVERDUE, "{case}");
            assert_eq!(rig.told("s"), ["PruneHalted"], "{case}");
            let ready = rig.status("s").condition("Ready").expect("Ready");
            assert_eq!(ready.status, "True", "{case}");
        } else {
            assert_eq!(halt(&rig), None, "{case}");
            assert_eq!(left, ids.len() - missing_pools, "{case}");
        }
    }
}

#[test]
fn pools_that_were_leaving_do_not_count_in_a_mass_disappearance() {
    let mut rig = Rig::new();
    rig.spec = prune("Delete", "1m", 50);
    for (id, phase) in [
        ("a", "CreationFailed"),
        ("b", "Deleting"),
        ("c", "Error"),
        ("d", "Running"),
        ("e", "Running"),
    ] {
        rig.put_pool(id, phase);
    }
    rig.see_source("s", &json!({}));
    rig.run();
    for id in ["a", "b", "c", "d"] {
        rig.unlist(id);
    }
    rig.run_for(5 * MINUTE);
    assert_eq!(halt(&rig), None);
    assert_eq!(rig.api.names(), ["e"]);
}

#[test]
fn a_halt_ends_when_the_pools_return() {
    let ids = ["a", "b", "c"];
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &ids, 3);
    rig.run_for(5 * MINUTE);
    assert_eq!(halt(&rig).as_deref(), Some("TooManyMissing"));
    // As long as it is so, also while passes fail.
    let cloud = std::mem::replace(&mut rig.cloud, Err(failure(Reason::Throttled, None)));
    rig.run_for(MINUTE);
    assert_eq!(halt(&rig).as_deref(), Some("TooManyMissing"));
    rig.cloud = cloud;
    for id in ids {
        rig.put_pool(id, "Running");
    }
    rig.run_for(5 * MINUTE);
    assert_eq!(halt(&rig), None);
    assert_eq!(rig.conditions("b"), LISTED);
    assert_eq!(rig.told("b"), ["PoolMissing", "PoolReturned"]);
}

#[test]
fn an_error_about_one_pool_halts_nothing_but_the_prune() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b", "c", "d"], 2);
    rig.show_failure = Some(failure(Reason::CloudUnavailable, None));
    rig.run_for(5 * MINUTE);
    assert_eq!(halt(&rig).as_deref(), Some("ConfirmationFailed"));
    assert_eq!(rig.conditions("a"), OVERDUE);
    let ready = rig.status("s").condition("Ready").expect("Ready");
    assert_eq!(ready.status, "True");
    // The first error ends it for that pass, and the next one begins with another pool.
    assert_eq!(rig.shown[..3], ["a", "b", "a"]);
    rig.show_failure = None;
    rig.run_for(MINUTE);
    assert_eq!(halt(&rig), None);
    assert_eq!(rig.api.names(), ["c", "d"]);
}

#[test]
fn what_the_cloud_asks_for_when_asked_for_one_pool_is_obeyed() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.show_failure = Some(failure(Reason::Throttled, Some(10 * MINUTE)));
    rig.run_for(3 * MINUTE);
    let listings = rig.listings;
    assert_eq!(rig.shown.len(), 1);
    rig.run_for(8 * MINUTE);
    assert_eq!(rig.listings, listings, "asked before the time was over");
    // A rejected key is used no more.
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 1);
    rig.show_failure = Some(failure(Reason::CredentialsRejected, None));
    rig.run_for(3 * MINUTE);
    let listings = rig.listings;
    assert_eq!(rig.shown.len(), 1);
    rig.run_for(3 * MINUTE);
    assert_eq!((rig.listings, rig.shown.len()), (listings, 1));
}

#[test]
fn twenty_pools_are_asked_about_in_a_pass() {
    let ids: Vec<String> = (0..100).map(|i| format!("p{i:03}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &ids, 50);
    while rig.shown.is_empty() {
        rig.run_for(SECOND);
    }
    assert_eq!(rig.shown.len(), 20);
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.shown.len(), 50);
    assert_eq!(rig.api.names().len(), 50);
}

#[test]
fn absence_clocks_survive_a_restart() {
    let mut rig = Rig::missing(prune("Delete", "1h", 50), &["a", "b"], 1);
    rig.run_for(50 * MINUTE);
    let since = rig.since("a", "Listed");
    rig.restart();
    rig.run_for(5 * MINUTE);
    assert_eq!(rig.conditions("a"), MISSING);
    assert_eq!(rig.since("a", "Listed"), since);
    assert!(rig.shown.is_empty());
    rig.run_for(6 * MINUTE);
    assert!(rig.api.get("a").is_none(), "{:?}", rig.conditions("a"));
}

#[test]
fn the_first_listing_of_a_process_is_not_two() {
    // It was not missing when the former process ended.
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    rig.restart();
    rig.pass_time(3_600 * SECOND);
    rig.run();
    assert_eq!(rig.conditions("a"), MISSING);
    assert!(rig.shown.is_empty());
    rig.run_for(40 * SECOND);
    assert!(rig.api.get("a").is_none());
}

#[test]
fn a_changed_spec_restarts_the_clocks() {
    for restart in [false, true] {
        let mut rig = Rig::missing(prune("Delete", "10m", 50), &["a", "b"], 1);
        rig.run_for(8 * MINUTE);
        let since = rig.since("a", "Listed");
        let changed = json!({"generation": 2, "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update", "time": rig.now.wall, "fieldsV1": {"f:spec": {"f:interval": {}}}},
            {"manager": "x", "operation": "Update", "subresource": "status", "fieldsV1": {"f:spec": {}}},
        ]});
        rig.run_for(2 * SECOND);
        rig.see_source("s", &changed);
        if restart {
            rig.restart();
        }
        rig.run_for(5 * MINUTE);
        assert!(rig.since("a", "Listed") > since, "{restart}");
        assert_eq!(rig.conditions("a"), MISSING, "{restart}");
        assert!(rig.shown.is_empty(), "{restart}");
        rig.run_for(6 * MINUTE);
        assert!(rig.api.get("a").is_none(), "{restart}");
    }
}

/// Another spec, which somebody wrote at this time.
fn changed_at(time: Timestamp) -> Value {
    json!({"generation": 2, "managedFields": [
        {"manager": "kubectl-edit", "operation": "Update", "time": time, "fieldsV1": {"f:spec": {}}}]})
}

/// A process ends with the change of the spec of `s`; for the next, `a` is missing since it has looked itself.
fn assert_the_clock_restarts(mut rig: Rig, changed: &Value) {
    let since = rig.since("a", "Listed");
    rig.see_source("s", changed);
    rig.restart();
    rig.run_for(9 * MINUTE);
    assert!(rig.since("a", "Listed") > since);
    rig.run_for(50 * SECOND);
    assert!(rig.shown.is_empty());
}

#[test]
fn a_spec_that_is_changed_in_the_second_of_the_first_absence_restarts_the_clock() {
    let mut rig = Rig::missing(prune("Delete", "10m", 50), &["a", "b"], 1);
    rig.run_for(40 * SECOND);
    assert_eq!(rig.conditions("a"), MISSING);
    // Kubernetes keeps whole seconds of both times: which was first is not known.
    let changed = changed_at(rig.since("a", "Listed"));
    assert_the_clock_restarts(rig, &changed);
}

#[test]
fn a_spec_that_was_changed_unseen_before_the_first_absence_restarts_the_clock() {
    let mut rig = Rig::missing(prune("Delete", "10m", 50), &["a", "b"], 1);
    let changed = changed_at(rig.now.wall);
    rig.run_for(40 * SECOND);
    // The watch was late.
    assert_the_clock_restarts(rig, &changed);
}

#[test]
fn an_interval_longer_than_the_grace_period_still_needs_two_listings() {
    let mut spec = prune("Delete", "0s", 50);
    spec["interval"] = json!("1h");
    let mut rig = Rig::missing(spec, &["a", "b"], 1);
    rig.run_for(70 * MINUTE);
    assert_eq!(rig.conditions("a"), MISSING);
    assert!(rig.shown.is_empty());
    rig.run_for(70 * MINUTE);
    assert!(rig.api.get("a").is_none());
}

#[test]
fn failed_listings_are_no_absence_and_no_presence() {
    let mut rig = Rig::missing(prune("Delete", "2m", 50), &["a", "b"], 1);
    rig.run_for(40 * SECOND);
    let cloud = std::mem::replace(
        &mut rig.cloud,
        Err(failure(Reason::IncompleteListing, None)),
    );
    rig.run_for(50 * SECOND);
    assert_eq!(rig.conditions("a"), MISSING);
    rig.run_for(60 * MINUTE);
    assert!(rig.shown.is_empty());
    assert_eq!(
        rig.conditions("a"),
        ["Unknown/Stale", "False/ListFailed", "False/Missing"]
    );
    rig.cloud = cloud;
    rig.run_for(15 * MINUTE);
    assert!(rig.api.get("a").is_none());
}

#[test]
fn an_edit_of_a_missing_mirror_is_undone() {
    let mut rig = Rig::missing(prune("Delete", "1h", 50), &["a", "b"], 1);
    rig.run_for(MINUTE);
    rig.edited("a", |m| m["spec"]["type"] = json!("mine"));
    rig.run();
    assert_eq!(
        rig.api.get("a").expect("a mirror")["spec"]["type"],
        "Dedicate"
    );
    rig.edited("a", |m| m["metadata"]["ownerReferences"] = json!([]));
    rig.run_for(2 * SECOND);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["metadata"]["ownerReferences"][0]["uid"], "uid-of-s");
    assert_eq!(rig.told("a"), ["PoolMissing", "MirrorRestored"]);
}

#[test]
fn a_mirror_that_no_listing_of_this_process_had_is_told_missing_by_its_conditions() {
    let mut rig = Rig::missing(prune("Retain", "1m", 50), &["a", "b"], 1);
    rig.restart();
    rig.run();
    assert_eq!(rig.conditions("a"), MISSING);
    assert_eq!(rig.writes, [("a".to_owned(), Step::PatchStatus)]);
    assert_eq!(
        rig.api.get("a").expect("a mirror")["status"]["phase"],
        "Running"
    );
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.conditions("a"), GONE);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["status"]["counts"], json!(PoolCounts::zero()));
    assert_eq!(rig.writes.len(), 2);
    assert_eq!(rig.told("a"), ["PoolMissing", "PoolGone"]);
    // Another process says nothing new.
    rig.restart();
    rig.run_for(60 * MINUTE);
    assert_eq!(rig.writes.len(), 2);
}

#[test]
fn a_gone_mirror_goes_once_the_policy_says_so() {
    let mut rig = Rig::missing(prune("Retain", "1m", 50), &["a", "b"], 1);
    rig.run_for(3 * MINUTE);
    assert_eq!(rig.conditions("a"), GONE);
    rig.spec = prune("Delete", "1m", 50);
    rig.see_source("s", &json!({"generation": 2}));
    rig.run_for(30 * SECOND);
    assert_eq!(rig.conditions("a"), GONE);
    rig.run_for(2 * MINUTE);
    assert!(rig.api.get("a").is_none());
}

#[test]
fn a_pool_that_can_be_mirrored_no_more_is_not_missing() {
    let mut rig = Rig::missing(prune("Delete", "0s", 50), &["a", "b"], 1);
    rig.too_large = vec!["a".to_owned()];
    rig.run_for(10 * MINUTE);
    assert!(rig.shown.is_empty());
    assert_eq!(
        rig.conditions("a"),
        ["Unknown/TooLarge", "False/TooLarge", "True/Listed"]
    );
    rig.too_large.clear();
    rig.put_pool("a", "Running");
    rig.run_for(MINUTE);
    assert_eq!(rig.conditions("a"), LISTED);
}

#[test]
fn another_pool_under_the_same_id_takes_the_same_mirror() {
    let mut rig = Rig::new();
    let created = |time: &str| json!({"metadata": {"name": "a", "creationTimestamp": time}, "spec": {"type": "Dedicate"}, "status": {"phase": "Running"}});
    rig.put("a", created("2022-09-16T03:10:40Z"));
    rig.see_source("s", &json!({}));
    rig.run();
    let uid = rig.api.observed("a").uid;
    rig.put("a", created("2025-01-01T00:00:00Z"));
    rig.run_for(MINUTE);
    assert_eq!(rig.told("a"), ["PoolReplaced"]);
    assert_eq!(rig.api.observed("a").uid, uid);
    rig.restart();
    rig.run_for(MINUTE);
    assert_eq!(rig.told("a"), ["PoolReplaced"]);
}

#[test]
fn of_two_sources_over_the_same_pools_the_second_takes_what_the_first_leaves() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 0);
    rig.see_source("t", &json!({}));
    rig.run_for(MINUTE);
    let skipped = rig.status("t").skipped.as_ref().expect("conflicts");
    assert_eq!(skipped.count, 2);
    assert_eq!(rig.told("t"), ["NameConflict"]);
    // The first asks for other workspaces.
    rig.leave_out("s", "a");
    rig.hidden.insert("a".to_owned(), Some("0".into()));
    rig.spec = json!({"workspaceIds": ["1"], "prune": {"gracePeriod": "1m"}});
    rig.see_source("s", &json!({"generation": 2}));
    rig.run_for(5 * MINUTE);
    let mirror = rig.api.get("a").expect("a mirror");
    assert_eq!(mirror["metadata"]["ownerReferences"][0]["uid"], "uid-of-t");
    assert_eq!(rig.status("t").pools, Some(1));
}

#[test]
fn a_strangers_object_with_our_owner_is_judged_like_any_mirror() {
    let mut rig = Rig::missing(prune("Delete", "1m", 50), &["a", "b"], 0);
    let made = rig.api.make_owned("x", "s");
    rig.input(crate::controller::machine::Input::MirrorSeen(
        key("x"),
        Box::new(made),
    ));
    rig.run_for(MINUTE);
    assert_eq!(rig.conditions("x")[2], "False/Missing");
    rig.run_for(2 * MINUTE);
    assert!(rig.api.get("x").is_none());
}
