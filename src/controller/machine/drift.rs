//! What a watch shows of mirrors: what somebody else has done to one is undone.

use std::sync::Arc;

use super::mirrors::Decision;
use super::{Machine, Now};
use crate::controller::events::Edit;
use crate::controller::key::Key;
use crate::mirror::{Observed, Step};

impl Machine {
    pub(super) fn mirror_seen(&mut self, key: &Key, observed: Observed, now: Now) {
        let controller = observed.controller.as_ref().map(|c| c.uid.clone());
        let mirror = self.mirrors.entry(key);
        if mirror.see(observed) && !mirror.busy {
            self.drifted(key, controller.as_deref(), now);
        }
    }

    pub(super) fn mirror_gone(&mut self, key: &Key, version: u64, now: Now) {
        let Some(mirror) = self.mirrors.get_mut(key) else {
            return;
        };
        if mirror.lose(version) && !mirror.busy {
            self.drifted(key, None, now);
            self.forget_unclaimed(key);
        }
    }

    /// A relist has ended: what it did not show is gone.
    pub(super) fn relisted(&mut self, namespace: Option<&str>, now: Now) {
        for key in self.mirrors.unseen(namespace) {
            let mirror = self.mirrors.entry(&key);
            // Not as a deletion: the list tells no version at which it was gone.
            mirror.forget();
            if !mirror.busy {
                self.drifted(&key, None, now);
                self.forget_unclaimed(&key);
            }
        }
    }

    /// A mirror was changed by somebody else: looks whether it has to be repaired. `controller` is
    /// the uid that its controller reference names now.
    pub(super) fn drifted(&mut self, key: &Key, controller: Option<&str>, now: Now) {
        if let Some(owner) = self.source_of(key) {
            self.claim_owned(&owner, key);
        }
        let mirror = self.mirrors.get(key);
        let removed = mirror.is_some_and(|m| m.removed);
        let mut claimants = Vec::new();
        for (source, state) in &mut self.sources {
            if source.namespace != key.namespace {
                continue;
            }
            let owned = controller == Some(&*state.source.uid);
            let next_check = state.checks_begun + 1;
            let Some(claim) = state.claims.get_mut(&key.name) else {
                continue;
            };
            // It was deleted or orphaned, perhaps since its source is being deleted, which another
            // watch may show later.
            if !owned {
                claim.needs_check = next_check;
            }
            claimants.push(source.clone());
        }
        for source in claimants {
            let Some(Decision::Write(order)) = self.decide(&source, &key.name, now.instant) else {
                self.consider(&source, &key.name, now);
                self.drop_claim_of_the_deleted(&source, &key.name, now);
                continue;
            };
            self.note_edit(&source, &key.name, removed, order.step);
            if self.is_held(&source, &key.name) {
                continue;
            }
            let repairs = &mut self.mirrors.entry(key).repairs;
            let wait = repairs.wait(now.instant);
            repairs.note(now.instant + wait);
            if wait.is_zero() {
                self.consider(&source, &key.name, now);
            } else {
                self.hold(&source, &key.name, now.instant + wait);
            }
        }
    }

    /// Remembers what somebody else did to a mirror. Where a write is to come anyway, what the watch
    /// shows may be an own one whose answer was lost.
    fn note_edit(&mut self, source: &Key, name: &Arc<str>, removed: bool, step: Step) {
        let Some(claim) = self.sources.get_mut(source).and_then(|s| s.claim(name)) else {
            return;
        };
        let edit = match step {
            Step::Create if !removed => Edit::Deleted,
            Step::Apply => Edit::Object,
            Step::ApplyStatus => Edit::Status,
            _ => return,
        };
        if claim.queued.is_none() && !claim.in_pass && claim.conflicts == 0 && claim.failures == 0 {
            claim.edit.get_or_insert((edit, false));
        }
    }

    /// Keeps nothing of a name that neither exists nor is wanted.
    pub(super) fn forget_unclaimed(&mut self, key: &Key) {
        let wanted = self.sources.iter().any(|(source, state)| {
            source.namespace == key.namespace && state.claims.contains_key(&key.name)
        });
        if !wanted {
            self.mirrors.drop_absent(key);
        }
    }
}
