//! Faults: answers that a real cloud gives on its bad days, on request.
//!
//! Owns how often a fault hits. Which requests are meant is `selection`'s matter, what an answer then looks like is `answer`'s matter.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    query::Query,
    selection::{Match, Operation, Selection, any_operation},
    span,
};

/// A fault: which requests it hits, how often, and what they get instead of their answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fault {
    /// The operation; `*` or nothing: every operation.
    #[serde(with = "any_operation", skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What the request asks for.
    #[serde(rename = "match")]
    pub matching: Match,
    /// So many of these requests pass before the first is hit.
    pub skip: u32,
    /// So many requests are hit, then the fault is over; nothing: until the faults are cleared.
    pub times: Option<u32>,
    /// The HTTP status; with `code` and `message`, or with `body`.
    pub status: Option<u16>,
    /// The error code; default by status. A documented code alone has its status and its words.
    pub code: Option<String>,
    /// The error message.
    pub message: Option<String>,
    /// A whole body of one's own: a text is sent as it is, everything else as JSON.
    pub body: Option<Value>,
    /// A ready-made fault.
    pub preset: Option<Preset>,
    /// For `throttle`, or any status: the header `Retry-After`, seconds or an HTTP date.
    pub retry_after: Option<String>,
    /// The same header as the HTTP date that is so far ahead.
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Duration>,
    /// Milliseconds to wait first. Alone, the request gets its true answer, late.
    pub slow: Option<u64>,
}

/// Ready-made faults, each met in the field or in an SDK's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// 200 with the first half of the true body.
    Truncated,
    /// 200 with `{}`.
    EmptyObject,
    /// 200 with a `PoolList` whose `items` is null.
    ItemsNull,
    /// 200 with an error body.
    #[serde(rename = "error-with-200")]
    ErrorWith200,
    /// 200 with a list of another kind.
    WrongKind,
    /// 200 with one item more, that has no id.
    ItemWithoutId,
    /// 200 with a list that says more pools remain, without saying how to get them.
    RemainingWithoutContinue,
    /// 200 with a list whose `continue` leads to the same list again and again.
    RepeatedContinue,
    /// No answer, ever.
    Hang,
    /// The connection ends in the middle of the body.
    Close,
    /// 302 to a place where nothing is.
    Redirect,
    /// 429 `APIGW.0308`, with `retryAfter` where given.
    Throttle,
}

/// The faults in force, with what is left of each.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<(Selection, Fault)>);

impl Fault {
    /// The preset on every request of an operation, until cleared.
    #[must_use]
    pub fn preset(operation: Operation, preset: Preset) -> Self {
        Self {
            operation: Some(operation),
            preset: Some(preset),
            ..Self::default()
        }
    }

    /// The HTTP status on every request of an operation, until cleared.
    #[must_use]
    pub fn status(operation: Operation, status: u16) -> Self {
        Self {
            operation: Some(operation),
            status: Some(status),
            ..Self::default()
        }
    }

    /// Hits so many requests only.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self {
            times: Some(times),
            ..self
        }
    }

    /// Whether nothing but a delay is asked for.
    pub(super) fn is_only_slow(&self) -> bool {
        self.preset.is_none() && self.status.is_none() && self.body.is_none() && self.code.is_none()
    }

    /// The header `Retry-After` at this time.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<String> {
        let date = |wait: Duration| {
            let then = now.saturating_add(wait).unwrap_or(now);
            then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        let date = self.retry_at.map(date);
        date.or_else(|| self.retry_after.clone())
    }

    /// Why the fault can't be played.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.is_only_slow() && self.slow.is_none() {
            return Err("a fault needs one of status, code, body, preset or slow".to_owned());
        }
        if self.retry_after.is_some() && self.retry_at.is_some() {
            return Err("retryAfter and retryAt: there is one header, give one of them".to_owned());
        }
        if self
            .status
            .is_some_and(|status| !(200..=599).contains(&status))
        {
            return Err("status: must be 200 to 599".to_owned());
        }
        Ok(())
    }
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        let selection = Selection {
            operation: fault.operation,
            matching: fault.matching.clone(),
            skip: fault.skip,
        };
        self.0.push((selection, fault));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The first fault that hits the request. Each call uses up one of its times.
    pub(super) fn next(
        &mut self,
        operation: Operation,
        query: &Query,
        pool: Option<&str>,
    ) -> Option<Fault> {
        let at = self.0.iter_mut().position(|(selection, fault)| {
            fault.times != Some(0) && selection.hits(operation, query, pool)
        })?;
        let fault = &mut self.0[at].1;
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        let hit = fault.clone();
        self.0.retain(|(_, fault)| fault.times != Some(0));
        Some(hit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_hits_what_it_matches_as_often_as_it_says() {
        let mut faults = Faults::default();
        faults.add(fault(r#"{"operation":"ListPools","match":{"status":"failed"},"times":2,"skip":1,"status":503}"#));
        let mut next =
            |operation, query| faults.next(operation, &Query::parse(query), None).is_some();
        assert!(!next(Operation::ShowPool, "status=failed"));
        assert!(!next(Operation::ListPools, "workspaceId=0"));
        let hits: Vec<_> = (0..4)
            .map(|_| next(Operation::ListPools, "status=failed"))
            .collect();
        assert_eq!(hits, [false, true, true, false]);
    }

    #[test]
    fn every_operation_is_a_star() {
        assert_eq!(fault(r#"{"operation":"*","status":500}"#).operation, None);
        assert!(serde_json::from_str::<Fault>(r#"{"operation":"ListPool"}"#).is_err());
        assert!(fault("{}").check().is_err());
        assert!(fault(r#"{"slow":5}"#).check().is_ok());
        assert!(
            fault(r#"{"status":429,"retryAfter":"5","retryAt":"5s"}"#)
                .check()
                .is_err()
        );
        assert!(fault(r#"{"preset":"error-with-200"}"#).check().is_ok());
    }
}
