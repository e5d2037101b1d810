//! What a quota should be. Pure.

use jiff::{SignedDuration, Timestamp};
use modelarts_pool_controller::api::conditions::LISTED;
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};

use crate::rules::Rule;

/// How long a mirror that vanishes counts as not known. Where a person deletes it, the controller makes it anew within
/// a second, and nothing has happened to the pool.
pub const LINGER: SignedDuration = SignedDuration::from_secs(10);

/// What is known of the pools that a rule may follow.
pub struct Known<'a> {
    /// The rule's source, where it is there.
    pub source: Option<&'a ModelArtsPoolSource>,
    /// The mirrors of the source.
    pub pools: Vec<&'a ModelArtsPool>,
    /// When a mirror of the source vanished last.
    pub vanished: Option<Timestamp>,
}

/// What to do with a quota.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// It should be so much.
    Set(i64),
    /// It should stay as it is, because of this.
    Hold(String),
}

/// What the quotas of `rule` should be. One pool that is not known holds the whole: a sum of what is known would be
/// too low, and cost people their jobs.
pub fn decide(rule: &Rule, known: &Known<'_>, now: Timestamp) -> Decision {
    if known.vanished.is_some_and(|at| now < at + LINGER) {
        return Decision::Hold("a mirror has just vanished".to_owned());
    }
    if let Some(why) = not_whole(rule, known) {
        return Decision::Hold(why);
    }
    let mut nodes = 0_i64;
    let mut counted = 0;
    for pool in &known.pools {
        let id = pool.metadata.name.as_deref().unwrap_or_default();
        // The nodes of a Logical pool are those of the pool that it is carved out of.
        if pool.is_logical() || rule.pools.as_ref().is_some_and(|ids| !ids.contains(id)) {
            continue;
        }
        match pool.available_nodes(rule.flavor.as_deref(), known.source, now) {
            Ok(available) => nodes = nodes.saturating_add(available),
            Err(unknown) => return Decision::Hold(format!("pool {id} is not known: {unknown}")),
        }
        counted += 1;
    }
    if counted == 0 && !is_fresh(known.source, now) {
        return Decision::Hold("there is no pool, and its source is not fresh".to_owned());
    }
    Decision::Set(nodes.saturating_mul(rule.units_per_node.into()))
}

/// Why a pool may be missing among the mirrors, though the cloud has it.
fn not_whole(rule: &Rule, known: &Known<'_>) -> Option<String> {
    let names = || known.pools.iter().filter_map(|p| p.metadata.name.as_ref());
    if let Some(ids) = &rule.pools
        && ids.iter().all(|id| names().any(|name| name == id))
    {
        return None;
    }
    let status = known.source?.status.as_ref()?;
    let is_listed =
        |pool: &&&ModelArtsPool| pool.condition(LISTED).is_some_and(|c| c.status == "True");
    let seen = i64::try_from(known.pools.iter().filter(is_listed).count()).unwrap_or(i64::MAX);
    // A mirror that somebody deleted is made anew, and one that is being made has no conditions yet.
    if let Some(pools) = status.pools.filter(|pools| seen < *pools) {
        return Some(format!(
            "{seen} of the {pools} pools of its source are seen"
        ));
    }
    let skipped = status.skipped.as_ref()?;
    // A pool that another source has is that one's to count. Ten are named at most.
    let elsewhere = |reason: &str| reason == "NameConflict";
    let unnamed = i64::try_from(skipped.pools.len()).is_ok_and(|named| named < skipped.count);
    let mut counts = skipped.pools.iter().filter(|p| !elsewhere(&p.reason));
    let of_rule = |id: &String| rule.pools.as_ref().is_none_or(|ids| ids.contains(id));
    let pool = counts.find(|p| of_rule(&p.id));
    match pool {
        Some(pool) => Some(format!("pool {} is not mirrored: {}", pool.id, pool.reason)),
        None if unnamed => Some("some pools are not mirrored".to_owned()),
        None => None,
    }
}

