//! Requests that go on though their passes were given up: each is the first with its key, and gone unheard, a key
//! that is rejected would be tried again with every change of a spec until it is locked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::{Machine, Now};
use crate::controller::key::Key;
use crate::controller::machine::ListingError;
use crate::modelarts::KeyPrint;

/// How long such a request goes on: a rejection comes soon, and the next pass waits for it.
const PROOF_DEADLINE: Duration = Duration::from_secs(30);

/// By their passes.
#[derive(Debug, Default)]
pub(super) struct Proofs(HashMap<u64, Proof>);

#[derive(Debug)]
struct Proof {
    key: KeyPrint,
    end: Instant,
}

impl Proofs {
    pub(super) fn begin(&mut self, pass: u64, key: KeyPrint, now: Now) {
        let end = now.instant + PROOF_DEADLINE;
        self.0.insert(pass, Proof { key, end });
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
        let Some(Proof { key, .. }) = self.proofs.0.remove(&pass) else {
            return;
        };
        self.running -= 1;
        self.keys.ended(key, pass, Some(error.is_none()));
        if let Some(rejection) = error.and_then(|error| error.rejected) {
            self.reject_key(source, pass, key, rejection, now);
        }
    }

    /// Gives up requests that take too long.
    pub(super) fn end_late_proofs(&mut self, now: Now) {
        let late = self
            .proofs
            .0
            .extract_if(|_, proof| proof.end <= now.instant);
        for (pass, proof) in late {
            self.running -= 1;
            self.keys.ended(proof.key, pass, None);
            self.given_up.push(pass);
        }
    }
}
