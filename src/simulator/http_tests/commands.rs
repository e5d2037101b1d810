//! The control endpoint, the timeline and listings that change.

use super::*;

#[tokio::test]
async fn pages_are_followed_over_http() {
    let rig = Rig::new(Scenario {
        generate: vec![Generate::pools(5)],
        page_size: NonZeroUsize::new(2),
        ..Scenario::default()
    })
    .await;
    let first = rig.list(&[]).await;
    assert_eq!(
        (
            first.ids().len(),
            &first.body["metadata"]["remainingItemCount"]
        ),
        (2, &json!(3))
    );
    let next = first.body["metadata"]["continue"].as_str().unwrap();
    let second = rig.list(&[("continue", next)]).await;
    let third = rig
        .list(&[(
            "continue",
            second.body["metadata"]["continue"].as_str().unwrap(),
        )])
        .await;
    assert_eq!(
        (
            second.ids().len(),
            third.ids().len(),
            third.body.get("metadata")
        ),
        (2, 1, None)
    );
}

#[tokio::test]
async fn a_listing_is_made_once_per_change_and_never_stale() {
    let rig = Rig::new(Scenario {
        generate: vec![Generate::pools(10_000)],
        ..Scenario::default()
    })
    .await;
    let control = rig.simulator.control();
    for _ in 0..3 {
        assert_eq!(rig.list(&[]).await.ids().len(), 10_000);
    }
    let id = control.pool_ids()[0].clone();
    control.delete_pool(&id).unwrap();
    assert_eq!(rig.list(&[]).await.ids().len(), 9_999);
}

#[tokio::test]
async fn the_timeline_plays_by_the_clock_and_can_be_hurried() {
    let rig = Rig::new(Scenario::default_world().unwrap()).await;
    let phase = async || {
        rig.get(&format!("{}/pool-npu-{DEFAULT_PROJECT_ID}", pools()), &[])
            .await
            .body["status"]["phase"]
            .clone()
    };
    assert_eq!(phase().await, "Running");
    rig.pass(SignedDuration::from_secs(6));
    assert_eq!(phase().await, "Abnormal");
    rig.simulator.control().advance(Duration::from_secs(14));
    assert_eq!(phase().await, "Running");
}

#[tokio::test]
async fn every_command_works_over_http() {
    let rig = Rig::sample().await;
    let odd = r#"{"metadata":{"name":"odd"},"big":123456789012345678901234567890}"#;
    for (method, path, body, status) in [
        ("PUT", "/pools/odd?workspace=7", odd, 204),
        ("PUT", "/pools/bad", "{", 400),
        ("PATCH", "/pools/none", "{}", 404),
        (
            "POST",
            "/faults",
            r#"{"operation":"ListPools","status":500,"times":1}"#,
            204,
        ),
        (
            "POST",
            "/faults",
            r#"{"operation":"ListPool","status":500}"#,
            400,
        ),
        ("DELETE", "/faults", "", 204),
        ("POST", "/hold", "", 204),
        ("POST", "/hold", r#"{"operation":"ShowPool","skip":1}"#, 204),
        ("POST", "/release", "", 204),
        ("POST", "/advance?by=10s", "", 204),
        ("POST", "/advance?by=soon", "", 400),
        ("POST", "/advance", "", 400),
        ("POST", "/order?seed=3", "", 204),
        ("POST", "/page-size?count=2", "", 204),
        ("POST", "/page-size?count=0", "", 400),
        ("POST", "/page-size", "", 204),
        ("POST", "/list-delay?by=1h", "", 204),
        ("POST", "/list-delay?by=soon", "", 400),
        ("POST", "/list-delay", "", 204),
        ("POST", "/generate?count=2&prefix=more&workspace=7", "", 204),
        ("POST", "/generate", "", 400),
        ("POST", "/nothing", "", 404),
    ] {
        let reply = rig.control(method, path, body).await;
        assert_eq!(reply.status, status, "{method} {path}: {:?}", reply.body);
    }
    assert_eq!(rig.list(&[("workspaceId", "7")]).await.ids().len(), 3);
    let shown = rig.control("GET", "/pools/odd", "").await;
    assert_eq!(shown.body, serde_json::from_str::<Value>(odd).unwrap());
}

#[tokio::test]
async fn commands_over_http_change_what_is_listed() {
    let rig = Rig::sample().await;
    let path = format!("/pools/{SAMPLE}");
    assert_eq!(
        rig.control("PATCH", &path, r#"{"status":{"phase":"Error"}}"#)
            .await
            .status,
        204
    );
    assert_eq!(
        rig.control(
            "POST",
            &format!("{path}/changes"),
            r#"[{"scale":{"count":4}},"settle"]"#
        )
        .await
        .status,
        204
    );
    let pool = rig.list(&[]).await.body["items"][0].clone();
    assert_eq!(
        (
            &pool["status"]["phase"],
            &pool["status"]["resources"]["available"][0]["count"]
        ),
        (&json!("Error"), &json!(4))
    );
    assert_eq!(
        rig.control("POST", &format!("{path}/changes"), r#""hide""#)
            .await
            .status,
        204
    );
    assert!(rig.list(&[]).await.ids().is_empty());
    assert_eq!(rig.control("DELETE", &path, "").await.status, 204);
    assert_eq!(
        rig.control(
            "PUT",
            "/pools",
            r#"{"kind":"PoolList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}"#
        )
        .await
        .status,
        204
    );
    assert_eq!(
        rig.control(
            "PUT",
            "/pools?workspace=7",
            r#"[{"metadata":{"name":"c"}}, {}]"#
        )
        .await
        .status,
        400
    );
    assert_eq!(
        rig.control("GET", "/pools", "").await.body,
        json!(["a", "b"])
    );

    assert_eq!(
        rig.control("GET", "/requests", "").await.body["counts"]["ListPools"]["GET"],
        2
    );
    assert_eq!(rig.control("DELETE", "/requests", "").await.status, 204);
    assert_eq!(
        rig.control("GET", "/requests", "").await.body["counts"],
        json!({})
    );
    assert_eq!(
        rig.control("PUT", "/credentials", r#"{"tokens":["t"]}"#)
            .await
            .status,
        204
    );
    assert_eq!(rig.list(&[]).await.status, 401);
}
