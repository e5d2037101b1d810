//! Which events are published: what is new, once its write was accepted, as far as the budget goes.

use std::sync::Arc;

use super::mirrors::Order;
use super::state::Claim;
use super::{Action, Machine, Now};
use crate::api::{POOL_KIND, SOURCE_KIND};
use crate::controller::events::{Edit, Event, News, of_mirror, of_removal, of_restoration};
use crate::controller::key::Key;
use crate::mirror::{Observed, Step};

/// Events that are published at once: they come after mirrors.
const MAX_PUBLISHING: usize = 4;
/// Events that wait to be published, where the API server takes them slowly; of more, the oldest are dropped.
const MAX_WAITING: usize = 1_000;

/// What is new once `order` is accepted for a mirror that is `observed`, whose uid comes first.
pub(super) fn news_of(
    order: &Order,
    claim: &Claim,
    observed: Option<&Observed>,
) -> Option<Box<(Box<str>, Vec<News>)>> {
    let observed = observed?;
    let news = match (order.step, claim.removal) {
        (Step::ApplyStatus, _) => of_mirror(observed, claim.desired.as_deref(), &order.conditions),
        (Step::PatchStatus, _) => of_mirror(observed, None, &order.conditions),
        (Step::Delete, Some((removal, _))) => {
            vec![of_removal(removal, observed.phase.as_deref())]
        }
        _ => Vec::new(),
    };
    (!news.is_empty()).then(|| Box::new((observed.uid.clone(), news)))
}

impl Machine {
    pub(super) fn next_event(&mut self, now: Now) -> Option<Action> {
        if self.publishing >= MAX_PUBLISHING || self.writes.is_paused(now.instant) {
            return None;
        }
        let event = self.events.pop_front()?;
        self.publishing += 1;
        Some(Action::Publish(Box::new(event)))
    }

    pub(super) fn push_event(&mut self, event: Event) {
        if self.events.len() >= MAX_WAITING {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    /// The events that wait to be published; nobody will ask for them one by one any more.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).into()
    }

    pub(super) fn tell_of_mirror(
        &mut self,
        source: &Key,
        mirror: &Key,
        uid: &str,
        news: Vec<News>,
        now: Now,
    ) {
        for news in news {
            if self.budget.mirror(mirror, source, now.instant) {
                self.push_event(Event {
                    kind: POOL_KIND,
                    object: mirror.clone(),
                    uid: uid.into(),
                    at: now.wall,
                    news,
                });
            }
        }
    }

    /// What somebody else did to a mirror is undone.
    pub(super) fn restored(&mut self, source: &Key, name: &Arc<str>, edit: Edit, now: Now) {
        let mirror = source.sibling(name);
        let observed = self.mirrors.get(&mirror).and_then(|m| m.observed.as_ref());
        let Some(uid) = observed.map(|o| o.uid.clone()) else {
            return;
        };
        if self.budget.restoration(&mirror, now.instant) {
            self.tell_of_mirror(source, &mirror, &uid, vec![of_restoration(edit)], now);
        }
    }

    /// Something happened to a source.
    pub(super) fn tell_of_source(&mut self, source: &Key, news: Vec<News>, now: Now) {
        let Some(uid) = self.sources.get(source).map(|s| s.source.uid.clone()) else {
            return;
        };
        for news in news {
            if self.budget.source(source, now.instant) {
                self.push_event(Event {
                    kind: SOURCE_KIND,
                    object: source.clone(),
                    uid: uid.clone(),
                    at: now.wall,
                    news,
                });
            }
        }
    }
}
