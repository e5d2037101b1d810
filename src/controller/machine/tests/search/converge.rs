//! What becomes of the world once nothing goes wrong any more: laws 2, 3, 4, 6 and 7 at their ends.

use std::sync::Arc;
use std::time::Duration;

use super::cloud::{self, id, selects};
use super::faults::Faults;
use super::history::Edit;
use super::laws::Kept;
use super::strangers::act_on;
use super::world::World;
use crate::api::PrunePolicy;
use crate::api::conditions::PRUNE_HALTED;
use crate::controller::source::{Settings, Source};
use crate::mirror::{Observed, is_leaving};

/// Beside four intervals and the grace period, so long it may take until all is as it should be: data of a
/// former interval of an hour is old after one and a half, a refused
/// key or write rests for five minutes, failures for twelve, and a pool that hides is asked about every ten.
const PATIENCE: Duration = Duration::from_hours(3);

impl World {
    /// Faults end, and after some time all is as it should be and stays so.
    pub(super) fn converge(&mut self) {
        self.faults = Faults::default();
        for name in self.cluster.api.names() {
            act_on(&mut self.cluster, &name, Edit::RemoveFinalizer);
            let owner = self
                .cluster
                .api
                .get(&name)
                .map(|_| self.cluster.api.observed(&name));
            let uid = owner.and_then(|o| o.controller).map(|c| c.uid);
            if let Some(uid) =
                uid.filter(|uid| uid.starts_with("uid-of-") && self.cluster.source(uid).is_none())
            {
                self.cluster.collect(&uid, false);
            }
        }
        self.break_watches(self.now.instant);
        let settings = self
            .cluster
            .sources
            .values()
            .filter_map(|s| s.settings.as_ref().ok());
        let longest = settings
            .clone()
            .map(|s| s.interval)
            .max()
            .unwrap_or_default();
        let grace = settings
            .map(|s| s.prune.grace_period)
            .max()
            .unwrap_or_default();
        let end = self.now.instant + PATIENCE + 4 * longest + grace;
        let mut wait = Duration::from_secs(10);
        loop {
            self.pass(wait);
            if self.laws.are_broken() {
                return;
            }
            let Err(why) = self.is_converged() else {
                break;
            };
            if self.now.instant >= end {
                return self.laws.broken(format!("it does not converge: {why}"));
            }
            wait = (wait * 2).min(Duration::from_mins(5));
        }
        self.is_quiet(longest);
    }

    /// Law 2: passes over what does not change write nothing to mirrors, and the status of the source at
    /// most once.
    fn is_quiet(&mut self, longest: Duration) {
        // Whatever was held is settled: what follows is about passes alone.
        self.pass(Duration::from_mins(11));
        let (writes, reports, passes) =
            (self.laws.mirror_writes, self.laws.reports, self.laws.passes);
        self.pass(3 * longest);
        let laws = &self.laws;
        let (writes, reports, passes) = (
            laws.mirror_writes - writes,
            laws.reports - reports,
            laws.passes - passes,
        );
        if self.laws.are_broken() {
            return;
        }
        if writes > 0 {
            self.laws
                .broken(format!("law 2: {writes} writes though nothing changed"));
        } else if reports > passes {
            self.laws.broken(format!(
                "law 2: {reports} statuses were written in {passes} passes"
            ));
        } else if let Err(why) = self.is_converged() {
            self.laws
                .broken(format!("it does not stay converged: {why}"));
        }
    }

    fn is_converged(&self) -> Result<(), String> {
        // A slow answer may still tell of what was.
        if !self.is_settled() {
            return Err("something is under way".to_owned());
        }
        for source in self.cluster.sources.values() {
            let Ok(settings) = &source.settings else {
                continue;
            };
            if source.deleting || settings.suspend {
                continue;
            }
            if self.laws.has_failed(&source.uid) {
                return Err(format!("the last pass of {} has failed", source.key));
            }
            let ready = source
                .status
                .condition("Ready")
                .map_or("none", |c| &*c.reason);
            if ready != "Synced" {
                return Err(format!("{} is {ready}", source.key));
            }
            for (number, pool) in &self.cloud.pools {
                if selects(settings, pool) && !pool.hidden {
                    self.is_mirrored(source, *number, pool)?;
                }
            }
        }
        for name in self.cluster.api.names() {
            self.is_kept_rightly(&name.as_str().into())?;
        }
        Ok(())
    }

