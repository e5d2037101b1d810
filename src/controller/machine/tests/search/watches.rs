//! What the watches show the machine, and when.

use std::sync::Arc;
use std::time::Instant;

use super::cluster::Change;
use super::world::{Event, World};
use crate::controller::machine::Input;
use crate::controller::machine::tests::rig;
use crate::controller::source::Source;
use crate::mirror::Observed;

/// Both watches: what breaks one breaks the other.
pub(super) struct Watches {
    /// Which connection this is: what a former one had not shown yet is lost.
    pub(super) connection: u32,
    pub(super) up: bool,
    /// When the last change so far is shown: they keep their order.
    last: Instant,
}

impl Watches {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            connection: 0,
            up: false,
            last: now,
        }
    }
}

impl World {
    /// The watches break, and list anew at `until`.
    pub(super) fn break_watches(&mut self, until: Instant) {
        self.watches.connection += 1;
        self.watches.up = false;
        self.schedule(until, Event::Relist(self.watches.connection));
    }

    /// Queues for the watches what was changed.
    pub(super) fn show_changes(&mut self) {
        let changes = std::mem::take(&mut self.cluster.changes);
        if !self.watches.up {
            return;
        }
        let slow = self.faults.slow_watches.at(self.now.instant);
        let at = self
            .watches
            .last
            .max(self.now.instant + slow.unwrap_or_default());
        for change in changes {
            self.watches.last = at;
            self.schedule(at, Event::Change(self.watches.connection, change));
        }
    }

    pub(super) fn show(&mut self, change: Change) {
        self.laws.shown(&change, self.now);
        let Some(change) = self.mutated_change(change) else {
            return;
        };
        self.handle(match change {
            Change::Source(source) => Input::SourceSeen(source),
            Change::SourceGone(key) => Input::SourceGone(key),
            Change::Mirror(name, observed) => Input::MirrorSeen(rig::key(&name), observed),
            Change::MirrorGone(name, version) => Input::MirrorGone(rig::key(&name), version),
        });
    }

    pub(super) fn relist(&mut self) {
        if self.faults.outage.at(self.now.instant).is_some()
            && let Some(until) = self.faults.outage.until()
        {
            return self.schedule(until, Event::Relist(self.watches.connection));
        }
        self.handle(Input::MirrorsRelisting(None));
        let sources = self.cluster.sources.values().cloned().collect();
        let names = self.cluster.api.names().into_iter();
        let mirrors = names.map(|name| (Arc::from(&*name), self.cluster.api.observed(&name)));
        let mirrors = mirrors.collect();
        let slow = self.faults.slow_watches.at(self.now.instant);
        let at = self.now.instant + slow.unwrap_or_default();
        self.watches.up = true;
        self.watches.last = at;
        self.schedule(
            at,
            Event::Relisted(self.watches.connection, sources, mirrors),
        );
    }

    pub(super) fn relisted(&mut self, sources: Vec<Source>, mirrors: Vec<(Arc<str>, Observed)>) {
        let known: Vec<_> = self.machine.sources().map(|s| s.key.clone()).collect();
        for key in known {
            if !sources.iter().any(|s| s.key == key) {
                self.show(Change::SourceGone(key));
            }
        }
        for source in sources {
            self.show(Change::Source(Box::new(source)));
        }
        if !self.synced {
            self.laws.process_sees(&mirrors, self.now);
        }
        // What it knew and is not shown is not there.
        let mut gone = Vec::new();
        for key in self.machine.mirrors.keys() {
            let known = self.machine.mirrors.get(key);
            let shown = mirrors.iter().any(|(name, _)| *name == key.name);
            if !shown && known.is_some_and(|m| m.observed.is_some()) {
                gone.push(key.name.clone());
            }
        }
        for name in gone {
            self.laws.touched(&name, self.now);
            self.laws.is_absent(&name);
        }
        self.laws.trouble_at(self.now, 120);
        for (name, observed) in mirrors {
            self.show(Change::Mirror(name, Box::new(observed)));
        }
        self.handle(Input::MirrorsRelisted(None));
        self.handle(Input::Synced);
        self.synced = true;
    }
}
