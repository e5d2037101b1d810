//! A source as the loop works with it: parsed once, when it is seen.

use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;

use super::key::Key;
use crate::api::conditions::READY;
use crate::api::{
    CredentialsType, ModelArtsPoolSourceSpec, ModelArtsPoolSourceStatus, PoolStatusFilter,
    REFRESH_ANNOTATION,
};
use crate::mirror::PruneRules;
use crate::modelarts::{
    Endpoint, Selection, StatusFilter, WorkspaceSelection, iam_endpoint, modelarts_endpoint,
};

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
    /// When the spec was changed last, where the API server tells: not later.
    pub spec_changed: Option<Timestamp>,
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
    /// Origin of IAM, where the spec tells.
    pub iam_endpoint: Option<Endpoint>,
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
    /// What happens to the mirrors of pools that are gone.
    pub prune: PruneRules,
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
        let spec_changed = spec_changed(&metadata);
        Some(Self {
            key: Key::new(metadata.namespace.as_deref()?, metadata.name.as_deref()?),
            uid: metadata.uid?.into(),
            resource_version: metadata.resource_version?.parse().ok()?,
            generation: metadata.generation.unwrap_or_default(),
            deleting: metadata.deletion_timestamp.is_some(),
            spec_changed,
            refresh: metadata.annotations.and_then(|mut a| a.remove(REFRESH_ANNOTATION)),
            settings: serde_json::from_value::<ModelArtsPoolSourceSpec>(spec)
                .map_err(|e| format!("spec can't be read: {e}; compare it with kubectl explain modelartspoolsource.spec"))
                .and_then(|spec| Settings::of(&spec)),
            status: serde_json::from_value(status).unwrap_or_default(),
        })
    }
}

impl Source {
    /// Whether the status says that the last pass has succeeded, with the spec as it is.
    #[must_use]
    pub fn has_synced(&self) -> bool {
        let ready = self.status.condition(READY);
        ready.is_some_and(|r| r.status == "True" && r.observed_generation == Some(self.generation))
    }

    /// Whether the status says so of the spec as it is: a condition of this type with this reason.
    #[must_use]
    pub fn says(&self, type_: &str, reason: &str) -> bool {
        let conditions = self.status.conditions.iter().flatten();
        conditions.into_iter().any(|c| {
            c.type_ == type_ && c.reason == reason && c.observed_generation == Some(self.generation)
        })
    }
}

/// When one of those who set fields of the spec wrote last.
fn spec_changed(metadata: &ObjectMeta) -> Option<Timestamp> {
    let entries = metadata.managed_fields.iter().flatten();
    let of_the_spec = entries.filter(|e| {
        let fields = e.fields_v1.as_ref().map(|fields| &fields.0);
        e.subresource.is_none() && fields.is_some_and(|fields| fields.get("f:spec").is_some())
    });
    of_the_spec
        .filter_map(|e| e.time.as_ref())
        .map(|t| t.0)
        .max()
}

impl Settings {
    /// Whether a pool in `workspace` may be missing from the list though it is there, because it is not
    /// asked for.
    #[must_use]
    pub fn leaves_out(&self, workspace: Option<&str>) -> bool {
        let asked_for = match &self.selection.workspaces {
            WorkspaceSelection::All => true,
            WorkspaceSelection::List(ids) => {
                workspace.is_none_or(|workspace| ids.iter().any(|id| id == workspace))
            }
        };
        let statuses = &self.selection.statuses;
        let all = [
            StatusFilter::Created,
            StatusFilter::Creating,
            StatusFilter::Failed,
        ];
        !asked_for
            || !self.selection.label_selector.is_empty()
            || !all.iter().all(|status| statuses.contains(status))
    }

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
        let iam_endpoint = match (&spec.iam_endpoint, &spec.region) {
            (Some(endpoint), _) => {
                Some(Endpoint::from_str(endpoint).map_err(|e| format!("spec.iamEndpoint: {e}"))?)
            }
            (None, Some(region)) => {
                Some(iam_endpoint(region).map_err(|e| format!("spec.region: {e}"))?)
            }
            (None, None) if spec.credentials.type_ == CredentialsType::Password => {
                return Err(
                    "spec: credentials of type Password need region or iamEndpoint".to_owned(),
                );
            }
            (None, None) => None,
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
            iam_endpoint,
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
            prune: PruneRules {
                policy: spec.prune.policy,
                grace_period: parse_duration(&spec.prune.grace_period)
                    .map_err(|e| format!("spec.prune.gracePeriod: {e}"))?,
                max_percent: usize::try_from(spec.prune.max_percent).unwrap_or_default(),
            },
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
