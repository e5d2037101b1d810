//! An API server that fails at the writes to mirrors, and at nothing else.

use std::collections::BTreeSet;

use serde_json::json;

use super::rig::{Rig, key};
use super::{MINUTE, SECOND};
use crate::api::ModelArtsPoolSourceStatus;
use crate::api_server::WriteError;
use crate::controller::events::{Event, News};
use crate::controller::key::Key;
use crate::controller::machine::{Action, Input, WriteOrder, WriteTicket};

fn failed() -> WriteError {
    WriteError::ServerError("failed calling webhook".to_owned())
}

fn throttled() -> WriteError {
    WriteError::Throttled {
        message: "slow down".to_owned(),
        retry_after: Some(1),
    }
}

/// Lets `time` pass while the writes to mirrors that `fails` names fail; how many those were.
fn fail_for(
    rig: &mut Rig,
    time: std::time::Duration,
    error: &WriteError,
    fails: impl Fn(&str) -> bool,
) -> usize {
    let end = rig.now.instant + time;
    let mut count = 0;
    while rig.now.instant < end {
        // As many at once as may be.
        let under_way: Vec<_> = std::iter::from_fn(|| rig.next_write()).collect();
        for write in under_way {
            let answer = if fails(&write.0.mirror.name) {
                count += 1;
                Err(error.clone())
            } else {
                rig.write(&write)
            };
            rig.answer(write.0, answer);
        }
        rig.check_rest();
        rig.pass_time(SECOND / 10);
    }
    count
}

#[test]
fn it_is_not_pressed_says_so_soon_and_recovers() {
    for (error, reason) in [
        (failed(), "WriteFailed"),
        (throttled(), "APIServerThrottled"),
    ] {
        let mut rig = Rig::new();
        for id in 0..500 {
            rig.put_pool(&format!("p-{id:03}"), "Running");
        }
        rig.see_source("s", &json!({}));
        let tries = fail_for(&mut rig, 5 * SECOND, &error, |_| true);
        assert!((10..=40).contains(&tries), "{error}: {tries} tries in 5 s");
        let ready = rig.status("s").condition("Ready").expect("Ready");
        assert_eq!(ready.reason, reason, "{error}");
        // Passes come and go meanwhile, and the reports of their failures are accepted.
        let tries = fail_for(&mut rig, 10 * MINUTE, &error, |_| true);
        assert!(
            (100..=700).contains(&tries),
            "{error}: {tries} tries in 10 min"
        );
        assert_eq!(rig.machine.stuck(rig.now.instant, MINUTE), None);

        rig.run_for(40 * SECOND);
        assert_eq!(rig.api.names().len(), 500, "{error}");
    }
}

#[test]
fn mirrors_that_fail_alone_stop_no_other() {
    let mut rig = Rig::new();
    for id in ["bad-1", "bad-2", "bad-3", "good"] {
        rig.put_pool(id, "Running");
    }
    rig.see_source("s", &json!({}));
    let bad = |name: &str| name.starts_with("bad");
    let tries = fail_for(&mut rig, MINUTE, &failed(), bad);
    assert!((9..=24).contains(&tries), "{tries} tries in a minute");
    // A repair of another one begins at once, whatever those do.
    for _ in 0..20 {
        rig.edited("good", |mirror| mirror["spec"]["type"] = json!("edited"));
        let repair = rig.next_write().expect("a repair");
        assert_eq!(repair.0.mirror, key("good"));
        let answer = rig.write(&repair);
        rig.answer(repair.0, answer);
        fail_for(&mut rig, 61 * SECOND, &failed(), bad);
    }
}

fn timed_out() -> WriteError {
    WriteError::TimedOut("a webhook hangs".to_owned())
}

fn no_answer() -> WriteError {
    WriteError::NoAnswer("no answer within 4 s".to_owned())
}

/// A source `s` without a pool, and a source `t` with one, `calm`, in another namespace.
fn two_namespaces() -> Rig {
    let mut rig = Rig::new();
    rig.put_pool("calm", "Running");
    rig.leave_out("s", "calm");
    rig.see_source("s", &json!({}));
    rig.see_source("t", &json!({"namespace": "calm"}));
    rig.run();
    rig
}

fn put_pools(rig: &mut Rig, count: usize) {
    for id in 0..count {
        let id = format!("p-{id:03}");
        rig.put_pool(&id, "Running");
        rig.leave_out("t", &id);
    }
}

/// Somebody edits the mirror in the calm namespace: that is undone at once. What else begins in that moment hangs.
fn repair_calm(rig: &mut Rig, hanging: &mut Vec<(WriteTicket, WriteOrder)>) {
    let mirror = Key::new("calm", "calm");
    let observed = rig
        .api
        .edit("calm", |m| m["spec"]["type"] = json!("edited"));
    rig.input(Input::MirrorSeen(mirror.clone(), Box::new(observed)));
    while let Some(write) = rig.next_write() {
        if write.0.mirror == mirror {
            let answer = rig.write(&write);
            rig.answer(write.0, answer);
        } else {
            hanging.push(write);
        }
    }
    let repaired = rig.api.get("calm").expect("a mirror");
    assert_eq!(repaired["spec"]["type"], "Dedicate");
}

