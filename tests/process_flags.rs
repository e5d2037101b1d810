//! The command line, as a newcomer meets it: help, errors that tell what to do, and an environment
//! variable for each flag.

use std::net::TcpListener;
use std::process::Output;

use clap::CommandFactory as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use modelarts_pool_controller::api::crds;
use modelarts_pool_controller::cli::Cli;
use serde_json::json;

use super::support::cluster::{run, shared};
use super::support::env::Env;
use super::support::process::{Process, kubeconfig_at, output};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn version_and_crds_are_printed() {
    let version = output(&["version"], &[]);
    assert!(version.status.success());
    let expected = format!(
        "modelarts-pool-controller {} (modelarts.huaweicloud.com/v1alpha1)\n",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(stdout(&version), expected);
    let printed = output(&["crds"], &[]);
    assert!(printed.status.success());
    assert_eq!(stdout(&printed), crds::yaml().expect("YAML"));
}

#[test]
fn each_subcommand_explains_itself_and_its_variables() {
    let top = stdout(&output(&["--help"], &[]));
    for subcommand in Cli::command().get_subcommands() {
        let name = subcommand.get_name();
        assert!(top.contains(name), "--help does not name {name}");
        let about = subcommand.get_about().map(ToString::to_string);
        let about = about.unwrap_or_else(|| panic!("{name} has no description"));
        let help = output(&[name, "--help"], &[]);
        assert!(help.status.success(), "{name}: {}", stderr(&help));
        let text = stdout(&help);
        assert!(text.contains(about.trim_end_matches('.')), "{name}: {text}");
        for flag in subcommand.get_arguments() {
            let Some(variable) = flag.get_env().and_then(|v| v.to_str()) else {
                // What only prints needs none.
                let prints = ["help", "version", "print_scenario"];
                assert!(prints.contains(&flag.get_id().as_str()), "{name} {flag}");
                continue;
            };
            assert!(text.contains(&format!("[env: {variable}")), "{name} {flag}");
            assert!(flag.get_help().is_some(), "{name} {flag} has no help");
            // The help shows the value that the program has read.
            let shown = stdout(&output(&[name, "--help"], &[(variable, "from-a-variable")]));
            let value = format!("[env: {variable}=from-a-variable]");
            assert!(
                flag.is_hide_env_values_set() || shown.contains(&value),
                "{name} {flag}: {shown}"
            );
        }
    }
}

/// Each as a flag and as a variable: what must be refused, and the words that help.
#[test]
fn bad_values_are_refused_with_a_way_out() {
    let cluster = shared();
    let kubeconfig = kubeconfig_at(cluster.dir(), "of-bad-values", "https://127.0.0.1:1");
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let occupied = TcpListener::bind("127.0.0.1:0").expect("a port");
    let occupied = occupied.local_addr().expect("an address").to_string();
    let text_file = cluster.dir().join("no-certificate.pem");
    std::fs::write(&text_file, "hello").expect("a file");
    let text_file = text_file.to_str().expect("UTF-8");
    for (flag, value, words) in [
        ("listen", "8080", &["--listen", "8080"][..]),
        ("listen", &occupied, &[&occupied, "in use", "set --listen"]),
        ("listen", "192.0.2.1:80", &["192.0.2.1:80", "set --listen"]),
        (
            "ca-file",
            "/no/such.pem",
            &["--ca-file", "/no/such.pem", "No such file"],
        ),
        ("ca-file", text_file, &["--ca-file", text_file, "PEM"]),
        (
            "watch-namespaces",
            "team-a,",
            &["--watch-namespaces", "\"\""],
        ),
        ("log-level", "info,kube=loud", &["--log-level", "kube=loud"]),
        ("log-format", "xml", &["--log-format", "text, json"]),
        ("leader-elect", "maybe", &["--leader-elect", "true, false"]),
        ("lease-name", "Our Lease", &["--lease-name", "Our Lease"]),
        (
            "lease-namespace",
            "a.b",
            &["--lease-namespace", "a.b", "1 to 63"],
        ),
        (
            "allowed-endpoints",
            "modelarts.example.com",
            &["--allowed-endpoints", "https://host"],
        ),
        (
            "allowed-endpoints",
            "https://a.b/c",
            &["--allowed-endpoints", "path"],
        ),
        (
            "ambient-credentials-namespaces",
            "team-a,team b",
            &["--ambient-credentials-namespaces", "NAMESPACE=PROJECT_ID"],
        ),
        (
            "metadata-endpoint",
            "http://u:pw@a.b",
            &["--metadata-endpoint", "user info"],
        ),
        (
            "allowed-endpoints",
            "https://u:pw@a.b",
            &["--allowed-endpoints", "user info"],
        ),
    ] {
        let variable = format!(
            "MODELARTS_POOL_CONTROLLER_{}",
            flag.to_uppercase().replace('-', "_")
        );
        let as_flag = output(
            &["run", &format!("--{flag}={value}")],
            &[("KUBECONFIG", kubeconfig)],
        );
        let as_variable = output(&["run"], &[("KUBECONFIG", kubeconfig), (&variable, value)]);
        for refused in [as_flag, as_variable] {
            let said = stderr(&refused);
            assert_ne!(refused.status.code(), Some(0), "{flag}={value}");
            assert!(refused.status.code().is_some(), "{flag}={value}: {said}");
            assert!(said.contains("error: "), "{flag}={value}: {said}");
            for word in words {
                assert!(
                    said.contains(word),
                    "{flag}={value}: no {word:?} in: {said}"
                );
            }
            assert!(!said.contains(":pw@"), "{said}");
        }
    }
}

#[test]
fn unknown_flags_and_a_missing_subcommand_are_refused() {
    for (arguments, word) in [
        (&["run", "--lisen=x"][..], "--listen"),
        (&[], "Usage"),
        (&["rnu"], "--help"),
    ] {
        let refused = output(arguments, &[]);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&refused).contains(word), "{}", stderr(&refused));
    }
}

