//! Performs what the election says. The only place that reads and writes the lease.

use std::convert::Infallible;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, PostParams};
use kube::{Client, Error};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::Term;
use super::clock::BootTime;
use super::election::{Call, Election, Now, Step};
use crate::api::CONTROLLER_NAME;
use crate::api_server::{CALL_TIMEOUT, WriteError, call};

/// How often the giving back of the lease is tried where it was written meanwhile.
const RELEASES: usize = 3;

/// Which Lease.
#[derive(Clone, Debug)]
pub struct LeaseName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Acquires and renews the lease.
pub struct Elector {
    api: Api<Lease>,
    name: LeaseName,
    election: Election,
    /// It has written the lease, with whatever answer.
    may_hold: bool,
    publish: watch::Sender<Option<Term>>,
}

impl Elector {
    pub(super) fn new(
        client: Client,
        name: LeaseName,
        identity: &str,
        publish: watch::Sender<Option<Term>>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, &name.namespace),
            election: Election::new(&name.name, identity, fastrand::u64(..), BootTime::now()),
            name,
            may_hold: false,
            publish,
        }
    }

    /// Takes part in the election until `work` ends, and then gives the lease back, so that another
    /// replica need not wait for its end.
    pub async fn run<T>(mut self, work: impl Future<Output = T>) -> T {
        tracing::info!(
            namespace = self.name.namespace,
            name = self.name.name,
            "electing the replica that writes by this Lease"
        );
        let output = tokio::select! {
            output = work => output,
            never = self.elect() => match never {},
        };
        self.publish.send_replace(None);
        if self.may_hold {
            self.release().await;
        }
        output
    }

    async fn elect(&mut self) -> Infallible {
        loop {
            let step = self.election.next(now());
            self.publish();
            let (call, limit) = match step {
                Step::Wait(time) => {
                    sleep(time).await;
                    continue;
                }
                Step::Call(call, limit) => (call, limit),
            };
            self.may_hold |= call != Call::Look;
            let sent = BootTime::now();
            match call {
                Call::Look => {
                    let answer = within(limit, self.api.get_opt(&self.name.name)).await;
                    self.election.looked(sent, answer, now());
                }
                Call::Create(lease) => {
                    let answer = within(limit, self.api.create(&params(), &lease)).await;
                    self.election.wrote(sent, answer, now());
                }
                Call::Replace(lease) => {
                    let answer = within(limit, self.replace(&lease)).await;
                    self.election.wrote(sent, answer, now());
                }
            }
        }
    }

    /// Wakes those who wait where a term has begun or ended; a renewal is seen by those who ask.
    fn publish(&self) {
        let term = self.election.term();
        self.publish.send_if_modified(|published| {
            let number = |term: Option<Term>| term.map(|term| term.number);
            number(std::mem::replace(published, term)) != number(term)
        });
    }

    async fn release(&self) {
        match within(CALL_TIMEOUT, self.try_release()).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(
                lease = self.name.name,
                %error,
                "failed to give the lease back; another replica waits for its end"
            ),
        }
    }

    async fn try_release(&self) -> kube::Result<()> {
        let mut tries = RELEASES;
        loop {
            tries -= 1;
            // Looked at first: the answer to the last renewal may not have been waited for.
            let lease = self.api.get(&self.name.name).await?;
            let Some(lease) = self.election.released(lease, Timestamp::now()) else {
                return Ok(());
            };
            match self.replace(&lease).await {
                Err(Error::Api(status)) if status.is_conflict() && tries > 0 => {}
                answer => {
                    answer?;
                    tracing::info!(lease = self.name.name, "gave the lease back");
                    return Ok(());
                }
            }
        }
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        self.api.replace(&self.name.name, &params(), lease).await
    }
}

fn now() -> Now {
    Now {
        boot: BootTime::now(),
        wall: Timestamp::now(),
    }
}

fn params() -> PostParams {
    PostParams {
        field_manager: Some(CONTROLLER_NAME.to_owned()),
        ..PostParams::default()
    }
}

async fn within<T>(
    limit: Duration,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, WriteError> {
    let answer = timeout(limit, call(request)).await;
    answer.unwrap_or_else(|_| {
        let message = format!("no answer within {} ms", limit.as_millis());
        Err(WriteError::Unreachable(message))
    })
}
