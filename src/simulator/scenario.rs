//! The scenario file: what the simulated project holds, who may ask, and what happens over time.
//!
//! Owns the file's types, its reading and its errors. What the parts mean at run time is `world`'s,
//! `change`'s and `gate`'s matter. Nothing here does more IO than reading one file.

use std::{collections::BTreeMap, num::NonZeroUsize, path::Path, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{change::Change, credentials::Credentials, fault::Fault, generate::Generate, span};

/// The project id of the simulated cloud where a scenario names none.
pub const DEFAULT_PROJECT_ID: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
/// The workspace that every project has.
pub const DEFAULT_WORKSPACE: &str = "0";

const DEFAULT_WORLD: &str = include_str!("default-world.yaml");
const DOCUMENTED_SAMPLE: &str = include_str!("documented-sample.json");

/// A scenario file, YAML or JSON. Every field may be left out: an empty file is an empty project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scenario {
    /// The project the simulated cloud answers for; default [`DEFAULT_PROJECT_ID`].
    pub project_id: Option<String>,
    /// Who may ask; default: the access key [`super::DEFAULT_ACCESS_KEY`].
    pub credentials: Option<Credentials>,
    /// The project's workspaces; workspace `0` and those the pools name are there anyway.
    pub workspaces: Vec<Workspace>,
    /// Pools in one answer of ListPools; default: all of them. The cloud's paging of ListPools is documented only for a sister site.
    pub page_size: Option<NonZeroUsize>,
    /// How long listings do not carry a pool that is created, while ShowPool knows it at once; default: they do at once.
    #[serde(with = "span")]
    pub list_delay: Duration,
    /// How long a pool whose creation failed is kept; default: three days. Of more than 500 the oldest goes.
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub keep_failed: Option<Duration>,
    /// Whether a listing without the filter `status` carries failed pools too, as one of the cloud's documents says.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub blank_lists_failed: bool,
    /// The pools at the start.
    pub pools: Vec<ScenarioPool>,
    /// Made-up pools, besides `pools`, for trials of size.
    pub generate: Vec<Generate>,
    /// What changes while one watches.
    pub timeline: Vec<Event>,
}

/// A workspace as `GET /v1/{project}/workspaces` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Workspace {
    /// The id, as `workspaceId` takes it.
    pub id: String,
    /// The name that people gave it.
    pub name: String,
    /// `NORMAL`, `CREATE_FAILED`, `DELETING` or `DELETE_FAILED`.
    #[serde(default = "normal")]
    pub status: String,
}

/// A pool at the start: the JSON that the cloud would send, and where it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScenarioPool {
    /// The workspace whose listing shows the pool.
    #[serde(default = "default_workspace")]
    pub workspace: String,
    /// Left out of every listing, though ShowPool knows it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// The pool, verbatim; `metadata.name` is its id.
    pub pool: Value,
}

