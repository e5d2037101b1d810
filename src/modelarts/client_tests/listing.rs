//! Law 1: a listing is complete, or it is an error.

use std::num::NonZeroUsize;

use super::*;
use crate::simulator::{Fault, Match, Operation, Preset};

/// What each fault is to the client; nothing: it leaves the listing whole.
const fn meaning(preset: Preset) -> Reason {
    match preset {
        Preset::Truncated
        | Preset::EmptyObject
        | Preset::ItemsNull
        | Preset::ErrorWith200
        | Preset::WrongKind
        | Preset::ItemWithoutId
        | Preset::RemainingWithoutContinue
        | Preset::RepeatedContinue => Reason::IncompleteListing,
        Preset::Hang | Preset::Close | Preset::Redirect => Reason::CloudUnavailable,
        Preset::Throttle => Reason::Throttled,
    }
}

const PRESETS: [Preset; 12] = [
    Preset::Truncated,
    Preset::EmptyObject,
    Preset::ItemsNull,
    Preset::ErrorWith200,
    Preset::WrongKind,
    Preset::ItemWithoutId,
    Preset::RemainingWithoutContinue,
    Preset::RepeatedContinue,
    Preset::Hang,
    Preset::Close,
    Preset::Redirect,
    Preset::Throttle,
];

fn impatient(url: &str) -> Client {
    let options = HttpOptions {
        read_timeout: Duration::from_millis(200),
        ..options()
    };
    let key = key(DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, None);
    client(url, key, options)
}

