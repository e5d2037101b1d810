//! IAM, the metadata service and the pod identity agent.

use super::*;

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn user(password: &str) -> User {
    User {
        domain_name: "account".to_owned(),
        username: "reader".to_owned(),
        password: password.to_owned(),
    }
}

impl Rig {
    async fn post(&self, path: &str, header: (&str, &str), body: &Value) -> Reply {
        let request = self.client.post(self.simulator.url() + path);
        let (name, value) = header;
        let request = request.header(name, value).body(body.to_string());
        Reply::of(request.send().await.unwrap()).await
    }

    /// Asks IAM for a token.
    async fn token(&self, password: &str, project: &str) -> Reply {
        let user = json!({"name": "reader", "password": password, "domain": {"name": "account"}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": {"project": {"id": project}}}});
        let path = "/v3/auth/tokens?nocatalog=true";
        self.post(path, ("content-type", "application/json"), &body)
            .await
    }

    /// Lists pools with a token; the status.
    async fn list_with(&self, token: &str) -> u16 {
        let request = self.client.get(self.simulator.url() + &pools());
        let answer = request.header("x-auth-token", token).send().await;
        answer.unwrap().status().as_u16()
    }

    /// Lists pools with temporary keys; the status.
    async fn list_with_keys(&mut self, keys: [&Value; 3]) -> u16 {
        let [access, secret, token] = keys.map(|part| part.as_str().unwrap().to_owned());
        (self.access_key, self.secret_key) = (access, secret);
        self.headers = vec![("x-security-token".to_owned(), token)];
        self.list(&[]).await.status
    }

    fn accept(&self, credentials: Credentials) {
        self.simulator.control().set_credentials(credentials);
    }
}

fn message(reply: &Reply) -> &str {
    reply.body["error"]["message"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn iam_issues_tokens_that_expire() {
    let rig = Rig::sample().await;
    rig.accept(Credentials {
        users: vec![user("right")],
        ..Credentials::default()
    });
    let reply = rig.token("right", DEFAULT_PROJECT_ID).await;
    assert_eq!(reply.status, 201);
    assert_eq!(
        reply.body["token"]["expires_at"],
        "2025-11-25T08:00:00.000000Z"
    );
    assert_eq!(reply.headers["date"], "Mon, 24 Nov 2025 08:00:00 GMT");
    let token = reply.headers["x-subject-token"].to_str().unwrap();
    assert_eq!(rig.list_with(token).await, 200);
    rig.pass(DAY - SignedDuration::from_secs(1));
    assert_eq!(rig.list_with(token).await, 200);
    rig.pass(SignedDuration::from_secs(1));
    assert_eq!(rig.list_with(token).await, 401);

    let next = rig.token("right", DEFAULT_PROJECT_ID).await;
    let token = next.headers["x-subject-token"].to_str().unwrap();
    assert_eq!(rig.list_with(token).await, 200);
    assert_eq!(rig.control("POST", "/expire", "").await.status, 204);
    assert_eq!(rig.list_with(token).await, 401);

    let elsewhere = rig.token("right", "another").await;
    let error = &elsewhere.body["error"];
    assert_eq!(
        (elsewhere.status, &error["code"], &error["title"]),
        (404, &json!(404), &json!("Not Found"))
    );
    let broken = rig.post("/v3/auth/tokens", ("a", "b"), &json!({})).await;
    assert_eq!(broken.status, 400);
}

#[tokio::test]
async fn five_wrong_passwords_lock_the_user() {
    let rig = Rig::sample().await;
    rig.accept(Credentials {
        users: vec![user("right")],
        ..Credentials::default()
    });
    let wrong = "The username or password is wrong.";
    for _ in 0..4 {
        let reply = rig.token("wrong", DEFAULT_PROJECT_ID).await;
        assert_eq!((reply.status, message(&reply)), (401, wrong));
    }
    let forgiven = rig.token("right", DEFAULT_PROJECT_ID).await;
    assert_eq!(forgiven.status, 201, "four are forgiven");
    for _ in 0..5 {
        let reply = rig.token("wrong", DEFAULT_PROJECT_ID).await;
        assert_eq!(message(&reply), wrong);
    }
    let locked = rig.token("right", DEFAULT_PROJECT_ID).await;
    assert_eq!(
        (locked.status, message(&locked)),
        (401, "The account is locked.")
    );
    rig.pass(SignedDuration::from_mins(15));
    let reply = rig.token("right", DEFAULT_PROJECT_ID).await;
    assert_eq!(reply.status, 201);
}

#[tokio::test]
async fn the_metadata_service_of_each_version() {
    let mut rig = Rig::sample().await;
    let url = rig.simulator.url();
    let (token_url, key_url) = (
        format!("{url}/meta-data/latest/api/token"),
        format!("{url}/openstack/latest/securitykey"),
    );
    for (metadata, for_token, without_token, with_token) in [
        (Metadata::Absent, 404, 404, 404),
        (Metadata::NoAgency, 200, 401, 401),
        (Metadata::V1, 404, 200, 200),
        (Metadata::V2, 200, 401, 200),
    ] {
        rig.accept(Credentials {
            metadata,
            lifetime: Some(Duration::from_hours(6)),
            ..Credentials::default()
        });
        let asked = rig.client.put(&token_url);
        let asked = asked.header("X-Metadata-Token-Ttl-Seconds", "21600");
        let token = asked.send().await.unwrap();
        assert_eq!(token.status().as_u16(), for_token, "{metadata:?}");
        let token = token.text().await.unwrap();
        let bare = rig.client.get(&key_url).send().await.unwrap();
        assert_eq!(bare.status().as_u16(), without_token, "{metadata:?}");
        let asked = rig.client.get(&key_url).header("X-Metadata-Token", token);
        let reply = Reply::of(asked.send().await.unwrap()).await;
        assert_eq!(reply.status, with_token, "{metadata:?}");
        if metadata == Metadata::NoAgency {
            assert_eq!(reply.body, "Please configure Cloud Service Agency first");
        }
        if with_token != 200 {
            continue;
        }
        let key = &reply.body["credential"];
        let keys = [&key["access"], &key["secret"], &key["securitytoken"]];
        assert_eq!(rig.list_with_keys(keys).await, 200);
        assert!(key["expires_at"].as_str().unwrap().ends_with(":00.000000Z"));
        rig.pass(SignedDuration::from_hours(6));
        assert_eq!(rig.list_with_keys(keys).await, 401);
    }
}

#[tokio::test]
async fn the_pod_identity_agent_takes_known_tokens() {
    let mut rig = Rig::sample().await;
    let path = "/v1/credentials";
    rig.accept(Credentials::default());
    let absent = rig.post(path, ("authorization", "good"), &json!({})).await;
    assert_eq!(absent.status, 404);
    rig.accept(Credentials {
        pod_tokens: vec!["good".to_owned()],
        ..Credentials::default()
    });
    let bad = rig.post(path, ("authorization", "bad"), &json!({})).await;
    assert_eq!(bad.status, 401);
    let reply = rig.post(path, ("authorization", "good"), &json!({})).await;
    let key = &reply.body["credentials"];
    let keys = [
        &key["accessKeyId"],
        &key["secretAccessKey"],
        &key["securityToken"],
    ];
    assert_eq!(rig.list_with_keys(keys).await, 200);
    assert_eq!(key["expiration"], "2025-11-25T08:00:00Z");
}

#[tokio::test]
async fn faults_hit_who_issues_credentials_too() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    control
        .add_fault(Fault::status(Operation::CreateToken, 503))
        .unwrap();
    let reply = rig.token("any", DEFAULT_PROJECT_ID).await;
    assert_eq!(reply.status, 503);
    // What issues credentials changes nothing in the cloud.
    let requests = control.requests();
    assert_eq!(
        (requests.of(Operation::CreateToken), requests.not_get),
        (1, 0)
    );
}
