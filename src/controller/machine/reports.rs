//! When the status of a source is written.

use std::time::Duration;

use super::{Action, Machine, Now};
use crate::controller::key::Key;
use crate::controller::report::{PassResult, Report, status_after};
use crate::mirror::apply::WriteError;

impl Machine {
    pub(super) fn report_suspended(&mut self, key: &Key, now: Now) {
        self.report_now(key, PassResult::Suspended, now);
    }

    /// Says of a source that says nothing yet that its first pass has begun.
    pub(super) fn report_first_pass(&mut self, key: &Key, now: Now) {
        self.report_now(key, PassResult::Begun, now);
    }

    fn report_now(&mut self, key: &Key, result: PassResult, now: Now) {
        let Some(state) = self.sources.get(key) else {
            return;
        };
        let report = Report {
            result,
            started: now.wall,
            generation: state.source.generation,
            refresh: None,
            interval: Duration::ZERO,
        };
        self.add_report(key, report);
    }

    /// Adds what the status of a source is to say; what it says over is dropped.
    pub(super) fn add_report(&mut self, key: &Key, mut report: Report) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let older = std::mem::take(&mut state.reports).into_iter();
        let (over, kept): (Vec<_>, Vec<_>) =
            older.partition(|(_, older)| report.result.says_over(&older.result));
        let mut answered = over.into_iter().rev();
        let answered = answered.find_map(|(_, older)| older.refresh);
        report.refresh = report.refresh.or(answered);
        state.report_count += 1;
        state.reports = kept;
        state.reports.push((state.report_count, report));
        self.reports.insert(key.clone());
    }

    /// Nothing more is written to the status of a source.
    pub(super) fn drop_reports(&mut self, key: &Key) {
        self.reports.remove(key);
        if let Some(state) = self.sources.get_mut(key) {
            state.reports.clear();
        }
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
        let reports = state.reports.iter();
        let status = reports.fold(state.source.status.clone(), |status, (_, report)| {
            status_after(report, &status, now.wall)
        });
        if status == state.source.status {
            self.drop_reports(&key);
            return self.next_report(now);
        }
        state.reporting = true;
        state.report_after = None;
        state.told = Some(Box::new((state.source.status.clone(), status.clone())));
        Some(Action::Report {
            uid: state.source.uid.clone(),
            resource_version: state.source.resource_version,
            number: state.report_count,
            status: Box::new(status),
            key,
        })
    }

    pub(super) fn reported(
        &mut self,
        key: &Key,
        uid: &str,
        number: u64,
        result: Result<(), WriteError>,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.reporting = false;
        let told = state.told.take();
        match result {
            Ok(()) => {
                self.writes.api_answered(now.instant);
                if let Some(told) = told {
                    let (before, after) = *told;
                    self.tell_of_source(key, &before, &after, now);
                }
                let Some(state) = self.sources.get_mut(key) else {
                    return;
                };
                // What was added meanwhile is still to be said.
                state.reports.retain(|(n, _)| *n > number);
                if state.reports.is_empty() {
                    self.reports.remove(key);
                }
            }
            Err(error) => {
                let error = self.writes.judged(error, now.instant);
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
