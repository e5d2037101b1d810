//! Which mirrors may be removed, and which may be written at all: laws 3 and 7.

use std::time::Duration;

use serde_json::Value;

use super::{Facts, Laws, settings};
use crate::api::{CONTROLLER_NAME, MANAGED_BY_LABEL, SOURCE_KIND};
use crate::controller::machine::tests::search::cloud::number;
use crate::controller::machine::tests::search::cluster::Cluster;
use crate::controller::machine::{PoolAnswer, WriteOrder, WriteTicket};
use crate::mirror::Step;

/// How long what the cloud said of a pool may be the reason to delete its mirror.
const SAID_FOR: Duration = Duration::from_mins(1);

impl Laws {
    /// Law 3: a mirror is removed only where two complete listings for the spec, at least the grace period
    /// apart, and all between, lacked its pool, too few others did to be suspicious, and the cloud then said
    /// that it has no such pool, or has it out of the selection.
    pub(super) fn removal_is_confirmed(
        &self,
        ticket: &WriteTicket,
        order: &WriteOrder,
        facts: &Facts,
    ) -> Result<(), String> {
        if ticket.step != Step::Delete {
            return Ok(());
        }
        let name = &ticket.mirror.name;
        let source = self.source(&ticket.source)?;
        let settings = settings(&source);
        let seen = self.seen.get(&ticket.uid).ok_or("nothing was listed")?;
        let pool = number(name).ok_or("no pool has this name")?;
        let verdict = (|| {
            seen.is_overdue(pool, settings.prune.grace_period)?;
            if seen.last.as_ref().and_then(|l| l.halted) == Some(true) {
                return Err("too many are missing");
            }
            let said = seen.said[usize::from(pool)].as_ref();
            let (said, at, clock) = said.ok_or("the cloud was not asked")?;
            if facts.now.instant.duration_since(*at) > SAID_FOR {
                return Err("what the cloud said of it is old");
            }
            if seen.checked <= *clock {
                return Err("nobody looked since whether the source is there");
            }
            match said {
                PoolAnswer::NotFound => Ok(()),
                PoolAnswer::Failed(_) => Err("the cloud did not say"),
                PoolAnswer::Found { workspace } => {
                    let listed = seen.content[usize::from(pool)].as_ref();
                    let shown = order.observed.as_ref().and_then(|o| o.workspace.as_ref());
                    let listed = listed.map(|d| &d.workspace).or(shown);
                    let out = settings.leaves_out(workspace.as_ref().or(listed).map(|w| &**w));
                    out.then_some(()).ok_or("the cloud has its pool")
                }
            }
        })();
        verdict.map_err(|why| format!("law 3: the mirror {name} is removed, and {why}"))
    }
}

/// Law 7: what is written is owned by the source, or carries our label and is nobody's or that of a source
/// that exists no more; what is deleted is owned by it.
pub(super) fn is_own(
    ticket: &WriteTicket,
    before: Option<&Value>,
    cluster: &Cluster,
) -> Result<(), String> {
    let Some(before) = before else {
        return Ok(());
    };
    let metadata = &before["metadata"];
    let owners = metadata["ownerReferences"].as_array();
    let owner = owners
        .into_iter()
        .flatten()
        .find(|r| r["controller"] == true);
    let labelled = metadata["labels"][MANAGED_BY_LABEL] == CONTROLLER_NAME;
    let own = owner.is_some_and(|o| o["uid"] == *ticket.uid);
    let former = |o: &Value| {
        let uid = o["uid"].as_str().unwrap_or_default();
        o["kind"] == SOURCE_KIND && cluster.source(uid).is_none()
    };
    let free = labelled && owner.is_none_or(former);
    if own || free && ticket.step != Step::Delete {
        return Ok(());
    }
    let (name, step) = (&ticket.mirror.name, ticket.step);
    Err(format!(
        "law 7: {name} is not the source's, and is written ({step:?})"
    ))
}
