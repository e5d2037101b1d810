//! What the mirror of a pool must hold, from the JSON that a client of the cloud is sent. Worked out from
//! the contract and from the cloud's own documents, without a line of the program: the tables below were
//! written by hand, and the program takes its own from the CRD.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The part of a mirror that comes from the cloud. Sums, conditions and what else the controller says
/// itself are not in it.
#[derive(Debug)]
pub struct Expected {
    pub labels: Value,
    pub annotations: Value,
    pub spec: Value,
    pub status: Value,
}

/// Fields with a documented type. `[]` is an array, `{}` an object, `s` a text, `i` an integer, `b` a
/// boolean; `*` stands for any key. A field that is not here is nobody's business: kept as it is.
const SPEC: &str = "
    type s | scope [] | scope[] s | resources [] | resources[] {} | resources[].flavor s
    resources[].count i | resources[].maxCount i | resources[].nodePool s
    resources[].azs [] | resources[].azs[] {} | resources[].azs[].az s | resources[].azs[].count i
    resources[].extendParams {}
    resources[].os {} | resources[].os.name s | resources[].os.imageId s | resources[].os.imageType s
    resources[].os.autoMatch s
    resources[].rootVolume {} | resources[].rootVolume.volumeType s | resources[].rootVolume.size s
    resources[].rootVolume.extendParams {}
    resources[].dataVolumes [] | resources[].dataVolumes[] {} | resources[].dataVolumes[].volumeType s
    resources[].dataVolumes[].size s | resources[].dataVolumes[].count i
    resources[].dataVolumes[].extendParams {}
    resources[].volumeGroupConfigs [] | resources[].volumeGroupConfigs[] {}
    resources[].volumeGroupConfigs[].volumeGroup s | resources[].volumeGroupConfigs[].dockerThinPool i
    resources[].volumeGroupConfigs[].lvmConfig {} | resources[].volumeGroupConfigs[].lvmConfig.lvType s
    resources[].volumeGroupConfigs[].lvmConfig.path s
    resources[].volumeGroupConfigs[].types [] | resources[].volumeGroupConfigs[].types[] s
    resources[].creatingStep {} | resources[].creatingStep.step i | resources[].creatingStep.type s
    resources[].taints [] | resources[].taints[] {} | resources[].taints[].key s
    resources[].taints[].value s | resources[].taints[].effect s
    resources[].labels {} | resources[].labels.* s
    resources[].tags [] | resources[].tags[] {} | resources[].tags[].key s | resources[].tags[].value s
    resources[].network {} | resources[].network.vpc s | resources[].network.subnet s
    resources[].network.securityGroups [] | resources[].network.securityGroups[] s
    resources[].driver {} | resources[].driver.version s
    network {} | network.name s | network.vpcId s | network.subnetId s
    containerNetwork {} | containerNetwork.mode s | containerNetwork.cidr s
    containernetwork {} | containernetwork.mode s | containernetwork.cidr s
    jobFlavors [] | jobFlavors[] s
    driver {} | driver.gpuVersion s | driver.npuVersion s | driver.updateStrategy s
    controlMode i | clusters [] | clusters[] {} | clusters[].providerId s | clusters[].name s
    userLogin {} | userLogin.keyPairName s | kubernetesSvcIpRange s
    masters [] | masters[] {} | masters[].az s | clusterFlavor s | ipv6enable b";

/// The same of the status; the buckets of `resources` are added below.
const STATUS: &str = "
    phase s | message s | parent s | root s | resources {}
    scope [] | scope[] {} | scope[].scopeType s | scope[].state s | scope[].message s
    scope[].plugins [] | scope[].plugins[] {} | scope[].plugins[].name s | scope[].plugins[].phase s
    driver {} | driver.gpu {} | driver.gpu.version s | driver.gpu.state s
    driver.npu {} | driver.npu.version s | driver.npu.state s
    clusters [] | clusters[] {} | clusters[].name s | clusters[].providerId s
    clusters[].clusterFlavor s | clusters[].type s | clusters[].version s
    clusters[].plugins [] | clusters[].plugins[] {} | clusters[].plugins[].name s";

