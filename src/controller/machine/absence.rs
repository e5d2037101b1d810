//! Pools that a complete listing lacks: since when, whether the cloud has them, and which mirrors go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::state::{Claim, Pass, SourceState};
use super::{Action, Confirmation, ListingError, Machine, Now, PoolAnswer};
use crate::api::PrunePolicy;
use crate::controller::events::Removal;
use crate::controller::key::Key;
use crate::controller::report::PruneHalt;
use crate::controller::source::Source;
use crate::mirror::{
    Absence, Disappearance, Observed, Presence, PruneRules, Question, RECHECK, SkipReason,
    is_leaving,
};

/// What Kubernetes' times leave out of a second, at most.
const LEFT_OUT: Duration = Duration::from_nanos(999_999_999);

impl Machine {
    /// Sorts out the claims that the complete listing of `pass` does not confirm. The pools that the cloud
    /// is to be asked about are put into `pass`.
    pub(super) fn miss(
        &mut self,
        key: &Key,
        claims: HashMap<Arc<str>, Claim>,
        pass: &mut Pass,
        now: Now,
    ) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Ok(rules) = state.source.settings.as_ref().map(|s| s.prune.clone()) else {
            return;
        };
        let holds = |found: &Instant| now.instant.duration_since(*found) < RECHECK;
        state.found.retain(|_, found| holds(found));
        if claims.is_empty() {
            state.halt = None;
            return;
        }
        let mirrors = &self.mirrors;
        let observed = |name: &Arc<str>| {
            let mirror = key.sibling(name);
            mirrors.get(&mirror)?.observed.as_deref()
        };
        let mut there = Disappearance::default();
        for (name, claim) in &state.claims {
            let phase = claim.desired.as_ref().and_then(|d| d.phase.as_deref());
            let owned = observed(name).is_some_and(|o| o.is_owned_by(&state.owner));
            there.mirrors += usize::from(owned && !is_leaving(phase));
        }
        let unmirrorable: HashSet<&str> =
            state.unmirrorable.iter().map(|s| s.id.as_str()).collect();
        let mut kept = Vec::new();
        let mut dropped = Vec::new();
        let mut absences = Vec::new();
        let exists = |uid: &str| self.uids.contains_key(uid);
        for (name, mut claim) in claims {
            let ours = observed(&name).filter(|o| is_ours(o, state, &claim, exists));
            let Some(observed) = ours else {
                dropped.push(name);
                continue;
            };
            claim.skip = None;
            claim.refused.clear();
            claim.removal = None;
            if unmirrorable.contains(&*name) {
                claim.presence = Presence::Unmirrorable(SkipReason::TooLarge);
                there.mirrors += 1;
            } else {
                let absence = absence(&name, &mut claim, observed, state, pass);
                // By both clocks: the one may be set, the other ends with the process.
                let passed = claim.missed.is_none_or(|(_, missed)| {
                    pass.left.duration_since(missed) >= rules.grace_period
                });
                let overdue =
                    !absence.first && passed && rules.overdue(absence.since, pass.started);
                claim.presence = presence(&absence, overdue);
                let phase = claim.desired.as_ref().map_or(&observed.phase, |d| &d.phase);
                if !absence.gone && !is_leaving(phase.as_deref()) {
                    there.mirrors += 1;
                    there.missing += 1;
                }
                absences.extend(passed.then_some(absence));
            }
            kept.push((name, claim));
        }
        state.claims.extend(kept);
        let halted = rules.halt(there);
        state.halt = halted.then(|| too_many_missing(there, &rules));
        for name in dropped {
            self.forget_unclaimed(&key.sibling(&name));
        }
        if halted {
            return;
        }
        pass.confirming = rules.to_confirm(absences, pass.started, now.instant);
        if !pass.confirming.is_empty() {
            self.confirmations.push_back((key.clone(), pass.id));
        }
    }

    /// The next pools to ask the cloud about.
    pub(super) fn next_confirmation(&mut self, now: Now) -> Option<Action> {
        while let Some((key, id)) = self.confirmations.pop_front() {
            let Some(state) = self.sources.get_mut(&key) else {
                continue;
            };
            let Some(pass) = state.writing().filter(|p| p.id == id) else {
                continue;
            };
            let (pools, fingerprint) = (pass.confirming.clone(), pass.key);
            // Another source may have found out meanwhile.
            let refused = fingerprint.and_then(|f| self.keys.refused(f, now.instant));
            let settings = state.source.settings.clone().ok();
            let identity = state.identity.clone();
            if let (None, Some(settings), Some(identity)) = (refused, settings, identity) {
                return Some(Action::Confirm {
                    key,
                    pass: id,
                    settings: Box::new(settings),
                    identity,
                    pools,
                });
            }
            self.confirmed(&key, id, Confirmation::default(), now);
        }
        None
    }

    /// The cloud has said of pools whether it has them.
    pub(super) fn confirmed(&mut self, key: &Key, id: u64, answers: Confirmation, now: Now) {
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Some(pass) = state.writing().filter(|p| p.id == id) else {
            return;
        };
        if pass.confirming.is_empty() {
            return;
        }
        let unasked = pass.confirming.get(answers.pools.len()).cloned();
        let fingerprint = pass.key;
        let mut failed = Vec::new();
        if let Some(ListingError {
            failure, rejected, ..
        }) = answers.failure
        {
            pass.retry_after = failure.retry_after;
            if let Some(fingerprint) = fingerprint {
                self.keys.ended(fingerprint, id, Some(false));
                if let Some(rejection) = rejected {
                    self.reject_key(key, id, fingerprint, rejection, now);
                }
            }
            failed.extend(unasked.map(|name| (name, failure.message)));
        }
        for (name, answer) in answers.pools {
            match answer {
                PoolAnswer::Failed(message) => failed.push((name, message)),
                answer => self.answered(key, &name, answer, now),
            }
        }
        if let Some(state) = self.sources.get_mut(key) {
            for (name, _) in &failed {
                if let Some(claim) = state.claims.get_mut(name) {
                    claim.unanswered = Some(now.instant);
                }
            }
            state.halt = failed.first().map(|_| confirmation_failed(&failed));
        }
        self.end_confirmation(key, now);
    }

    /// Asks the cloud no more about missing pools: what it says is of no use now.
    pub(super) fn give_up_confirmation(&mut self, key: &Key, now: Now) {
        let Some(pass) = self.sources.get_mut(key).and_then(SourceState::writing) else {
            return;
        };
        if !pass.confirming.is_empty() {
            let pass = pass.clone();
            self.give_up_request(&pass);
            self.end_confirmation(key, now);
        }
    }

    /// Plans the writes of the pools that the cloud was asked about.
    fn end_confirmation(&mut self, key: &Key, now: Now) {
        let Some(pass) = self.sources.get_mut(key).and_then(SourceState::writing) else {
            return;
        };
        let asked = std::mem::take(&mut pass.confirming);
        self.plan_writes(key, asked, now);
    }

    fn answered(&mut self, key: &Key, name: &Arc<str>, answer: PoolAnswer, now: Now) {
        let mirror = key.sibling(name);
        let shown = self.mirrors.get(&mirror).and_then(|m| m.observed.as_ref());
        let shown = shown.and_then(|o| o.workspace.clone());
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let Ok(settings) = &state.source.settings else {
            return;
        };
        let Some(claim) = state.claims.get_mut(name) else {
            return;
        };
        let Some(since) = claim.presence.absent_since() else {
            return;
        };
        match (answer, settings.prune.policy) {
            (PoolAnswer::NotFound, PrunePolicy::Delete) => {
                claim.removal = Some((Removal::Gone, now.instant));
            }
            (PoolAnswer::NotFound, PrunePolicy::Retain) => {
                claim.presence = Presence::Gone { since };
                let gone = claim.desired.as_ref().map(|d| d.of_a_gone_pool());
                claim.gone = gone.map(Arc::new);
            }
            (PoolAnswer::Found { workspace }, _) => {
                // Where the cloud does not say, it is where it was listed last.
                let desired = claim.desired.as_ref().map(|d| d.workspace.clone());
                let workspace = workspace.or(desired).or(shown);
                state.found.insert(name.clone(), now.instant);
                claim.presence = Presence::Missing {
                    since,
                    overdue: true,
                };
                if settings.leaves_out(workspace.as_deref()) {
                    claim.removal = Some((Removal::Deselected, now.instant));
                }
            }
            (PoolAnswer::Failed(_), _) => {}
        }
    }
}

