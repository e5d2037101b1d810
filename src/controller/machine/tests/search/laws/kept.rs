//! A mirror as the API server holds it, compared with what it should be.

use serde_json::Value;

use crate::api::conditions::{LISTED, READY, SYNCED};
use crate::controller::machine::tests::search::cluster::Cluster;
use crate::mirror::{Desired, Observed};

/// A mirror as it is stored.
pub(in super::super) struct Kept<'a> {
    pub(super) name: &'a str,
    pub(super) object: &'a Value,
    pub(in super::super) observed: &'a Observed,
}

impl<'a> Kept<'a> {
    pub(in super::super) fn of(cluster: &'a Cluster, name: &'a str) -> Option<Self> {
        Some(Self {
            name,
            object: cluster.api.get(name)?,
            observed: cluster.api.all_observed().get(name)?,
        })
    }

    /// Whether law 7 lets a source adopt it.
    pub(in super::super) fn may_be_taken(&self, cluster: &Cluster) -> bool {
        let owner = self.observed.controller.as_ref();
        self.observed.managed_by_us
            && owner.is_none_or(|owner| owner.is_source && cluster.source(&owner.uid).is_none())
    }

    /// Ready, Synced and Listed, each as `Status/Reason`.
    pub(in super::super) fn conditions(&self) -> [String; 3] {
        [READY, SYNCED, LISTED].map(|type_| {
            let all = self.object["status"]["conditions"].as_array();
            let found = all.into_iter().flatten().find(|c| c["type"] == type_);
            let text = |c: &'a Value, field: &str| c[field].as_str().unwrap_or_default();
            found.map_or("none".to_owned(), |c| {
                [text(c, "status"), text(c, "reason")].join("/")
            })
        })
    }

    pub(in super::super) fn says(&self, expected: &[String; 3]) -> Result<(), String> {
        let conditions = self.conditions();
        if conditions == *expected {
            return Ok(());
        }
        Err(format!(
            "{} says {conditions:?}, not {expected:?}",
            self.name
        ))
    }

    pub(in super::super) fn holds(&self, desired: &Desired) -> Result<(), String> {
        let Observed {
            spec_fingerprint,
            status_fingerprint,
            metadata_fingerprint,
            ..
        } = *self.observed;
        let same = [
            ("spec", spec_fingerprint == desired.spec_fingerprint),
            ("status", status_fingerprint == desired.status_fingerprint),
            (
                "metadata",
                metadata_fingerprint == desired.metadata_fingerprint,
            ),
        ];
        match same.iter().find(|(_, same)| !same) {
            None => Ok(()),
            Some((part, _)) => Err(format!("{} has another {part} than its pool", self.name)),
        }
    }
}
