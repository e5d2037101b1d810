//! The credentials of a pass, from its Secret to the listing that uses them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::keys::Leave;
use super::passes::{LISTING_DEADLINE, write_failure};
use super::state::{Claim, SourceState, Stage};
use super::{Action, CredentialsError, Machine, Now, Rejection, SourceIdentity};
use crate::api::CredentialsType;
use crate::api::conditions::READY;
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::pace::{REJECTED_KEY_PAUSE, credentials_retry};
use crate::controller::reason::REJECTIONS;
use crate::controller::report::PassFailure;
use crate::mirror::Presence;
use crate::modelarts::{KeyPrint, REJECTED_USER_PAUSE, Reason};

impl Machine {
    pub(super) fn credentials_read(
        &mut self,
        key: &Key,
        id: u64,
        result: Result<SourceIdentity, CredentialsError>,
        now: Now,
    ) {
        let told = self.rejection_told(key);
        let Some(state) = self.sources.get_mut(key) else {
            return;
        };
        let type_ = state.credentials_type();
        let Stage::ReadingCredentials(pass) = &mut state.stage else {
            return;
        };
        if pass.id != id {
            return;
        }
        let mut changed = None;
        let identity = match result {
            Ok(read) => {
                changed = read.changed;
                Arc::new(read.identity)
            }
            // The API server's outage is not the cloud's: what is known is used on.
            Err(CredentialsError::ApiServer(error)) => match &state.identity {
                Some(identity) if !matches!(error, WriteError::Forbidden(_)) => identity.clone(),
                _ => {
                    let failure = write_failure("read the Secret with the credentials", &error);
                    return self.end_pass(key, Some(failure), now);
                }
            },
            Err(CredentialsError::Unusable { reason, message }) => {
                state.identity = None;
                return self.end_pass(key, Some(PassFailure::new(reason, message)), now);
            }
        };
        let print = identity.print();
        state.identity = Some(identity);
        let last = state.last_key.replace(print);
        if last.is_some_and(|last| last != print) {
            self.keys.changed_to(print);
        }
        // What was rejected before this process began is not tried again either, unless it was changed.
        state.rejected_at = None;
        if let Some(at) = told
            && changed.is_none_or(|changed| changed <= at)
        {
            self.keys
                .reject(print, pause_of(type_), now.since(at), now.instant);
        }
        let own = state.rejected.filter(|(key, _)| *key == print);
        let own = own.and_then(|(_, until)| until.checked_duration_since(now.instant));
        let refused = self.keys.refused(print, now.instant);
        let wait = refused.max(own);
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            return self.wait_for_key(key, wait, refused, now);
        }
        pass.key = Some(print);
        // It may have to wait for others, for as long as they take.
        pass.deadline = now.instant + 100 * LISTING_DEADLINE;
        let pass = pass.clone();
        self.listings.push_back((key.clone(), pass.id));
        state.stage = Stage::Waiting(pass);
        self.running -= 1;
    }

    /// When the credentials of a source were rejected last before this process began, as its own status tells it,
    /// or that of another which reads the same Secret and has not come to that yet.
    fn rejection_told(&self, key: &Key) -> Option<Timestamp> {
        let read = |key: &Key, state: &SourceState| {
            let settings = state.source.settings.as_ref().ok()?;
            let secret = settings.secret.clone();
            Some((key.namespace.clone(), settings.credentials, secret))
        };
        let own = read(key, self.sources.get(key)?)?;
        let told = self.sources.iter().filter_map(|(other, state)| {
            let at = state.rejected_at?;
            (read(other, state)? == own).then_some(at)
        });
        told.max()
    }

    /// The cloud has rejected the credentials of a source, in this pass: nobody uses them for a while.
    pub(super) fn reject_key(
        &mut self,
        key: &Key,
        pass: u64,
        print: KeyPrint,
        rejection: Rejection,
        now: Now,
    ) {
        self.rest(key, print, pause(rejection), now);
        self.note_rejection(key, now.wall);
        self.reject_for_all(pass, print, rejection, now);
    }

    /// The status of a source is to say that the cloud rejected its credentials.
    fn note_rejection(&mut self, key: &Key, at: Timestamp) {
        let pass = self.sources.get_mut(key).and_then(SourceState::pass_mut);
        if let Some(pass) = pass {
            pass.rejected = Some(at);
        }
    }

    /// A source that has asked with a rejected key does not use it before its next pass would be due, either.
    fn rest(&mut self, key: &Key, print: KeyPrint, pause: Duration, now: Now) {
        let until = now.instant + self.interval(key).max(pause);
        if let Some(state) = self.sources.get_mut(key) {
            state.rejected = Some((print, until));
        }
    }

    /// Nobody uses what was rejected in this pass, and what others ask with it is ended.
    pub(super) fn reject_for_all(
        &mut self,
        pass: u64,
        print: KeyPrint,
        rejection: Rejection,
        now: Now,
    ) {
        self.keys
            .reject(print, pause(rejection), Duration::ZERO, now.instant);
        self.end_refused_proofs(now);
        let keys = &mut self.keys;
        let refused = self.sources.iter().filter_map(|(source, state)| {
            let asking = state.pass().filter(|asking| asking.id != pass)?;
            let is_listing = matches!(state.stage, Stage::Listing(_));
            let asks = is_listing || !asking.confirming.is_empty();
            let print = asking.key.filter(|_| asks)?;
            let wait = keys.refused(print, now.instant)?;
            Some((source.clone(), is_listing, print, wait))
        });
        let refused: Vec<_> = refused.collect();
        for (source, is_listing, print, wait) in refused {
            if is_listing {
                self.rest(&source, print, wait, now);
                self.wait_for_key(&source, wait, Some(wait), now);
            } else {
                self.note_rejection(&source, now.wall);
                self.give_up_confirmation(&source, now);
            }
        }
    }

    /// Ends a pass that asks nothing for `wait`, since its key was rejected: for this source, which says so
    /// already, or for another one. `refused` is for how long nobody uses the key.
    fn wait_for_key(&mut self, key: &Key, wait: Duration, refused: Option<Duration>, now: Now) {
        let wait = wait.as_secs() + 1;
        tracing::debug!(source = %key, "the key was rejected; not asking for another {wait} s");
        let said = |s: &SourceState| REJECTIONS.iter().any(|r| s.source.says(READY, r.as_str()));
        if self.sources.get(key).is_some_and(said) {
            self.stop_pass(key, now);
            let interval = self.interval(key);
            self.set_due(key, Some(now.instant + credentials_retry(interval)));
        } else {
            let reason = Reason::CredentialsRejected;
            let type_ = self
                .sources
                .get(key)
                .and_then(SourceState::credentials_type);
            let message = rejected_before(type_, wait);
            // When it was rejected, not now: a later one would have the key, or a good password of the user, rest
            // for longer in the next process.
            let since = refused.map(|left| pause_of(type_).saturating_sub(left));
            if let Some(at) = since.and_then(|since| now.wall.checked_sub(since).ok()) {
                self.note_rejection(key, at);
            }
            self.end_pass(key, Some(PassFailure::new(reason, message)), now);
        }
    }

    /// The next listing whose credentials are read and may be used.
    pub(super) fn next_listing(&mut self, now: Now) -> Option<Action> {
        // Without a change to the keys those that wait go on waiting; there may be many.
        let scanned = |machine: &Self| Some((machine.keys.changes(), machine.listings.len()));
        if self.running >= self.limits.passes || self.scanned == scanned(self) {
            return None;
        }
        let mut index = 0;
        while let Some((key, id)) = self.listings.get(index).cloned() {
            let stage = self.sources.get(&key).map(|s| &s.stage);
            let waiting = stage.and_then(|stage| match stage {
                Stage::Waiting(pass) if pass.id == id => pass.key,
                _ => None,
            });
            let Some(fingerprint) = waiting else {
                // The pass was given up.
                self.listings.remove(index);
                continue;
            };
            match self.keys.ask(fingerprint, id, now.instant) {
                Leave::Wait => index += 1,
                Leave::Given => {
                    self.listings.remove(index);
                    return self.list(key, now);
                }
                Leave::Refused(wait) => {
                    self.listings.remove(index);
                    self.wait_for_key(&key, wait, Some(wait), now);
                }
            }
        }
        self.scanned = scanned(self);
        None
    }

    fn list(&mut self, key: Key, now: Now) -> Option<Action> {
        let state = self.sources.get_mut(&key)?;
        let settings = Box::new(state.source.settings.clone().ok()?);
        let identity = state.identity.clone()?;
        let mut pass = state.pass()?.clone();
        let id = pass.id;
        // It may have waited for others that use the key.
        pass.left = now.instant;
        pass.started = now.wall;
        pass.deadline = now.instant + LISTING_DEADLINE;
        state.last_start = Some(now.instant);
        state.stage = Stage::Listing(pass);
        self.running += 1;
        // The content of a gone pool is not as it was listed.
        let as_listed = |c: &Claim| !matches!(c.presence, Presence::Gone { .. });
        let previous = state.claims.iter().filter(|(_, c)| as_listed(c));
        Some(Action::List {
            pass: id,
            settings,
            identity,
            previous: previous
                .filter_map(|(name, claim)| Some((name.clone(), claim.desired.clone()?)))
                .collect(),
            key,
        })
    }
}

/// How long what was rejected is not used.
const fn pause(rejection: Rejection) -> Duration {
    match rejection {
        Rejection::Key => REJECTED_KEY_PAUSE,
        Rejection::User => REJECTED_USER_PAUSE,
    }
}

/// How long rejected credentials of this type are not used.
const fn pause_of(type_: Option<CredentialsType>) -> Duration {
    pause(match type_ {
        Some(CredentialsType::Password) => Rejection::User,
        _ => Rejection::Key,
    })
}

/// What a source says whose credentials are not tried, `wait` seconds before they are.
fn rejected_before(type_: Option<CredentialsType>, wait: u64) -> String {
    match type_ {
        Some(CredentialsType::Password) => format!(
            "the cloud has rejected a password of this user, for this source or another; the user is not tried again for {wait} s or until the Secret changes: check username, password and domainName in the Secret"
        ),
        Some(CredentialsType::Agency | CredentialsType::PodIdentity) => format!(
            "the cloud has rejected the controller's own identity, for this source or another; it is not tried again for {wait} s: check the agency"
        ),
        _ => format!(
            "the cloud has rejected this key, for this source or another; it is not tried again for {wait} s or until the Secret changes: check the keys in the Secret"
        ),
    }
}
