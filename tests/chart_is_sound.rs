//! The chart, without installing it: what it renders, and what it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use modelarts_pool_controller::api::crds;
use serde_json::Value;

use super::support::chart::{CHART, of_kind, render};
use super::support::cluster::{run, shared};
use super::support::generated::check;
use super::support::process::output;

/// The values of one source.
const SOURCE: [&str; 4] = [
    "sources[0].name=team-a",
    "sources[0].spec.region=cn-north-4",
    "sources[0].spec.projectId=0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "sources[0].credentials.existingSecret=modelarts",
];

fn container(objects: &[Value]) -> Value {
    of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0].clone()
}

#[test]
fn its_crds_are_ours() {
    for (file, crd) in crds::all() {
        let generated = crds::to_yaml(&crd).expect("YAML");
        check(
            &format!("charts/modelarts-pool-controller/crds/{file}"),
            &generated,
        );
    }
    let dir = Path::new(CHART).join("crds");
    let files = fs::read_dir(&dir).expect("a directory").count();
    assert_eq!(files, crds::all().len(), "a file too many in {dir:?}");
}

#[test]
fn its_versions_are_the_programs() {
    let text = fs::read_to_string(Path::new(CHART).join("Chart.yaml")).expect("a file");
    let chart: Value = serde_saphyr::from_str(&text).expect("YAML");
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["name"], env!("CARGO_PKG_NAME"));
}

#[test]
fn it_has_no_lint() {
    for values in [&[][..], &SOURCE] {
        let mut helm = shared().helm();
        helm.args(["lint", "--strict", CHART]);
        for value in values {
            helm.args(["--set", value]);
        }
        run(&mut helm).expect("no lint");
    }
}

/// The schema names the fields of a source, so that it can refuse a misspelt one: the same fields as
/// the CRD's.
#[test]
fn its_schema_knows_each_field_of_a_source() {
    let text = fs::read_to_string(Path::new(CHART).join("values.schema.json")).expect("a file");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let in_schema = &schema["properties"]["sources"]["items"]["properties"]["spec"];
    let (_, crd) = crds::all()
        .into_iter()
        .find(|(file, _)| file.contains("sources"))
        .expect("the CRD of sources");
    let crd = serde_json::to_value(crd).expect("JSON");
    let in_crd = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    for field in ["", "credentials", "prune"] {
        let keys = |schema: &Value| {
            let schema = if field.is_empty() {
                schema
            } else {
                &schema["properties"][field]
            };
            let properties = schema["properties"].as_object().expect("properties");
            let mut keys: Vec<_> = properties.keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(in_schema), keys(in_crd), "spec.{field}");
    }
}

/// Each value of values.yaml is in the schema: else the chart would refuse its own defaults; and
/// each property of the schema is in values.yaml: else nobody would learn of it.
#[test]
fn its_values_and_its_schema_name_the_same() {
    fn names(value: &Value, schema: &Value, path: &str) {
        let properties = schema["properties"].as_object();
        for (name, schema) in properties.into_iter().flatten() {
            let path = format!("{path}.{name}");
            // Helm's own, for charts that contain this one.
            assert!(path == ".global" || value.get(name).is_some(), "{path}");
            names(&value[name], schema, &path);
        }
    }
    let read = |file| fs::read_to_string(PathBuf::from(CHART).join(file)).expect("a file");
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).expect("YAML");
    let schema: Value = serde_json::from_str(&read("values.schema.json")).expect("JSON");
    names(&values, &schema, "");
}

