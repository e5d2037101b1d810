//! The hand on the simulated cloud: changes the world, injects faults, holds and counts requests.
//!
//! The same commands serve tests in the process ([`Control`]) and, by way of `control_http`, everyone on the same
//! machine. Each command takes effect at once and is seen by the next request.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::{
    answer::Answer,
    change::Change,
    clock::Clock,
    cloud::{Call, Cloud},
    credentials::Credentials,
    fault::Fault,
    generate::Generate,
    requests::{Requests, Seen},
    scenario::{DEFAULT_WORKSPACE, Scenario, pool_id},
    selection::Selection,
    world::CommandError,
};

/// A handle on a running simulator; clones steer the same one.
#[derive(Clone, Debug)]
pub struct Control(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    cloud: Mutex<Cloud>,
    requests: watch::Sender<Requests>,
    /// Counts the releases: a held request waits for the next.
    released: watch::Sender<u64>,
    clock: Clock,
}

/// A request that was counted in and must be counted out, also when its client goes away.
#[derive(Debug)]
pub(super) struct Ticket {
    control: Control,
    seen: Seen,
}

impl Control {
    pub(super) fn new(scenario: &Scenario, clock: Clock) -> Result<Self, CommandError> {
        let cloud = Mutex::new(Cloud::new(scenario, clock.now())?);
        let (requests, released) = (watch::Sender::default(), watch::Sender::new(0));
        Ok(Self(Arc::new(Shared {
            cloud,
            requests,
            released,
            clock,
        })))
    }

    /// Sets a pool in workspace `0`, by its own id.
    pub fn put_pool(&self, pool: &Value) -> Result<(), CommandError> {
        let id = pool_id(pool)
            .ok_or_else(|| CommandError::Invalid("the pool has no metadata.name".to_owned()))?;
        self.put_raw(id, DEFAULT_WORKSPACE, &pool.to_string())
    }

    /// Sets a pool to a JSON text that is sent byte by byte. `id` is the name for ShowPool and for commands; the text may say another or none.
    pub fn put_raw(&self, id: &str, workspace: &str, json: &str) -> Result<(), CommandError> {
        self.cloud().world.put(id, workspace, json)
    }

    /// Replaces all pools; `pools` are JSON texts with an id.
    pub fn replace_pools<S: AsRef<str>>(
        &self,
        workspace: &str,
        pools: &[S],
    ) -> Result<(), CommandError> {
        self.cloud().world.replace_raw(workspace, pools)
    }

    /// Does something to a pool: changes its phase or its nodes, patches, moves, hides, shows or deletes it.
    pub fn change_pool(&self, id: &str, change: &Change) -> Result<(), CommandError> {
        self.cloud().world.change(id, change)
    }

    /// Merges a JSON merge patch into a pool.
    pub fn patch_pool(&self, id: &str, patch: Value) -> Result<(), CommandError> {
        self.change_pool(id, &Change::Patch(patch))
    }

    /// Removes a pool, from listings and from ShowPool.
    pub fn delete_pool(&self, id: &str) -> Result<(), CommandError> {
        self.change_pool(id, &Change::Delete)
    }

    /// The ids of all pools, also of hidden and failed ones.
    pub fn pool_ids(&self) -> Vec<String> {
        self.cloud().world.ids().map(str::to_owned).collect()
    }

    /// The JSON of a pool as it is now.
    pub fn pool(&self, id: &str) -> Option<Arc<str>> {
        self.cloud().world.pool(id)
    }

    /// Adds made-up pools.
    pub fn generate(&self, generate: &Generate) {
        self.cloud().world.generate(generate);
    }

    /// Lists pools in another order: a different one for each number, by id for none.
    pub fn reorder(&self, order: Option<u64>) {
        self.cloud().world.reorder(order);
    }

    /// Lists so many pools on a page; none: all on one.
    pub fn set_page_size(&self, page_size: Option<NonZeroUsize>) {
        self.cloud().world.set_page_size(page_size);
    }

    /// Shows new pools in listings only after so long, while ShowPool knows them at once.
    pub fn set_list_delay(&self, list_delay: Duration) {
        self.cloud().world.set_list_delay(list_delay);
    }

    /// Accepts these credentials from now on; forgets failures and locks, and ends the tokens of users that are
    /// changed.
    pub fn set_credentials(&self, credentials: Credentials) {
        self.cloud().gate.accept(credentials);
    }

