//! Elections in a time of their own: replicas between which there is nothing but a lease.

mod cases;
mod disorder;

use serde_json::{Value, json};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An API server that holds one lease.
#[derive(Default)]
struct Server {
    lease: Option<Lease>,
    version: u64,
}

impl Server {
    fn create(&mut self, lease: Lease) -> Result<Lease, WriteError> {
        if self.lease.is_some() {
            return Err(WriteError::Conflict("it exists".to_owned()));
        }
        Ok(self.store(lease))
    }

    fn replace(&mut self, lease: Lease) -> Result<Lease, WriteError> {
        match &self.lease {
            None => Err(WriteError::NotFound("no lease".to_owned())),
            Some(stored) if is_version_of(stored, &lease) => Ok(self.store(lease)),
            Some(_) => Err(WriteError::Conflict("another version".to_owned())),
        }
    }

    fn store(&mut self, mut lease: Lease) -> Lease {
        self.version += 1;
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }

    fn write(&mut self, call: Call) -> Result<Lease, WriteError> {
        match call {
            Call::Look => panic!("no write"),
            Call::Create(lease) => self.create(*lease),
            Call::Replace(lease) => self.replace(*lease),
        }
    }

    /// Someone writes it.
    fn put(&mut self, spec: &Value) {
        let lease =
            json!({"metadata": {"name": "lease", "annotations": {"a": "kept"}}, "spec": spec});
        self.store(serde_json::from_value(lease).expect("a lease"));
    }

    fn holder(&self) -> Option<&str> {
        self.lease.as_ref().and_then(holder)
    }
}

/// One replica, which begins at second 1,000 of its machine.
struct Replica {
    election: Election,
    now: BootTime,
    calls: Vec<&'static str>,
}

impl Replica {
    fn new(identity: &str) -> Self {
        Self::started_at(at(1_000 * SECOND), identity, 1)
    }

    fn started_at(now: BootTime, identity: &str, seed: u64) -> Self {
        Self {
            election: Election::new("lease", identity, seed, now),
            now,
            calls: Vec::new(),
        }
    }

    fn time(&self) -> Now {
        Now {
            boot: self.now,
            // As wrong as a clock can be: it counts for nothing.
            wall: Timestamp::UNIX_EPOCH,
        }
    }

    fn holds(&self) -> Option<u64> {
        let valid = |term: &Term| self.now + CALL_TIMEOUT < term.valid_until;
        self.election.term().filter(valid).map(|term| term.number)
    }

    fn step(&mut self) -> Step {
        self.election.next(self.time())
    }

    /// Makes the calls of this instant; how long to wait then.
    fn run(&mut self, server: &mut Server) -> Duration {
        loop {
            let call = match self.step() {
                Step::Wait(time) => return time,
                Step::Call(call, _) => call,
            };
            match call {
                Call::Look => {
                    self.calls.push("look");
                    let answer = Ok(server.lease.clone());
                    self.election.looked(self.now, answer, self.time());
                }
                call => {
                    self.calls.push("write");
                    let answer = server.write(call);
                    self.election.wrote(self.now, answer, self.time());
                }
            }
        }
    }

    fn run_for(&mut self, server: &mut Server, time: Duration) {
        let end = self.now + time;
        loop {
            let wait = self.run(server);
            if self.now + wait > end {
                self.now = end;
                return;
            }
            self.now = self.now + wait;
        }
    }

    /// Calls fail at once, for so long; how many there were.
    fn fail_for(&mut self, time: Duration) -> usize {
        let end = self.now + time;
        let error = || WriteError::ServerError("no".to_owned());
        let mut calls = 0;
        while self.now < end {
            match self.step() {
                Step::Wait(wait) => self.now = (self.now + wait).min(end),
                Step::Call(Call::Look, _) => {
                    calls += 1;
                    self.election.looked(self.now, Err(error()), self.time());
                }
                Step::Call(..) => {
                    calls += 1;
                    self.election.wrote(self.now, Err(error()), self.time());
                }
            }
        }
        calls
    }
}

fn at(time: Duration) -> BootTime {
    BootTime::default() + time
}
