//! How soon a pass that failed is tried again, and what is said meanwhile: laws 8 and 9.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::{Rig, failure, unavailable};
use super::{MINUTE, SECOND};
use crate::controller::FailureReason;
use crate::controller::reason::REJECTIONS;
use crate::modelarts::{Kind, Reason};

/// When the cloud was asked within `time`.
fn asked(rig: &mut Rig, time: Duration) -> Vec<Instant> {
    let end = rig.now.instant + time;
    let mut times = Vec::new();
    loop {
        let before = rig.listings;
        rig.run();
        times.extend((before..rig.listings).map(|_| rig.now.instant));
        let next = rig.machine.next_wakeup(rig.now).filter(|next| *next <= end);
        let Some(next) = next else { break };
        rig.pass_time(next - rig.now.instant);
    }
    rig.pass_time(end - rig.now.instant);
    times
}

fn gaps(times: &[Instant]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn whatever_fails_the_cloud_is_not_asked_sooner_than_the_interval() {
    // With these nothing leaves for the cloud: what is looked at again is here.
    let here = [Reason::EndpointRefused, Reason::CredentialsUnavailable];
    let sent = Reason::ALL.into_iter().filter(|r| !here.contains(r));
    for (reason, interval) in sent.flat_map(|r| [(r, 5), (r, 30), (r, 3600)]) {
        let mut rig = Rig::with_spec(json!({"interval": format!("{interval}s")}), &["a"]);
        rig.cloud = Err(failure(reason, None));
        let times = asked(&mut rig, 24 * 60 * MINUTE);
        let gaps = gaps(&times);
        let least = gaps.iter().min().expect("several tries");
        let interval = Duration::from_secs(interval);
        assert!(*least >= interval, "{reason:?} {interval:?}: {least:?}");
        // Nor is it ever given up.
        let most = gaps.iter().max().expect("several tries");
        let limit = (interval + 2 * MINUTE)
            .max(12 * MINUTE)
            .max(interval.mul_f64(1.2));
        assert!(*most <= limit, "{reason:?} {interval:?}: {most:?}");
    }
}

#[test]
fn each_further_failure_waits_longer_and_a_success_ends_that() {
    let mut rig = Rig::with_pools(&["a"]);
    let pools = std::mem::replace(&mut rig.cloud, Err(unavailable()));
    let waits = gaps(&asked(&mut rig, 60 * MINUTE));
    // 30 s doubled up to 10 min, and up to a fifth more.
    for (wait, least) in waits.iter().zip([30, 60, 120, 240, 480, 600, 600]) {
        let least = Duration::from_secs(least);
        assert!((least..least.mul_f64(1.2)).contains(wait), "{waits:?}");
    }
    let parts: BTreeSet<u32> = waits.iter().map(Duration::subsec_nanos).collect();
    assert_eq!(parts.len(), waits.len(), "no jitter: {waits:?}");
    rig.cloud = pools;
    asked(&mut rig, 12 * MINUTE);
    for wait in gaps(&asked(&mut rig, 10 * MINUTE)) {
        assert!((27 * SECOND..=33 * SECOND).contains(&wait), "{wait:?}");
    }
}

#[test]
fn sources_that_fail_together_do_not_try_together() {
    let mut rig = Rig::new();
    rig.cloud = Err(unavailable());
    for n in 0..20 {
        rig.see_source(&format!("s-{n}"), &json!({}));
    }
    let times = asked(&mut rig, 60 * MINUTE);
    let later = times.iter().filter(|t| **t > times[0] + 10 * MINUTE);
    let later: Vec<u64> = later.map(|t| (*t - times[0]).as_secs()).collect();
    let seconds: BTreeSet<_> = later.iter().collect();
    assert!(later.len() > 60, "{}", later.len());
    assert!(seconds.len() * 4 > later.len() * 3, "{later:?}");
}

#[test]
fn the_cloud_is_not_asked_before_the_time_it_has_asked_for() {
    for reason in [Reason::Throttled, Reason::CloudUnavailable] {
        let mut rig = Rig::with_pools(&["a"]);
        rig.cloud = Err(failure(reason, Some(60 * MINUTE)));
        let first = asked(&mut rig, 2 * MINUTE)[0];
        // Not for a refresh either.
        let annotations =
            json!({"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "1"}});
        rig.see_source("s", &annotations);
        rig.cloud = Err(failure(reason, None));
        let next = asked(&mut rig, 61 * MINUTE)[0];
        assert!(
            next >= first + 60 * MINUTE,
            "{reason:?}: {:?}",
            next - first
        );
        assert!(
            next <= first + 61 * MINUTE,
            "{reason:?}: {:?}",
            next - first
        );
    }
    // A short one does not make it ask sooner than it would.
    let mut rig = Rig::with_pools(&["a"]);
    rig.cloud = Err(failure(Reason::Throttled, Some(SECOND)));
    for wait in gaps(&asked(&mut rig, 10 * MINUTE)) {
        assert!(wait >= 30 * SECOND, "{wait:?}");
    }
}

#[test]
fn a_refresh_skips_the_backoff_of_a_failure() {
    let mut rig = Rig::with_pools(&["a"]);
    rig.cloud = Err(unavailable());
    asked(&mut rig, 30 * MINUTE);
    let annotations =
        json!({"annotations": {"modelarts.huaweicloud.com/refresh-requested-at": "1"}});
    rig.see_source("s", &annotations);
    assert_eq!(asked(&mut rig, 5 * SECOND).len(), 1);
}

#[test]
fn refreshes_are_at_least_five_seconds_apart() {
    for cloud in [Ok([].into()), Err(unavailable())] {
        let mut rig = Rig::new();
        rig.spec = json!({"interval": "24h"});
        rig.cloud = cloud;
        rig.see_source("s", &json!({}));
        let mut times = asked(&mut rig, 10 * SECOND);
        for request in 0..60 {
            let name = "modelarts.huaweicloud.com/refresh-requested-at";
            rig.see_source("s", &json!({"annotations": {name: request.to_string()}}));
            times.extend(asked(&mut rig, SECOND));
        }
        let gaps = gaps(&times);
        assert!(gaps.len() > 10, "{gaps:?}");
        assert!(gaps.iter().all(|gap| *gap >= 5 * SECOND), "{gaps:?}");
    }
}

#[test]
fn what_is_said_of_a_failure_is_what_its_kind_says() {
    for reason in Reason::ALL {
        let mut rig = Rig::new();
        rig.cloud = Err(failure(reason, None));
        rig.see_source("s", &json!({}));
        rig.run();
        let said = |type_: &str| {
            let condition = rig.status("s").condition(type_)?;
            Some(format!("{} {}", condition.status, condition.reason))
        };
        assert_eq!(said("Ready"), Some(format!("False {}", reason.as_str())));
        let stalled = reason.kind() == Kind::Stalled;
        let expected = stalled.then(|| format!("True {}", reason.as_str()));
        assert_eq!(said("Stalled"), expected, "{reason:?}");
        assert_eq!(said("Reconciling").is_none(), stalled, "{reason:?}");
        let event = match reason {
            Reason::CredentialsRejected => "CredentialsRejected",
            _ => "SyncFailed",
        };
        assert_eq!(rig.told("s"), [event], "{reason:?}");
    }
}

#[test]
fn every_reason_is_a_word_of_its_own() {
    let cloud = Reason::ALL.map(FailureReason::from);
    let all: Vec<_> = cloud.into_iter().chain(FailureReason::OURS).collect();
    let words: BTreeSet<&str> = all.iter().map(|r| r.as_str()).collect();
    assert_eq!(words.len(), all.len());
    for reason in REJECTIONS {
        assert_eq!(reason.kind(), Kind::Stalled);
    }
}
