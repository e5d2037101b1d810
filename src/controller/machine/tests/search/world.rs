//! The machine, in a world that plays a history: its calls are performed and answered, and watches show it
//! what changes, all in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::calls::Call;
use super::cloud::Cloud;
use super::cluster::{Change, Cluster};
use super::faults::Faults;
use super::history::Slow;
use super::laws::{Facts, Laws};
use super::mutants::Mutant;
use super::watches::Watches;
use crate::controller::machine::writes::BUSY_WAIT;
use crate::controller::machine::{Action, Input, Limits, Machine, Now};
use crate::controller::source::Source;
use crate::mirror::Observed;

/// So much is done at one instant at most: more, and it never rests.
const MAX_DONE_AT_ONCE: u32 = 5_000;

pub(super) struct World {
    pub(super) machine: Machine,
    /// Which process this is: answers to former ones are lost.
    pub(super) process: u32,
    pub(super) now: Now,
    pub(super) cloud: Cloud,
    pub(super) cluster: Cluster,
    pub(super) faults: Faults,
    pub(super) laws: Laws,
    pub(super) mutant: Option<Mutant>,
    /// Which key the Secret holds, and since when.
    pub(super) secret: (u32, Option<Timestamp>),
    /// What is to come, by its time and in order.
    queue: BTreeMap<(Instant, u64), Event>,
    events: u64,
    pub(super) watches: Watches,
    pub(super) synced: bool,
    done_at_once: u32,
    trace: bool,
}

pub(super) enum Event {
    /// A request arrives where it is handled.
    Call(u32, Call),
    /// Its answer arrives.
    Answer(u32, Input),
    Change(u32, Change),
    Relist(u32),
    Relisted(u32, Vec<Source>, Vec<(Arc<str>, Observed)>),
    /// The garbage collector comes to what a deleted source leaves.
    Collect(u8, Box<str>, bool),
}

impl World {
    pub(super) fn new(seed: u64, mutant: Option<Mutant>, trace: bool) -> Self {
        let now = Now {
            instant: Instant::now(),
            wall: Timestamp::UNIX_EPOCH,
        };
        let mut world = Self {
            machine: Machine::new(Limits::default(), seed),
            process: 0,
            now,
            cloud: Cloud::default(),
            cluster: Cluster::default(),
            faults: Faults::default(),
            laws: Laws::default(),
            mutant,
            secret: (0, None),
            queue: BTreeMap::new(),
            events: 0,
            watches: Watches::new(now.instant),
            synced: false,
            done_at_once: 0,
            trace,
        };
        world.start(seed);
        world
    }

    /// A process begins, and knows what the API server shows it.
    pub(super) fn start(&mut self, seed: u64) {
        self.process += 1;
        self.machine = Machine::new(Limits::default(), seed + u64::from(self.process));
        self.synced = false;
        self.laws.process_begins();
        self.break_watches(self.now.instant);
    }

    pub(super) fn collect(&mut self, source: u8, uid: &str, orphan: bool, at: Instant) {
        self.schedule(at, Event::Collect(source, uid.into(), orphan));
    }

    pub(super) fn schedule(&mut self, at: Instant, event: Event) {
        self.events += 1;
        self.queue.insert((at, self.events), event);
    }