#[test]
fn without_a_kubeconfig_it_says_where_it_looked() {
    for arguments in [&["run", "--listen=127.0.0.1:0"][..], &["crds", "--apply"]] {
        let refused = output(arguments, &[]);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&refused);
        assert!(said.contains("set KUBECONFIG, or run in a pod"), "{said}");
        let refused = output(arguments, &[("KUBECONFIG", "/no/such/kubeconfig")]);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        let said = stderr(&refused);
        assert!(said.contains("/no/such/kubeconfig"), "{said}");
    }
}

#[test]
fn crds_are_applied_to_the_real_api_server() {
    let cluster = shared();
    let kubeconfig = cluster.kubeconfig();
    let kubeconfig = ("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"));
    // Twice, and by either way: an update of what is there.
    let by_variable = ("MODELARTS_POOL_CONTROLLER_CRDS_APPLY", "true");
    for applied in [
        output(&["crds", "--apply"], &[kubeconfig]),
        output(&["crds"], &[kubeconfig, by_variable]),
    ] {
        assert!(applied.status.success(), "{}", stderr(&applied));
        assert_eq!(
            stdout(&applied),
            "modelartspools.modelarts.huaweicloud.com applied\nmodelartspoolsources.modelarts.huaweicloud.com applied\n"
        );
    }
    let mut kubectl = cluster.kubectl();
    let crd = "crd/modelartspools.modelarts.huaweicloud.com";
    let managers = "-o=jsonpath={.metadata.managedFields[*].manager}";
    let managers = run(kubectl.args(["get", crd, "--show-managed-fields", managers]));
    let managers = managers.expect("a CRD");
    assert!(managers.contains("modelarts-pool-controller"), "{managers}");
}

/// All that `run` is told, told by variables alone: it works, and does what they say.
#[tokio::test]
async fn variables_alone_are_enough() {
    let env = Env::new().await;
    env.add_source("team-a", json!({})).await;
    let endpoint = env.endpoint();
    let variables = [
        ("MODELARTS_POOL_CONTROLLER_LISTEN", "127.0.0.1:0"),
        (
            "MODELARTS_POOL_CONTROLLER_WATCH_NAMESPACES",
            &*env.namespace,
        ),
        ("MODELARTS_POOL_CONTROLLER_ALLOWED_ENDPOINTS", &*endpoint),
        ("MODELARTS_POOL_CONTROLLER_LOG_FORMAT", "json"),
        ("MODELARTS_POOL_CONTROLLER_LOG_LEVEL", "debug"),
        ("MODELARTS_POOL_CONTROLLER_LEADER_ELECT", "true"),
        ("MODELARTS_POOL_CONTROLLER_LEASE_NAME", "our-lease"),
        ("MODELARTS_POOL_CONTROLLER_LEASE_NAMESPACE", &*env.namespace),
        ("HOSTNAME", "a-pod"),
        // Accepted before what it governs is built.
        (
            "MODELARTS_POOL_CONTROLLER_AMBIENT_CREDENTIALS_NAMESPACES",
            "a=b,c",
        ),
    ];
    let mut process = Process::start(
        env.cluster.dir(),
        &env.cluster.kubeconfig(),
        &["run"],
        &variables,
    );
    env.synced("team-a").await;
    process.ready().await;
    process.logged("pass succeeded").await;
    let leases: Api<Lease> = Api::namespaced(env.client.clone(), &env.namespace);
    let holder = async || {
        let lease = leases.get("our-lease").await.expect("a lease");
        lease.spec.and_then(|spec| spec.holder_identity)
    };
    let held_by = holder().await.expect("a holder");
    assert!(held_by.starts_with("a-pod_"), "{held_by}");
    process.signal("TERM");
    assert_eq!(process.ended(super::support::env::PATIENCE).await, Some(0));
    assert_eq!(holder().await, None);

    let log = process.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect();
    for message in ["starting", "watching", "pass succeeded", "stopped"] {
        let line = lines.iter().find(|line| line["message"] == message);
        let line = line.unwrap_or_else(|| panic!("no line says {message:?}: {log}"));
        assert!(
            line["level"].is_string() && line["timestamp"].is_string(),
            "{line}"
        );
    }
    let watched = lines.iter().filter(|line| line["message"] == "watching");
    for line in watched {
        assert_eq!(line["namespace"], *env.namespace, "{line}");
    }
    assert_eq!(process.stdout(), "");
}
