//! A source as the loop works with it: parsed once, when it is seen.

use std::str::FromStr;
use std::time::Duration;

use kube::core::DynamicObject;

use super::key::Key;
use crate::api::{
    CredentialsType, ModelArtsPoolSourceSpec, ModelArtsPoolSourceStatus, PoolStatusFilter,
    REFRESH_ANNOTATION,
};
use crate::modelarts::{Endpoint, Selection, StatusFilter, WorkspaceSelection, modelarts_endpoint};

/// A source that was seen.
#[derive(Clone, Debug)]
pub struct Source {
    /// Namespace and name.
    pub key: Key,
    /// `metadata.uid`.
    pub uid: Box<str>,
    /// `metadata.resourceVersion`.
    pub resource_version: u64,
    /// `metadata.generation`.
    pub generation: i64,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Value of the annotation that asks for a pass now.
    pub refresh: Option<String>,
    /// What the spec says, or why it can't be used.
    pub settings: Result<Settings, String>,
    /// The status as it is written.
    pub status: ModelArtsPoolSourceStatus,
}

/// What the spec of a source says.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Origin of the ModelArts API.
    pub endpoint: Endpoint,
    /// Id of the project.
    pub project_id: String,
    /// Which pools to list.
    pub selection: Selection,
    /// From the start of one pass to the start of the next.
    pub interval: Duration,
    /// Whether the cloud is not to be asked.
    pub suspend: bool,
    /// Kind of the credentials.
    pub credentials: CredentialsType,
    /// Name of the Secret that holds them; empty for the kinds that have none.
    pub secret: String,
}

impl Source {
    /// Parses what the API server holds; nothing where it lacks what every stored object has.
    #[must_use]
    pub fn of(object: DynamicObject) -> Option<Self> {
        let DynamicObject {
            metadata, mut data, ..
        } = object;
        let spec = data
            .get_mut("spec")
            .map(serde_json::Value::take)
            .unwrap_or_default();
        let status = data
            .get_mut("status")
            .map(serde_json::Value::take)
            .unwrap_or_default();
        Some(Self {
            key: Key::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?),
            uid: metadata.uid?.into(),
            resource_version: metadata.resource_version?.parse().ok()?,
            generation: metadata.generation.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            refresh: metadata.annotations.and_then(|mut a| a.remove(REFRESH_ANNOTATION)),
            settings: serde_json::from_value::<ModelArtsPoolSourceSpec>(spec)
                .map_err(|e| format!("spec can't be read: {e}; compare it with kubectl explain modelartspoolsource.spec"))
                .and_then(|spec| Settings::of(&spec)),
            status: serde_json::from_value(status).unwrap_or_default(),
        })
    }
}

impl Source {
    /// Whether the status says so of the spec as it is: a condition of this type with this reason.
    #[must_use]
    pub fn says(&self, type_: &str, reason: &str) -> bool {
        let conditions = self.status.conditions.iter().flatten();
        conditions.into_iter().any(|c| {
            c.type_ == type_ && c.reason == reason && c.observed_generation == Some(self.generation)
        })
    }
}

impl Settings {
    /// Parses a spec. The API server has checked it; what it can't know is checked here.
    ///
    /// # Errors
    /// What is wrong, naming the field.
    pub fn of(spec: &ModelArtsPoolSourceSpec) -> Result<Self, String> {
        let endpoint = match (&spec.endpoint, &spec.region) {
            (Some(endpoint), _) => {
                Endpoint::from_str(endpoint).map_err(|e| format!("spec.endpoint: {e}"))?
            }
            (None, Some(region)) => {
                modelarts_endpoint(region).map_err(|e| format!("spec.region: {e}"))?
            }
            (None, None) => return Err("spec: region or endpoint is required".to_owned()),
        };
        let workspaces = if spec.workspace_ids.iter().any(|w| w == "*") {
            WorkspaceSelection::All
        } else {
            WorkspaceSelection::List(spec.workspace_ids.clone())
        };
        let filter = |status: &PoolStatusFilter| match status {
            PoolStatusFilter::Created => StatusFilter::Created,
            PoolStatusFilter::Creating => StatusFilter::Creating,
            PoolStatusFilter::Failed => StatusFilter::Failed,
        };
        Ok(Self {
            endpoint,
            project_id: spec.project_id.clone(),
            selection: Selection {
                workspaces,
                label_selector: spec.label_selector.clone(),
                statuses: spec.statuses.iter().map(filter).collect(),
            },
            interval: parse_duration(&spec.interval).map_err(|e| format!("spec.interval: {e}"))?,
            suspend: spec.suspend,
            credentials: spec.credentials.type_,
            secret: spec
                .credentials
                .secret_ref
                .as_ref()
                .map(|s| s.name.clone())
                .unwrap_or_default(),
        })
    }
}

/// A duration as Go writes it, e.g. `1h30m`.
fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.is_empty() {
        return Err("it is empty; write a duration, such as 30s or 1h30m".to_owned());
    }
    // Longer text could name a number that overflows the parser, which then panics.
    if text.len() > 16 {
        return Err(format!(
            "{text:?} is too long for a duration, such as 30s or 1h30m"
        ));
    }
    let duration: kube::core::Duration = text
        .parse()
        .map_err(|e| format!("{text:?} is no duration, such as 30s or 1h30m: {e}"))?;
    if duration.is_negative() {
        return Err(format!("{text:?} is negative"));
    }
    Ok(duration.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_the_api_server_lets_through() {
        for (text, millis) in [
            ("5s", 5_000),
            ("5000ms", 5_000),
            ("0.5h", 1_800_000),
            ("1h30m", 5_400_000),
            ("24h", 86_400_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(millis)),
                "{text}"
            );
        }
        for bad in ["soon", "", "-5m", "1 day", "99999999999999999999h", "5"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
