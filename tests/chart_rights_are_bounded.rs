//! Whom the chart lets do what, by the real authorizer: the controller that may read named Secrets alone,
//! and people.

use serde_json::json;

use super::support::chart::{RELEASE, account, asked, helm_here, kubectl, may, user_of};
use super::support::env::{Env, source_condition};
use super::support::process::Process;

/// With `rbac.secrets: named` a source of the chart is mirrored, one that names a further Secret of
/// `secretNames` too, and no other Secret can be read.
#[tokio::test]
async fn named_secrets_are_enough() {
    let env = Env::new().await;
    let (cluster, namespace) = (env.cluster, &*env.namespace);
    let values = [
        "sources[0].spec.interval=5s",
        "rbac.secrets=named",
        "rbac.secretNames={listed}",
    ];
    helm_here(&env, "install", &values);
    let _process = Process::over(&env, &account(cluster, namespace), &[]);
    env.synced("team-a").await;
    assert!(asked(cluster, namespace).iter().all(|a| a.code != 403));

    let controller = user_of(namespace, RELEASE);
    let here = format!("--namespace={namespace}");
    let may = |verb, resource: &str| may(cluster, &here, &controller, verb, resource);
    for (secret, expected) in [("modelarts", true), ("listed", true), ("another", false)] {
        let resource = format!("secrets/{secret}");
        assert_eq!(may("get", &resource), expected);
        assert!(!may("list", &resource));
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
    helm_here(&env, "install", &[]);
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
    let here = format!("--namespace={namespace}");
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
        let may = |who: &str| may(cluster, &here, who, verb, resource);
        assert_eq!(may(&viewer), by_viewer, "{verb} {resource}");
        assert_eq!(may(&editor), by_editor, "{verb} {resource}");
    }
}
