//! Which labels and annotations of a pool become labels and annotations of its mirror.
//!
//! Only the cloud's own do: a pool's tags must not be able to steer Argo CD, Helm or this
//! controller. Everything else is kept in `status.otherMetadata`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::conform::text;
use crate::api::{
    CLOUD_API_VERSION_ANNOTATION, CONTROLLER_NAME, MANAGED_BY_LABEL, SOURCE_LABEL, WORKSPACE_LABEL,
};

/// Bytes of keys and values that go to the metadata. Kubernetes refuses objects with more than 256
/// KiB of annotations; the rest is left to other people.
const MAX_METADATA: usize = 200 * 1024;

/// Bytes of the name of an API version.
const MAX_VERSION: usize = 63;

/// The metadata of a mirror, and what could not go there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) other: BTreeMap<String, String>,
}

/// The metadata of the mirror of a pool that `source` listed in `workspace`.
pub(super) fn metadata(pool: &Map<String, Value>, source: &str, workspace: &str) -> Metadata {
    let mut result = Metadata::default();
    let mut room = MAX_METADATA;
    for (key, value) in strings(pool, "annotations") {
        let fits = is_cloud_key(&key) && is_valid_key(&key) && take(&mut room, &key, &value);
        if fits {
            result.annotations.insert(key, value);
        } else {
            result.other.insert(format!("annotations/{key}"), value);
        }
    }
    for (key, value) in strings(pool, "labels") {
        // What was asked for is certain; what the cloud answers is often missing.
        if key == WORKSPACE_LABEL {
            continue;
        }
        let annotation_is_free = !result.annotations.contains_key(&key);
        let valid_value = is_valid_label_value(&value);
        let placeable =
            is_cloud_key(&key) && is_valid_key(&key) && (valid_value || annotation_is_free);
        if !placeable || !take(&mut room, &key, &value) {
            result.other.insert(format!("labels/{key}"), value);
        } else if valid_value {
            result.labels.insert(key, value);
        } else {
            result.annotations.insert(key, value);
        }
    }
    // A workspace's id may be longer than a label's value.
    let place = if is_valid_label_value(workspace) {
        &mut result.labels
    } else {
        &mut result.annotations
    };
    place.insert(WORKSPACE_LABEL.to_owned(), workspace.to_owned());
    result
        .labels
        .insert(SOURCE_LABEL.to_owned(), source.to_owned());
    result
        .labels
        .insert(MANAGED_BY_LABEL.to_owned(), CONTROLLER_NAME.to_owned());
    // The cloud's is `v2`; what is longer than any version's name would take others' room.
    let version = pool.get("apiVersion").and_then(Value::as_str);
    if let Some(version) = version.filter(|v| v.len() <= MAX_VERSION) {
        result
            .annotations
            .insert(CLOUD_API_VERSION_ANNOTATION.to_owned(), version.to_owned());
    }
    result
}

/// `metadata.<field>` as strings, in the order of the keys.
fn strings(pool: &Map<String, Value>, field: &str) -> Vec<(String, String)> {
    let map = pool
        .get("metadata")
        .and_then(|m| m.get(field))
        .and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(k, v)| Some((k.clone(), text(v.clone())?)))
        .collect()
}

/// Takes the room of one entry, where it is left.
fn take(room: &mut usize, key: &str, value: &str) -> bool {
    let left = room.checked_sub(key.len() + value.len());
    left.inspect(|left| *room = *left).is_some()
}

