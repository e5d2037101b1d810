//! The simulated project: its pools, what is scheduled for them, and the faults in force.
//!
//! Plain data. Its state is a function of (scenario, time, commands): nothing here reads a clock, waits, or
//! does IO, so a test can play an hour in a millisecond and twice the same.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    change::Change,
    fault::Faults,
    generate::Generate,
    pools::{KEEP_FAILED, Life, Pool, Pools},
    scenario::{Event, Scenario, ScenarioPool, Workspace, pool_id},
};

/// A project at one moment.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) pools: Pools,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) page_size: Option<NonZeroUsize>,
    pub(super) faults: Faults,
    /// Where given, listings come in an order made from this number instead of by id.
    pub(super) order: Option<u64>,
    /// Listings without a filter carry failed pools too.
    pub(super) blank_lists_failed: bool,
    started: Timestamp,
    elapsed: Duration,
    timeline: Vec<Scheduled>,
    revision: u64,
}

#[derive(Clone, Debug)]
struct Scheduled {
    event: Event,
    /// When it happens next, from the start; nothing: it is over.
    next: Option<Duration>,
}

/// Why a command can't be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no pool with this id.
    #[error("there is no pool {0}")]
    NoSuchPool(String),
    /// The command makes no sense for this pool, or its data is malformed.
    #[error("{0}")]
    Invalid(String),
}

impl World {
    /// The world of a scenario at its start.
    pub fn new(scenario: &Scenario, started: Timestamp) -> Result<Self, CommandError> {
        let schedule = |event: &Event| Scheduled {
            event: event.clone(),
            next: Some(event.at),
        };
        let mut world = Self {
            pools: Pools::new(
                scenario.list_delay,
                scenario.keep_failed.unwrap_or(KEEP_FAILED),
            ),
            workspaces: scenario.all_workspaces(),
            page_size: scenario.page_size,
            faults: Faults::default(),
            order: None,
            blank_lists_failed: scenario.blank_lists_failed,
            started,
            elapsed: Duration::ZERO,
            timeline: scenario.timeline.iter().map(schedule).collect(),
            revision: 0,
        };
        world.replace(&scenario.pools)?;
        for generate in &scenario.generate {
            world.generate(generate);
        }
        world.advance_to(Duration::ZERO);
        Ok(world)
    }

    /// Counts the changes of anything that a listing shows: equal numbers, equal listings.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The present of this world.
    pub fn now(&self) -> Timestamp {
        self.started
            .saturating_add(jiff::SignedDuration::try_from(self.elapsed).unwrap_or_default())
            .unwrap_or(self.started)
    }