const BUCKETS: [&str; 5] = [
    "creating",
    "available",
    "abnormal",
    "deleting",
    "creationFailed",
];
const BUCKET: &str = "
    [] | [] {} | [].flavor s | [].count i | [].maxCount i | [].nodePool s | [].azs [] | [].azs[] {}
    [].azs[].az s | [].azs[].count i | [].creatingStep {} | [].creatingStep.step i | [].creatingStep.type s";

/// Names in a mirror's status that are the controller's own.
const OURS: [&str; 7] = [
    "counts",
    "flavors",
    "creationTimestamp",
    "otherMetadata",
    "cloud",
    "observedGeneration",
    "conditions",
];
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "private_key",
    "privatekey",
    "credential",
    "post_install",
    "postinstall",
];
/// An apply is read as YAML, which has no longer keys: 1000 characters with their quotes.
const LONGEST_KEY: usize = 998;

/// The mirror of `sent`, one pool as a client of the cloud gets it, in `workspace`.
pub fn expected(sent: &Value, source: &str, workspace: &str) -> Expected {
    let sent = without_secrets(sent);
    let (labels, annotations, other) = metadata(&sent, source, workspace);
    let part = |name: &str| match &sent[name] {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    let spec = typed(&Value::Object(part("spec")), "", &types(SPEC, ".")).unwrap_or_default();
    let (ours, clouds): (Map<_, _>, Map<_, _>) = part("status")
        .into_iter()
        .partition(|(key, _)| OURS.contains(&key.as_str()));
    let mut known = types(STATUS, ".");
    for bucket in BUCKETS {
        known.extend(types(BUCKET, &format!(".resources.{bucket}")));
    }
    let mut status = typed(&Value::Object(clouds), "", &known).unwrap_or_default();
    let logical_and_silent = spec["type"] == "Logical" && status["resources"] == json!({});
    let fields = status.as_object_mut().expect("an object");
    if logical_and_silent {
        fields.remove("resources");
    }
    if let Some(Value::Object(resources)) = fields.get_mut("resources") {
        for bucket in BUCKETS {
            resources.entry(bucket).or_insert(json!([]));
        }
    }
    if !ours.is_empty() {
        fields.insert("cloud".to_owned(), Value::Object(ours));
    }
    if !other.is_empty() {
        fields.insert("otherMetadata".to_owned(), json!(other));
    }
    let created = sent
        .pointer("/metadata/creationTimestamp")
        .and_then(Value::as_str);
    if let Some(created) = created.and_then(|text| text.parse::<Timestamp>().ok()) {
        let seconds = created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        fields.insert("creationTimestamp".to_owned(), json!(seconds));
    }
    Expected {
        labels: json!(labels),
        annotations: json!(annotations),
        spec: writable(&spec),
        status: writable(&status),
    }
}

type Strings = BTreeMap<String, String>;

/// Labels, annotations, and what is neither on a mirror.
fn metadata(sent: &Value, source: &str, workspace: &str) -> (Strings, Strings, Strings) {
    let strings = |field: &str| -> Strings {
        let fields = sent["metadata"][field].as_object().into_iter().flatten();
        fields
            .filter_map(|(key, value)| Some((key.clone(), text(value)?)))
            .collect()
    };
    let (mut labels, mut annotations, mut other) = (Strings::new(), Strings::new(), Strings::new());
    for (key, value) in strings("annotations") {
        if is_the_clouds(&key) {
            annotations.insert(key, value);
        } else {
            other.insert(format!("annotations/{key}"), value);
        }
    }
    for (key, value) in strings("labels") {
        if key == "os.modelarts/workspace.id" {
            continue;
        }
        if is_the_clouds(&key) && (value.is_empty() || is_word(&value)) {
            labels.insert(key, value);
        } else if is_the_clouds(&key) && !annotations.contains_key(&key) {
            annotations.insert(key, value);
        } else {
            other.insert(format!("labels/{key}"), value);
        }
    }
    for (key, value) in [
        ("os.modelarts/workspace.id", workspace),
        ("modelarts.huaweicloud.com/source", source),
        ("app.kubernetes.io/managed-by", "modelarts-pool-controller"),
    ] {
        labels.insert(key.to_owned(), value.to_owned());
    }
    if let Some(version) = sent["apiVersion"].as_str().filter(|v| v.len() < 64) {
        let key = "modelarts.huaweicloud.com/cloud-api-version";
        annotations.insert(key.to_owned(), version.to_owned());
    }
    (labels, annotations, other)
}

/// Whether the key is the cloud's own, and one that Kubernetes takes.
fn is_the_clouds(key: &str) -> bool {
    let Some((prefix, name)) = key.split_once('/') else {
        return false;
    };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    (prefix == "os.modelarts" || prefix.starts_with("os.modelarts."))
        && prefix.chars().all(lower)
        && is_word(name)
}

/// Whether it is a value of a label that is not empty.
fn is_word(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: char| c.is_ascii_alphanumeric();
    text.len() <= 63 && text.chars().all(inner) && text.starts_with(outer) && text.ends_with(outer)
}

/// The fields of a table by their paths under `root`.
fn types(table: &str, root: &str) -> BTreeMap<String, String> {
    let entries = table.split(['|', '\n']).map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (path, kind) = entry.rsplit_once(' ').unwrap_or(("", entry));
            (format!("{root}{path}"), kind.to_owned())
        })
        .collect()
}