/// Whether a label or annotation with this key is the cloud's own, and not a tag that somebody gave.
pub(crate) fn is_cloud_key(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| {
        prefix
            .strip_prefix("os.modelarts")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// Whether Kubernetes takes `key` (one with a prefix) as the key of a label or an annotation.
fn is_valid_key(key: &str) -> bool {
    key.split_once('/')
        .is_some_and(|(prefix, name)| is_dns1123_subdomain(prefix) && is_qualified_name(name))
}

/// Whether Kubernetes takes `value` as the value of a label.
pub(super) fn is_valid_label_value(value: &str) -> bool {
    value.is_empty() || is_qualified_name(value)
}

/// At most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends.
fn is_qualified_name(name: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 63
        && ends(name.chars().next())
        && ends(name.chars().next_back())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Whether Kubernetes takes `name` as the name of an object.
pub(crate) fn is_dns1123_subdomain(name: &str) -> bool {
    let is_label = |label: &str| {
        let ends =
            |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(label.chars().next())
            && ends(label.chars().next_back())
            && label
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(labels: &Value, annotations: &Value) -> Metadata {
        let pool =
            json!({"apiVersion": "v2", "metadata": {"labels": labels, "annotations": annotations}});
        metadata(pool.as_object().expect("an object"), "team-a", "ws1")
    }

    fn other(metadata: &Metadata) -> Vec<&str> {
        metadata.other.keys().map(String::as_str).collect()
    }

    #[test]
    fn the_clouds_keys_stay_and_ours_are_added() {
        let result = of(
            &json!({"os.modelarts/name": "pool", "os.modelarts.pool/biz": "private", "os.modelarts/workspace.id": "9"}),
            &json!({"os.modelarts/description": "训练", "os.modelarts/billing.mode": 0}),
        );
        let expected = [
            ("app.kubernetes.io/managed-by", "modelarts-pool-controller"),
            ("modelarts.huaweicloud.com/source", "team-a"),
            ("os.modelarts.pool/biz", "private"),
            ("os.modelarts/name", "pool"),
            ("os.modelarts/workspace.id", "ws1"),
        ];
        assert_eq!(
            result.labels,
            expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        let expected = [
            ("modelarts.huaweicloud.com/cloud-api-version", "v2"),
            ("os.modelarts/billing.mode", "0"),
            ("os.modelarts/description", "训练"),
        ];
        assert_eq!(
            result.annotations,
            expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
        );
        assert!(result.other.is_empty());
    }

    #[test]
    fn other_peoples_keys_steer_nothing() {
        let result = of(
            &json!({"argocd.argoproj.io/instance": "x", "app.kubernetes.io/managed-by": "Helm", "os.modelartsx/a": "1",
                "plain": "1", "modelarts.huaweicloud.com/source": "other"}),
            &json!({"meta.helm.sh/release-name": "x", "kubectl.kubernetes.io/last-applied-configuration": "{}"}),
        );
        assert_eq!(
            result.labels["app.kubernetes.io/managed-by"],
            "modelarts-pool-controller"
        );
        assert_eq!(result.labels["modelarts.huaweicloud.com/source"], "team-a");
        assert_eq!(
            other(&result),
            [
                "annotations/kubectl.kubernetes.io/last-applied-configuration",
                "annotations/meta.helm.sh/release-name",
                "labels/app.kubernetes.io/managed-by",
                "labels/argocd.argoproj.io/instance",
                "labels/modelarts.huaweicloud.com/source",
                "labels/os.modelartsx/a",
                "labels/plain",
            ]
        );
    }

    #[test]
    fn a_label_with_an_invalid_value_becomes_an_annotation() {
        let result = of(
            &json!({"os.modelarts/name": "训练 池", "os.modelarts/empty": ""}),
            &json!({}),
        );
        assert_eq!(result.annotations["os.modelarts/name"], "训练 池");
        assert_eq!(result.labels["os.modelarts/empty"], "");

        let taken = of(
            &json!({"os.modelarts/name": "训练 池"}),
            &json!({"os.modelarts/name": "mine"}),
        );
        assert_eq!(taken.annotations["os.modelarts/name"], "mine");
        assert_eq!(other(&taken), ["labels/os.modelarts/name"]);
    }

    #[test]
    fn keys_that_kubernetes_refuses_and_values_of_wrong_types() {
        let long = format!("os.modelarts/{}", "x".repeat(64));
        let result = of(
            &json!({long.as_str(): "1", "os.modelarts/a/b": "1", "os.modelarts/": "1", "os.modelarts.A/x": "1",
                "os.modelarts/null": null, "os.modelarts/object": {}, "os.modelarts/true": true}),
            &json!(null),
        );
        assert_eq!(result.labels["os.modelarts/true"], "true");
        assert_eq!(result.other.len(), 4, "{:?}", result.other);
    }

    #[test]
    fn what_would_pass_200_kib_goes_to_other_metadata() {
        let big = "x".repeat(150 * 1024);
        let result = of(
            &json!({"os.modelarts/name": "p"}),
            &json!({"os.modelarts/a": big, "os.modelarts/b": big}),
        );
        assert!(result.annotations.contains_key("os.modelarts/a"));
        assert_eq!(other(&result), ["annotations/os.modelarts/b"]);
        assert_eq!(result.labels["os.modelarts/name"], "p");
    }

    #[test]
    fn a_workspace_id_that_is_no_label_value_becomes_an_annotation() {
        let pool = Map::new();
        let result = metadata(&pool, "s", &"w".repeat(64));
        assert!(!result.labels.contains_key(WORKSPACE_LABEL));
        assert_eq!(result.annotations[WORKSPACE_LABEL].len(), 64);
    }

    #[test]
    fn a_version_that_is_none_takes_no_room() {
        for (version, kept) in [
            (json!("v2"), Some("v2")),
            (json!(""), Some("")),
            (json!("v".repeat(300_000)), None),
            (json!(2), None),
            (json!(null), None),
        ] {
            let pool = json!({"apiVersion": version});
            let result = metadata(pool.as_object().expect("an object"), "s", "0");
            let annotation = result.annotations.get(CLOUD_API_VERSION_ANNOTATION);
            assert_eq!(annotation.map(String::as_str), kept);
        }
    }

    #[test]
    fn names_of_objects() {
        for good in [
            "a",
            "auto-pool-os-86c13962597848eeb29c5861153a391f",
            "a.b",
            "0",
        ] {
            assert!(is_dns1123_subdomain(good), "{good}");
        }
        for bad in [
            "",
            "A",
            "-a",
            "a-",
            "a..b",
            "a_b",
            "中",
            "a/b",
            &"a".repeat(254),
        ] {
            assert!(!is_dns1123_subdomain(bad), "{bad}");
        }
    }
}
