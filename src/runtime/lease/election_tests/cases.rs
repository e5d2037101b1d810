//! What one replica does, case by case.

use serde_json::json;

use super::{Replica, SECOND, Server};
use crate::runtime::lease::election::*;

#[test]
fn where_there_is_no_lease_it_is_made_and_held_at_once() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    assert_eq!(replica.holds(), Some(1));
    assert_eq!(replica.calls, ["look", "write"]);
    let lease = json!(server.lease.expect("a lease"));
    assert_eq!(lease["metadata"]["name"], "lease");
    let epoch = "1970-01-01T00:00:00.000000Z";
    let spec = json!({
        "holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 0,
        "acquireTime": epoch, "renewTime": epoch,
    });
    assert_eq!(lease["spec"], spec);
}

#[test]
fn it_is_renewed_every_two_seconds_or_so_in_one_term() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    replica.calls.clear();
    replica.run_for(&mut server, 600 * SECOND);
    assert!(
        (270..=330).contains(&replica.calls.len()),
        "{}",
        replica.calls.len()
    );
    assert!(replica.calls.iter().all(|call| *call == "write"));
    assert_eq!(replica.holds(), Some(1));
    assert_eq!(json!(server.lease)["spec"]["leaseTransitions"], 0);
}

/// After so long without a change before the replica's own eyes, and whatever times the holder wrote.
#[test]
fn what_another_holds_is_taken_when_it_has_not_changed_for_its_duration() {
    for (spec, seconds) in [
        (
            json!({"holderIdentity": "b", "leaseDurationSeconds": 15, "renewTime": "1970-01-01T00:00:00.000000Z"}),
            15,
        ),
        (
            json!({"holderIdentity": "b", "leaseDurationSeconds": 15, "renewTime": "2999-01-01T00:00:00.000000Z"}),
            15,
        ),
        (
            json!({"holderIdentity": "b", "leaseDurationSeconds": 60}),
            60,
        ),
        (json!({"holderIdentity": "b"}), 15),
        (
            json!({"holderIdentity": "b", "leaseDurationSeconds": 1}),
            15,
        ),
        (
            json!({"holderIdentity": "b", "leaseDurationSeconds": 1_000_000}),
            60,
        ),
    ] {
        let (mut server, mut replica) = (Server::default(), Replica::new("a"));
        server.put(&spec);
        replica.run_for(&mut server, Duration::from_millis(seconds * 1000 - 1));
        assert_eq!(replica.holds(), None, "{spec}: too soon");
        replica.run_for(&mut server, Duration::from_millis(1));
        assert_eq!(replica.holds(), Some(1), "{spec}: too late");
        let lease = json!(server.lease);
        assert_eq!(lease["spec"]["holderIdentity"], "a");
        assert_eq!(lease["metadata"]["annotations"]["a"], "kept");
    }
}

#[test]
fn each_change_that_is_seen_begins_the_time_anew() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    let held = json!({"holderIdentity": "b", "leaseDurationSeconds": 15});
    for _ in 0..5 {
        server.put(&held);
        replica.run_for(&mut server, 14 * SECOND);
        assert_eq!(replica.holds(), None);
    }
    replica.run_for(&mut server, 3 * SECOND);
    assert_eq!(replica.holds(), Some(1));
}

#[test]
fn what_is_given_back_is_taken_within_little_more_than_a_second() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    server.put(&json!({"holderIdentity": "b", "leaseDurationSeconds": 15, "leaseTransitions": 4}));
    replica.run_for(&mut server, 10 * SECOND);
    let b = Replica::new("b").election;
    let lease = server.lease.clone().expect("a lease");
    assert!(
        replica
            .election
            .released(lease.clone(), Timestamp::UNIX_EPOCH)
            .is_none()
    );
    let lease = b.released(lease, Timestamp::UNIX_EPOCH).expect("its own");
    server.replace(lease).expect("an accepted write");
    assert_eq!(server.holder(), None);
    replica.run_for(&mut server, Duration::from_millis(1_200));
    assert_eq!(replica.holds(), Some(1));
    assert_eq!(json!(server.lease)["spec"]["leaseTransitions"], 5);
}