    /// A listed pool has its mirror, or its name is another's.
    fn is_mirrored(&self, source: &Source, number: u8, pool: &cloud::Pool) -> Result<(), String> {
        let name = id(number);
        let mirror = Kept::of(&self.cluster, &name);
        let Some(mirror) = mirror else {
            return if pool.large {
                Ok(())
            } else {
                Err(format!("{name} has no mirror"))
            };
        };
        if !is_owned_by(mirror.observed, source) {
            if pool.large {
                return Ok(());
            }
            if mirror.may_be_taken(&self.cluster) {
                return Err(format!("{name} is not taken"));
            }
            let skipped = source.status.skipped.iter().flat_map(|s| &s.pools);
            let told = skipped
                .filter(|s| s.id == *name)
                .any(|s| s.reason == "NameConflict");
            let many = source.status.skipped.as_ref().is_some_and(|s| s.count > 10);
            return if told || many {
                Ok(())
            } else {
                Err(format!(
                    "{name} is another's, and {} does not say so",
                    source.key
                ))
            };
        }
        let phase = cloud::PHASES[usize::from(pool.phase)].0;
        let expected = match (pool.large, phase) {
            (true, _) => ["Unknown/TooLarge", "False/TooLarge", "True/Listed"].map(str::to_owned),
            (false, "Running") => ["True/Running", "True/Synced", "True/Listed"].map(str::to_owned),
            (false, phase) => [
                format!("False/{phase}"),
                "True/Synced".to_owned(),
                "True/Listed".to_owned(),
            ],
        };
        mirror.says(&expected)?;
        if !pool.large {
            mirror.holds(&cloud::mirror(number, pool, &source.key.name))?;
        }
        Ok(())
    }

    /// A mirror whose pool is not listed by its source is one that may stay.
    fn is_kept_rightly(&self, name: &Arc<str>) -> Result<(), String> {
        let Some(mirror) = Kept::of(&self.cluster, name) else {
            return Ok(());
        };
        let made_for = |s: &&Source| mirror.observed.source.as_deref() == Some(&*s.key.name);
        let works = |s: &Source| !s.deleting && s.settings.as_ref().is_ok_and(|s| !s.suspend);
        let maker = self.cluster.sources.values().find(made_for);
        if mirror.may_be_taken(&self.cluster) && maker.is_some_and(works) {
            return Err(format!(
                "{name} is nobody's, and its source does not take it"
            ));
        }
        let owner = mirror
            .observed
            .controller
            .as_ref()
            .and_then(|c| self.cluster.source(&c.uid));
        let Some((source, Ok(settings))) = owner.map(|s| (s, &s.settings)) else {
            return Ok(());
        };
        if source.deleting {
            return Ok(());
        }
        if settings.suspend {
            let [ready, synced, _] = mirror.conditions();
            let old = ready == "Unknown/Stale" && synced == "False/Suspended";
            return if old {
                Ok(())
            } else {
                Err(format!("{name} is not called old: {ready} {synced}"))
            };
        }
        let pool = cloud::number(name).and_then(|number| self.cloud.pools.get(&number));
        let (missing, gone) = (
            ["Unknown/Missing", "True/Synced", "False/Missing"],
            ["False/Gone", "True/Synced", "False/Gone"],
        );
        let shown = mirror.observed.workspace.clone();
        let retain = settings.prune.policy == PrunePolicy::Retain;
        let expected = match pool {
            Some(pool) if selects(settings, pool) && !pool.hidden => return Ok(()),
            // What is kept as gone is not asked about again, wherever a pool of that id comes to be.
            _ if retain && mirror.observed.conditions.is_gone() => gone,
            _ if self.is_halted(source, settings) && mirror.observed.conditions.is_gone() => gone,
            _ if self.is_halted(source, settings) => missing,
            Some(pool) if !settings.leaves_out(pool.said_workspace().or(shown).as_deref()) => {
                missing
            }
            None if retain => gone,
            _ => return Err(format!("{name} is not removed")),
        };
        mirror.says(&expected.map(str::to_owned))
    }

    /// Whether so many are missing that none is removed, and the source says so.
    fn is_halted(&self, source: &Source, settings: &Settings) -> bool {
        let (mut mirrors, mut missing) = (0, 0);
        for name in self.cluster.api.names() {
            let observed = self.cluster.api.observed(&name);
            if !is_owned_by(&observed, source)
                || is_leaving(observed.phase.as_deref())
                || observed.conditions.is_gone()
            {
                continue;
            }
            mirrors += 1;
            let pool = cloud::number(&name).and_then(|number| self.cloud.pools.get(&number));
            missing += usize::from(!pool.is_some_and(|p| selects(settings, p) && !p.hidden));
        }
        let says = source
            .status
            .condition(PRUNE_HALTED)
            .is_some_and(|c| c.reason == "TooManyMissing");
        says && missing > 2 && missing * 100 > settings.prune.max_percent * mirrors
    }
}

fn is_owned_by(mirror: &Observed, source: &Source) -> bool {
    mirror
        .controller
        .as_ref()
        .is_some_and(|c| c.uid == source.uid)
}
