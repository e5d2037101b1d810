//! The API server of the histories: sources, mirrors, and every change of them, for the watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::cloud::{SELECTOR, workspace};
use super::history::SourceEdit;
use crate::api::conditions::whole_seconds;
use crate::api::{CredentialsType, ModelArtsPoolSourceStatus, PrunePolicy};
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::machine::tests::api::Api;
use crate::controller::machine::tests::rig;
use crate::controller::source::{Settings, Source};
use crate::mirror::{Observed, PruneRules};
use crate::modelarts::{Selection, StatusFilter, WorkspaceSelection, modelarts_endpoint};

/// A change that a watch shows.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Source(Box<Source>),
    SourceGone(Key),
    Mirror(Arc<str>, Box<Observed>),
    MirrorGone(Arc<str>, u64),
}

/// All objects of a namespace.
#[derive(Default)]
pub(super) struct Cluster {
    pub(super) sources: BTreeMap<u8, Source>,
    pub(super) api: Api,
    /// Changes that no watch has taken.
    pub(super) changes: Vec<Change>,
    made: u32,
}

/// Name and key of a source.
pub(super) fn key(source: u8) -> Key {
    rig::key(&format!("s{source}"))
}

/// The source whose name this is.
pub(super) fn number(key: &Key) -> Option<u8> {
    key.name.strip_prefix('s')?.parse().ok()
}

impl Cluster {
    /// A source with these settings as its user would begin.
    pub(super) fn make_source(&mut self, source: u8, now: Timestamp) {
        if self.sources.contains_key(&source) {
            return;
        }
        self.made += 1;
        let new = Source {
            key: key(source),
            uid: format!("uid-of-s{source}-{}", self.made).into(),
            resource_version: 0,
            generation: 1,
            deleting: false,
            refresh: None,
            spec_changed: Some(whole_seconds(now).0),
            settings: Ok(settings()),
            status: ModelArtsPoolSourceStatus::default(),
        };
        self.sources.insert(source, new);
        self.store_source(source);
    }

    pub(super) fn edit_source(&mut self, source: u8, edit: SourceEdit, now: Timestamp) {
        let version = self.api.version;
        let Some(stored) = self.sources.get_mut(&source) else {
            return;
        };
        if edit == SourceEdit::Refresh {
            stored.refresh = Some(version.to_string());
        } else if let Ok(settings) = &mut stored.settings {
            let before = settings.clone();
            change(settings, edit);
            if *settings == before {
                return;
            }
            stored.generation += 1;
            stored.spec_changed = Some(whole_seconds(now).0);
        }
        self.store_source(source);
    }

    /// Its deletion waits for its mirrors to be let go.
    pub(super) fn begin_deletion(&mut self, source: u8) {
        if let Some(stored) = self.sources.get_mut(&source) {
            stored.deleting = true;
            self.store_source(source);
        }
    }

    pub(super) fn delete_source(&mut self, source: u8, uid: &str) {
        if self.sources.get(&source).is_some_and(|s| &*s.uid == uid) {
            self.api.version += 1;
            self.sources.remove(&source);
            self.changes.push(Change::SourceGone(key(source)));
        }
    }

    pub(super) fn write_status(
        &mut self,
        key: &Key,
        uid: &str,
        version: u64,
        status: ModelArtsPoolSourceStatus,
    ) -> Result<(), WriteError> {
        let number = number(key).unwrap_or_default();
        let stored = self.sources.get_mut(&number).filter(|s| &*s.uid == uid);
        let stored = stored.ok_or_else(|| WriteError::NotFound("it is gone".to_owned()))?;
        if stored.resource_version != version {
            return Err(WriteError::Conflict("it has another version".to_owned()));
        }
        stored.status = status;
        self.store_source(number);
        Ok(())
    }

    /// The source with this uid, where it exists.
    pub(super) fn source(&self, uid: &str) -> Option<&Source> {
        self.sources.values().find(|s| &*s.uid == uid)
    }

    /// Tells the watches that a mirror was changed or made.
    pub(super) fn tell(&mut self, name: &str) {
        let change = match self.api.get(name) {
            Some(_) => Change::Mirror(name.into(), Box::new(self.api.observed(name))),
            None => Change::MirrorGone(name.into(), self.api.version),
        };
        self.changes.push(change);
    }

    fn store_source(&mut self, source: u8) {
        self.api.version += 1;
        if let Some(stored) = self.sources.get_mut(&source) {
            stored.resource_version = self.api.version;
            self.changes.push(Change::Source(Box::new(stored.clone())));
        }
    }
}

fn settings() -> Settings {
    Settings {
        endpoint: modelarts_endpoint("cn-north-4").expect("an endpoint"),
        iam_endpoint: None,
        project_id: "p".to_owned(),
        selection: Selection {
            workspaces: WorkspaceSelection::List(vec![workspace(0)]),
            label_selector: String::new(),
            statuses: statuses(7),
        },
        interval: Duration::from_secs(30),
        suspend: false,
        credentials: CredentialsType::Token,
        secret: "keys".to_owned(),
        prune: PruneRules {
            policy: PrunePolicy::Delete,
            grace_period: Duration::from_mins(2),
            max_percent: 50,
        },
    }
}

fn change(settings: &mut Settings, edit: SourceEdit) {
    let Settings {
        selection, prune, ..
    } = settings;
    match edit {
        SourceEdit::Interval(seconds) => {
            settings.interval = Duration::from_secs(seconds.clamp(5, 86_400).into());
        }
        SourceEdit::Retain(on) => {
            prune.policy = if on {
                PrunePolicy::Retain
            } else {
                PrunePolicy::Delete
            };
        }
        SourceEdit::Grace(seconds) => prune.grace_period = Duration::from_secs(seconds.into()),
        SourceEdit::Percent(percent) => prune.max_percent = percent.min(100).into(),
        SourceEdit::Suspend(on) => settings.suspend = on,
        SourceEdit::Workspaces(bits) => {
            let some: Vec<String> = (0..2)
                .filter(|n| bits >> n & 1 == 1)
                .map(workspace)
                .collect();
            selection.workspaces = if some.is_empty() {
                WorkspaceSelection::All
            } else {
                WorkspaceSelection::List(some)
            };
        }
        SourceEdit::Selector(on) => {
            selection.label_selector = if on { SELECTOR } else { "" }.to_owned();
        }
        SourceEdit::Statuses(bits) => selection.statuses = statuses(bits),
        SourceEdit::Refresh => {}
    }
}

fn statuses(bits: u8) -> Vec<StatusFilter> {
    let all = [
        StatusFilter::Created,
        StatusFilter::Creating,
        StatusFilter::Failed,
    ];
    let some = (0..).zip(all).filter(|(n, _)| bits >> n & 1 == 1);
    let some: Vec<_> = some.map(|(_, status)| status).collect();
    if some.is_empty() { all.to_vec() } else { some }
}