#[tokio::test]
async fn one_spoilt_answer_among_the_good_is_an_error() {
    let cloud = cloud(&["0/a", "0/b", "0/c", "0/failed-d", "7/e"]).await;
    let control = cloud.control();
    control.set_page_size(NonZeroUsize::new(1));
    let (patient, impatient) = (plain_client(&cloud.url()), impatient(&cloud.url()));
    let selection = Selection {
        workspaces: WorkspaceSelection::List(vec!["0".into(), "7".into()]),
        ..all()
    };
    let client = |preset| match preset {
        Preset::Hang => &impatient,
        _ => &patient,
    };
    let only = |set: fn(&mut Match)| {
        let mut matching = Match::default();
        set(&mut matching);
        matching
    };
    // The first page, a later one, the failed pools, another workspace.
    let places = [
        only(|_| {}),
        only(|m| m.r#continue = Some("*".into())),
        only(|m| m.status = Some("failed".into())),
        only(|m| m.workspace_id = Some("7".into())),
    ];
    for matching in places {
        for preset in PRESETS {
            control.clear_faults();
            let fault = Fault {
                matching: matching.clone(),
                ..Fault::preset(Operation::ListPools, preset)
            };
            control.add_fault(fault).expect("a fault");
            let error = listed(client(preset), &selection)
                .await
                .expect_err("an error, never a listing");
            assert_eq!(
                error.reason(),
                meaning(preset),
                "{preset:?} at {matching:?}: {error}"
            );
            if preset != Preset::Hang {
                let requests = control.requests();
                let last = requests.last.back().expect("a request");
                assert_eq!(error.request_id, last.request_id, "{preset:?}: {error}");
                assert_eq!(error.status, Some(last.status), "{preset:?}: {error}");
            }
        }
    }
    control.clear_faults();
    assert_eq!(
        listed(&patient, &selection).await.expect("a listing"),
        ["0/a", "0/b", "0/c", "0/failed-d", "7/e"]
    );
}

#[tokio::test]
async fn the_list_of_workspaces_is_complete_or_an_error() {
    let cloud = cloud(&["0/a", "7/b"]).await;
    let control = cloud.control();
    let (patient, impatient) = (plain_client(&cloud.url()), impatient(&cloud.url()));
    let all = Selection {
        workspaces: WorkspaceSelection::All,
        ..all()
    };
    let spoilt_by = async |fault: Fault| {
        let client = match fault.preset {
            Some(Preset::Hang) => &impatient,
            _ => &patient,
        };
        control.clear_faults();
        control.add_fault(fault).expect("a fault");
        control.reset_requests();
        let error = listed(client, &all).await.expect_err("an error");
        assert_eq!(error.operation, "ListWorkspaces");
        assert_eq!(control.requests().gets(Operation::ListPools), 0, "{error}");
        error.reason()
    };
    for preset in PRESETS {
        let reason = spoilt_by(Fault::preset(Operation::ListWorkspaces, preset)).await;
        assert_eq!(reason, meaning(preset), "{preset:?}");
    }
    let workspaces = |body: &str| Fault {
        operation: Some(Operation::ListWorkspaces),
        body: Some(serde_json::from_str(body).expect("JSON")),
        ..Fault::default()
    };
    for body in [
        r#"{"total_count":3,"workspaces":[{"id":"0"}]}"#,
        // The same page again and again: as many rows as there are workspaces, and not all of them.
        r#"{"total_count":4,"workspaces":[{"id":"0"},{"id":"7"}]}"#,
        r#"{"total_count":1,"workspaces":[]}"#,
        r#"{"workspaces":[{"name":"x"}]}"#,
    ] {
        let reason = spoilt_by(workspaces(body)).await;
        assert_eq!(reason, Reason::IncompleteListing, "{body}");
    }
    // A full page that does not say how many there are is followed.
    let rows: Vec<_> = (0..1000)
        .map(|n| serde_json::json!({"id": n.to_string()}))
        .collect();
    let full = serde_json::json!({"workspaces": rows}).to_string();
    assert_eq!(
        spoilt_by(workspaces(&full)).await,
        Reason::IncompleteListing
    );
}

#[tokio::test]
async fn every_workspace_of_the_project() {
    let cloud = cloud(&["0/a", "7/b", "8/failed-c"]).await;
    let client = plain_client(&cloud.url());
    let every = Selection {
        workspaces: WorkspaceSelection::All,
        ..all()
    };
    assert_eq!(
        listed(&client, &every).await.expect("a listing"),
        ["0/a", "7/b", "8/failed-c"]
    );
    assert_eq!(
        client
            .list_workspaces(&mut client.budget())
            .await
            .expect("workspaces"),
        ["0", "7", "8"]
    );
    // More than one page of them.
    let many: Vec<String> = (0..2100).map(|n| format!("w{n}/p{n}")).collect();
    put(
        cloud.control(),
        &many.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    cloud.control().reset_requests();
    let found = client
        .list_workspaces(&mut client.budget())
        .await
        .expect("workspaces")
        .len();
    assert_eq!(found, 2103);
    assert_eq!(
        cloud.control().requests().gets(Operation::ListWorkspaces),
        3
    );
}

#[tokio::test]
async fn a_project_without_workspaces_has_the_default_one() {
    let cloud = cloud(&["0/a"]).await;
    let none = r#"{"total_count":0,"count":0,"workspaces":[]}"#;
    let fault = Fault {
        operation: Some(Operation::ListWorkspaces),
        body: Some(none.into()),
        ..Fault::default()
    };
    cloud.control().add_fault(fault).expect("a fault");
    let every = Selection {
        workspaces: WorkspaceSelection::All,
        ..all()
    };
    let found = listed(&plain_client(&cloud.url()), &every).await;
    assert_eq!(found.expect("a listing"), ["0/a"]);
}

#[tokio::test]
async fn which_requests_are_sent() {
    use StatusFilter::{Created, Creating, Failed};
    let cloud = cloud(&["0/a", "0/new-b", "0/failed-c"]).await;
    let client = plain_client(&cloud.url());
    for (statuses, selector, queries, found) in [
        (
            vec![Failed, Creating, Created],
            "",
            vec!["workspaceId=0", "status=failed&workspaceId=0"],
            vec!["0/a", "0/new-b", "0/failed-c"],
        ),
        (
            vec![Created, Failed],
            "",
            vec![
                "status=created&workspaceId=0",
                "status=failed&workspaceId=0",
            ],
            vec!["0/a", "0/failed-c"],
        ),
        (
            vec![Creating],
            "",
            vec!["status=creating&workspaceId=0"],
            vec!["0/new-b"],
        ),
        (
            vec![Created],
            "os.modelarts/name",
            vec!["labelSelector=os.modelarts%2Fname&status=created&workspaceId=0"],
            vec![],
        ),
    ] {
        cloud.control().reset_requests();
        let selection = Selection {
            label_selector: selector.to_owned(),
            ..selection(&["0"], &statuses)
        };
        assert_eq!(listed(&client, &selection).await.expect("a listing"), found);
        let requests = cloud.control().requests();
        let sent: Vec<_> = requests.last.iter().map(|r| r.query.as_str()).collect();
        assert_eq!(sent, queries, "{statuses:?}");
        assert_eq!((requests.not_get, requests.peak_in_flight), (0, 1));
    }
}

#[tokio::test]
async fn nothing_asked_is_no_listing() {
    let cloud = cloud(&["0/a"]).await;
    let client = plain_client(&cloud.url());
    for nothing in [
        selection(&[], &[StatusFilter::Failed]),
        selection(&["0"], &[]),
    ] {
        let error = listed(&client, &nothing).await.expect_err("an error");
        assert_eq!(error.reason(), Reason::InvalidRequest);
    }
    assert_eq!(cloud.control().requests().last.len(), 0);
}

#[tokio::test]
async fn pages_are_followed_to_the_last() {
    let pools: Vec<String> = (0..23).map(|n| format!("0/p{n:02}")).collect();
    let cloud = cloud(&pools.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let client = plain_client(&cloud.url());
    for (size, requests) in [(1, 24), (5, 6), (23, 2), (24, 2)] {
        cloud.control().set_page_size(NonZeroUsize::new(size));
        cloud.control().reset_requests();
        assert_eq!(listed(&client, &all()).await.expect("a listing"), pools);
        assert_eq!(
            cloud.control().requests().gets(Operation::ListPools),
            requests,
            "pages of {size}"
        );
    }
}

#[tokio::test]
async fn a_page_may_be_empty_and_a_loop_of_pages_ends() {
    let cloud = cloud(&[]).await;
    let control = cloud.control();
    let page = |given: &str, next: &str| Fault {
        matching: Match {
            r#continue: Some(given.into()),
            ..Match::default()
        },
        body: Some(serde_json::json!({"items": [], "metadata": {"continue": next}})),
        ..Fault::default()
    };
    let client = plain_client(&cloud.url());
    // Three empty pages, the last of which leads back to the second.
    for (given, next) in [("", "x"), ("x", "y"), ("y", "x")] {
        control.add_fault(page(given, next)).expect("a fault");
    }
    let error = listed(&client, &all()).await.expect_err("an error");
    assert_eq!(error.reason(), Reason::IncompleteListing);
    assert!(
        error.message.contains("where it has been before"),
        "{error}"
    );
    assert_eq!(control.requests().gets(Operation::ListPools), 3);
    // Empty pages that end.
    control.clear_faults();
    for (given, next) in [("", "x"), ("x", "y"), ("y", "")] {
        control.add_fault(page(given, next)).expect("a fault");
    }
    let found = listed(&client, &selection(&["0"], &[StatusFilter::Created])).await;
    assert_eq!(found.expect("a listing"), Vec::<String>::new());
}

#[tokio::test]
async fn the_same_pool_twice_comes_in_the_order_of_the_answers() {
    let cloud = cloud(&[]).await;
    let pool =
        |phase: &str| format!(r#"{{"metadata":{{"name":"p"}},"status":{{"phase":"{phase}"}}}}"#);
    let control = cloud.control();
    control.put_raw("1", "7", &pool("Running")).expect("a pool");
    control.put_raw("2", "3", &pool("Running")).expect("a pool");
    control
        .put_raw("3", "3", &pool("CreationFailed"))
        .expect("a pool");
    let selection = Selection {
        workspaces: WorkspaceSelection::List(vec!["7".into(), "3".into()]),
        ..all()
    };
    let found = listed(&plain_client(&cloud.url()), &selection).await;
    // The sink lets the later one win.
    assert_eq!(found.expect("a listing"), ["7/p", "3/p", "3/p"]);
}

#[tokio::test]
async fn one_pool() {
    let cloud = cloud(&["0/a"]).await;
    let control = cloud.control();
    let client = plain_client(&cloud.url());
    assert_eq!(client.show_pool("a").await.expect("a pool").id, "a");
    let gone = client.show_pool("b").await.expect_err("no pool");
    assert_eq!(gone.reason(), Reason::PoolNotFound);
    assert_eq!(
        (gone.status, &*gone.code),
        (Some(404), "ModelArts.50015001")
    );
    // A gateway's 404 says nothing of the pool.
    let gateway = Fault {
        code: Some("APIGW.0101".into()),
        ..Fault::status(Operation::ShowPool, 404)
    };
    control.add_fault(gateway).expect("a fault");
    let error = client.show_pool("a").await.expect_err("no API");
    assert_eq!(error.reason(), Reason::EndpointNotFound);
    control.clear_faults();
    // Nor does another pool, or none, with status 200.
    for (id, json) in [
        ("c", r#"{"metadata":{"name":"d"}}"#),
        ("e", r#"{"error_code":"ModelArts.50015001"}"#),
        ("f", "{"),
        ("g", ""),
    ] {
        control.put_raw(id, "0", json).unwrap_or_else(|_| {
            let fault = Fault {
                body: Some(json.into()),
                ..Fault::default()
            };
            control.add_fault(fault).expect("a fault");
        });
        let error = client.show_pool(id).await.expect_err("another pool");
        assert_eq!(error.reason(), Reason::IncompleteListing, "{json}");
        control.clear_faults();
    }
}

#[tokio::test]
async fn an_id_can_not_ask_for_something_else() {
    let cloud = cloud(&["0/a"]).await;
    let client = plain_client(&cloud.url());
    for id in ["..", ".", "%2e%2e"] {
        let error = client.show_pool(id).await.expect_err("an error");
        match id {
            "%2e%2e" => assert_eq!(error.reason(), Reason::PoolNotFound, "as it is: {error}"),
            _ => assert_eq!(error.reason(), Reason::InvalidRequest, "{error}"),
        }
    }
    // Sent as one segment of the path, whatever is in it.
    for id in ["a/nodes", "a?x=1", "a#x", "训练\r\nX-Injected: 1"] {
        let error = client.show_pool(id).await.expect_err("an error");
        assert_ne!(error.reason(), Reason::IncompleteListing, "{id}: {error}");
    }
    let requests = cloud.control().requests();
    assert!(
        requests
            .last
            .iter()
            .all(|r| r.operation == Operation::ShowPool)
    );
}
