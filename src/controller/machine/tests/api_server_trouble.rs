//! An API server that fails at the writes to mirrors, and at nothing else.

use serde_json::json;

use super::rig::{Rig, key};
use super::{MINUTE, SECOND};
use crate::mirror::apply::WriteError;

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
        let ready = &rig.status("s").conditions.as_ref().expect("conditions")[0];
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
