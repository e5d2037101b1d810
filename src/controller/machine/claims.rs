//! What a source makes of each pool: what its mirror should be, and which mirrors are the source's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mirrors::Decision;
use super::state::Claim;
use super::{Machine, Now};
use crate::controller::key::Key;
use crate::mirror::{Desired, Existence, Freshness, Observed, Presence, Wanted, conditions};

/// How long what the cloud said of a pool holds as the reason to delete its mirror.
const CONFIRMED_FOR: Duration = Duration::from_mins(1);

impl Claim {
    /// What the mirror should be that is `observed`.
    pub(super) fn wanted<'a>(
        &'a self,
        observed: Option<&Observed>,
        presence: Presence,
        freshness: Freshness,
        now: Instant,
    ) -> Wanted<'a> {
        let shown;
        let readiness = match (&self.desired, observed) {
            (Some(desired), _) => Some(&desired.readiness),
            (None, Some(observed)) => {
                shown = observed.readiness();
                Some(&shown)
            }
            (None, None) => None,
        };
        let conditions = readiness.map(|readiness| {
            let written = observed.map(|o| &o.conditions);
            conditions(readiness, presence, freshness, written)
        });
        let confirmed = |at: Instant| now.duration_since(at) < CONFIRMED_FOR;
        let existence = match (presence, self.removal) {
            (_, Some((_, at))) if confirmed(at) => Existence::Removed,
            (Presence::Listed, _) => Existence::Required,
            _ => Existence::Kept,
        };
        Wanted {
            existence,
            content: self.desired.as_deref(),
            conditions: conditions.unwrap_or_default(),
            no_nodes: matches!(presence, Presence::Gone { .. }),
        }
    }

    /// The pool is in a complete listing, as `desired`.
    pub(super) fn is_listed(&mut self, desired: Arc<Desired>) {
        self.desired = Some(desired);
        self.presence = Presence::Listed;
        self.found = None;
        self.removal = None;
    }
}

impl Machine {
    /// Knows a mirror that a source owns as its own, where it is not known yet.
    pub(super) fn claim_owned(&mut self, source: &Key, mirror: &Key) {
        if !self.synced || source.namespace != mirror.namespace {
            return;
        }
        if let Some(state) = self.sources.get_mut(source).filter(|s| !s.closed) {
            let claims = &mut state.claims;
            claims
                .entry(mirror.name.clone())
                .or_insert_with(|| Claim::new(None, Presence::Unknown));
        }
    }

    /// Knows all mirrors of a source as its own.
    pub(super) fn claim_all_owned(&mut self, source: &Key) {
        let Some(state) = self.sources.get(source) else {
            return;
        };
        let owned = self.mirrors.owned_by(&state.owner);
        let owned: Vec<Key> = owned.cloned().collect();
        for mirror in owned {
            self.claim_owned(source, &mirror);
        }
    }

    /// Everything has been seen once: from now on it is known what each source owns.
    pub(super) fn all_seen(&mut self, now: Now) {
        if std::mem::replace(&mut self.synced, true) {
            return;
        }
        let owned: Vec<(Key, Key)> = self
            .mirrors
            .controllers()
            .filter_map(|(mirror, uid)| Some((self.uids.get(uid)?.clone(), mirror.clone())))
            .collect();
        for (source, mirror) in owned {
            self.claim_owned(&source, &mirror);
        }
        let sources: Vec<Key> = self.sources.keys().cloned().collect();
        for source in sources {
            self.assess(&source, now);
            self.write_all(&source, now);
        }
    }

    /// Queues the writes that the mirrors of a source need, behind those of passes under way.
    pub(super) fn write_all(&mut self, source: &Key, now: Now) {
        let Some(state) = self.sources.get_mut(source).filter(|s| !s.closed) else {
            return;
        };
        // One check for all of them.
        let needs_check = state.checks_begun + 1;
        let names: Vec<Arc<str>> = state.claims.keys().cloned().collect();
        for name in names {
            let decision = self.decide(source, &name, now.instant);
            if let Some(Decision::Write(_)) = decision
                && let Some(claim) = self.sources.get_mut(source).and_then(|s| s.claim(&name))
            {
                claim.needs_check = claim.needs_check.max(needs_check);
                self.enqueue(source, &name, false);
            }
        }
    }

    /// A mirror that somebody deleted and that is not restored is nobody's.
    pub(super) fn drop_claim_of_the_deleted(&mut self, source: &Key, name: &Arc<str>, now: Now) {
        let mirror = Key {
            namespace: source.namespace.clone(),
            name: name.clone(),
        };
        let state = self.mirrors.get(&mirror);
        let exists = state.is_some_and(|m| m.observed.is_some() || m.busy);
        if let Some(state) = self.sources.get_mut(source)
            && !exists
            && state
                .claims
                .get(name)
                .is_some_and(|c| c.presence != Presence::Listed)
        {
            state.settle(name);
            state.claims.remove(name);
            self.forget_unclaimed(&mirror);
            self.end_pass_if_settled(source, now);
        }
    }
}
