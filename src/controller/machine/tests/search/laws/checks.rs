//! For whom is written: laws 5 and 7.

use super::{Facts, Kept, Laws, settings};
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::machine::WriteTicket;
use crate::controller::machine::tests::search::cloud::{id, number};
use crate::controller::machine::tests::search::generate::MAX_POOLS;
use crate::controller::report::{PassResult, Report};
use crate::mirror::Step;
use crate::mirror::apply::Written;

impl Laws {
    /// Law 7: nothing is written for a source that is known to be gone or to go, and nothing is created
    /// unless somebody has looked for the source since the mirror was known not to be there.
    pub(super) fn write_is_allowed(&self, ticket: &WriteTicket) -> Result<(), String> {
        let name = &ticket.mirror.name;
        let source = self.source(&ticket.source)?;
        if source.uid != ticket.uid || source.deleting {
            return Err(format!(
                "law 7: {name} is written for a source that is gone"
            ));
        }
        let pool = number(name).ok_or("no pool has this name")?;
        let absent = self.absent.get(&pool).unwrap_or(&self.process_began);
        let checked = self.seen.get(&ticket.uid).map_or(0, |seen| seen.checked);
        if ticket.step == Step::Create && checked <= *absent {
            return Err(format!(
                "law 7: {name} is created, and nobody looked whether its source is there"
            ));
        }
        Ok(())
    }

    /// The mirror of this name is known not to be there.
    pub(in super::super) fn is_absent(&mut self, name: &str) {
        if let Some(pool) = number(name) {
            self.absent.insert(pool, self.clock);
        }
    }

    pub(super) fn write_was_answered(
        &mut self,
        ticket: &WriteTicket,
        result: &Result<Written, WriteError>,
        facts: &Facts,
    ) {
        match result {
            Ok(Written::Stored(_)) => {}
            Ok(Written::Deleted) => self.is_absent(&ticket.mirror.name),
            Err(error) => {
                // What was refused rests for five minutes, and then waits for a pass.
                let source = self.source(&ticket.source);
                let interval = source.map_or(0, |s| settings(&s).interval.as_secs());
                let refused = matches!(error, WriteError::Refused(_) | WriteError::Forbidden(_));
                let rests = if refused { 420 + 2 * interval } else { 180 };
                self.trouble_at(facts.now, rests);
                // That a look finds none does not say that there was one: the watch tells that.
                if matches!(error, WriteError::NotFound(_)) && ticket.step != Step::Nothing {
                    self.is_absent(&ticket.mirror.name);
                }
            }
        }
    }

    /// Law 5: of a pass that succeeds the listing was complete, and each pool that it held is mirrored so,
    /// or is named as skipped.
    pub(super) fn pass_ended(
        &mut self,
        key: &Key,
        report: &Report,
        facts: &Facts,
    ) -> Result<(), String> {
        let source = self.source(key)?;
        self.of(&source.uid).has_passed = true;
        let PassResult::Succeeded { skipped, .. } = &report.result else {
            self.failing.insert(source.uid.clone());
            return Ok(());
        };
        self.failing.remove(&source.uid);
        let trouble = self.trouble.is_some_and(|until| until >= facts.now.instant);
        // While nothing shows it, somebody's edit is not known.
        let trouble = trouble || !facts.watching;
        let seen = &self.seen[&source.uid];
        let last = seen.last.as_ref();
        let last = last
            .filter(|l| l.left.wall == report.started && l.generation == report.generation)
            .ok_or("law 5: a pass has succeeded without its listing")?;
        for pool in (0..=MAX_POOLS).filter(|pool| last.listed >> pool & 1 == 1) {
            let name = id(pool);
            if trouble || skipped.iter().any(|s| s.id == *name) {
                continue;
            }
            let missing = || format!("law 5: a pass has succeeded, and {name} is not mirrored");
            let mirror = Kept::of(facts.cluster, &name).ok_or_else(missing)?;
            let content = seen.content[usize::from(pool)]
                .as_ref()
                .ok_or_else(missing)?;
            mirror
                .holds(content)
                .map_err(|how| format!("law 5: a pass has succeeded, and {how}"))?;
        }
        self.pass_succeeded(&source, report);
        Ok(())
    }
}
