//! What the watches have shown.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::watcher::Event;
use modelarts_pool_controller::api::{ModelArtsPool, ModelArtsPoolSource};

use crate::decide::{Known, LINGER};
use crate::rules::{Name, Rule};

/// Both kinds of some namespaces, as the watches show them.
pub struct Seen {
    by_namespace: BTreeMap<String, Namespace>,
    /// When a mirror of each source vanished last.
    vanished: BTreeMap<Name, Timestamp>,
}

#[derive(Default)]
struct Namespace {
    pools: Objects<ModelArtsPool>,
    sources: Objects<ModelArtsPoolSource>,
}

impl Seen {
    /// Nothing yet, of these namespaces.
    pub fn nothing_of(namespaces: &BTreeSet<String>) -> Self {
        let empty = |namespace: &String| (namespace.clone(), Namespace::default());
        Self {
            by_namespace: namespaces.iter().map(empty).collect(),
            vanished: BTreeMap::new(),
        }
    }

    /// Takes what the watch of a namespace's pools shows.
    pub fn pool(&mut self, namespace: &str, event: Event<ModelArtsPool>, now: Timestamp) {
        let Some(seen) = self.by_namespace.get_mut(namespace) else {
            return;
        };
        for pool in seen.pools.take(event) {
            if let Some(name) = pool.source_name().map(str::to_owned) {
                let namespace = namespace.to_owned();
                self.vanished.insert(Name { namespace, name }, now);
            }
        }
    }

    /// Takes what the watch of a namespace's sources shows.
    pub fn source(&mut self, namespace: &str, event: Event<ModelArtsPoolSource>) {
        if let Some(seen) = self.by_namespace.get_mut(namespace) {
            seen.sources.take(event);
        }
    }

    /// What is known for a rule; nothing before the watches have shown all that is there.
    pub fn known(&self, rule: &Rule) -> Option<Known<'_>> {
        let seen = self.by_namespace.get(&rule.source.namespace)?;
        if !seen.pools.whole || !seen.sources.whole {
            return None;
        }
        let of_source = |pool: &&ModelArtsPool| pool.source_name() == Some(&rule.source.name);
        Some(Known {
            source: seen.sources.by_name.get(&rule.source.name),
            pools: seen.pools.by_name.values().filter(of_source).collect(),
            vanished: self.vanished.get(&rule.source).copied(),
        })
    }

    /// When the next thing changes that no event tells: data gets old, or what vanished is believed to be gone.
    pub fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let sources = self
            .by_namespace
            .values()
            .flat_map(|n| n.sources.by_name.values());
        let old = sources.filter_map(|s| Some(s.status.as_ref()?.fresh_until.as_ref()?.0));
        let gone = self.vanished.values().map(|at| *at + LINGER);
        old.chain(gone).filter(|end| *end >= now).min()
    }
}

/// The objects of one kind in one namespace.
struct Objects<K> {
    by_name: BTreeMap<String, K>,
    /// Those of a list that is not at its end.
    arriving: BTreeMap<String, K>,
    whole: bool,
}

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self {
            by_name: BTreeMap::new(),
            arriving: BTreeMap::new(),
            whole: false,
        }
    }
}

impl<K: ResourceExt> Objects<K> {
    /// Takes an event, and gives back what has vanished with it.
    fn take(&mut self, event: Event<K>) -> Vec<K> {
        match event {
            Event::Apply(object) => {
                self.by_name.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                return self
                    .by_name
                    .remove(&object.name_any())
                    .into_iter()
                    .collect();
            }
            Event::Init => self.arriving.clear(),
            Event::InitApply(object) => {
                self.arriving.insert(object.name_any(), object);
            }
            Event::InitDone => {
                self.whole = true;
                let before =
                    std::mem::replace(&mut self.by_name, std::mem::take(&mut self.arriving));
                let gone = before
                    .into_iter()
                    .filter(|(name, _)| !self.by_name.contains_key(name));
                return gone.map(|(_, object)| object).collect();
            }
        }
        Vec::new()
    }
}