#[test]
fn a_holder_that_can_not_renew_gives_up_after_ten_seconds_and_does_not_spin() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    let calls = replica.fail_for(Duration::from_millis(9_999));
    assert!(replica.election.term().is_some());
    assert!((3..=6).contains(&calls), "{calls}");
    replica.fail_for(Duration::from_millis(1));
    replica.step();
    assert_eq!(replica.election.term(), None);
    let calls = replica.fail_for(600 * SECOND);
    assert!((240..=390).contains(&calls), "{calls}");
    // Nobody has taken it: it is the same replica's again, in another term.
    replica.run_for(&mut server, 3 * SECOND);
    assert_eq!(replica.holds(), Some(2));
}

/// An API server that does not answer: the last call ends with the right to the lease, not later.
#[test]
fn no_call_outlives_the_time_in_which_the_lease_must_be_renewed() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    let renewed = replica.now;
    replica.run(&mut server);
    let error = || WriteError::Unreachable("no answer".to_owned());
    let mut calls = 0;
    loop {
        let sent = replica.now;
        let step = replica.step();
        if replica.election.term().is_none() {
            break;
        }
        match step {
            Step::Wait(wait) => replica.now = replica.now + wait,
            Step::Call(call, limit) => {
                calls += 1;
                assert!(limit <= CALL_TIMEOUT);
                replica.now = replica.now + limit;
                match call {
                    Call::Look => replica.election.looked(sent, Err(error()), replica.time()),
                    _ => replica.election.wrote(sent, Err(error()), replica.time()),
                }
            }
        }
    }
    assert!(calls >= 2, "{calls}");
    assert_eq!(renewed.until(replica.now), RENEW_DEADLINE);
}

#[test]
fn a_process_that_was_stopped_finds_that_it_has_lost_the_lease() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run_for(&mut server, 5 * SECOND);
    // In the middle of a renewal, whose answer is old when it is read.
    let (sent, call) = loop {
        match replica.step() {
            Step::Wait(wait) => replica.now = replica.now + wait,
            Step::Call(call, _) => break (replica.now, call),
        }
    };
    let answer = server.write(call);
    replica.now = replica.now + 20 * SECOND;
    assert_eq!(replica.holds(), None, "by the passing of time alone");
    server.put(&json!({"holderIdentity": "b", "leaseDurationSeconds": 15}));
    replica.election.wrote(sent, answer, replica.time());
    assert_eq!(replica.holds(), None);
    replica.run(&mut server);
    assert_eq!(replica.election.term(), None);
    assert_eq!(server.holder(), Some("b"));
}

#[test]
fn an_own_write_whose_answer_was_lost_ends_no_term() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    let mut stored = false;
    while !stored {
        match replica.step() {
            Step::Wait(wait) => replica.now = replica.now + wait,
            Step::Call(call, limit) => {
                server.write(call).expect("an accepted write");
                stored = true;
                let sent = replica.now;
                replica.now = replica.now + limit;
                let lost = Err(WriteError::Unreachable("no answer".to_owned()));
                replica.election.wrote(sent, lost, replica.time());
            }
        }
    }
    replica.run_for(&mut server, 60 * SECOND);
    assert_eq!(replica.holds(), Some(1));
}

#[test]
fn a_holder_steps_down_as_soon_as_it_sees_another() {
    for spec in [
        json!({"holderIdentity": "b"}),
        json!({"holderIdentity": ""}),
        json!({}),
    ] {
        let (mut server, mut replica) = (Server::default(), Replica::new("a"));
        replica.run(&mut server);
        server.put(&spec);
        replica.run_for(&mut server, Duration::from_millis(2_400));
        assert_ne!(replica.election.term().map(|t| t.number), Some(1), "{spec}");
    }
}

#[test]
fn someone_elses_annotation_ends_no_term() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    let spec = json!(server.lease)["spec"].clone();
    server.put(&spec);
    replica.run_for(&mut server, 60 * SECOND);
    assert_eq!(replica.holds(), Some(1));
    assert_eq!(json!(server.lease)["metadata"]["annotations"]["a"], "kept");
}

/// Whoever deletes it ends no term, and begins no other beside it.
#[test]
fn a_deleted_lease_is_still_its_holders() {
    let (mut server, mut replica) = (Server::default(), Replica::new("a"));
    replica.run(&mut server);
    let mut other = Replica::new("b");
    other.run(&mut server);
    server.lease = None;
    other.run_for(&mut server, 2 * SECOND);
    assert_eq!(other.election.term(), None);
    replica.run_for(&mut server, 3 * SECOND);
    assert_eq!((replica.holds(), server.holder()), (Some(1), Some("a")));
    // Unless there is nobody left to make it anew.
    server.lease = None;
    other.run_for(&mut server, 15 * SECOND);
    assert_eq!(other.holds(), Some(1));
}
