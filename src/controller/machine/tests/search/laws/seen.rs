//! What was answered to one source.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use super::pace::Begun;
use super::{Asked, Facts, settings};
use crate::controller::fetch::Listing;
use crate::controller::machine::tests::search::cloud::number;
use crate::controller::machine::tests::search::generate::MAX_POOLS;
use crate::controller::machine::{Confirmation, Now, PoolAnswer};
use crate::controller::source::Source;
use crate::mirror::{Desired, is_leaving};

/// By the numbers of pools.
pub(super) type Pools<T> = [T; MAX_POOLS as usize + 1];

#[derive(Default)]
pub(super) struct Seen {
    /// The last complete listing of this process.
    pub(super) last: Option<Last>,
    /// What each pool was when this process saw it in a complete listing last.
    pub(super) content: Pools<Option<Arc<Desired>>>,
    /// When the first listing left that lacked each pool, of those for one spec that all lacked it; of all
    /// processes.
    pub(super) lacking: Pools<Option<Now>>,
    /// How many such listings there were.
    lacked: Pools<u32>,
    /// The spec that they were for.
    generation: i64,
    /// What the cloud said of each pool since it was listed last, when, and by the laws' clock; of all
    /// processes.
    pub(super) said: Pools<Option<(PoolAnswer, Instant, u64)>>,
    /// When the cloud said last that it has a pool, to this process.
    pub(super) found: Pools<Option<Instant>>,
    /// When the last check began, and the last one that said yes.
    pub(super) check_begun: u64,
    pub(super) checked: u64,
    /// The last pass of this process that has listed.
    pub(super) pass: Option<Begun>,
    /// The cloud asked not to be asked before.
    pub(super) not_before: Option<Instant>,
    /// When a key was rejected before this process began, as the status says.
    pub(super) stopped: Option<Timestamp>,
    known: bool,
    suspended: bool,
    pub(super) fresh_until: Option<Timestamp>,
    /// Whether a pass has ended since the process began or the source was suspended.
    pub(super) has_passed: bool,
}

/// A complete listing.
pub(super) struct Last {
    pub(super) left: Now,
    pub(super) generation: i64,
    /// Pools by bits: those that it held, and those that were too large.
    pub(super) listed: u32,
    pub(super) large: u32,
    /// Whether so many mirrors were without their pools that none may be removed, where that is certain.
    pub(super) halted: Option<bool>,
}

impl Last {
    pub(super) fn has(&self, pool: u8) -> bool {
        (self.listed | self.large) >> pool & 1 == 1
    }
}

impl Seen {
    /// What a process that ends takes along.
    pub(super) fn forget(&mut self) {
        *self = Self {
            lacking: self.lacking,
            lacked: self.lacked,
            generation: self.generation,
            said: std::mem::take(&mut self.said),
            ..Self::default()
        };
    }

    pub(super) fn source_shown(&mut self, source: &Source, now: Now) {
        let suspended = settings(source).suspend;
        if !std::mem::replace(&mut self.known, true) {
            self.fresh_until = source.status.fresh_until.as_ref().map(|t| t.0);
            // A former process has seen the spec; whether the clocks of mirrors are older is not known.
            if source.status.observed_generation == Some(source.generation) {
                self.generation = source.generation;
            }
            let rejected = source.status.credentials_rejected_time.as_ref();
            self.stopped = rejected.map(|t| t.0);
            let not_before = source.status.not_before.as_ref();
            self.not_before = not_before.map(|at| now.instant + now.until(at.0));
        }
        if self.suspended && !suspended {
            self.has_passed = false;
        }
        self.suspended = suspended;
    }

