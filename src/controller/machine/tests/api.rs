//! A fake API server that holds the mirrors of one namespace.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rig::{NAMESPACE, uid};
use crate::api::{API_VERSION, POOL_KIND, SOURCE_KIND};
use crate::api_server::WriteError;
use crate::controller::machine::{WriteOrder, WriteTicket};
use crate::controller::plan::dry_run::{self, new_object};
use crate::mirror::apply::Written;
use crate::mirror::{Observed, Step};

/// An API server that holds mirrors.
#[derive(Default)]
pub(super) struct Api {
    pub(super) version: u64,
    mirrors: BTreeMap<String, Value>,
    /// The same as watches show them.
    observed: BTreeMap<String, Observed>,
    /// What it makes of the spec of each mirror that is applied, as a webhook would.
    pub(super) mutate: Option<fn(&mut Value)>,
    /// Whether nothing is answered but what the test answers itself.
    pub(super) unreachable: bool,
}

impl Api {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// A mirror, as a watch shows it.
    pub(super) fn observed(&self, name: &str) -> Observed {
        self.observed[name].clone()
    }

    /// All mirrors, as a watch shows them.
    pub(super) fn all_observed(&self) -> &BTreeMap<String, Observed> {
        &self.observed
    }

    fn store(&mut self, name: &str, mirror: Value) -> Observed {
        let observed = dry_run::observed(&mirror).expect("a stored object");
        self.mirrors.insert(name.to_owned(), mirror);
        self.observed.insert(name.to_owned(), observed.clone());
        observed
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.mirrors.get(name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.mirrors.keys().cloned().collect()
    }

    /// Somebody makes an object whose controller is a source.
    pub(super) fn make_owned(&mut self, name: &str, source: &str) -> Observed {
        let owner = json!([{"apiVersion": API_VERSION, "kind": SOURCE_KIND, "name": source, "uid": uid(source), "controller": true}]);
        let object = json!({"apiVersion": API_VERSION, "kind": POOL_KIND, "metadata": {
            "namespace": NAMESPACE, "name": name, "generation": 1, "uid": format!("{name}-{}", self.version + 1),
            "ownerReferences": owner}});
        self.make(name, object)
    }

    /// Somebody else changes a mirror.
    pub(super) fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Value)) -> Observed {
        self.version += 1;
        let mut mirror = self.mirrors.remove(name).expect("a mirror");
        edit(&mut mirror);
        mirror["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.store(name, mirror)
    }

    /// Somebody deletes a mirror; the version of that.
    pub(super) fn delete(&mut self, name: &str) -> u64 {
        self.version += 1;
        self.mirrors.remove(name).expect("a mirror");
        self.observed.remove(name);
        self.version
    }

    /// A mirror is asked to go: it does, or waits for a finalizer and is returned.
    pub(super) fn end(&mut self, name: &str) -> Option<Observed> {
        let finalizers = self.mirrors[name]["metadata"]["finalizers"].as_array();
        if finalizers.is_none_or(Vec::is_empty) {
            self.delete(name);
            return None;
        }
        Some(self.edit(name, |m| {
            m["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:00Z");
        }))
    }

    /// Somebody else makes an object.
    pub(super) fn make(&mut self, name: &str, mut object: Value) -> Observed {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.store(name, object)
    }

    pub(super) fn reach(&self) -> Result<(), WriteError> {
        if self.unreachable {
            return Err(WriteError::Unreachable("no route".to_owned()));
        }
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        ticket: &WriteTicket,
        order: &WriteOrder,
    ) -> Result<Written, WriteError> {
        self.reach()?;
        let name = &*ticket.mirror.name;
        let stored = self.mirrors.get(name);
        let stored_version = stored.map(|s| s["metadata"]["resourceVersion"].clone());
        if ticket.step == Step::Nothing {
            let found = stored.map(|_| Written::Stored(Box::new(self.observed(name))));
            return found.ok_or_else(|| WriteError::NotFound("it is gone".to_owned()));
        }
        let known = order
            .observed
            .as_ref()
            .map(|o| json!(o.resource_version.to_string()));
        match (&known, &stored_version) {
            (None, Some(_)) => return Err(WriteError::Conflict("it exists".to_owned())),
            (Some(_), None) => return Err(WriteError::NotFound("it is gone".to_owned())),
            (Some(k), Some(s)) if k != s => {
                return Err(WriteError::Conflict("it has another version".to_owned()));
            }
            _ => {}
        }
        if ticket.step == Step::Delete {
            return Ok(match self.end(name) {
                Some(waiting) => Written::Stored(Box::new(waiting)),
                None => Written::Deleted,
            });
        }
        let new = || new_object(NAMESPACE, name, &format!("{name}-{}", self.version));
        let mut next = stored.cloned().unwrap_or_else(new);
        dry_run::perform(&mut next, ticket.step, order)?;
        if let (Some(mutate), Step::Create | Step::Apply) = (self.mutate, ticket.step) {
            mutate(&mut next["spec"]);
            if let Some(stored) = stored.filter(|stored| stored["spec"] == next["spec"]) {
                next["metadata"]["generation"] = stored["metadata"]["generation"].clone();
            }
        }
        // A write that changes nothing keeps the version.
        if Some(&next) != stored {
            self.version += 1;
            next["metadata"]["resourceVersion"] = json!(self.version.to_string());
        }
        Ok(Written::Stored(Box::new(self.store(name, next))))
    }
}
