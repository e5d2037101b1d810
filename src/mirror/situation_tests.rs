use super::*;
use crate::mirror::desired::readiness;

const STALE: Freshness = Freshness::Stale;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// `Type=Status/Reason` of each condition, for a pool that runs.
fn row(presence: Presence, freshness: Freshness) -> Vec<String> {
    let running = readiness(Some("Running"), None);
    let conditions = conditions(&running, presence, freshness, None);
    conditions
        .iter()
        .map(|c| format!("{}={}/{}", c.type_, c.status.as_str(), c.reason))
        .collect()
}

const MISSING_NOW: Presence = Presence::Missing {
    since: Timestamp::UNIX_EPOCH,
    overdue: false,
};
const OVERDUE: Presence = Presence::Missing {
    since: Timestamp::UNIX_EPOCH,
    overdue: true,
};
const GONE_NOW: Presence = Presence::Gone {
    since: Timestamp::UNIX_EPOCH,
};

#[test]
fn the_table_of_conditions() {
    let fresh = Freshness::Fresh;
    let suspended = Freshness::Suspended { stale: false };
    let suspended_long = Freshness::Suspended { stale: true };
    let too_large = Presence::Unmirrorable(SkipReason::TooLarge);
    for (presence, freshness, expected) in [
        (
            Presence::Listed,
            fresh,
            ["True/Running", "True/Synced", "True/Listed"],
        ),
        (
            Presence::Listed,
            STALE,
            ["Unknown/Stale", "False/ListFailed", "True/Listed"],
        ),
        (
            Presence::Listed,
            suspended,
            ["True/Running", "False/Suspended", "True/Listed"],
        ),
        (
            Presence::Listed,
            suspended_long,
            ["Unknown/Stale", "False/Suspended", "True/Listed"],
        ),
        (
            MISSING_NOW,
            fresh,
            ["True/Running", "True/Synced", "False/Missing"],
        ),
        (
            MISSING_NOW,
            STALE,
            ["Unknown/Stale", "False/ListFailed", "False/Missing"],
        ),
        (
            MISSING_NOW,
            suspended,
            ["True/Running", "False/Suspended", "False/Missing"],
        ),
        (
            OVERDUE,
            fresh,
            ["Unknown/Missing", "True/Synced", "False/Missing"],
        ),
        (
            OVERDUE,
            STALE,
            ["Unknown/Stale", "False/ListFailed", "False/Missing"],
        ),
        (GONE_NOW, fresh, ["False/Gone", "True/Synced", "False/Gone"]),
        (
            GONE_NOW,
            STALE,
            ["Unknown/Stale", "False/ListFailed", "False/Gone"],
        ),
        (
            too_large,
            fresh,
            ["Unknown/TooLarge", "False/TooLarge", "True/Listed"],
        ),
        (
            too_large,
            STALE,
            ["Unknown/Stale", "False/ListFailed", "True/Listed"],
        ),
    ] {
        let [ready, synced, listed] = expected;
        let expected = [
            format!("Ready={ready}"),
            format!("Synced={synced}"),
            format!("Listed={listed}"),
        ];
        assert_eq!(
            row(presence, freshness),
            expected,
            "{presence:?} {freshness:?}"
        );
    }
}

#[test]
fn ready_is_the_phase_where_it_is_a_reason() {
    for (phase, expected) in [
        (Some("Running"), "True/Running"),
        (Some("Abnormal"), "False/Abnormal"),
        (Some("some thing"), "False/OtherPhase"),
        (Some(""), "Unknown/NoPhase"),
        (None, "Unknown/NoPhase"),
    ] {
        let pool = readiness(phase, Some("why"));
        let all = conditions(&pool, Presence::Listed, Freshness::Fresh, None);
        let ready = format!("{}/{}", all[0].status.as_str(), all[0].reason);
        assert_eq!(ready, expected, "{phase:?}");
        assert_eq!(all[0].message, "why");
    }
}

#[test]
fn nothing_changes_before_the_first_listing_while_the_data_is_fresh() {
    assert!(row(Presence::Unknown, Freshness::Fresh).is_empty());
}

#[test]
fn listed_stays_as_it_is_before_the_first_listing() {
    let written = |listed: Option<ConditionState>| {
        let listed = listed.map(|l| l.with_time(at(100), Some(1)));
        ObservedConditions::of(Some(serde_json::json!(
            listed.into_iter().collect::<Vec<_>>()
        )))
    };
    let running = readiness(Some("Running"), None);
    let all = |listed| conditions(&running, Presence::Unknown, STALE, Some(&written(listed)));
    assert_eq!(all(None).len(), 2, "it is not invented");
    for presence in [
        Presence::Listed,
        Presence::Missing {
            since: at(50),
            overdue: false,
        },
        Presence::Gone { since: at(50) },
    ] {
        let before = listed(presence).expect("Listed");
        let after = all(Some(before.clone())).pop().expect("Listed");
        assert_eq!(
            after.with_time(at(100), Some(1)),
            before.with_time(at(100), Some(1)),
            "{presence:?}"
        );
    }
}

#[test]
fn the_absence_clock_is_the_time_of_listed() {
    let missing = Presence::Missing {
        since: at(77),
        overdue: true,
    };
    for presence in [missing, Presence::Gone { since: at(77) }] {
        let listed = listed(presence).expect("Listed").with_time(at(100), None);
        assert_eq!(listed.last_transition_time.0, at(77));
    }
}