/// All writes in one namespace hang: the first that come, and each later one.
#[test]
fn a_namespace_whose_writes_hang_stops_no_other() {
    for error in [timed_out(), no_answer()] {
        let mut rig = two_namespaces();
        put_pools(&mut rig, 50);
        rig.pass_time(MINUTE);
        let mut hanging: Vec<_> = std::iter::from_fn(|| rig.next_write()).collect();
        assert_eq!(hanging.len(), 16, "{error}");
        for _ in 0..10 {
            let before = hanging.len();
            repair_calm(&mut rig, &mut hanging);
            assert_eq!(hanging.len(), before, "{error}");
            rig.pass_time(3 * SECOND);
            for (ticket, _) in hanging.drain(..) {
                assert_eq!(&*ticket.mirror.namespace, "ns", "{error}");
                rig.answer(ticket, Err(error.clone()));
            }
            hanging.extend(std::iter::from_fn(|| rig.next_write()));
            assert_eq!(hanging.len(), 1, "{error}: one goes at a time");
            rig.check_rest();
            // Passes come and go meanwhile.
            let synced = rig.status("t").last_sync_time.clone();
            rig.pass_time(MINUTE);
            assert!(rig.next_write().is_none(), "{error}");
            assert!(rig.status("t").last_sync_time > synced, "{error}");
            let ready = rig.status("s").condition("Ready").expect("Ready");
            assert_eq!(ready.reason, "WriteFailed", "{error}");
            assert!(ready.message.contains("mirror ns/p-"), "{}", ready.message);
        }
        for write in hanging {
            let answer = rig.write(&write);
            rig.answer(write.0, answer);
        }
        rig.run_for(MINUTE);
        assert_eq!(rig.api.names().len(), 51, "{error}");
    }
}

/// So many namespaces that their probes alone would be all that may be under way.
#[test]
fn many_namespaces_whose_writes_hang_stop_no_other() {
    let mut rig = two_namespaces();
    for n in 0..40 {
        let (source, pool) = (format!("s-{n:02}"), format!("q-{n:02}"));
        let namespace = json!({"namespace": format!("ns-{n:02}")});
        for other in ["s", "t"] {
            rig.leave_out(other, &pool);
        }
        for other in (0..40).filter(|other| *other != n) {
            rig.leave_out(&source, &format!("q-{other:02}"));
        }
        rig.leave_out(&source, "calm");
        rig.put_pool(&pool, "Running");
        rig.see_source(&source, &namespace);
    }
    for _ in 0..60 {
        let mut hanging: Vec<_> = std::iter::from_fn(|| rig.next_write()).collect();
        rig.pass_time(61 * SECOND);
        repair_calm(&mut rig, &mut hanging);
        assert!(hanging.len() <= 16, "{} at once", hanging.len());
        rig.pass_time(3 * SECOND);
        for (ticket, _) in hanging {
            rig.answer(ticket, Err(timed_out()));
        }
    }
    rig.run_for(10 * MINUTE);
    assert_eq!(rig.api.names().len(), 41);
}

/// Nothing is decided on, as where the storage is away: everything waits, whatever the namespace.
#[test]
fn calls_that_nothing_answers_pause_all() {
    let mut rig = two_namespaces();
    put_pools(&mut rig, 50);
    rig.pass_time(MINUTE);
    let hanging: Vec<_> = std::iter::from_fn(|| rig.next_write()).collect();
    rig.api.unreachable = true;
    rig.pass_time(4 * SECOND);
    for (ticket, _) in hanging {
        rig.answer(ticket, Err(no_answer()));
    }
    assert!(rig.next_write().is_none(), "a pause");
    rig.api.unreachable = false;
    rig.run_for(MINUTE);
    let said =
        |status: &ModelArtsPoolSourceStatus| status.condition("Ready").map(|c| c.reason.clone());
    let said: Vec<_> = rig
        .reports
        .iter()
        .filter_map(|(_, status)| said(status))
        .collect();
    assert!(
        said.iter().any(|reason| reason == "APIServerUnreachable"),
        "{said:?}"
    );
    assert_eq!(rig.api.names().len(), 51);
}

/// The statuses of sources that are written next, as many as may be.
fn next_reports(rig: &mut Rig) -> Vec<(Key, Box<str>, u64)> {
    let mut reports = Vec::new();
    while let Some(action) = rig.machine.next_action(rig.now) {
        match action {
            Action::Report {
                key, uid, number, ..
            } => reports.push((key, uid, number)),
            other => assert!(rig.perform(other).is_none(), "a write"),
        }
    }
    rig.check_rest();
    reports
}

