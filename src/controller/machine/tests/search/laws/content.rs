//! What mirrors hold: law 1.

use super::Laws;
use crate::api::PoolCounts;
use crate::api::conditions::LISTED;
use crate::controller::machine::tests::search::cloud::number;
use crate::controller::machine::{WriteOrder, WriteTicket};
use crate::mirror::{Counts, Step};

impl Laws {
    /// Law 1: what is written is what the last complete listing that had the pool held of it, and nothing is
    /// created that the last one lacks. Counts are all 0 of a pool that is called gone, and else as listed.
    pub(super) fn content_is_listed(
        &self,
        ticket: &WriteTicket,
        order: &WriteOrder,
    ) -> Result<(), String> {
        let gone = order
            .conditions
            .iter()
            .any(|c| c.type_ == LISTED && c.reason == "Gone");
        let name = &ticket.mirror.name;
        match ticket.step {
            Step::PatchStatus => {
                // What another process has called gone has none already.
                let none = order.observed.as_ref().is_some_and(|o| o.no_nodes);
                return match (order.counts, gone) {
                    (Counts::Zero, false) => {
                        Err(format!("law 1: {name} shows no nodes and is not gone"))
                    }
                    (Counts::Kept | Counts::Unknown, true) if !none => {
                        Err(format!("law 1: {name} is called gone and shows nodes"))
                    }
                    _ => Ok(()),
                };
            }
            Step::Create | Step::Apply | Step::ApplyStatus => {}
            _ => return Ok(()),
        }
        let pool = number(name).ok_or("no pool has this name")?;
        let seen = self.seen.get(&ticket.uid);
        let listed = seen.and_then(|seen| seen.content[usize::from(pool)].as_ref());
        let (Some(listed), Some(written)) = (listed, &order.desired) else {
            return Err(format!("law 1: {name} is written, and was not listed"));
        };
        let last = seen.and_then(|seen| seen.last.as_ref());
        if ticket.step == Step::Create && last.is_none_or(|last| last.listed >> pool & 1 == 0) {
            return Err(format!(
                "law 1: {name} is created, and the last listing lacks it"
            ));
        }
        let holds = match (ticket.step, gone) {
            (Step::ApplyStatus, false) => listed.status.get() == written.status.get(),
            (Step::ApplyStatus, true) => {
                written.counts == PoolCounts::zero()
                    && listed.of_a_gone_pool().status.get() == written.status.get()
            }
            _ => {
                [&listed.labels, &listed.annotations, &listed.spec].map(|part| part.get())
                    == [&written.labels, &written.annotations, &written.spec].map(|part| part.get())
            }
        };
        let otherwise = || {
            format!(
                "law 1: {name} is written as it was not listed ({:?})",
                ticket.step
            )
        };
        holds.then_some(()).ok_or_else(otherwise)
    }
}
