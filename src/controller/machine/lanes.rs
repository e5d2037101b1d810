//! The writes that wait for their turn, each namespace in a lane of its own: an admission webhook may hang in one
//! of them, and then holds up no other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::state::Queue;
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::pace::after;

/// Writes at once in all lanes together in which writes time out.
const SLOW: usize = 4;
/// Writes at once beyond the limit: repairs in lanes in which nothing is under way. All that is under way elsewhere
/// may hang.
const SPARE: usize = 4;

/// Source and pool.
pub(super) type Entry = (Key, Arc<str>);

/// All lanes in use.
#[derive(Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<Arc<str>, Lane>,
    /// The lane that had its turn last.
    last: Option<Arc<str>>,
}

/// The writes of one namespace.
#[derive(Default)]
struct Lane {
    /// Repairs, and second writes to a mirror whose first was accepted.
    urgent: VecDeque<Entry>,
    /// The writes that passes have planned.
    planned: VecDeque<Entry>,
    in_flight: usize,
    /// A write timed out, and none was decided on since: one goes at a time.
    is_slow: bool,
}

impl Lane {
    const fn queue(&mut self, queue: Queue) -> &mut VecDeque<Entry> {
        match queue {
            Queue::Urgent => &mut self.urgent,
            Queue::Planned | Queue::Held | Queue::Unchecked => &mut self.planned,
        }
    }

    fn is_unused(&self) -> bool {
        !self.is_slow && self.in_flight == 0 && self.urgent.is_empty() && self.planned.is_empty()
    }
}

impl Lanes {
    pub(super) fn push(&mut self, queue: Queue, entry: Entry) {
        let lane = self.lanes.entry(entry.0.namespace.clone()).or_default();
        lane.queue(queue).push_back(entry);
    }

    /// The next entry whose lane has room, and the queue that it stood in: repairs first, the lanes in turn. At
    /// most `limit` writes are under way at once; where that is not the limit of a bad time, repairs may go
    /// beyond it.
    pub(super) fn pop(&mut self, limit: usize, is_bad_time: bool) -> Option<(Queue, Entry)> {
        let spare = if is_bad_time { 0 } else { SPARE };
        let (fast, slow) = (self.under_way(false), self.under_way(true));
        for (queue, spare) in [(Queue::Urgent, spare), (Queue::Planned, 0)] {
            let has_room = |lane: &Lane| match (lane.is_slow, lane.in_flight) {
                (true, in_flight) => in_flight == 0 && slow < SLOW.min(limit),
                (false, 0) => fast < limit.saturating_add(spare),
                (false, _) => fast < limit,
            };
            let Some(name) = self.turn(queue, has_room) else {
                continue;
            };
            let entry = self.lanes.get_mut(&name)?.queue(queue).pop_front()?;
            self.last = Some(name);
            return Some((queue, entry));
        }
        None
    }

    /// Writes that are under way in the slow lanes, or in the others.
    fn under_way(&self, slow: bool) -> usize {
        let lanes = self.lanes.values().filter(|lane| lane.is_slow == slow);
        lanes.map(|lane| lane.in_flight).sum()
    }

    /// The next lane that has an entry in `queue`, and room.
    fn turn(&self, queue: Queue, has_room: impl Fn(&Lane) -> bool) -> Option<Arc<str>> {
        let has_turn = |(_, lane): &(&Arc<str>, &Lane)| {
            let waiting = match queue {
                Queue::Urgent => &lane.urgent,
                _ => &lane.planned,
            };
            !waiting.is_empty() && has_room(lane)
        };
        let later = self.lanes.range::<Arc<str>, _>(after(self.last.as_ref()));
        let found = later.chain(&self.lanes).find(has_turn);
        found.map(|(name, _)| name.clone())
    }

    /// A write in this namespace has begun.
    pub(super) fn begun(&mut self, namespace: &Arc<str>) {
        self.lanes.entry(namespace.clone()).or_default().in_flight += 1;
    }

    /// A write in this namespace has ended. Whether writes timed out there before.
    pub(super) fn ended(&mut self, namespace: &Arc<str>, error: Option<&WriteError>) -> bool {
        let Some(lane) = self.lanes.get_mut(namespace) else {
            return false;
        };
        lane.in_flight -= 1;
        let before = lane.is_slow;
        lane.is_slow = match error {
            Some(WriteError::TimedOut(_)) => true,
            // What else fails may not have come to what hangs.
            None | Some(WriteError::Refused(_)) => false,
            Some(_) => before,
        };
        if lane.is_unused() {
            self.lanes.remove(namespace);
        }
        before
    }
}