    /// Lets time pass, and does what is to be done meanwhile.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.instant + time;
        while !self.laws.are_broken() {
            self.act();
            let coming = self.queue.first_key_value().map(|((at, _), _)| *at);
            let wakeup = self.machine.next_wakeup(self.now);
            if coming.is_none_or(|at| at > self.now.instant) {
                self.rest(wakeup);
            }
            let next = [coming, wakeup].into_iter().flatten().min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.advance(next);
            if coming == Some(next)
                && let Some((_, event)) = self.queue.pop_first()
            {
                self.happen(event);
            }
        }
        self.advance(end);
    }

    fn advance(&mut self, to: Instant) {
        let time = to.saturating_duration_since(self.now.instant);
        if !time.is_zero() {
            self.now.instant += time;
            self.now.wall += time;
            self.done_at_once = 0;
        }
        self.done_at_once += 1;
        if self.done_at_once > MAX_DONE_AT_ONCE {
            self.laws.broken("it never rests");
        }
    }

    /// Nothing more happens at this instant.
    fn rest(&mut self, wakeup: Option<Instant>) {
        if wakeup.is_some_and(|at| at <= self.now.instant) {
            self.laws
                .broken("it spins: there is nothing to do, and it does not wait");
        }
        self.tell_laws(Laws::rejected_keys_rest);
        // Until a mirror that was being written is looked at again, nothing rests.
        let goes_on = wakeup.is_some_and(|at| at <= self.now.instant + BUSY_WAIT);
        if self.is_settled() && !goes_on {
            self.tell_laws(Laws::at_rest);
        }
    }

    /// Whether no call is under way, and the watches have shown everything.
    pub(super) fn is_settled(&self) -> bool {
        let waits = |event: &Event| matches!(event, Event::Collect(..));
        self.synced && self.watches.up && self.queue.values().all(waits)
    }

    fn tell_laws(&mut self, tell: impl FnOnce(&mut Laws, &Facts)) {
        let facts = Facts {
            settled: self.is_settled(),
            watching: self.watches.up,
            cluster: &self.cluster,
            now: self.now,
            secret_changed: self.secret.1,
        };
        tell(&mut self.laws, &facts);
    }

    /// Does what the machine says, until it says nothing.
    fn act(&mut self) {
        while let Some(action) = self.machine.next_action(self.now) {
            self.note();
            self.done_at_once += 1;
            if self.done_at_once > MAX_DONE_AT_ONCE || self.laws.are_broken() {
                return;
            }
            match action {
                Action::GiveUp { pass } => {
                    self.queue.retain(|_, event| !event.is_of_pass(pass));
                    self.laws.given_up(pass);
                }
                other => self.call(Call::of(other)),
            }
        }
        self.note();
    }

    fn call(&mut self, call: Call) {
        if self.trace {
            eprintln!("{:>10.3} {call}", self.seconds());
        }
        self.tell_laws(|laws, facts| laws.called(&call, facts));
        let slow = if call.is_to_the_cloud() {
            self.faults.slow_cloud.at(self.now.instant)
        } else {
            self.faults.slow_api.at(self.now.instant)
        };
        let Slow { millis, request } = slow.unwrap_or_default();
        let at = self.now.instant + Duration::from_millis(millis.into());
        if request {
            self.schedule(at, Event::Call(self.process, call));
        } else {
            let answer = self.perform(call);
            self.schedule(at, Event::Answer(self.process, answer));
        }
        self.show_changes();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Call(process, call) if process == self.process || call.is_write() => {
                let answer = self.perform(call);
                self.schedule(self.now.instant, Event::Answer(process, answer));
            }
            Event::Answer(process, input) if process == self.process => self.answer(input),
            Event::Change(connection, change) if connection == self.watches.connection => {
                self.show(change);
            }
            Event::Relist(connection) if connection == self.watches.connection => self.relist(),
            Event::Relisted(connection, sources, mirrors)
                if connection == self.watches.connection =>
            {
                self.relisted(sources, mirrors);
            }
            Event::Collect(source, uid, orphan) => {
                for name in self.cluster.api.names() {
                    self.laws.touched(&name, self.now);
                }
                self.cluster.collect(&uid, orphan);
                self.cluster.delete_source(source, &uid);
            }
            _ => {}
        }
        self.show_changes();
    }

    fn answer(&mut self, input: Input) {
        self.tell_laws(|laws, facts| laws.answered(&input, facts));
        let input = self.mutated(input);
        self.handle(input);
    }

    pub(super) fn handle(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.note();
    }

    /// Takes in what the machine notices.
    fn note(&mut self) {
        for notice in self.machine.take_notices() {
            if self.trace {
                eprintln!("{:>10.3} {notice:?}", self.seconds());
            }
            self.tell_laws(|laws, facts| laws.noticed(&notice, facts));
        }
    }

    /// Virtual seconds since the begin.
    pub(super) fn seconds(&self) -> f64 {
        self.now
            .wall
            .duration_since(Timestamp::UNIX_EPOCH)
            .as_secs_f64()
    }
}

impl Event {
    /// Whether it belongs to what was asked of the cloud for a pass.
    fn is_of_pass(&self, id: u64) -> bool {
        match self {
            Self::Call(_, Call::List { pass, .. } | Call::Show { pass, .. })
            | Self::Answer(_, Input::Listed(_, pass, _) | Input::Confirmed(_, pass, _)) => {
                *pass == id
            }
            _ => false,
        }
    }
}