    /// The ids of all pools, also of hidden and failed ones.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.pools.iter().map(|(id, _)| id.as_str())
    }

    /// The JSON of a pool, as ShowPool answers it.
    pub fn pool(&self, id: &str) -> Option<Arc<str>> {
        self.pools.get(id).map(|pool| pool.json.clone())
    }

    /// Plays everything scheduled up to this time from the start; going back is no change.
    pub fn advance_to(&mut self, elapsed: Duration) {
        loop {
            let event = self.next_event().filter(|(at, _)| *at <= elapsed);
            let due = self.pools.next_due().filter(|at| *at <= elapsed);
            if let Some(due) = due.filter(|due| event.is_none_or(|(at, _)| *due < at)) {
                self.elapsed = due.max(self.elapsed);
                self.pools.look_at_next(self.elapsed);
                self.revision += 1;
                continue;
            }
            let Some((at, index)) = event else { break };
            self.elapsed = at.max(self.elapsed);
            let scheduled = &mut self.timeline[index];
            scheduled.next = scheduled.event.every.map(|every| at + every);
            let event = scheduled.event.clone();
            self.play(&event);
        }
        self.elapsed = elapsed.max(self.elapsed);
    }

    /// Does something to a pool now.
    pub fn change(&mut self, id: &str, change: &Change) -> Result<(), CommandError> {
        match change {
            Change::Create { workspace, pool } => {
                let mut pool = pool.clone();
                if let Some(metadata) = pool["metadata"].as_object_mut() {
                    let present = self.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                    metadata
                        .entry("creationTimestamp")
                        .or_insert_with(|| json!(present));
                }
                self.put(id, workspace, &pool.to_string())?;
            }
            Change::Delete => {
                self.pools
                    .remove(id)
                    .ok_or_else(|| CommandError::NoSuchPool(id.to_owned()))?;
            }
            Change::Hide => self.existing(id)?.hidden = true,
            Change::Show => self.existing(id)?.hidden = false,
            _ => {
                if let Change::Move { workspace } = change {
                    self.existing(id)?.workspace.clone_from(workspace);
                    self.know_workspace(workspace);
                }
                let pool = self.existing(id)?;
                let mut json = parse(&pool.json)?;
                change
                    .edit(&mut json)
                    .map_err(|problem| CommandError::Invalid(format!("pool {id}: {problem}")))?;
                pool.life = Life::of(&json);
                pool.json = json.to_string().into();
                self.pools.age(id, self.elapsed);
            }
        }
        self.revision += 1;
        Ok(())
    }

    /// Sets a pool to this JSON text, which is sent as it is, byte by byte. The id in the text may differ or be missing: that is how strange pools are made.
    pub fn put(&mut self, id: &str, workspace: &str, json: &str) -> Result<(), CommandError> {
        let value = parse(json)?;
        let pool = Pool::new(workspace, &value, json);
        self.pools.put(id, pool, self.elapsed);
        self.know_workspace(workspace);
        self.revision += 1;
        Ok(())
    }

    /// Replaces all pools by these.
    pub fn replace(&mut self, pools: &[ScenarioPool]) -> Result<(), CommandError> {
        let mut made = Vec::new();
        for placed in pools {
            let id = pool_id(&placed.pool)
                .ok_or_else(|| CommandError::Invalid("a pool has no metadata.name".to_owned()))?;
            let text = placed.pool.to_string();
            let mut pool = Pool::new(&placed.workspace, &placed.pool, &text);
            pool.hidden = placed.hidden;
            made.push((id, pool));
            self.know_workspace(&placed.workspace);
        }
        self.settle(made);
        Ok(())
    }

    /// Replaces all pools by these JSON texts, each with an id.
    pub fn replace_raw<S: AsRef<str>>(
        &mut self,
        workspace: &str,
        pools: &[S],
    ) -> Result<(), CommandError> {
        let mut made = Vec::new();
        for json in pools.iter().map(AsRef::as_ref) {
            let value = parse(json)?;
            let id = pool_id(&value)
                .ok_or_else(|| CommandError::Invalid("a pool has no metadata.name".to_owned()))?;
            let id = id.to_owned();
            made.push((id, Pool::new(workspace, &value, json)));
        }
        self.settle(made);
        self.know_workspace(workspace);
        Ok(())
    }

    /// Adds made-up pools.
    pub fn generate(&mut self, generate: &Generate) {
        self.know_workspace(&generate.workspace);
        for pool in generate.iter() {
            if let Some(id) = pool_id(&pool) {
                let made = Pool::new(&generate.workspace, &pool, &pool.to_string());
                self.pools.settle(id, made, self.elapsed);
            }
        }
        self.revision += 1;
    }

    /// Lists pools in another order from now on: a different one for each number, by id for none.
    pub fn reorder(&mut self, order: Option<u64>) {
        self.order = order;
        self.revision += 1;
    }

    /// Lists so many pools on a page from now on.
    pub fn set_page_size(&mut self, page_size: Option<NonZeroUsize>) {
        self.page_size = page_size;
        self.revision += 1;
    }

    /// Shows new pools in listings only after so long, from now on.
    pub fn set_list_delay(&mut self, list_delay: Duration) {
        self.pools.list_delay = list_delay;
    }

    /// The time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Puts these pools in the place of all, as if they had been there for long.
    fn settle<I: AsRef<str>>(&mut self, pools: Vec<(I, Pool)>) {
        self.pools.clear();
        for (id, pool) in pools {
            self.pools.settle(id.as_ref(), pool, self.elapsed);
        }
        self.revision += 1;
    }

    fn next_event(&self) -> Option<(Duration, usize)> {
        self.timeline
            .iter()
            .enumerate()
            .filter_map(|(index, scheduled)| Some((scheduled.next?, index)))
            .min()
    }

    fn play(&mut self, event: &Event) {
        for change in &event.changes {
            // A command may have removed the pool that the timeline speaks of; the show goes on without it.
            if let Some(Err(error)) = event.pool.as_deref().map(|id| self.change(id, change)) {
                tracing::debug!(%error, "a scheduled change does not apply");
            }
        }
        if event.clear_faults {
            self.faults.clear();
        }
        for fault in &event.faults {
            self.faults.add(fault.clone());
        }
    }

    fn existing(&mut self, id: &str) -> Result<&mut Pool, CommandError> {
        self.pools
            .get_mut(id)
            .ok_or_else(|| CommandError::NoSuchPool(id.to_owned()))
    }

    fn know_workspace(&mut self, id: &str) {
        if !self.workspaces.iter().any(|workspace| workspace.id == id) {
            self.workspaces.push(Workspace::named_after(id));
        }
    }
}

fn parse(json: &str) -> Result<Value, CommandError> {
    let value: Value = serde_json::from_str(json)
        .map_err(|error| CommandError::Invalid(format!("the pool is no JSON: {error}")))?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(CommandError::Invalid(
            "the pool is no JSON object".to_owned(),
        ))
    }
}