/// `value` as its documented type has it; nothing where it has another.
fn typed(value: &Value, path: &str, known: &BTreeMap<String, String>) -> Option<Value> {
    let kind = if path.is_empty() {
        Some("{}")
    } else {
        known.get(path).map(String::as_str)
    };
    let Some(kind) = kind else {
        return Some(value.clone());
    };
    match (kind, value) {
        ("s", value) => text(value).map(Value::String),
        ("i", Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        ("i", Value::Number(number)) => {
            let whole = number
                .as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() < 9e18);
            number
                .as_i64()
                .map(Value::from)
                .or_else(|| whole.map(Value::from))
        }
        ("b", Value::String(text)) => text.parse::<bool>().ok().map(Value::Bool),
        ("b", Value::Bool(_)) => Some(value.clone()),
        ("[]", Value::Array(items)) => {
            let path = format!("{path}[]");
            Some(
                items
                    .iter()
                    .filter_map(|item| typed(item, &path, known))
                    .collect(),
            )
        }
        // One object in the place of an array of one.
        ("[]", Value::Object(_)) => {
            typed(value, &format!("{path}[]"), known).map(|one| json!([one]))
        }
        ("{}", Value::Object(fields)) => {
            let any = Some(format!("{path}.*")).filter(|any| known.contains_key(any));
            let inner = fields.iter().filter_map(|(key, value)| {
                let at = any.clone().unwrap_or_else(|| format!("{path}.{key}"));
                Some((key.clone(), typed(value, &at, known)?))
            });
            Some(Value::Object(inner.collect()))
        }
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Without secrets: fields by their names, entries of lists that are named so, and the same in JSON that
/// stands in a text. Text that is cut off can't be taken apart, and is a secret as a whole.
fn without_secrets(value: &Value) -> Value {
    kept(value).unwrap_or_default()
}

fn kept(value: &Value) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let name = fields.get("key").or_else(|| fields.get("name"));
            let named = name.and_then(Value::as_str).is_some_and(is_secret);
            if named && fields.contains_key("value") {
                return None;
            }
            let open = fields.iter().filter(|(key, _)| !is_secret(key));
            let open = open.filter_map(|(key, value)| Some((key.clone(), kept(value)?)));
            Some(Value::Object(open.collect()))
        }
        Value::Array(items) => Some(items.iter().filter_map(kept).collect()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) => {
                let open = kept(&inner)?;
                let same = open == inner;
                Some(if same {
                    value.clone()
                } else {
                    json!(open.to_string())
                })
            }
            Err(_) => Some(value.clone()).filter(|_| !(text.contains('"') && is_secret(text))),
        },
        _ => Some(value.clone()),
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRETS.iter().any(|secret| key.contains(secret))
}

/// Without the fields whose keys no apply can carry.
fn writable(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let short = fields
                .iter()
                .filter(|(key, _)| key.chars().count() <= LONGEST_KEY);
            let short = short.map(|(key, value)| (key.clone(), writable(value)));
            Value::Object(short.collect())
        }
        Value::Array(items) => items.iter().map(writable).collect(),
        _ => value.clone(),
    }
}
