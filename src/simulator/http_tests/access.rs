//! Who is let in, and what the reading operations answer.

use super::*;

#[tokio::test]
async fn a_signed_request_gets_the_documented_answer() {
    let rig = Rig::sample().await;
    let reply = rig
        .list(&[
            ("workspaceId", "0"),
            ("labelSelector", "os.modelarts/name!=训练 池*"),
        ])
        .await;
    let documented: Value =
        serde_json::from_str(include_str!("../documented-sample.json")).unwrap();
    assert_eq!((reply.status, &reply.body), (200, &documented));
    assert_eq!(reply.headers["x-request-id"].len(), 32);
    assert_eq!(reply.headers["content-type"], "application/json");

    let show = rig.get(&format!("{}/{SAMPLE}", pools()), &[]).await;
    assert_eq!((show.status, &show.body), (200, &documented["items"][0]));
    let gone = rig.get(&format!("{}/nothing", pools()), &[]).await;
    assert_eq!(
        gone.error(),
        (404, "ModelArts.50015001", "Pool nothing not found.")
    );
    let workspaces = rig
        .get(
            &format!("/v1/{DEFAULT_PROJECT_ID}/workspaces"),
            &[("limit", "5"), ("offset", "0")],
        )
        .await;
    assert_eq!(
        (
            &workspaces.body["total_count"],
            &workspaces.body["workspaces"][0]["id"]
        ),
        (&json!(1), &json!("0"))
    );
    let bad = rig.list(&[("status", "gone")]).await;
    assert_eq!((bad.error().0, bad.error().1), (400, "ModelArts.50004000"));
}

#[tokio::test]
async fn wrong_keys_are_refused_as_the_gateway_does() {
    let mut rig = Rig::sample().await;
    rig.secret_key = "wrong".to_owned();
    let reply = rig.list(&[("status", "failed")]).await;
    let (status, code, message) = reply.error();
    let echo = format!(
        "canonicalRequest:GET|{}/|status=failed|host:{}|x-project-id:",
        pools(),
        rig.simulator.address()
    );
    assert!(
        (status, code) == (401, "APIGW.0301") && message.contains(&echo),
        "{message}"
    );
    assert_eq!(
        reply.body["request_id"],
        reply.headers["x-request-id"].to_str().unwrap()
    );

    rig.access_key = "NOBODY".to_owned();
    let (status, code, message) = (
        rig.list(&[]).await.status,
        "APIGW.0301",
        rig.list(&[]).await,
    );
    assert_eq!(
        (status, code, message.error().2),
        (
            401,
            message.error().1,
            "Incorrect IAM authentication information: ak NOBODY not exist"
        )
    );

    let bare = Reply::of(
        rig.client
            .get(rig.simulator.url() + &pools())
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        bare.error(),
        (
            401,
            "APIGW.0301",
            "Incorrect IAM authentication information: x-auth-token not found"
        )
    );
}

#[tokio::test]
async fn what_was_sent_must_be_what_was_signed() {
    let rig = Rig::sample().await;
    let request = rig
        .request("GET", &pools(), &[("labelSelector", "a b")])
        .build()
        .unwrap();
    let sent_otherwise = request.url().as_str().replace("%20", "+");
    let headers = request.headers().clone();
    let reply = Reply::of(
        rig.client
            .get(sent_otherwise)
            .headers(headers)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_wrong_clock_is_refused_beyond_fifteen_minutes() {
    let mut rig = Rig::sample().await;
    for (skew, status) in [
        (0, 200),
        (15 * 60, 200),
        (-15 * 60, 200),
        (15 * 60 + 1, 401),
        (-15 * 60 - 1, 401),
    ] {
        rig.skew = SignedDuration::from_secs(skew);
        let reply = rig.list(&[]).await;
        assert_eq!(reply.status, status, "{skew}");
        assert!(
            status == 200
                || reply
                    .error()
                    .2
                    .contains("signature expired, signature time:2025"),
            "{:?}",
            reply.body
        );
    }
}

#[tokio::test]
async fn six_failures_lock_the_key_for_five_minutes() {
    let mut rig = Rig::sample().await;
    let wrong = "wrong".to_owned();
    let right = std::mem::replace(&mut rig.secret_key, wrong.clone());
    for _ in 0..5 {
        assert!(
            rig.list(&[])
                .await
                .error()
                .2
                .contains("verify aksk signature fail")
        );
    }
    rig.secret_key.clone_from(&right);
    assert_eq!(rig.list(&[]).await.status, 200, "five are forgiven");
    rig.secret_key = wrong;
    for _ in 0..6 {
        assert!(
            rig.list(&[])
                .await
                .error()
                .2
                .contains("verify aksk signature fail")
        );
    }
    rig.secret_key = right;
    let locked = (
        401,
        "APIGW.0301",
        "AK access failed to reach the limit,forbidden",
    );
    assert_eq!(rig.list(&[]).await.error(), locked);
    rig.pass(SignedDuration::from_secs(299));
    assert_eq!(rig.list(&[]).await.error(), locked);
    rig.pass(SignedDuration::from_secs(1));
    assert_eq!(rig.list(&[]).await.status, 200);
}

#[tokio::test]
async fn tokens_and_temporary_keys() {
    let temporary = AccessKey {
        access_key: "TMP".into(),
        secret_key: "tmp".into(),
        security_token: Some("sts".into()),
    };
    let credentials = Credentials {
        access_keys: vec![temporary],
        tokens: vec!["good".into()],
        ..Credentials::default()
    };
    let mut rig = Rig::sample().await;
    rig.simulator.control().set_credentials(credentials);
    let url = rig.simulator.url() + &pools();
    for (token, status) in [("good", 200), ("bad", 401)] {
        let reply = rig
            .client
            .get(&url)
            .header("X-Auth-Token", token)
            .send()
            .await
            .unwrap();
        assert_eq!(reply.status().as_u16(), status, "{token}");
    }
    (rig.access_key, rig.secret_key) = ("TMP".to_owned(), "tmp".to_owned());
    assert!(rig.list(&[]).await.error().2.contains("decrypt token fail"));
    rig.headers = vec![("x-security-token".to_owned(), "sts".to_owned())];
    assert_eq!(rig.list(&[]).await.status, 200);
}

#[tokio::test]
async fn another_project_path_or_method_is_refused_and_counted() {
    let rig = Rig::sample().await;
    assert_eq!(rig.get("/v2/another/pools", &[]).await.error().0, 403);
    let nowhere = rig.get("/v2/nowhere", &[]).await;
    assert_eq!((nowhere.error().0, nowhere.error().1), (404, "APIGW.0101"));
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let path = format!("{}/{SAMPLE}", pools());
        let reply = Reply::of(rig.request(method, &path, &[]).send().await.unwrap()).await;
        assert_eq!(
            (reply.error().0, reply.error().1),
            (405, "APIGW.0101"),
            "{method}"
        );
    }
    let requests = rig.simulator.control().requests();
    assert_eq!(
        (
            requests.not_get,
            requests.answered(405),
            requests.answered(403),
            requests.in_flight
        ),
        (4, 4, 1, 0)
    );
    assert_eq!(requests.counts[&Operation::ShowPool]["DELETE"], 1);
    assert_eq!(rig.list(&[]).await.ids(), [SAMPLE], "nothing was changed");
}
