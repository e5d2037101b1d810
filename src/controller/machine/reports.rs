//! When the status of a source is written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::state::LastReport;
use super::{Action, Machine, Now};
use crate::api_server::WriteError;
use crate::controller::events::{of_source, of_unwritten_status};
use crate::controller::key::Key;
use crate::controller::pace::after;
use crate::controller::report::{PassResult, Report, status_after};

/// Statuses that are written at once, like mirrors: more are no faster.
const MAX_REPORTING: usize = 8;
/// Of these, those of sources whose last one failed: what hangs in one namespace must not stop all.
const MAX_RETRIED: usize = 4;

/// The statuses that are being written.
#[derive(Default)]
pub(super) struct Reporting {
    /// By source and uid: whether the last one failed.
    under_way: BTreeMap<(Key, Box<str>), bool>,
    /// The source that had its turn last.
    last: Option<Key>,
}

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
            not_before: None,
            rejected: None,
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
        for (_, older) in over.into_iter().rev() {
            report.take_over(older);
        }
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
        while let Some(key) = self.next_to_report(now) {
            let state = self.sources.get_mut(&key)?;
            let reports = state.reports.iter();
            let status = reports.fold(state.source.status.clone(), |status, (_, report)| {
                status_after(report, &status, now.wall)
            });
            if status == state.source.status {
                self.drop_reports(&key);
                continue;
            }
            state.reporting = true;
            state.report_after = None;
            state.told = Some(Box::new((state.source.status.clone(), status.clone())));
            let of = (key.clone(), state.source.uid.clone());
            let again = state.last_report != LastReport::Accepted;
            self.reporting.under_way.insert(of, again);
            self.reporting.last = Some(key.clone());
            return Some(Action::Report {
                uid: state.source.uid.clone(),
                resource_version: state.source.resource_version,
                number: state.report_count,
                status: Box::new(status),
                key,
            });
        }
        None
    }

    /// The source whose status is written next, where there is one and there is room for it: one after another.
    fn next_to_report(&self, now: Now) -> Option<Key> {
        let under_way = &self.reporting.under_way;
        if self.writes.is_paused(now.instant) || under_way.len() >= MAX_REPORTING {
            return None;
        }
        let retries = under_way.values().filter(|retried| **retried).count() < MAX_RETRIED;
        let ready = |key: &&Key| {
            self.sources.get(*key).is_some_and(|s| {
                let due = s.report_after.is_none_or(|at| at <= now.instant);
                !s.reporting && due && (retries || s.last_report == LastReport::Accepted)
            })
        };
        let later = self.reports.range(after(self.reporting.last.as_ref()));
        later.chain(&self.reports).find(ready).cloned()
    }

    pub(super) fn reported(
        &mut self,
        key: &Key,
        uid: &str,
        number: u64,
        result: Result<(), WriteError>,
        now: Now,
    ) {
        let of = (key.clone(), uid.into());
        self.reporting.under_way.remove(&of);
        let Some(state) = self.sources.get_mut(key).filter(|s| &*s.source.uid == uid) else {
            return;
        };
        state.reporting = false;
        let told = state.told.take();
        match result {
            Ok(()) => {
                state.last_report = LastReport::Accepted;
                self.writes.api_answered(now.instant);
                if let Some(told) = told {
                    let (before, after) = *told;
                    self.tell_of_source(key, of_source(&before, &after), now);
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
                let before = state.last_report;
                state.last_report = match error {
                    WriteError::Conflict(_) => before,
                    WriteError::Refused(_) | WriteError::Forbidden(_) => LastReport::Refused,
                    _ => LastReport::Failed,
                };
                let is_news =
                    state.last_report == LastReport::Refused && before != LastReport::Refused;
                if !matches!(error, WriteError::Conflict(_)) {
                    tracing::warn!(source = %key, %error, "failed to write the source's status; trying again");
                }
                self.writes.api_failed(&error, now.instant);
                if is_news {
                    self.tell_of_source(key, vec![of_unwritten_status(&error)], now);
                }
            }
        }
    }
}
