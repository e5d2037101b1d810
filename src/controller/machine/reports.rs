//! When the status of a source is written.

use std::time::Duration;

use super::{Action, Machine, Now};
use crate::controller::key::Key;
use crate::controller::report::{PassResult, Report, status_after};
use crate::mirror::apply::WriteError;

impl Machine {
    pub(super) fn report_suspended(&mut self, key: &Key, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        state.report = Some(Report {
            result: PassResult::Suspended,
            started: now.wall,
            generation: state.source.generation,
            refresh: None,
            interval: Duration::ZERO,
        });
        self.reports.insert(key.clone());
    }

    pub(super) fn next_report(&mut self, now: Now) -> Option<Action> {
        if self.writes.is_paused(now.instant) {
            return None;
        }
        let ready = |key: &&Key| {
            self.sources
                .get(*key)
                .is_some_and(|s| !s.reporting && s.report_after.is_none_or(|a| a <= now.instant))
        };
        let key = self.reports.iter().find(ready)?.clone();
        let state = self.sources.get_mut(&key)?;
        let report = state.report.as_ref()?;
        let status = status_after(report, &state.source.status, now.wall);
        if status == state.source.status {
            state.report = None;
            self.reports.remove(&key);
            return self.next_report(now);
        }
        state.reporting = true;
        Some(Action::Report {
            uid: state.source.uid.clone(),
            resource_version: state.source.resource_version,
            status: Box::new(status),
            key,
        })
    }

    pub(super) fn reported(
        &mut self,
        key: &Key,
        uid: &str,
        result: Result<(), WriteError>,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.reporting = false;
        match result {
            Ok(()) => {
                self.writes.api_answered();
                state.report = None;
                self.reports.remove(key);
            }
            Err(error) => {
                // The watch shows the newer version soon and clears the wait.
                let wait = if matches!(error, WriteError::Conflict(_)) {
                    1
                } else {
                    5
                };
                state.report_after = Some(now.instant + Duration::from_secs(wait));
                if !matches!(error, WriteError::Conflict(_)) {
                    tracing::warn!(source = %key, %error, "failed to write the source's status; trying again");
                }
                self.writes.api_failed(&error, now.instant);
            }
        }
    }
}