    pub(super) fn listed(&mut self, asked: &Asked, listing: &Listing, facts: &Facts) {
        if self.generation != asked.generation {
            self.lacking = Pools::default();
            self.lacked = Pools::default();
        }
        let mut last = Last {
            left: asked.left,
            generation: asked.generation,
            listed: 0,
            large: 0,
            halted: None,
        };
        for (name, desired) in &listing.pools {
            let pool = number(name).expect("a pool");
            last.listed |= 1 << pool;
            self.content[usize::from(pool)] = Some(desired.clone());
        }
        for skip in &listing.skipped {
            last.large |= 1 << number(&skip.id).expect("a pool");
        }
        for pool in 0..=MAX_POOLS {
            let index = usize::from(pool);
            if last.has(pool) {
                self.lacking[index] = None;
                self.lacked[index] = 0;
                self.said[index] = None;
            } else {
                self.lacking[index].get_or_insert(asked.left);
                self.lacked[index] += 1;
            }
        }
        if facts.settled {
            last.halted = self.is_halted(&asked.uid, &last, facts);
        }
        self.generation = asked.generation;
        self.last = Some(last);
    }

    /// The guard of law 3, by the mirrors that the source owns and what is listed.
    fn is_halted(&self, uid: &str, last: &Last, facts: &Facts) -> Option<bool> {
        let (mut mirrors, mut missing) = (0, 0);
        for (name, mirror) in facts.cluster.api.all_observed() {
            let owner = mirror.controller.as_ref().map(|c| &*c.uid);
            if owner.is_none() && mirror.managed_by_us || !mirror.status_is_ours {
                return None;
            }
            if owner != Some(uid) {
                continue;
            }
            let pool = number(name)?;
            // Whether it counts as gone before it says so depends on which process was told.
            let told_gone = matches!(
                self.said[usize::from(pool)],
                Some((PoolAnswer::NotFound, ..))
            );
            if told_gone && !last.has(pool) && !mirror.conditions.is_gone() {
                return None;
            }
            let content = self.content[usize::from(pool)].as_ref();
            let phase = content.map_or(mirror.phase.as_deref(), |c| c.phase.as_deref());
            let is_there = last.has(pool);
            let counts = last.large >> pool & 1 == 1
                || !is_leaving(phase) && (is_there || !mirror.conditions.is_gone());
            mirrors += usize::from(counts);
            missing += usize::from(counts && !is_there);
        }
        let source = facts.cluster.source(uid)?;
        let most = settings(source).prune.max_percent;
        Some(missing > 2 && missing * 100 > most * mirrors)
    }

    /// A mirror says so of its pool.
    pub(super) fn lacked_since(&mut self, pool: u8, since: Timestamp, now: Now) {
        let lacking = &mut self.lacking[usize::from(pool)];
        if lacking.is_none_or(|first| since < first.wall) {
            self.lacked[usize::from(pool)] += 1;
            let ago = now.wall.duration_since(since).unsigned_abs();
            *lacking = Some(Now {
                instant: now.instant.checked_sub(ago).unwrap_or(now.instant),
                wall: since,
            });
        }
    }

    /// The cloud was asked about single pools.
    pub(super) fn shown(&mut self, confirmation: &Confirmation, clock: u64, now: Now) {
        for (name, answer) in &confirmation.pools {
            let index = usize::from(number(name).expect("a pool"));
            if let PoolAnswer::Found { .. } = answer {
                self.found[index] = Some(now.instant);
            }
            self.said[index] = Some((answer.clone(), now.instant, clock));
        }
    }

    /// Whether complete listings lacked a pool twice, and at least the grace period apart.
    pub(super) fn is_overdue(
        &self,
        pool: u8,
        grace: std::time::Duration,
    ) -> Result<(), &'static str> {
        let last = self.last.as_ref().ok_or("nothing was listed")?;
        let first = self.lacking[usize::from(pool)].ok_or("the last listing has it")?;
        if self.lacked[usize::from(pool)] < 2 {
            return Err("one listing alone lacked it");
        }
        let apart = last.left.wall.duration_since(first.wall);
        let grace = SignedDuration::try_from(grace).unwrap_or(SignedDuration::MAX);
        if apart < grace {
            return Err("it is not missing for the grace period");
        }
        Ok(())
    }
}