/// Whether a source that shows no pool has lately seen that there is none.
fn is_fresh(source: Option<&ModelArtsPoolSource>, now: Timestamp) -> bool {
    let status = source.and_then(|s| s.status.as_ref());
    let until = status.and_then(|s| s.fresh_until.as_ref());
    until.is_some_and(|until| now <= until.0)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::rules;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn rule(more: &str) -> Rule {
        let yaml = format!(
            "rules:\n- source: {{namespace: n, name: s}}\n  resourceQuota: {{namespace: t, name: q, resource: r}}\n{more}"
        );
        rules::parse(&yaml).expect("rules").remove(0)
    }

    /// Fresh until 100.
    fn source() -> ModelArtsPoolSource {
        serde_json::from_value(json!({
            "metadata": {"name": "s"},
            "spec": {"projectId": "p", "region": "r", "credentials": {"type": "Agency"}},
            "status": {"freshUntil": at(100)},
        }))
        .expect("a source")
    }

    fn pool(id: &str, type_: &str, available: impl Into<Option<i64>>) -> ModelArtsPool {
        let yes = |type_: &str| -> Value {
            json!({"type": type_, "status": "True", "reason": type_, "message": "", "lastTransitionTime": at(1)})
        };
        serde_json::from_value(json!({
            "metadata": {"name": id, "labels": {"modelarts.huaweicloud.com/source": "s"}},
            "spec": {"type": type_},
            "status": {
                "counts": {"available": available.into()},
                "conditions": [yes("Synced"), yes("Listed")],
            },
        }))
        .expect("a pool")
    }

    fn decided(rule: &Rule, pools: &[ModelArtsPool], now: i64) -> Decision {
        let source = source();
        let known = Known {
            source: Some(&source),
            pools: pools.iter().collect(),
            vanished: None,
        };
        decide(rule, &known, at(now))
    }

    #[test]
    fn nodes_that_work_are_summed() {
        let pools = [
            pool("a", "Dedicate", 2),
            pool("b", "Dedicate", 1),
            pool("c", "Logical", 1),
        ];
        assert_eq!(decided(&rule(""), &pools, 1), Decision::Set(3));
        assert_eq!(
            decided(&rule("  unitsPerNode: 8\n"), &pools, 1),
            Decision::Set(24)
        );
        assert_eq!(
            decided(&rule("  pools: [b]\n"), &pools, 1),
            Decision::Set(1)
        );
        assert_eq!(decided(&rule(""), &[], 1), Decision::Set(0));
    }

    #[test]
    fn what_is_not_known_holds_the_whole() {
        let known = pool("a", "Dedicate", 2);
        let not_told = pool("b", "Dedicate", None);
        let hold = |d| matches!(d, Decision::Hold(why) if !why.is_empty());
        assert!(hold(decided(
            &rule(""),
            &[known.clone(), not_told.clone()],
            1
        )));
        assert!(hold(decided(&rule(""), std::slice::from_ref(&known), 101)));
        assert!(hold(decided(&rule(""), &[], 101)));
        // One that does not count holds nothing.
        assert_eq!(
            decided(&rule("  pools: [a]\n"), &[known, not_told], 1),
            Decision::Set(2)
        );
    }

    fn decided_with(rule: &Rule, status: Value, pools: &[ModelArtsPool]) -> Decision {
        let mut source = source();
        let mut whole = json!({"freshUntil": at(100)});
        let fields = status.as_object().expect("fields").clone();
        whole.as_object_mut().expect("fields").extend(fields);
        source.status = serde_json::from_value(whole).expect("a status");
        let known = Known {
            source: Some(&source),
            pools: pools.iter().collect(),
            vanished: None,
        };
        decide(rule, &known, at(1))
    }

    #[test]
    fn a_pool_without_a_mirror_holds_what_it_counts_for() {
        let a = [pool("a", "Dedicate", 2)];
        let decided = |more: &str, status| decided_with(&rule(more), status, &a);
        let holds =
            |d: Decision, word: &str| matches!(d, Decision::Hold(why) if why.contains(word));
        // Deleted by somebody before this program began to watch, and not yet made anew.
        assert_eq!(decided("", json!({"pools": 1})), Decision::Set(2));
        assert!(holds(decided("", json!({"pools": 2})), "1 of the 2"));
        assert_eq!(
            decided("  pools: [a]\n", json!({"pools": 2})),
            Decision::Set(2)
        );
        assert!(holds(
            decided("  pools: [a, b]\n", json!({"pools": 2})),
            "1 of the 2"
        ));
        assert_eq!(
            decided("  pools: [a, b]\n", json!({"pools": 1})),
            Decision::Set(2)
        );
        // Refused by somebody's policy.
        let skipped = |reason: &str, count: i64| json!({"pools": 1, "skipped": {"count": count, "pools": [{"id": "b", "reason": reason, "message": ""}]}});
        assert!(holds(
            decided("", skipped("Refused", 1)),
            "b is not mirrored: Refused"
        ));
        assert!(holds(
            decided("  pools: [a, b]\n", skipped("Refused", 1)),
            "b is not"
        ));
        assert_eq!(
            decided("  pools: [a, c]\n", skipped("Refused", 1)),
            Decision::Set(2)
        );
        assert!(holds(
            decided("  pools: [a, c]\n", skipped("Refused", 2)),
            "some pools"
        ));
        // Another source of the namespace has it.
        assert_eq!(decided("", skipped("NameConflict", 1)), Decision::Set(2));
    }

    #[test]
    fn a_mirror_that_vanishes_holds_for_a_while() {
        let source = source();
        let known = Known {
            source: Some(&source),
            pools: Vec::new(),
            vanished: Some(at(10)),
        };
        assert!(matches!(
            decide(&rule(""), &known, at(19)),
            Decision::Hold(_)
        ));
        assert_eq!(decide(&rule(""), &known, at(20)), Decision::Set(0));
    }
}