/// Whether a mirror is the source's, though no listing names it.
fn is_ours(
    observed: &Observed,
    state: &SourceState,
    claim: &Claim,
    source_exists: impl Fn(&str) -> bool,
) -> bool {
    let orphan = observed.controller.is_none() && observed.managed_by_us;
    observed.is_owned_by(&state.owner)
        || orphan && claim.desired.is_some()
        || observed.is_orphan_of(&state.owner.name, source_exists)
}

/// Since when a pool is missing that the listing of `pass` lacks.
fn absence(
    name: &Arc<str>,
    claim: &mut Claim,
    observed: &Observed,
    state: &SourceState,
    pass: &Pass,
) -> Absence {
    // What a changed spec asks for is judged from its own listings alone.
    let same_spec = state.listed == Some(pass.generation);
    let stored = || stored_clock(observed, &state.source);
    let (since, gone) = match claim.presence {
        Presence::Missing { since, .. } => (same_spec.then_some(since), false),
        Presence::Gone { since } => (same_spec.then_some(since), true),
        Presence::Unknown => (
            stored(),
            observed.status_is_ours && observed.conditions.is_gone(),
        ),
        Presence::Listed | Presence::Unmirrorable(_) => (None, false),
    };
    let found = state.found.get(name).copied().map(Question::Found);
    if since.is_none() {
        claim.missed = Some((pass.id, pass.left));
    }
    Absence {
        name: name.clone(),
        // The clock may have been set back since.
        since: since.map_or(pass.started, |since| since.min(pass.started)),
        first: claim.missed.is_some_and(|(by, _)| by == pass.id),
        gone,
        asked: found.or_else(|| claim.unanswered.map(Question::Failed)),
    }
}