/// Many statuses are to be written at once: a few are under way, and each comes to its turn.
#[test]
fn statuses_are_written_a_few_at_a_time() {
    let mut rig = Rig::new();
    rig.spec = json!({"suspend": true});
    for n in 0..30 {
        rig.see_source(&format!("s-{n:02}"), &json!({}));
    }
    let mut under_way = next_reports(&mut rig);
    assert_eq!(under_way.len(), 8);
    let failed: BTreeSet<Key> = under_way.iter().map(|(key, ..)| key.clone()).collect();
    for (key, uid, number) in under_way.drain(..) {
        rig.input(Input::Reported(key, uid, number, Err(timed_out())));
    }
    rig.pass_time(5 * SECOND);
    // Those that have not failed have the most room.
    under_way = next_reports(&mut rig);
    assert_eq!(under_way.len(), 8);
    assert!(under_way.iter().all(|(key, ..)| !failed.contains(key)));
    let mut told = BTreeSet::new();
    while !under_way.is_empty() {
        let (key, uid, number) = under_way.remove(0);
        let hangs = failed.contains(&key) && told.len() < 22;
        let answer = if hangs {
            Err(timed_out())
        } else {
            told.insert(key.clone());
            Ok(())
        };
        rig.input(Input::Reported(key, uid, number, answer));
        rig.pass_time(SECOND);
        under_way.extend(next_reports(&mut rig));
        let retried = under_way.iter().filter(|(key, ..)| failed.contains(key));
        assert!(under_way.len() <= 8 && (told.len() >= 22 || retried.count() <= 4));
    }
    assert_eq!(told.len(), 30);
}

/// A webhook or a flow control that throttles the writes to one mirror.
#[test]
fn a_mirror_that_alone_is_throttled_fails_no_other_pass() {
    let mut rig = two_namespaces();
    rig.put_pool("bad", "Running");
    rig.leave_out("t", "bad");
    rig.reports.clear();
    let mut tries = 0;
    for n in 0..20 {
        let phase = if n % 2 == 0 { "Abnormal" } else { "Running" };
        rig.put_pool("calm", phase);
        tries += fail_for(&mut rig, 31 * SECOND, &throttled(), |name| name == "bad");
    }
    assert!((10..=60).contains(&tries), "{tries} tries in 10 min");
    let ready = |name: &str, reason: &str| {
        let of = rig.reports.iter().filter(|(source, _)| source == name);
        let said = of.filter_map(|(_, status)| status.condition("Ready"));
        said.map(|c| c.reason == reason).collect::<Vec<_>>()
    };
    let calm = ready("t", "Synced");
    assert!(
        calm.len() > 10 && calm.iter().all(|is_so| *is_so),
        "{calm:?}"
    );
    assert!(ready("s", "APIServerThrottled").contains(&true));
}

/// Each source is looked for before it is written for; the API server answers that with errors.
#[test]
fn failing_checks_are_a_few_at_once_and_seldom() {
    let unreachable = WriteError::Unreachable("no route".to_owned());
    for (error, at_once) in [(failed(), 8), (unreachable, 8)] {
        let mut rig = Rig::new();
        for n in 0..30 {
            let (source, pool) = (format!("s-{n:02}"), format!("q-{n:02}"));
            for other in (0..30).filter(|other| *other != n) {
                rig.leave_out(&source, &format!("q-{other:02}"));
            }
            rig.put_pool(&pool, "Running");
            rig.see_source(&source, &json!({"namespace": format!("ns-{n:02}")}));
        }
        let mut begun = 0;
        for _ in 0..600 {
            let mut under_way = Vec::new();
            while let Some(action) = rig.machine.next_action(rig.now) {
                match action {
                    Action::Check { key, uid } => under_way.push((key, uid)),
                    other => assert!(rig.perform(other).is_none(), "unchecked"),
                }
            }
            rig.check_rest();
            assert!(under_way.len() <= at_once, "{error}: {}", under_way.len());
            begun += under_way.len();
            for (key, uid) in under_way {
                rig.input(Input::Checked(key, uid, Err(error.clone())));
            }
            rig.pass_time(SECOND / 10);
        }
        assert!((10..=210).contains(&begun), "{error}: {begun} in a minute");
        rig.run_for(2 * MINUTE);
        assert_eq!(rig.api.names().len(), 30, "{error}");
    }
}

/// Where the API server takes events slowly, those that wait are bounded, and the latest are kept.
#[test]
fn events_that_nobody_takes_are_dropped_from_the_oldest() {
    let mut rig = Rig::new();
    for n in 0..1_100 {
        rig.machine.push_event(Event {
            kind: "ModelArtsPool",
            object: key(&format!("p-{n:04}")),
            uid: "u".into(),
            at: rig.now.wall,
            news: News {
                warning: true,
                reason: "PhaseChanged",
                note: String::new(),
            },
        });
    }
    let waiting = rig.machine.take_events();
    assert_eq!(waiting.len(), 1_000);
    assert_eq!(waiting[0].object, key("p-0100"));
}