#[test]
fn unknown_and_contradicting_values_are_refused() {
    for (values, words) in [
        (&["replicaCount=2"][..], "replicaCount"),
        (&["replicas=-1"], "replicas"),
        (&["image.registry=r"], "registry"),
        (&["image.digest=latest"], "digest"),
        (&["log.format=xml"], "format"),
        (&["port=80"], "port"),
        (&["prometheusRule.runbookUrl=https://a/b#c"], "runbookUrl"),
        (&["dashboard.folder=Cloud"], "folder"),
        (&["sources[0].name=a"], "spec"),
        (
            &["sources[0].name=Team_A", "sources[0].spec.projectId=p"],
            "name",
        ),
        (
            &["sources[0].name=a", "sources[0].spec.region=r"],
            "projectId",
        ),
        (
            &[
                "sources[0].name=a",
                "sources[0].spec.projectId=p",
                "sources[0].spec.intervall=5s",
            ],
            "intervall",
        ),
        (
            &[
                "sources[0].name=a",
                "sources[0].spec.projectId=p",
                "sources[0].credentials.accessKey=AK",
            ],
            "a has no credentials.secretKey, which type AccessKey needs",
        ),
        (
            &["sources[0].name=a", "sources[0].spec.projectId=p"],
            "a has no credentials",
        ),
        (
            &[
                SOURCE[0],
                SOURCE[1],
                SOURCE[2],
                SOURCE[3],
                "sources[0].spec.credentials.type=Agency",
            ],
            "keep one",
        ),
        (
            &[
                SOURCE[0],
                SOURCE[1],
                SOURCE[2],
                SOURCE[3],
                "watchNamespaces={other}",
            ],
            "not among watchNamespaces",
        ),
    ] {
        let refused = render(values).expect_err(&format!("{values:?}"));
        assert!(
            refused.contains(words),
            "{values:?}: no {words:?} in: {refused}"
        );
    }
}

#[test]
fn a_source_is_rendered_as_it_would_be_written() {
    let objects = render(&SOURCE).expect("objects");
    let source = of_kind(&objects, "ModelArtsPoolSource")[0];
    assert_eq!(source["metadata"]["name"], "team-a");
    assert_eq!(source["metadata"]["namespace"], "ns");
    let spec = serde_json::json!({
        "region": "cn-north-4", "projectId": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "credentials": {"type": "AccessKey", "secretRef": {"name": "modelarts"}},
    });
    assert_eq!(source["spec"], spec);
    let written_out = render(&[
        SOURCE[0],
        SOURCE[1],
        SOURCE[2],
        "sources[0].spec.credentials.type=AccessKey",
        "sources[0].spec.credentials.secretRef.name=modelarts",
    ]);
    let written_out = written_out.expect("objects");
    assert_eq!(of_kind(&written_out, "ModelArtsPoolSource")[0], source);
}

#[test]
fn there_are_as_many_replicas_as_are_asked_for() {
    for (values, expected) in [(&[][..], 2), (&["replicas=1"], 1), (&["replicas=0"], 0)] {
        let objects = render(values).expect("objects");
        let spec = &of_kind(&objects, "Deployment")[0]["spec"];
        assert_eq!(spec["replicas"], expected);
        // The new ones of an update need not wait for the end of the old ones.
        assert!(spec["strategy"].is_null());
    }
}

#[test]
fn the_image_is_named_by_tag_or_digest() {
    let image = |values: &[&str]| container(&render(values).expect("objects"))["image"].clone();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(image(&[]), format!("modelarts-pool-controller:{version}"));
    assert_eq!(image(&["image.repository=r/m", "image.tag=t"]), "r/m:t");
    let digest = format!("sha256:{}", "0".repeat(64));
    let set = format!("image.digest={digest}");
    assert_eq!(
        image(&["image.repository=r/m", "image.tag=t", &set]),
        format!("r/m@{digest}")
    );
}

