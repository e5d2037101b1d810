//! docs/credentials.md is true: each of its manifests is accepted, and mirrors pools.

use modelarts_pool_controller::api::{ModelArtsPoolSource, crds};
use modelarts_pool_controller::simulator::{AccessKey, Credentials, DEFAULT_PROJECT_ID, User};
use serde_json::{Value, json};

use super::support::env::Env;
use super::support::markdown::{blocks, read};

/// The manifests of one kind of credentials.
pub(super) struct Documented {
    /// `stringData` of the Secret, where the kind has one.
    pub(super) data: Value,
    secret: Option<(String, String)>,
    source: Value,
}

impl Documented {
    pub(super) fn of(type_: &str) -> Self {
        let guide = read("docs/credentials.md");
        let heading = format!("\n## {type_}\n");
        let (_, section) = guide.split_once(&heading).expect("a section");
        let section = section.split("\n## ").next().expect("a section");
        let [yaml] = blocks(section, "yaml")[..] else {
            panic!("{type_} has not one block of manifests");
        };
        let objects: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
        let (source, secret) = match &objects[..] {
            [source] => (source.clone(), None),
            [secret, source] => (source.clone(), Some(secret)),
            _ => panic!("{type_} has {} manifests", objects.len()),
        };
        // The types would not let an unknown field through silently.
        let parsed: ModelArtsPoolSource = serde_json::from_value(source.clone()).expect("a source");
        assert_eq!(format!("{:?}", parsed.spec.credentials.type_), type_);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            data: secret.map_or(Value::Null, |secret| secret["stringData"].clone()),
            secret: secret.map(|secret| (text(&secret["metadata"]["name"]), text(&secret["type"]))),
            source,
        }
    }

    /// A value of the Secret.
    pub(super) fn text(&self, key: &str) -> String {
        let value = self.data[key].as_str();
        value.unwrap_or_else(|| panic!("no {key}")).to_owned()
    }

    /// The user of the Secret.
    pub(super) fn user(&self) -> User {
        User {
            domain_name: self.text("domainName"),
            username: self.text("username"),
            password: self.text("password"),
        }
    }

    /// Applies them, for the simulated cloud, with `spec` merged into the source's; the source's name.
    pub(super) async fn apply(&self, env: &Env, spec: Value) -> String {
        if let Some((name, type_)) = &self.secret {
            env.put_secret(name, type_, &self.data).await;
        }
        let name = self.source["metadata"]["name"].as_str().expect("a name");
        let mut whole = self.source["spec"].clone();
        // Those of the cluster's add_source would stand in otherwise.
        if self.secret.is_none() {
            whole["credentials"]["secretRef"] = Value::Null;
        }
        whole["projectId"] = json!(DEFAULT_PROJECT_ID);
        whole["iamEndpoint"] = json!(env.endpoint());
        super::support::env::merge(&mut whole, spec);
        env.add_source(name, whole).await;
        name.to_owned()
    }
}

#[test]
fn each_kind_is_documented() {
    let [_, (_, sources)] = crds::all();
    let schema = serde_json::to_value(&sources.spec.versions[0].schema).expect("JSON");
    let spec = &schema["openAPIV3Schema"]["properties"]["spec"]["properties"];
    let kinds = &spec["credentials"]["properties"]["type"]["enum"];
    let kinds = kinds.as_array().expect("kinds");
    assert_eq!(kinds.len(), 5);
    for kind in kinds {
        Documented::of(kind.as_str().expect("a text"));
    }
}

#[tokio::test]
async fn what_needs_no_renewal_mirrors_pools() {
    let env = Env::new().await;
    let (key, token) = (Documented::of("AccessKey"), Documented::of("Token"));
    let accepted = |security_token: Option<&str>| Credentials {
        access_keys: vec![AccessKey {
            access_key: key.text("accessKey"),
            secret_key: key.text("secretKey"),
            security_token: security_token.map(str::to_owned),
        }],
        tokens: vec![token.text("token")],
        ..Credentials::default()
    };
    env.cloud().set_credentials(accepted(None));
    let by_key = key.apply(&env, json!({})).await;
    let by_token = token.apply(&env, json!({})).await;
    let _controller = env.start_controller().await;
    env.synced(&by_key).await;
    env.synced(&by_token).await;

    // A temporary key in its place is used at the next pass.
    env.cloud().set_credentials(accepted(Some("st/+==")));
    let mut temporary = Documented::of("AccessKey");
    temporary.data["securityToken"] = json!("st/+==");
    let (name, type_) = temporary.secret.as_ref().expect("a Secret");
    env.put_secret(name, type_, &temporary.data).await;
    let refreshed = env.refresh(&by_key).await;
    let ready = super::support::env::source_condition(&refreshed, "Ready");
    assert_eq!(ready.expect("Ready").reason, "Synced");
}
