//! Makes the quotas so, and writes nothing where they are.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::{Api, Client, discovery};
use serde_json::{Value, json};

use crate::decide::Decision;
use crate::rules::{QueueTarget, QuotaTarget};

/// Field manager of every write, and value of the label on the quotas that it has made.
pub const NAME: &str = "capacity-quota";
/// Label on the quotas that this operator has made.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Annotation on a quota, only while its value is held: why.
const HELD: &str = "capacity-quota.example.com/held";

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was so.
    Unchanged,
    /// It has been written.
    Written,
    /// It can't be, because of this; nothing was written.
    Impossible(String),
}

/// Makes a ResourceQuota so. Where it is not there and nothing is known, it is not made: without a value it would
/// limit nothing, and look as if it did.
pub async fn resource_quota(
    client: &Client,
    target: &QuotaTarget,
    decision: &Decision,
) -> kube::Result<Outcome> {
    let api: Api<ResourceQuota> = Api::namespaced(client.clone(), &target.namespace);
    let now = api.get_opt(&target.name).await?;
    let hard = now.as_ref().and_then(|q| q.spec.as_ref()?.hard.as_ref());
    let value = hard
        .and_then(|h| h.get(&target.resource))
        .map(|q| q.0.clone());
    let annotations = now.as_ref().and_then(|q| q.metadata.annotations.as_ref());
    let held = annotations.and_then(|a| a.get(HELD)).map(String::as_str);
    let (wanted, why) = match decision {
        Decision::Set(units) => (quantity(*units), None),
        Decision::Hold(why) => match &value {
            Some(value) => (value.clone(), Some(why.as_str())),
            None => {
                return Ok(Outcome::Impossible(format!(
                    "it has no value to hold: {why}"
                )));
            }
        },
    };
    if value.as_ref() == Some(&wanted) && held == why {
        return Ok(Outcome::Unchanged);
    }
    let mut quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota",
        "metadata": {"name": target.name, "labels": {MANAGED_BY: NAME}},
        "spec": {"hard": {&target.resource: wanted}},
    });
    if let Some(why) = why {
        quota["metadata"]["annotations"] = json!({HELD: why});
    }
    let params = PatchParams::apply(NAME).force();
    api.patch(&target.name, &params, &Patch::Apply(quota))
        .await?;
    Ok(Outcome::Written)
}

/// Makes a nominal quota of a ClusterQueue so, where Kueue is installed.
pub async fn cluster_queue(
    client: &Client,
    target: &QueueTarget,
    decision: &Decision,
) -> kube::Result<Outcome> {
    let not_there = |what: &str| Ok(Outcome::Impossible(format!("{what} is not there")));
    let group = match discovery::group(client, "kueue.x-k8s.io").await {
        Ok(group) => group,
        Err(kube::Error::Discovery(kube::error::DiscoveryError::MissingApiGroup(_))) => {
            return not_there("Kueue");
        }
        Err(error) => return Err(error),
    };
    let Some((resource, _)) = group.recommended_kind("ClusterQueue") else {
        return not_there("the kind ClusterQueue");
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let Some(queue) = api.get_opt(&target.name).await? else {
        return not_there("the ClusterQueue");
    };
    let Some((path, value)) = nominal_quota(&queue.data, target) else {
        return Ok(Outcome::Impossible(format!(
            "its spec has no resource {} of the flavor {}",
            target.resource, target.flavor
        )));
    };
    let annotations = queue.metadata.annotations.as_ref();
    let held = annotations.and_then(|a| a.get(HELD)).map(String::as_str);
    let (wanted, why) = match decision {
        Decision::Set(units) => (json!(quantity(*units)), None),
        Decision::Hold(why) => (value.clone(), Some(why.as_str())),
    };
    if same_quantity(value, &wanted) && held == why {
        return Ok(Outcome::Unchanged);
    }
    let mut spec = queue.data["spec"].clone();
    if let Some(quota) = spec.pointer_mut(&path) {
        *quota = wanted;
    }
    // A list is replaced as a whole, whatever the kind of patch: an apply would take over all of it. With the version,
    // the write is refused where somebody has changed the queue meanwhile, and is due again.
    let patch = json!({
        "metadata": {"resourceVersion": queue.metadata.resource_version, "annotations": {HELD: why}},
        "spec": {"resourceGroups": spec["resourceGroups"]},
    });
    let params = PatchParams {
        field_manager: Some(NAME.to_owned()),
        ..PatchParams::default()
    };
    api.patch(&target.name, &params, &Patch::Merge(patch))
        .await?;
    Ok(Outcome::Written)
}

/// Where the nominal quota stands in the spec of a ClusterQueue, and what it is.
fn nominal_quota<'a>(queue: &'a Value, target: &QueueTarget) -> Option<(String, &'a Value)> {
    let groups = queue.pointer("/spec/resourceGroups")?.as_array()?;
    for (group, g) in groups.iter().enumerate() {
        for (flavor, f) in g["flavors"].as_array()?.iter().enumerate() {
            if f["name"] != *target.flavor {
                continue;
            }
            let resources = f["resources"].as_array()?;
            let found = resources.iter().position(|r| r["name"] == *target.resource);
            if let Some(resource) = found {
                let path = format!(
                    "/resourceGroups/{group}/flavors/{flavor}/resources/{resource}/nominalQuota"
                );
                return Some((path, &resources[resource]["nominalQuota"]));
            }
        }
    }
    None
}

/// A number as the API server writes a quantity: it makes `1k` of `1000`, which would look like another value for ever.
fn quantity(units: i64) -> String {
    let (mut number, mut suffixes) = (units, ["", "k", "M", "G", "T", "P", "E"].iter());
    let mut suffix = suffixes.next();
    while number != 0 && number % 1000 == 0 {
        number /= 1000;
        suffix = suffixes.next();
    }
    format!("{number}{}", suffix.unwrap_or(&""))
}

/// Whether two quantities are written alike, as a string or as a number. Others are written anew.
fn same_quantity(a: &Value, b: &Value) -> bool {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    text(a) == text(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_api_server_does() {
        for (units, expected) in [
            (0, "0"),
            (8, "8"),
            (1_000, "1k"),
            (1_024, "1024"),
            (1_500, "1500"),
            (24_000_000, "24M"),
            (i64::MAX, "9223372036854775807"),
        ] {
            assert_eq!(quantity(units), expected);
        }
    }

    #[test]
    fn a_nominal_quota_is_found_where_it_stands() {
        let target = QueueTarget {
            name: "q".to_owned(),
            flavor: "f".to_owned(),
            resource: "r".to_owned(),
        };
        let queue = json!({"spec": {"resourceGroups": [
            {"coveredResources": ["cpu"], "flavors": [{"name": "f", "resources": [{"name": "cpu", "nominalQuota": 1}]}]},
            {"coveredResources": ["r"], "flavors": [
                {"name": "other", "resources": [{"name": "r", "nominalQuota": 2}]},
                {"name": "f", "resources": [{"name": "r", "nominalQuota": "3"}]},
            ]},
        ]}});
        let expected = "/resourceGroups/1/flavors/1/resources/0/nominalQuota".to_owned();
        assert_eq!(
            nominal_quota(&queue, &target),
            Some((expected, &json!("3")))
        );
        assert_eq!(nominal_quota(&json!({"spec": {}}), &target), None);
        assert!(same_quantity(&json!(3), &json!("3")));
    }
}
