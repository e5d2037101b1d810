//! Requests that go on though their passes were given up: each is the first with its key, and gone unheard, a key
//! that is rejected would be tried again with every change of a spec until it is locked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::state::{SourceState, Stage};
use super::{ListingError, Machine, Now};
use crate::controller::key::Key;
use crate::modelarts::KeyPrint;

/// How long such a request goes on: a rejection comes soon, and the next pass waits for it.
const PROOF_DEADLINE: Duration = Duration::from_secs(30);

/// By their passes.
#[derive(Debug, Default)]
pub(super) struct Proofs(HashMap<u64, Proof>);

#[derive(Debug)]
struct Proof {
    /// Of the source that asks.
    uid: Box<str>,
    key: KeyPrint,
    end: Instant,
}

impl Proofs {
    pub(super) fn begin(&mut self, uid: Box<str>, pass: u64, key: KeyPrint, now: Now) {
        let end = now.instant + PROOF_DEADLINE;
        self.0.insert(pass, Proof { uid, key, end });
    }

    /// When the first is given up, too.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.0.values().map(|proof| proof.end).min()
    }
}

impl Machine {
    /// The request of a pass that was given up is answered.
    pub(super) fn proof_answered(
        &mut self,
        source: &Key,
        pass: u64,
        error: Option<&ListingError>,
        now: Now,
    ) {
        let Some(Proof { key, uid, .. }) = self.proofs.0.remove(&pass) else {
            return;
        };
        self.running -= 1;
        self.keys.ended(key, pass, Some(error.is_none()));
        let Some(ListingError {
            failure, rejected, ..
        }) = error
        else {
            return;
        };
        if let Some(rejection) = *rejected {
            self.reject_for_all(pass, key, rejection, now);
        }
        let is_same = |s: &&mut SourceState| s.source.uid == uid;
        if let Some(wait) = failure.retry_after
            && let Some(state) = self.sources.get_mut(source).filter(is_same)
        {
            // The pass that waited for this asks no sooner, either.
            state.not_before = state.not_before.max(Some(now.instant + wait));
            if matches!(
                state.stage,
                Stage::ReadingCredentials(_) | Stage::Waiting(_)
            ) {
                self.stop_pass(source, now);
                self.set_due(source, Some(now.instant));
            }
        }
    }

    /// Gives up requests that take too long.
    pub(super) fn end_late_proofs(&mut self, now: Now) {
        self.give_up_proofs(|_, end| end <= now.instant);
    }

    /// Gives up requests with keys that must not be used.
    pub(super) fn end_refused_proofs(&mut self, now: Now) {
        let keys = self.proofs.0.values().map(|proof| proof.key);
        let refused = keys.filter(|key| self.keys.refused(*key, now.instant).is_some());
        let refused: Vec<KeyPrint> = refused.collect();
        self.give_up_proofs(|key, _| refused.contains(&key));
    }

    fn give_up_proofs(&mut self, is_over: impl Fn(KeyPrint, Instant) -> bool) {
        let over = self
            .proofs
            .0
            .extract_if(|_, proof| is_over(proof.key, proof.end));
        for (pass, proof) in over {
            self.running -= 1;
            self.keys.ended(proof.key, pass, None);
            self.given_up.push(pass);
        }
    }
}
