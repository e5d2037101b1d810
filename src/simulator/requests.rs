//! What the simulated cloud was asked: the numbers and the last requests, for tests and for people who watch.
//!
//! Keeps no header and no credential.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde::Serialize;

use super::selection::Operation;

/// The last requests that are kept.
const KEPT: usize = 200;

/// The requests since the start, or since they were reset. The control endpoint's own requests are not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requests {
    /// Requests by operation and method.
    pub counts: BTreeMap<Operation, BTreeMap<String, u64>>,
    /// Answers by HTTP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests with another method than GET, but for those that credentials are issued for. A controller that
    /// mirrors has none.
    pub not_get: u64,
    /// Requests that are not answered yet; also those that are held, and those that hang.
    pub in_flight: u64,
    /// The most that were in flight at once.
    pub peak_in_flight: u64,
    /// Requests that wait for a release.
    pub held: u64,
    /// The last 200 requests that were answered or given up, oldest first.
    pub last: VecDeque<Seen>,
}

/// A request and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// When it came in, by the simulator's clock.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// What it asked for.
    pub operation: Operation,
    /// The HTTP method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The query as sent.
    pub query: String,
    /// The HTTP status of the answer; 0: none was sent.
    pub status: u16,
    /// `x-request-id` of the answer.
    pub request_id: String,
}

impl Requests {
    /// The requests of an operation that used GET.
    pub fn gets(&self, operation: Operation) -> u64 {
        self.counts
            .get(&operation)
            .and_then(|methods| methods.get("GET"))
            .copied()
            .unwrap_or(0)
    }

    /// All requests of an operation.
    pub fn of(&self, operation: Operation) -> u64 {
        let methods = self.counts.get(&operation);
        methods.map_or(0, |methods| methods.values().sum())
    }

    /// The answers with this HTTP status.
    pub fn answered(&self, status: u16) -> u64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    pub(super) fn begin(&mut self, operation: Operation, method: &str) {
        *self
            .counts
            .entry(operation)
            .or_default()
            .entry(method.to_owned())
            .or_default() += 1;
        self.not_get += u64::from(method != "GET" && !operation.issues_credentials());
        self.in_flight += 1;
        self.peak_in_flight = self.peak_in_flight.max(self.in_flight);
    }

    pub(super) fn end(&mut self, seen: Seen) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if seen.status != 0 {
            *self.statuses.entry(seen.status).or_default() += 1;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(seen);
    }

    /// Forgets the past; what is in flight stays in flight.
    pub(super) fn reset(&mut self) {
        let (in_flight, held) = (self.in_flight, self.held);
        *self = Self {
            in_flight,
            peak_in_flight: in_flight,
            held,
            ..Self::default()
        };
    }
}

fn as_text<S: serde::Serializer>(at: &Timestamp, into: S) -> Result<S::Ok, S::Error> {
    into.collect_str(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_forgets() {
        let mut requests = Requests::default();
        requests.begin(Operation::ListPools, "GET");
        requests.begin(Operation::ShowPool, "DELETE");
        assert_eq!(
            (
                requests.in_flight,
                requests.not_get,
                requests.gets(Operation::ListPools)
            ),
            (2, 1, 1)
        );
        let seen = Seen {
            at: Timestamp::UNIX_EPOCH,
            operation: Operation::ListPools,
            method: "GET".into(),
            path: "/".into(),
            query: String::new(),
            status: 200,
            request_id: String::new(),
        };
        requests.end(seen);
        requests.reset();
        assert_eq!(
            (
                requests.in_flight,
                requests.peak_in_flight,
                requests.not_get,
                requests.last.len()
            ),
            (1, 1, 0, 0)
        );
        let json = serde_json::to_value(&requests).unwrap();
        assert_eq!(json["inFlight"], 1);
    }
}