/// The program understands the arguments that it is given: it gets as far as looking for a cluster.
#[test]
fn the_arguments_are_the_programs() {
    let objects = render(&[
        "watchNamespaces={ns,other}",
        "allowedEndpoints={https://modelarts.*.example.com,http://127.0.0.1:8088}",
        "log.level=info\\,kube=debug",
        "extraArgs={--leader-elect=false}",
        "replicas=1",
        "port=9090",
    ]);
    let container = container(&objects.expect("objects"));
    let arguments: Vec<String> =
        serde_json::from_value(container["args"].clone()).expect("strings");
    for argument in [
        "--listen=[::]:9090",
        "--watch-namespaces=ns,other",
        "--allowed-endpoints=https://modelarts.*.example.com",
        "--allowed-endpoints=http://127.0.0.1:8088",
        "--log-level=info,kube=debug",
        "--leader-elect=false",
    ] {
        assert!(
            arguments.iter().any(|a| a == argument),
            "{argument}: {arguments:?}"
        );
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let refused = output(&arguments, &[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("failed to find the API server"), "{said}");
    assert_eq!(container["ports"][0]["containerPort"], 9090);
}

/// The right to the Lease, in the namespace of the release, is apart from those to mirror.
fn is_of_the_lease(object: &Value) -> bool {
    object["metadata"]["name"] == LEASE_ROLE && object["metadata"]["namespace"] == "ns"
}

const LEASE_ROLE: &str = "release-modelarts-pool-controller-lease";

/// With a list of namespaces nothing is granted outside of them, and inside the same as else.
#[test]
fn watched_namespaces_bound_the_rights() {
    let everywhere = render(&[]).expect("objects");
    let mut cluster_roles = of_kind(&everywhere, "ClusterRole");
    cluster_roles.retain(|role| role["metadata"]["name"] == "modelarts-pool-controller");
    let cluster_role = cluster_roles[0];
    assert!(
        of_kind(&everywhere, "Role")
            .iter()
            .all(|r| is_of_the_lease(r))
    );
    // Those of people and of the Job aside.
    let bounded = render(&[
        "watchNamespaces={ns,other}",
        "rbac.aggregate=false",
        "crds.upgrade=false",
    ]);
    let bounded = bounded.expect("objects");
    assert_eq!(of_kind(&bounded, "ClusterRole").len(), 0);
    assert_eq!(of_kind(&bounded, "ClusterRoleBinding").len(), 0);
    let mut roles = of_kind(&bounded, "Role");
    roles.retain(|role| !is_of_the_lease(role));
    let namespaces: Vec<_> = roles.iter().map(|r| &r["metadata"]["namespace"]).collect();
    assert_eq!(namespaces, ["ns", "other"]);
    for role in roles {
        assert_eq!(role["rules"], cluster_role["rules"]);
    }
    let mut bindings = of_kind(&bounded, "RoleBinding");
    bindings.retain(|binding| !is_of_the_lease(binding));
    assert_eq!(bindings.len(), 2);
    for binding in bindings {
        assert_eq!(binding["subjects"][0]["namespace"], "ns");
    }
    for rule in cluster_role["rules"].as_array().expect("rules") {
        assert!(!rule.to_string().contains('*'), "{rule}");
    }
}

/// Replicas that elect by different Leases would each be the one that writes.
#[test]
fn the_lease_is_the_releases_own() {
    for values in [&[][..], &["watchNamespaces={other}"]] {
        let objects = render(values).expect("objects");
        let mut roles = of_kind(&objects, "Role");
        roles.retain(|o| is_of_the_lease(o));
        let [role] = roles[..] else {
            panic!("{roles:?}");
        };
        let name = "release-modelarts-pool-controller";
        let named: Vec<_> = role["rules"].as_array().expect("rules").iter().collect();
        assert_eq!(named[0]["resourceNames"], serde_json::json!([name]));
        let arguments = container(&objects)["args"].to_string();
        let argument = format!("\"--lease-name={name}\"");
        assert!(arguments.contains(&argument), "{arguments}");
        let mut bindings = of_kind(&objects, "RoleBinding");
        bindings.retain(|o| is_of_the_lease(o));
        assert_eq!(bindings[0]["roleRef"]["name"], LEASE_ROLE);
        assert_eq!(bindings[0]["subjects"][0]["namespace"], "ns");
    }
}

#[test]
fn parts_that_are_switched_off_are_gone() {
    let objects = render(&[
        "serviceAccount.create=false",
        "rbac.create=false",
        "podDisruptionBudget.enabled=false",
        "crds.upgrade=false",
    ]);
    let objects = objects.expect("objects");
    let kinds: Vec<_> = objects.iter().map(|o| &o["kind"]).collect();
    assert_eq!(kinds, ["Service", "Deployment"]);
    let pod = &of_kind(&objects, "Deployment")[0]["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "default");
}
