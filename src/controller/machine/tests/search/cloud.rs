//! The cloud of the histories: its pools, and what it answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use serde_json::json;

use crate::controller::fetch::Listing;
use crate::controller::machine::PoolAnswer;
use crate::controller::source::Settings;
use crate::mirror::{Desired, PoolShape, Skip, SkipReason, desired};
use crate::modelarts::{StatusFilter, WorkspaceSelection};

/// Phases, with the filter that lists them; the first is that of a new pool.
pub(super) const PHASES: [(&str, StatusFilter); 5] = [
    ("Running", StatusFilter::Created),
    ("Abnormal", StatusFilter::Created),
    ("Deleting", StatusFilter::Created),
    ("Creating", StatusFilter::Creating),
    ("CreationFailed", StatusFilter::Failed),
];
/// The selector that sources may have; pools with the label are listed.
pub(super) const SELECTOR: &str = "gpu=yes";

static SHAPE: LazyLock<PoolShape> = LazyLock::new(PoolShape::of_the_crd);

type Made = HashMap<(u8, Pool, Arc<str>), Arc<Desired>>;

thread_local! {
    /// By pool, what it is and source: making a mirror takes longer than all else that is done for it.
    static MIRRORS: RefCell<Made> = RefCell::default();
}

/// A pool as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent facts: any of them may hold with any other"
)]
pub(super) struct Pool {
    pub(super) phase: u8,
    pub(super) nodes: u8,
    /// Seconds since the epoch.
    pub(super) created: u32,
    pub(super) workspace: u8,
    pub(super) labelled: bool,
    pub(super) reordered: bool,
    pub(super) large: bool,
    pub(super) hidden: bool,
}

/// All pools.
#[derive(Default)]
pub(super) struct Cloud {
    pub(super) pools: BTreeMap<u8, Pool>,
    made: u32,
}

impl Pool {
    /// The workspace as `ShowPool` says it, which it does not always.
    pub(super) fn said_workspace(&self) -> Option<Box<str>> {
        self.nodes
            .is_multiple_of(2)
            .then(|| workspace(self.workspace).into())
    }
}

pub(super) fn id(pool: u8) -> Arc<str> {
    format!("p{pool}").into()
}

/// The pool whose mirror has this name.
pub(super) fn number(id: &str) -> Option<u8> {
    id.strip_prefix('p')?.parse().ok()
}

impl Cloud {
    /// Makes a pool, or another one in its place.
    pub(super) fn make(&mut self, pool: u8, workspace: u8) {
        self.made += 1;
        let new = Pool {
            created: self.made,
            workspace,
            ..Pool::default()
        };
        self.pools.insert(pool, new);
    }

    /// What a complete listing for `source` holds.
    pub(super) fn list(&self, settings: &Settings, source: &Arc<str>) -> Listing {
        let mut listing = Listing::default();
        for (number, pool) in &self.pools {
            if !selects(settings, pool) || pool.hidden {
                continue;
            }
            if pool.large {
                listing.skipped.push(Skip {
                    id: id(*number).to_string(),
                    reason: SkipReason::TooLarge,
                    message: "it is too large".to_owned(),
                });
            } else {
                listing
                    .pools
                    .insert(id(*number), mirror(*number, pool, source));
            }
        }
        listing
    }

    /// What `ShowPool` says.
    pub(super) fn show(&self, pool: &str) -> PoolAnswer {
        let found = number(pool).and_then(|number| self.pools.get(&number));
        found.map_or(PoolAnswer::NotFound, |pool| PoolAnswer::Found {
            workspace: pool.said_workspace(),
        })
    }
}

/// Whether the listings of a source hold a pool that does not hide.
pub(super) fn selects(settings: &Settings, pool: &Pool) -> bool {
    let selection = &settings.selection;
    let workspace = match &selection.workspaces {
        WorkspaceSelection::All => true,
        WorkspaceSelection::List(ids) => ids.contains(&workspace(pool.workspace)),
    };
    let (_, filter) = PHASES[usize::from(pool.phase)];
    workspace
        && (selection.label_selector.is_empty() || pool.labelled)
        && selection.statuses.contains(&filter)
}

pub(super) fn workspace(number: u8) -> String {
    format!("w{number}")
}

/// What the mirror of a pool should be.
pub(super) fn mirror(number: u8, pool: &Pool, source: &Arc<str>) -> Arc<Desired> {
    MIRRORS.with_borrow_mut(|mirrors| {
        let key = (number, pool.clone(), source.clone());
        let made = mirrors
            .entry(key)
            .or_insert_with(|| make_mirror(number, pool, source));
        made.clone()
    })
}

fn make_mirror(number: u8, pool: &Pool, source: &Arc<str>) -> Arc<Desired> {
    let entry =
        |flavor: &str, count: u8| json!({"flavor": flavor, "count": count, "nodePool": flavor});
    let entries = |a: u8, b: u8| {
        let mut entries = vec![entry("large", a), entry("small", b)];
        if pool.reordered {
            entries.reverse();
        }
        entries
    };
    let abnormal = pool.nodes / 4;
    let json = json!({
        "metadata": {"name": &*id(number), "creationTimestamp": format!("2026-01-01T00:00:{:02}Z", pool.created % 60),
            "labels": {"os.modelarts/name": format!("pool {number}")}},
        "spec": {"type": "Dedicate", "resources": entries(pool.nodes, 1)},
        "status": {"phase": PHASES[usize::from(pool.phase)].0,
            "resources": {"available": entries(pool.nodes - abnormal, 1), "abnormal": entries(abnormal, 0)}},
    });
    let text = json.to_string();
    let object = json.as_object().cloned().unwrap_or_default();
    let made = desired(
        &id(number),
        object,
        &text,
        source,
        &workspace(pool.workspace),
        &SHAPE,
    );
    Arc::new(made.expect("a mirror"))
}
