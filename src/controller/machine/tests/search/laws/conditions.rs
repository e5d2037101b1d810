//! What mirrors say: the table of conditions.

use super::freshness::Age;
use super::{Facts, Kept, Laws, says_conditions, settings};
use crate::api::conditions::{LISTED, READY, SYNCED, whole_seconds};
use crate::controller::machine::tests::search::cloud::number;
use crate::controller::machine::{PoolAnswer, WriteOrder, WriteTicket};

impl Laws {
    /// The table of conditions, for what is written: each is true when it is said. After a start and a pause
    /// the age that was said before may be said until the first pass has ended.
    pub(super) fn conditions_are_true(
        &self,
        ticket: &WriteTicket,
        order: &WriteOrder,
        facts: &Facts,
    ) -> Result<(), String> {
        if !says_conditions(ticket.step) {
            return Ok(());
        }
        let name = &ticket.mirror.name;
        let source = self.source(&ticket.source)?;
        let seen = self
            .seen
            .get(&ticket.uid)
            .ok_or("a source that was not shown")?;
        let pool = number(name).ok_or("no pool has this name")?;
        let index = usize::from(pool);
        let age = seen.age(&source, facts.now.wall);
        let suspended = settings(&source).suspend;
        let is_listed = seen.last.as_ref().map(|last| last.has(pool));
        let is_for_this_spec = seen
            .last
            .as_ref()
            .is_some_and(|last| last.generation == source.generation);
        let was_gone = order
            .observed
            .as_ref()
            .is_some_and(|o| o.conditions.is_gone());
        let said_gone = matches!(seen.said[index], Some((PoolAnswer::NotFound, ..)));
        for condition in &order.conditions {
            let holds = match (&*condition.type_, &*condition.reason) {
                (SYNCED, "Suspended") => suspended || !seen.has_passed,
                (SYNCED, _) if suspended => false,
                (SYNCED, "ListFailed") | (READY, "Stale") => age != Age::Fresh || !seen.has_passed,
                (SYNCED, _) => age != Age::Old || !seen.has_passed,
                // What was so for a former spec stays said until a listing for this one.
                (READY, "Missing") if is_for_this_spec => seen
                    .is_overdue(pool, settings(&source).prune.grace_period)
                    .is_ok(),
                (LISTED, "Listed") => is_listed != Some(false),
                (LISTED, reason) => {
                    let since = seen.lacking[index].map(|first| whole_seconds(first.wall).0);
                    let late_enough = since.is_none_or(|s| condition.last_transition_time.0 >= s);
                    is_listed != Some(true)
                        && (late_enough || is_listed.is_none())
                        && (reason != "Gone" || was_gone || said_gone)
                }
                _ => true,
            };
            if !holds {
                let (type_, reason) = (&condition.type_, &condition.reason);
                return Err(format!(
                    "the table of conditions: {name} says {type_} {reason}; listed: {is_listed:?}, {age:?}"
                ));
            }
        }
        Ok(())
    }

    /// The table of conditions, for what is not written: at rest, each mirror says what is so.
    pub(super) fn mirrors_say_what_is_so(&self, facts: &Facts) -> Result<(), String> {
        for (name, observed) in facts.cluster.api.all_observed() {
            let owner = observed.controller.as_ref();
            let Some(source) = owner.and_then(|c| facts.cluster.source(&c.uid)) else {
                continue;
            };
            let (Some(seen), Some(pool)) = (self.seen.get(&source.uid), number(name)) else {
                continue;
            };
            // What a question about it finds out is written after the answer.
            let asked = self.asked.values().any(|asked| asked.uid == source.uid);
            if source.deleting || asked || !seen.has_passed || observed.deleting {
                continue;
            }
            let mirror = Kept {
                name,
                object: facts.cluster.api.get(name).ok_or("no object")?,
                observed,
            };
            let [ready, synced, listed] = mirror.conditions();
            let is_large = seen.last.as_ref().is_some_and(|l| l.large >> pool & 1 == 1);
            let (is_old, suspended) = (seen.age(source, facts.now.wall), settings(source).suspend);
            let synced_as = match (is_old, suspended) {
                (Age::Turning, false) => continue,
                (_, true) => "False/Suspended",
                (Age::Old, false) => "False/ListFailed",
                (Age::Fresh, false) if is_large => "False/TooLarge",
                (Age::Fresh, false) => "True/Synced",
            };
            // What another has made or changed, a later listing tells.
            let last = seen.last.as_ref();
            let touched = self.touched[usize::from(pool)];
            if touched.is_some_and(|at| last.is_none_or(|l| at >= l.left.instant)) {
                continue;
            }
            let listed_as = last.map(|last| last.has(pool));
            let stale = (ready == "Unknown/Stale") == (is_old == Age::Old);
            if synced != synced_as
                || listed_as.is_some_and(|is| is != (listed == "True/Listed"))
                || !stale && is_old != Age::Turning
            {
                return Err(format!(
                    "the table of conditions: {name} rests at {ready}, {synced}, {listed}; listed: {listed_as:?}, {is_old:?}, should be {synced_as}"
                ));
            }
        }
        Ok(())
    }
}
