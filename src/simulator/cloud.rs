//! The simulated cloud as one state machine: a request and a time in, an answer out.
//!
//! Puts world, gate and faults together and keeps prepared listings. Knows no sockets and waits for nothing.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::body::Bytes;
use jiff::Timestamp;

use super::{
    answer::Answer,
    errors::NO_API,
    gate::{Attempt, Gate},
    listing::BadRequest,
    query::{Query, decode},
    scenario::Scenario,
    selection::{Operation, Selection},
    world::{CommandError, World},
};

/// So many different listings are kept ready; selectors can be anything, so there must be an end.
const PREPARED: usize = 256;

/// Everything that the simulated cloud knows.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) world: World,
    pub(super) gate: Gate,
    pub(super) holds: Vec<Selection>,
    project_id: String,
    started: Timestamp,
    /// How far the world is ahead of the clock.
    skipped: Duration,
    prepared: HashMap<Query, Bytes>,
    prepared_at: u64,
}

/// A request, as far as it matters. Header names are in lower case.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) raw_query: String,
    pub(super) query: Query,
    pub(super) headers: Vec<(String, String)>,
    /// Of requests for credentials.
    pub(super) body: Bytes,
    pub(super) operation: Operation,
    /// The project id in the path.
    project: Option<String>,
    /// The pool id in the path.
    pub(super) pool: Option<String>,
}

impl Cloud {
    pub(super) fn new(scenario: &Scenario, now: Timestamp) -> Result<Self, CommandError> {
        Ok(Self {
            world: World::new(scenario, now)?,
            gate: Gate::new(scenario.credentials()),
            holds: Vec::new(),
            project_id: scenario.project_id().to_owned(),
            started: now,
            skipped: Duration::ZERO,
            prepared: HashMap::new(),
            prepared_at: 0,
        })
    }

    /// Brings the world to the present.
    pub(super) fn catch_up(&mut self, now: Timestamp) {
        let passed = Duration::try_from(now.duration_since(self.started)).unwrap_or_default();
        self.world.advance_to(passed + self.skipped);
    }

    /// Moves the world, not the gateway's clock, so far ahead.
    pub(super) fn skip(&mut self, by: Duration, now: Timestamp) {
        self.skipped += by;
        self.catch_up(now);
    }

    /// Whether the request must wait for a release.
    pub(super) fn holds(&mut self, call: &Call) -> bool {
        let mut held = false;
        for hold in &mut self.holds {
            // Every hold is asked, since each counts what it skips.
            held |= hold.hits(call.operation, &call.query, call.pool.as_deref());
        }
        held
    }

    /// The answer to a request at this time.
    pub(super) fn answer(&mut self, call: &Call, request_id: &str, now: Timestamp) -> Answer {
        self.catch_up(now);
        if call.operation.issues_credentials() {
            return self.issue(call, request_id, now);
        }
        if call.method != "GET" {
            let refused = Answer::gateway_error(405, "APIGW.0101", NO_API, request_id);
            return Answer {
                headers: vec![("allow", "GET".to_owned())],
                ..refused
            };
        }
        let attempt = Attempt {
            method: &call.method,
            path: &call.path,
            query: &call.query,
            headers: &call.headers,
        };
        if call.operation == Operation::Other {
            return Answer::gateway_error(404, "APIGW.0101", NO_API, request_id);
        }
        if let Err(refusal) = self.gate.check(attempt, now) {
            return Answer::gateway_error(401, refusal.code, &refusal.message, request_id);
        }
        let asked_for = |project: &str| project == self.project_id;
        let header = call.header("x-project-id");
        if !call.project.as_deref().is_some_and(asked_for) || !header.is_none_or(asked_for) {
            return Answer::service_error(
                403,
                "ModelArts.0210",
                "The project id does not match the token.",
            );
        }
        let fault = self
            .world
            .faults
            .next(call.operation, &call.query, call.pool.as_deref());
        let answer = self
            .true_answer(call)
            .unwrap_or_else(|bad| Answer::service_error(400, bad.code, &bad.message));
        match fault {
            Some(fault) => {
                let items = self.items(call);
                answer.spoiled(&fault, &items, request_id, now)
            }
            None => answer,
        }
    }