/// Something that happens at a point of time after the start, once or again and again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Event {
    /// When it happens first, from the start.
    #[serde(with = "span")]
    pub at: Duration,
    /// Where given: again after each such time, so that a demonstration never ends.
    #[serde(
        default,
        with = "span::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub every: Option<Duration>,
    /// The id of the pool that `changes` change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// What happens to the pool, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Takes all faults away, before `faults` are added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clear_faults: bool,
    /// Faults to add.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// Why a scenario can't be used; the text says where and what would be right.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file can't be read.
    #[error("cannot read the scenario file {path}: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// The text is no YAML or JSON of a scenario; the message names line and field.
    #[error("the scenario is not understood: {0}")]
    Parse(String),
    /// The text is a scenario, but says something that can't be.
    #[error("the scenario cannot be played: {field}: {problem}")]
    Invalid {
        /// The field, like `timeline[3].pool`.
        field: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl Scenario {
    /// Reads a scenario file.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path).map_err(|error| ScenarioError::Read {
            path: path.display().to_string(),
            error,
        })?;
        Self::parse(&text)
    }

    /// Reads a scenario from text, YAML or JSON, and checks it.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        // JSON is YAML too, but its own parser is faster, unbounded and says where an error is just as well.
        let scenario: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| ScenarioError::Parse(error.to_string()))?
        } else if text
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        {
            Self::default()
        } else {
            serde_saphyr::from_str(text).map_err(|error| ScenarioError::Parse(error.to_string()))?
        };
        scenario.check()?;
        Ok(scenario)
    }

    /// The small world that plays where no scenario is given.
    pub fn default_world() -> Result<Self, ScenarioError> {
        Self::parse(DEFAULT_WORLD)
    }

    /// The default world as the commented file it is, to start one's own from.
    #[must_use]
    pub fn default_world_text() -> &'static str {
        DEFAULT_WORLD
    }

    /// A project with the one pool of the documentation of ListPools, which never changes by itself.
    pub fn documented_sample() -> Result<Self, ScenarioError> {
        let list: Value = serde_json::from_str(DOCUMENTED_SAMPLE)
            .map_err(|error| ScenarioError::Parse(error.to_string()))?;
        let pools = list["items"].as_array().into_iter().flatten();
        Ok(Self::with_pools(pools.cloned()))
    }

    /// A project with these pools in workspace `0`.
    #[must_use]
    pub fn with_pools(pools: impl IntoIterator<Item = Value>) -> Self {
        let placed = |pool| ScenarioPool {
            workspace: default_workspace(),
            hidden: false,
            pool,
        };
        Self {
            pools: pools.into_iter().map(placed).collect(),
            ..Self::default()
        }
    }

    /// The project id in force.
    pub fn project_id(&self) -> &str {
        self.project_id.as_deref().unwrap_or(DEFAULT_PROJECT_ID)
    }

    /// The credentials in force.
    pub fn credentials(&self) -> Credentials {
        self.credentials
            .clone()
            .unwrap_or_else(Credentials::documented)
    }

    /// Every workspace: the default one, those listed, and those that pools name.
    pub fn all_workspaces(&self) -> Vec<Workspace> {
        let mut all: BTreeMap<&str, Workspace> = BTreeMap::new();
        let named = self.pools.iter().map(|pool| pool.workspace.as_str());
        let generated = self
            .generate
            .iter()
            .map(|generate| generate.workspace.as_str());
        for id in [DEFAULT_WORKSPACE]
            .into_iter()
            .chain(named)
            .chain(generated)
        {
            all.entry(id).or_insert_with(|| Workspace::named_after(id));
        }
        for workspace in &self.workspaces {
            all.insert(&workspace.id, workspace.clone());
        }
        all.into_values().collect()
    }

    /// What types alone can't refuse.
    fn check(&self) -> Result<(), ScenarioError> {
        let mut seen = std::collections::BTreeSet::new();
        for (index, placed) in self.pools.iter().enumerate() {
            let field = format!("pools[{index}].pool.metadata.name");
            let Some(id) = pool_id(&placed.pool) else {
                return Err(invalid(
                    field,
                    "the pool's id is missing; it must be a text that is not empty",
                ));
            };
            if !seen.insert(id) {
                return Err(invalid(field, format!("{id} is there twice")));
            }
        }
        for (index, event) in self.timeline.iter().enumerate() {
            event.check().map_err(|(field, problem)| {
                invalid(format!("timeline[{index}].{field}"), problem)
            })?;
        }
        Ok(())
    }
}

impl Event {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if self
            .every
            .is_some_and(|every| every < Duration::from_millis(100))
        {
            return Err(("every", "shorter than 100ms".to_owned()));
        }
        if self.changes.is_empty() && self.faults.is_empty() && !self.clear_faults {
            return Err((
                "changes",
                "nothing happens: give changes, faults or clearFaults".to_owned(),
            ));
        }
        for fault in &self.faults {
            fault.check().map_err(|problem| ("faults", problem))?;
        }
        let Some(pool) = &self.pool else {
            return if self.changes.is_empty() {
                Ok(())
            } else {
                Err((
                    "pool",
                    "missing: changes need the id of the pool they change".to_owned(),
                ))
            };
        };
        for change in &self.changes {
            if let Change::Create { pool: json, .. } = change
                && pool_id(json) != Some(pool)
            {
                return Err((
                    "changes",
                    format!(
                        "create: metadata.name of the pool must be {pool}, as in the event's pool"
                    ),
                ));
            }
        }
        Ok(())
    }
}

impl Workspace {
    pub(super) fn named_after(id: &str) -> Self {
        let name = if id == DEFAULT_WORKSPACE {
            "default"
        } else {
            id
        };
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            status: normal(),
        }
    }
}

/// The id of a pool, `metadata.name`.
pub(super) fn pool_id(pool: &Value) -> Option<&str> {
    pool.pointer("/metadata/name")
        .and_then(Value::as_str)
        .filter(|id| !id.is_empty())
}

fn invalid(field: impl Into<String>, problem: impl Into<String>) -> ScenarioError {
    ScenarioError::Invalid {
        field: field.into(),
        problem: problem.into(),
    }
}

pub(super) fn default_workspace() -> String {
    DEFAULT_WORKSPACE.to_owned()
}

fn normal() -> String {
    "NORMAL".to_owned()
}