/// The absence clock that another process has set for the spec as it is now; nothing where somebody else
/// may have set it.
fn stored_clock(observed: &Observed, source: &Source) -> Option<Timestamp> {
    let since = observed.conditions.absent_since()?;
    // A pass that succeeds has set the clocks of its spec. Of one that failed it is not known; then the
    // API server tells when the spec was changed, or a little later. Both times are whole seconds: in
    // the same one, the change may have come last. And nobody may have seen it yet.
    let seen = source.status.observed_generation == Some(source.generation);
    let later = || source.spec_changed.is_none_or(|changed| changed < since);
    let holds = source.has_synced() || seen && later();
    // It may have begun at any moment of that second.
    let since = since.checked_add(LEFT_OUT).ok();
    since.filter(|_| holds && observed.status_is_ours)
}

fn presence(absence: &Absence, overdue: bool) -> Presence {
    let since = absence.since;
    if absence.gone {
        Presence::Gone { since }
    } else {
        Presence::Missing { since, overdue }
    }
}

fn too_many_missing(there: Disappearance, rules: &PruneRules) -> PruneHalt {
    let Disappearance { mirrors, missing } = there;
    let percent = rules.max_percent;
    PruneHalt {
        reason: "TooManyMissing",
        message: format!(
            "the cloud's list lacks the pools of {missing} of {mirrors} mirrors, more than spec.prune.maxPercent ({percent}) allows, so none is removed: look whether the source still asks for the right workspaces, and whether its key may still see them; if the pools are really gone, set maxPercent to 100 until their mirrors are gone, too"
        ),
    }
}

fn confirmation_failed(failed: &[(Arc<str>, String)]) -> PruneHalt {
    let (name, message) = failed.first().map_or(("", ""), |(n, m)| (n, m));
    let others = match failed.len() {
        0 | 1 => String::new(),
        more => format!(" and {} others", more - 1),
    };
    PruneHalt {
        reason: "ConfirmationFailed",
        message: format!(
            "the cloud does not say whether the missing pool {name}{others} is gone, so its mirror stays; a later pass asks again: {message}"
        ),
    }
}