    /// The answer of who issues credentials. Anyone may ask.
    fn issue(&mut self, call: &Call, request_id: &str, now: Timestamp) -> Answer {
        let query = &call.query;
        let fault = self.world.faults.next(call.operation, query, None);
        let answer = self.gate.issuers.answer(call, &self.project_id, now);
        match fault {
            Some(fault) => answer.spoiled(&fault, &[], request_id, now),
            None => answer,
        }
    }

    fn true_answer(&mut self, call: &Call) -> Result<Answer, BadRequest> {
        match call.operation {
            Operation::ListPools => self.listing(&call.query).map(Answer::ok),
            Operation::ListWorkspaces => self
                .world
                .list_workspaces(&call.query)
                .map(|list| Answer::ok(list.to_string())),
            Operation::ShowPool
            | Operation::CreateToken
            | Operation::CreateMetadataToken
            | Operation::GetSecurityKey
            | Operation::AssumeAgencyForPodIdentity
            | Operation::Other => {
                let id = call.pool.as_deref().unwrap_or_default();
                Ok(self.world.pool(id).map_or_else(
                    || {
                        Answer::service_error(
                            404,
                            "ModelArts.50015001",
                            &format!("Pool {id} not found."),
                        )
                    },
                    |json| Answer::ok(json.as_bytes().to_vec()),
                ))
            }
        }
    }

    /// A listing is made once per change of the world, not once per request: 10,000 pools stay cheap.
    fn listing(&mut self, query: &Query) -> Result<Bytes, BadRequest> {
        if self.prepared_at != self.world.revision() || self.prepared.len() >= PREPARED {
            self.prepared.clear();
            self.prepared_at = self.world.revision();
        }
        if let Some(body) = self.prepared.get(query) {
            return Ok(body.clone());
        }
        let body = Bytes::from(self.world.list(query)?.render());
        self.prepared.insert(query.clone(), body.clone());
        Ok(body)
    }

    /// The pools of the true answer, for faults that change the list around them.
    fn items(&self, call: &Call) -> Vec<Arc<str>> {
        match call.operation {
            Operation::ListPools => self.world.list(&call.query).unwrap_or_default().pools,
            _ => Vec::new(),
        }
    }
}

impl Call {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Takes a request apart.
    pub(super) fn new(
        method: &str,
        path: &str,
        query: &str,
        headers: Vec<(String, String)>,
    ) -> Self {
        let segments: Vec<String> = path.split('/').skip(1).map(decode).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (operation, project, pool) = match segments[..] {
            ["v2", project, "pools"] => (Operation::ListPools, Some(project), None),
            ["v2", project, "pools", pool] if !pool.is_empty() => {
                (Operation::ShowPool, Some(project), Some(pool))
            }
            ["v1", project, "workspaces"] => (Operation::ListWorkspaces, Some(project), None),
            ["v3", "auth", "tokens"] => (Operation::CreateToken, None, None),
            ["meta-data", "latest", "api", "token"] => (Operation::CreateMetadataToken, None, None),
            ["openstack", "latest", "securitykey"] => (Operation::GetSecurityKey, None, None),
            ["v1", "credentials"] => (Operation::AssumeAgencyForPodIdentity, None, None),
            _ => (Operation::Other, None, None),
        };
        Self {
            operation,
            project: project.map(str::to_owned),
            pool: pool.map(str::to_owned),
            method: method.to_owned(),
            path: path.to_owned(),
            raw_query: query.to_owned(),
            query: Query::parse(query),
            headers,
            body: Bytes::new(),
        }
    }
}
