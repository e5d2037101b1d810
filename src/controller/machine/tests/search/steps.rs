//! What each step of a history does to the world.

use std::time::{Duration, Instant};

use super::cloud::{PHASES, Pool, id};
use super::history::Step;
use super::strangers::{act_on, occupy};
use super::world::World;

/// How long the garbage collector takes to come to a deleted source.
const COLLECTED_AFTER: Duration = Duration::from_secs(7);

impl World {
    /// Plays a step. What it has nothing to act upon for does nothing.
    pub(super) fn play(&mut self, step: &Step) {
        let now = self.now.instant;
        let until = |seconds: u32| now + Duration::from_secs(seconds.into());
        match *step {
            Step::Pass { seconds } => self.pass(Duration::from_secs(seconds.into())),

            Step::Come { pool, workspace } => {
                if !self.cloud.pools.contains_key(&pool) {
                    self.cloud.make(pool, workspace % 2);
                }
            }
            Step::Go { pool } => {
                self.cloud.pools.remove(&pool);
            }
            Step::GoAll { from } => self.cloud.pools.retain(|pool, _| *pool < from),
            Step::Hide { pool } => self.change(pool, |p| p.hidden = true),
            Step::Return { pool } => self.change(pool, |p| p.hidden = false),
            Step::Change { pool, phase, nodes } => self.change(pool, |p| {
                p.phase = phase % u8::try_from(PHASES.len()).unwrap_or(1);
                p.nodes = nodes;
            }),
            Step::Reorder { pool } => self.change(pool, |p| p.reordered = !p.reordered),
            Step::Move { pool, workspace } => self.change(pool, |p| p.workspace = workspace % 2),
            Step::Replace { pool } => {
                if let Some(old) = self.cloud.pools.get(&pool) {
                    self.cloud.make(pool, old.workspace);
                }
            }
            Step::Grow { pool, large } => self.change(pool, |p| p.large = large),
            Step::Label { pool, on } => self.change(pool, |p| p.labelled = on),

            Step::ListingFails { how, seconds } => self.faults.listing.begin(how, until(seconds)),
            Step::ShowFails { how, seconds } => self.faults.show.begin(how, until(seconds)),
            Step::Unsaid { pool, seconds } => {
                let unsaid = self.faults.unsaid.entry(pool).or_default();
                unsaid.begin((), until(seconds));
            }
            Step::CloudIsSlow { slow, seconds } => {
                self.faults.slow_cloud.begin(slow, until(seconds));
            }
            Step::SecretMissing { seconds } => self.faults.secret.begin((), until(seconds)),
            Step::NewKey => self.secret = (self.secret.0 + 1, Some(self.now.wall)),

            Step::Outage { seconds } => {
                self.faults.outage.begin((), until(seconds));
                self.break_watches(until(seconds));
            }
            Step::WritesFail { how, seconds } => self.faults.writes.begin(how, until(seconds)),
            Step::Refuse { pool, seconds } => {
                let refused = self.faults.refused.entry(pool).or_default();
                refused.begin((), until(seconds));
            }
            Step::ApiIsSlow { slow, seconds } => self.faults.slow_api.begin(slow, until(seconds)),
            Step::WatchesBreak { seconds } => self.break_watches(until(seconds)),
            Step::WatchesAreSlow { millis, seconds } => {
                let millis = Duration::from_millis(millis.into());
                self.faults.slow_watches.begin(millis, until(seconds));
            }

            Step::Edit { pool, what } => {
                self.laws.touched(&id(pool), self.now);
                act_on(&mut self.cluster, &id(pool), what);
            }
            Step::Occupy { pool, owner } => {
                self.laws.touched(&id(pool), self.now);
                occupy(&mut self.cluster, &id(pool), owner);
            }

            Step::MakeSource { source } => self.cluster.make_source(source, self.now.wall),
            Step::DeleteSource { source, orphan } => self.delete_source(source, orphan, now),
            Step::EditSource { source, what } => {
                self.cluster.edit_source(source, what, self.now.wall);
            }
            Step::Restart => self.start(self.secret.0.into()),
        }
        self.show_changes();
    }

    fn change(&mut self, pool: u8, change: impl FnOnce(&mut Pool)) {
        if let Some(pool) = self.cloud.pools.get_mut(&pool) {
            change(pool);
        }
    }

    /// Deletes a source: at once, and its mirrors go later; or they are let go first.
    fn delete_source(&mut self, source: u8, orphan: bool, now: Instant) {
        let stored = self.cluster.sources.get(&source).filter(|s| !s.deleting);
        let Some(uid) = stored.map(|s| s.uid.clone()) else {
            return;
        };
        if orphan {
            self.cluster.begin_deletion(source);
        } else {
            self.cluster.delete_source(source, &uid);
        }
        self.collect(source, &uid, orphan, now + COLLECTED_AFTER);
    }
}
