//! The laws of the mirror, held against everything that the machine does.
//!
//! They know what was asked of the cloud and the API server and what these have answered, and nothing of
//! what the machine makes of it.

mod checks;
mod conditions;
mod content;
mod freshness;
mod kept;
mod keys;
mod pace;
mod removal;
mod seen;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;

use super::calls::Call;
use super::cloud::number;
use super::cluster::{Change, Cluster};
use crate::controller::key::Key;
use crate::controller::machine::{Input, Notice, Now, WriteTicket};
use crate::controller::source::{Settings, Source};
use crate::mirror::{Observed, Step};

pub(super) use kept::Kept;
use pace::Begun;
use seen::{Pools, Seen};

/// The world at this moment.
pub(super) struct Facts<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) now: Now,
    /// When the Secret was changed last.
    pub(super) secret_changed: Option<jiff::Timestamp>,
    /// Whether nothing is under way and everything is shown.
    pub(super) settled: bool,
    /// Whether the watches show what is changed.
    pub(super) watching: bool,
}

/// What was asked and answered, and the first law that was broken.
#[derive(Default)]
pub(super) struct Laws {
    broken: Option<String>,
    /// As the watches have shown them.
    sources: HashMap<Key, Rc<Source>>,
    /// By the uids of the sources.
    seen: HashMap<Box<str>, Seen>,
    /// Passes of this process that have begun.
    begun: HashMap<u64, Begun>,
    /// Requests to the cloud under way, by their passes.
    asked: BTreeMap<u64, Asked>,
    /// Sources, by uid, whose last pass has failed: their status may say that later.
    failing: HashSet<Box<str>>,
    /// Keys whose last request was accepted by this process, and those that were rejected, and when.
    proven: HashSet<u64>,
    rejected: HashMap<u64, Instant>,
    /// Keys that were ever rejected, by any process.
    bad: HashSet<u64>,
    /// Counts all that happens, to tell what came first.
    clock: u64,
    /// When a name was last known not to be there, by pools.
    absent: HashMap<u8, u64>,
    process_began: u64,
    /// Until when mirrors may be otherwise than they should be: somebody edited one, or a write failed.
    trouble: Option<Instant>,
    /// When somebody else last did something to each mirror.
    touched: Pools<Option<Instant>>,
    pub(super) mirror_writes: usize,
    pub(super) reports: usize,
    pub(super) passes: usize,
}

/// A request to the cloud.
struct Asked {
    uid: Box<str>,
    left: Now,
    generation: i64,
    key: u64,
    /// Whether the key was proven then.
    proven: bool,
    /// What it holds is of no use any more: another spec is asked for, or none.
    void: bool,
}

impl Laws {
    pub(super) fn broken(&mut self, how: impl Into<String>) {
        self.broken.get_or_insert_with(|| how.into());
    }

    fn hold(&mut self, verdict: Result<(), String>) {
        if let Err(how) = verdict {
            self.broken(how);
        }
    }

    /// Whether the last pass of a source has failed.
    pub(super) fn has_failed(&self, uid: &str) -> bool {
        self.failing.contains(uid)
    }

    pub(super) fn are_broken(&self) -> bool {
        self.broken.is_some()
    }

    pub(super) fn verdict(&mut self) -> Result<(), String> {
        self.broken.take().map_or(Ok(()), Err)
    }

    /// Another process begins, which remembers nothing.
    pub(super) fn process_begins(&mut self) {
        self.sources.clear();
        self.begun.clear();
        self.asked.clear();
        self.proven.clear();
        self.rejected.clear();
        self.absent.clear();
        self.clock += 1;
        self.process_began = self.clock;
        self.seen.values_mut().for_each(Seen::forget);
    }

    /// A new process sees the mirrors that there are, and takes over their absence clocks: a listing that had
    /// a pool again is forgotten where it could not be written.
    pub(super) fn process_sees(&mut self, mirrors: &[(Arc<str>, Observed)], now: Now) {
        for (name, mirror) in mirrors.iter().filter(|(_, mirror)| mirror.status_is_ours) {
            if let Some(since) = mirror.conditions.absent_since() {
                let pool = number(name).expect("a pool");
                let seen = self.seen.values_mut();
                seen.for_each(|seen| seen.lacked_since(pool, since, now));
            }
        }
    }

    /// The machine makes a call.
    pub(super) fn called(&mut self, call: &Call, facts: &Facts) {
        self.clock += 1;
        let verdict = match call {
            Call::Credentials { key, pass } => self.pass_begins(key, *pass, facts),
            Call::List {
                key, pass, secret, ..
            } => self.cloud_is_asked(key, *pass, *secret, facts),
            Call::Show {
                key,
                pass,
                secret,
                pools,
                ..
            } => self.pools_are_asked_about(key, *pass, *secret, pools, facts),
            Call::Check { uid, .. } => {
                self.of(uid).check_begun = self.clock;
                Ok(())
            }
            Call::Write(ticket, order) => {
                self.mirror_writes += 1;
                self.write_is_allowed(ticket)
                    .and_then(|()| self.content_is_listed(ticket, order))
                    .and_then(|()| self.removal_is_confirmed(ticket, order, facts))
                    .and_then(|()| self.conditions_are_true(ticket, order, facts))
            }
            Call::Report { uid, status, .. } => {
                self.reports += 1;
                self.freshness_is_of_a_success(uid, status, facts)
            }
            Call::Publish => Ok(()),
        };
        self.hold(verdict);
    }

