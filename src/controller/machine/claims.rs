//! What a source makes of each pool: what its mirror should be, and which mirrors are the source's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mirrors::Decision;
use super::state::Claim;
use super::{Machine, Now};
use crate::controller::key::Key;
use crate::mirror::{
    Counts, Desired, Existence, Freshness, Observed, ObservedConditions, Presence, Wanted,
    conditions,
};

/// How long what the cloud said of a pool holds as the reason to delete its mirror.
const CONFIRMED_FOR: Duration = Duration::from_mins(1);

impl Claim {
    /// What the mirror should hold where the pool is as `presence` says, as far as it is known.
    fn content(&self, presence: Presence) -> Option<&Arc<Desired>> {
        let is_gone = matches!(presence, Presence::Gone { .. });
        let gone = self.gone.as_ref().filter(|_| is_gone);
        gone.or(self.desired.as_ref())
    }

    /// What is written now.
    pub(super) fn written_content(&self) -> Option<Arc<Desired>> {
        self.content(self.presence).cloned()
    }

    /// What the mirror should be that is `observed`, with the conditions that the controller has `written`.
    pub(super) fn wanted<'a>(
        &'a self,
        observed: Option<&Observed>,
        written: Option<&ObservedConditions>,
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
        let conditions =
            readiness.map(|readiness| conditions(readiness, presence, freshness, written));
        let confirmed = |at: Instant| now.duration_since(at) < CONFIRMED_FOR;
        let existence = match (presence, self.removal) {
            (_, Some((_, at))) if confirmed(at) => Existence::Removed,
            (Presence::Listed, _) => Existence::Required,
            (presence, _) => Existence::Kept {
                adopted: presence != Presence::Unknown,
            },
        };
        let gone = matches!(presence, Presence::Gone { .. });
        // Its counts are 0 since it was called gone, and it is not.
        let back =
            presence.absent_since().is_some() && written.is_some_and(ObservedConditions::is_gone);
        Wanted {
            existence,
            content: self.content(presence).map(|content| &**content),
            conditions: conditions.unwrap_or_default(),
            counts: match (gone, back) {
                (true, _) => Counts::Zero,
                (false, true) => Counts::Unknown,
                (false, false) => Counts::Kept,
            },
        }
    }

    /// The pool is in a complete listing, as `desired`.
    pub(super) fn is_listed(&mut self, desired: Arc<Desired>) {
        self.desired = Some(desired);
        self.gone = None;
        self.presence = Presence::Listed;
        self.missed = None;
        self.unanswered = None;
        self.removal = None;
    }
}

impl Machine {
    /// Knows a mirror that a source owns as its own, where it is not known yet.
    pub(super) fn claim_owned(&mut self, source: &Key, mirror: &Key) {
        if !self.works() || source.namespace != mirror.namespace {
            return;
        }
        if let Some(state) = self.sources.get_mut(source).filter(|s| !s.closed) {
            let claims = &mut state.claims;
            claims
                .entry(mirror.name.clone())
                .or_insert_with(|| Claim::new(Presence::Unknown));
        }
    }

    /// Whose a mirror is: the source's that its controller reference names, or the one's that it was made
    /// for, where nobody owns it.
    pub(super) fn source_of(&self, mirror: &Key) -> Option<Key> {
        let observed = self.mirrors.get(mirror)?.observed.as_deref()?;
        let controller = observed.controller.as_ref();
        let owner = controller.and_then(|c| self.uids.get(&c.uid));
        let made_for = || {
            let name = observed.source.clone()?;
            let source = mirror.sibling(&Arc::from(&*name));
            let orphan = observed.is_orphan_of(&name, |uid| self.uids.contains_key(uid));
            (orphan && self.sources.contains_key(&source)).then_some(source)
        };
        owner.cloned().or_else(made_for)
    }

    /// Knows the mirrors of all sources, or of one, as theirs.
    pub(super) fn claim_all_owned(&mut self, only: Option<&Key>) {
        let mirrors = self.mirrors.keys();
        let owned: Vec<(Key, Key)> = mirrors
            .filter(|mirror| only.is_none_or(|source| source.namespace == mirror.namespace))
            .filter_map(|mirror| Some((self.source_of(mirror)?, mirror.clone())))
            .filter(|(source, _)| only.is_none_or(|only| only == source))
            .collect();
        for (source, mirror) in owned {
            self.claim_owned(&source, &mirror);
        }
    }

    /// Everything has been seen once, and this replica leads: from now on it is known what each source
    /// owns.
    pub(super) fn begin_work(&mut self, now: Now) {
        self.claim_all_owned(None);
        let sources: Vec<Key> = self.sources.keys().cloned().collect();
        for source in sources {
            if let Some(state) = self.sources.get_mut(&source) {
                state.settle_first(now);
            }
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
        let mirror = source.sibling(name);
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
