//! How often the cloud is asked: laws 1, 3 and 9.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Asked, Facts, Laws, settings};
use crate::controller::key::Key;
use crate::controller::machine::tests::search::cloud::number;

/// Pools that are asked about in one pass, at most.
const MAX_SHOWN: usize = 20;
/// A pool that the cloud has is not asked about again within this time.
const FOUND_FOR: Duration = Duration::from_mins(10);
/// Refreshes are at least so far apart.
const REFRESH_GAP: Duration = Duration::from_secs(5);

/// A pass that has begun.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    at: Instant,
    generation: i64,
    refresh: Option<String>,
    key: u64,
}

impl Laws {
    pub(super) fn pass_begins(
        &mut self,
        key: &Key,
        pass: u64,
        facts: &Facts,
    ) -> Result<(), String> {
        let source = self.source(key)?;
        let begun = Begun {
            at: facts.now.instant,
            generation: source.generation,
            refresh: source.refresh.clone(),
            key: 0,
        };
        self.begun.insert(pass, begun);
        if settings(&source).suspend {
            return Err(format!("{key} is suspended, and a pass begins"));
        }
        Ok(())
    }

    /// Law 9: no pass lists before the interval is over, less its jitter; but for the first one, another
    /// spec, another key, or a refresh, and those at most once in five seconds.
    pub(super) fn cloud_is_asked(
        &mut self,
        key: &Key,
        pass: u64,
        secret: u64,
        facts: &Facts,
    ) -> Result<(), String> {
        let source = self.source(key)?;
        let mut begun = self
            .begun
            .remove(&pass)
            .ok_or("a pass that has not begun lists")?;
        begun.key = secret;
        let interval = settings(&source).interval;
        let least = interval.saturating_sub((interval / 10).min(Duration::from_mins(10)));
        let before = self.of(&source.uid).pass.replace(begun.clone());
        if let Some(before) = before {
            let apart = begun.at - before.at;
            let asked_for = begun.refresh != before.refresh && apart >= REFRESH_GAP;
            let other = begun.generation != before.generation || begun.key != before.key;
            if apart < least && !asked_for && !other {
                return Err(format!(
                    "law 9: {key} lists {apart:?} after its last pass began"
                ));
            }
        }
        self.request(key, pass, secret, facts)
    }

    /// Law 3: the cloud is asked about at most twenty pools in a pass, only about those that are missing for
    /// the grace period, never while too many are, and about one that it has every ten minutes at most.
    pub(super) fn pools_are_asked_about(
        &mut self,
        key: &Key,
        pass: u64,
        secret: u64,
        pools: &[Arc<str>],
        facts: &Facts,
    ) -> Result<(), String> {
        let source = self.source(key)?;
        let seen = self.of(&source.uid);
        if pools.len() > MAX_SHOWN {
            return Err(format!(
                "law 3: {} pools are asked about in one pass",
                pools.len()
            ));
        }
        if seen.last.as_ref().and_then(|l| l.halted) == Some(true) {
            return Err("law 3: pools are asked about, and too many are missing".to_owned());
        }
        for name in pools {
            let pool = number(name).ok_or("no pool has this name")?;
            seen.is_overdue(pool, settings(&source).prune.grace_period)
                .map_err(|why| format!("law 3: {name} is asked about, and {why}"))?;
            let found = seen.found[usize::from(pool)];
            if let Some(ago) = found.map(|at| facts.now.instant - at)
                && ago < FOUND_FOR
            {
                return Err(format!("law 3: {name} is asked about again after {ago:?}"));
            }
        }
        self.request(key, pass, secret, facts)
    }

    /// A request to the cloud leaves. Law 9: never before the time that the cloud asked to wait.
    fn request(&mut self, key: &Key, pass: u64, secret: u64, facts: &Facts) -> Result<(), String> {
        let source = self.source(key)?;
        let not_before = self.of(&source.uid).not_before;
        if not_before.is_some_and(|at| facts.now.instant < at) {
            return Err(format!("law 9: {key} asks though the cloud asked to wait"));
        }
        self.key_may_be_used(&source.uid, secret, facts)?;
        let asked = Asked {
            uid: source.uid.clone(),
            left: facts.now,
            generation: source.generation,
            key: secret,
            proven: self.proven.contains(&secret),
            void: false,
        };
        self.asked.insert(pass, asked);
        Ok(())
    }
}