    /// What was asked for a pass is of no use any more.
    pub(super) fn given_up(&mut self, pass: u64) {
        self.asked.remove(&pass);
    }

    /// The machine is answered.
    pub(super) fn answered(&mut self, input: &Input, facts: &Facts) {
        self.clock += 1;
        match input {
            Input::Listed(_, pass, result) => {
                if let Some(asked) = self.asked.remove(pass) {
                    self.key_was_used(&asked, result.as_ref().err(), facts);
                    if let Ok(listing) = result
                        && !asked.void
                    {
                        self.of(&asked.uid).listed(&asked, listing, facts);
                    }
                }
            }
            Input::Confirmed(_, pass, confirmation) => {
                if let Some(asked) = self.asked.remove(pass) {
                    if let Some(error) = &confirmation.failure {
                        self.key_was_used(&asked, Some(error), facts);
                    }
                    let clock = self.clock;
                    self.of(&asked.uid).shown(confirmation, clock, facts.now);
                }
            }
            Input::Checked(_, uid, Ok(true)) => {
                let seen = self.of(uid);
                seen.checked = seen.check_begun;
            }
            Input::Checked(_, _, Err(_)) | Input::Reported(_, _, _, Err(_)) => {
                self.trouble_at(facts.now, 180);
            }
            Input::Written(ticket, result) => self.write_was_answered(ticket, result, facts),
            _ => {}
        }
    }

    /// A watch shows the machine a change.
    pub(super) fn shown(&mut self, change: &Change, now: Now) {
        self.clock += 1;
        match change {
            Change::Source(source) => {
                self.of(&source.uid).source_shown(source, now);
                let wanted =
                    (!source.deleting && !settings(source).suspend).then_some(source.generation);
                self.ask_no_more(&source.uid, wanted);
                self.sources
                    .insert(source.key.clone(), Rc::new(*source.clone()));
            }
            Change::SourceGone(key) => {
                if let Some(source) = self.sources.remove(key) {
                    self.ask_no_more(&source.uid, None);
                }
            }
            Change::Mirror(_, observed) if observed.status_is_ours => {}
            Change::Mirror(name, _) => self.touched(name, now),
            Change::MirrorGone(name, _) => {
                self.touched(name, now);
                self.is_absent(name);
            }
        }
    }

    /// What a source asks for is of no use any more, but for that of this generation.
    fn ask_no_more(&mut self, uid: &str, but: Option<i64>) {
        let of_source = self.asked.values_mut().filter(|asked| *asked.uid == *uid);
        for asked in of_source.filter(|asked| Some(asked.generation) != but) {
            asked.void = true;
        }
    }

    /// Somebody else does something to a mirror, or a watch shows that.
    pub(super) fn touched(&mut self, name: &str, now: Now) {
        let pool = number(name).expect("a pool");
        self.touched[usize::from(pool)] = Some(now.instant);
        self.trouble_at(now, 120);
    }

    /// Mirrors may be otherwise than they should be, for so many seconds.
    pub(super) fn trouble_at(&mut self, now: Now, seconds: u64) {
        let until = now.instant + std::time::Duration::from_secs(seconds);
        self.trouble = self.trouble.max(Some(until));
    }

    /// The API server has performed a write that changed the mirror.
    pub(super) fn written(
        &mut self,
        ticket: &WriteTicket,
        before: Option<&Value>,
        cluster: &Cluster,
    ) {
        let verdict = removal::is_own(ticket, before, cluster);
        self.hold(verdict);
    }

    pub(super) fn noticed(&mut self, notice: &Notice, facts: &Facts) {
        if let Notice::PassEnded { source, report, .. } = notice {
            self.passes += 1;
            let verdict = self.pass_ended(source, report, facts);
            self.hold(verdict);
        }
    }

    /// Nothing is under way, and nothing happens at this instant.
    pub(super) fn at_rest(&mut self, facts: &Facts) {
        // What waits for a pass waits for an interval that may have become longer since.
        let sources = facts.cluster.sources.values();
        let longest = sources.map(|s| settings(s).interval).max();
        let passes = 2 * longest.unwrap_or_default();
        if self
            .trouble
            .is_none_or(|until| until + passes < facts.now.instant)
        {
            let verdict = self.mirrors_say_what_is_so(facts);
            self.hold(verdict);
        }
    }

    /// A source as a watch has shown it last.
    fn source(&self, key: &Key) -> Result<Rc<Source>, String> {
        let shown = self.sources.get(key).cloned();
        shown.ok_or_else(|| format!("law 7: {key} is worked for, and is gone"))
    }

    fn of(&mut self, uid: &str) -> &mut Seen {
        if !self.seen.contains_key(uid) {
            self.seen.insert(uid.into(), Seen::default());
        }
        self.seen.get_mut(uid).expect("it was added")
    }
}

fn settings(source: &Source) -> &Settings {
    source.settings.as_ref().expect("settings that can be read")
}

/// Whether a step changes conditions.
fn says_conditions(step: Step) -> bool {
    matches!(step, Step::ApplyStatus | Step::PatchStatus)
}