    /// Ends what was issued to users, ECS and pods, before its time.
    pub fn expire_credentials(&self) {
        self.cloud().gate.issuers.expire();
    }

    /// Adds a fault. Where several hit a request, the one that was added first does.
    pub fn add_fault(&self, fault: Fault) -> Result<(), CommandError> {
        fault.check().map_err(CommandError::Invalid)?;
        self.cloud().world.faults.add(fault);
        Ok(())
    }

    /// Takes all faults away. A request that hangs goes on hanging.
    pub fn clear_faults(&self) {
        self.cloud().world.faults.clear();
    }

    /// Lets these requests wait from now on, until [`release`](Self::release). Their answer is made after the release.
    pub fn hold(&self, selection: Selection) {
        self.cloud().holds.push(selection);
    }

    /// Ends all holds and lets the held requests go on.
    pub fn release(&self) {
        // Under the same lock as a request's look at the holds, so that none falls between.
        let mut cloud = self.cloud();
        cloud.holds.clear();
        self.0.released.send_modify(|count| *count += 1);
    }

    /// Plays the timeline so much further at once; the gateway's clock stays.
    pub fn advance(&self, by: Duration) {
        self.lock().skip(by, self.0.clock.now());
    }

    /// What was asked so far.
    pub fn requests(&self) -> Requests {
        self.0.requests.borrow().clone()
    }

    /// Forgets what was asked so far.
    pub fn reset_requests(&self) {
        self.0.requests.send_modify(Requests::reset);
    }

    /// Waits until the numbers are as wanted, for example until a request is held.
    pub async fn wait_for(&self, wanted: impl FnMut(&Requests) -> bool) -> Requests {
        let mut requests = self.0.requests.subscribe();
        // The sender lives as long as self, so this can't fail.
        requests
            .wait_for(wanted)
            .await
            .map_or_else(|_| self.requests(), |requests| requests.clone())
    }

    /// Counts a request in.
    pub(super) fn begin(&self, call: &Call) -> Ticket {
        self.0
            .requests
            .send_modify(|requests| requests.begin(call.operation, &call.method));
        let seen = Seen {
            at: self.0.clock.now(),
            operation: call.operation,
            method: call.method.clone(),
            path: call.path.clone(),
            query: call.raw_query.clone(),
            status: 0,
            request_id: format!("{:032x}", fastrand::u128(..)),
        };
        Ticket {
            control: self.clone(),
            seen,
        }
    }

    /// Waits for the release where the request is held.
    pub(super) async fn pass_holds(&self, call: &Call) {
        let (mut released, before) = {
            let mut cloud = self.lock();
            if !cloud.holds(call) {
                return;
            }
            (self.0.released.subscribe(), *self.0.released.borrow())
        };
        let held = Held::new(self);
        // The sender lives as long as self, so this can't fail.
        let _ = released.wait_for(|count| *count > before).await;
        drop(held);
    }

    /// The present of the gateway.
    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The answer to a request, now.
    pub(super) fn answer(&self, call: &Call, ticket: &Ticket) -> Answer {
        self.lock()
            .answer(call, &ticket.seen.request_id, self.0.clock.now())
    }

    /// The cloud, brought to the present.
    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        let mut cloud = self.lock();
        cloud.catch_up(self.0.clock.now());
        cloud
    }

    fn lock(&self) -> MutexGuard<'_, Cloud> {
        // A panic elsewhere leaves plain data behind; a test that runs into it should see its own failure, not this one.
        self.0.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The value of `x-request-id`.
    pub(super) fn request_id(&self) -> &str {
        &self.seen.request_id
    }

    /// Notes the status that was sent.
    pub(super) fn answered(mut self, status: u16) {
        self.seen.status = status;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.control
            .0
            .requests
            .send_modify(|requests| requests.end(self.seen.clone()));
    }
}

/// Counts a held request while it lives.
struct Held<'a>(&'a Control);

impl<'a> Held<'a> {
    fn new(control: &'a Control) -> Self {
        control
            .0
            .requests
            .send_modify(|requests| requests.held += 1);
        Self(control)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0
            .0
            .requests
            .send_modify(|requests| requests.held = requests.held.saturating_sub(1));
    }
}
