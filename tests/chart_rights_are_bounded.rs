//! Whom the chart lets do what, by the real authorizer: the controller that may read named Secrets alone,
//! and people.

use serde_json::json;

use super::support::chart::{RELEASE, account, asked, helm, kubectl};
use super::support::cluster::run;
use super::support::env::{Env, source_condition};
use super::support::process::Process;

/// Whether somebody may do something in the namespace of the test.
fn may(env: &Env, who: &str, verb: &str, resource: &str) -> bool {
    let who = format!("--as={who}");
    let (resource, part) = match resource.strip_suffix("/status") {
        Some(resource) => (resource, "--subresource=status"),
        None => (resource, "--subresource="),
    };
    let question = ["auth", "can-i", verb, resource, part, &who];
    // `no` is exit code 1, and not an error.
    kubectl(env.cluster, &env.namespace, &question).is_ok_and(|answer| answer.trim() == "yes")
}

/// With `rbac.secrets: named` a source of the chart is mirrored, one that names a further Secret of
/// `secretNames` too, and no other Secret can be read.
#[tokio::test]
async fn named_secrets_are_enough() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let only_here = format!("watchNamespaces={{{namespace}}}");
    let endpoint = env.endpoint();
    let values = [
        &*only_here,
        "sources[0].spec.interval=5s",
        "rbac.secrets=named",
        "rbac.secretNames={listed}",
    ];
    run(&mut helm(cluster, "install", namespace, &endpoint, &values)).expect("an install");
    let kubeconfig = account(cluster, namespace);
    let watched = format!("--watch-namespaces={namespace}");
    let allowed = format!("--allowed-endpoints={endpoint}");
    let _process = Process::run(cluster, &kubeconfig, &[&watched, &allowed]);
    env.synced("team-a").await;
    assert!(asked(cluster, namespace).iter().all(|a| a.code != 403));

    let controller = format!("system:serviceaccount:{namespace}:{RELEASE}");
    for (secret, expected) in [("modelarts", true), ("listed", true), ("another", false)] {
        let resource = format!("secrets/{secret}");
        assert_eq!(may(&env, &controller, "get", &resource), expected);
        assert!(!may(&env, &controller, "list", &resource));
    }
    // A source that names another Secret says so.
    let credentials = json!({"credentials": {"secretRef": {"name": "another"}}});
    env.add_source("team-b", credentials).await;
    let denied = env
        .source_when("team-b", "is not ready", |source| {
            source_condition(source, "Ready").is_some_and(|c| c.status == "False")
        })
        .await;
    let ready = source_condition(&denied, "Ready").expect("Ready");
    assert!(ready.message.contains("another"), "{}", ready.message);
}

/// Who may view sees; who may edit says what is mirrored; neither writes the state.
#[tokio::test]
async fn people_view_and_edit() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let only_here = format!("watchNamespaces={{{namespace}}}");
    let endpoint = env.endpoint();
    run(&mut helm(
        cluster,
        "install",
        namespace,
        &endpoint,
        &[&only_here],
    ))
    .expect("an install");
    let (viewer, editor) = (format!("viewer-{namespace}"), format!("editor-{namespace}"));
    // What the control plane's own roles aggregate: who may edit has the rights of both.
    for (user, role) in [(&viewer, "view"), (&editor, "view"), (&editor, "edit")] {
        let name = format!("{user}-{role}");
        let role = format!("--clusterrole={namespace}-{RELEASE}-{role}");
        let user = format!("--user={user}");
        kubectl(
            cluster,
            namespace,
            &["create", "rolebinding", &name, &role, &user],
        )
        .expect("a binding");
    }
    for (verb, resource, by_viewer, by_editor) in [
        ("list", "modelartspools", true, true),
        ("watch", "modelartspoolsources", true, true),
        ("create", "modelartspoolsources", false, true),
        ("delete", "modelartspoolsources", false, true),
        ("patch", "modelartspools", false, true),
        ("delete", "modelartspools", false, true),
        ("create", "modelartspools", false, false),
        ("patch", "modelartspools/status", false, false),
        ("patch", "modelartspoolsources/status", false, false),
        ("get", "secrets", false, false),
    ] {
        assert_eq!(
            may(&env, &viewer, verb, resource),
            by_viewer,
            "{verb} {resource}"
        );
        assert_eq!(
            may(&env, &editor, verb, resource),
            by_editor,
            "{verb} {resource}"
        );
    }
}
