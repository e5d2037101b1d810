//! The credentials that the simulated gateway accepts.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::span;

/// The access key that is accepted where a scenario names no credentials. Public knowledge, opens nothing else.
pub const DEFAULT_ACCESS_KEY: &str = "SIMULATEDACCESSKEY01";
/// The secret of [`DEFAULT_ACCESS_KEY`].
pub const DEFAULT_SECRET_KEY: &str = "simulated-secret-key-for-trying-out";

/// The IAM user that exists where a scenario names no credentials, with the account and the password.
pub const DEFAULT_USER: [&str; 3] = [
    "simulated-account",
    "simulated-user",
    "simulated-password-for-trying-out",
];
/// What a pod must show to the pod identity agent where a scenario names no credentials.
pub const DEFAULT_POD_TOKEN: &str = "simulated-pod-token";

/// Who may ask.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Credentials {
    /// Access keys, for signed requests.
    pub access_keys: Vec<AccessKey>,
    /// Values of `X-Auth-Token`.
    pub tokens: Vec<String>,
    /// Users of IAM, which issues tokens to them.
    pub users: Vec<User>,
    /// How long what is issued to users, ECS and pods lasts.
    #[serde(with = "span::optional", skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<Duration>,
    /// What the metadata service of the ECS does.
    pub metadata: Metadata,
    /// What pods must show to the pod identity agent; none: there is no agent.
    pub pod_tokens: Vec<String>,
}

/// A user of IAM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct User {
    /// The account that the user belongs to.
    pub domain_name: String,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// What the metadata service of the ECS does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metadata {
    /// There is none.
    #[default]
    Absent,
    /// It is there, and the ECS has no agency.
    NoAgency,
    /// It knows version 1 alone: it gives keys to whoever asks.
    V1,
    /// It gives keys to who shows a token of version 2 alone.
    V2,
}

/// A pair of keys, and for a temporary pair its security token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessKey {
    /// The public half, sent with each request.
    pub access_key: String,
    /// The private half, never sent.
    pub secret_key: String,
    /// Where given, `X-Security-Token` must carry it, signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_token: Option<String>,
}

impl Credentials {
    /// What the documentation names: what is accepted where nothing else is said.
    pub fn documented() -> Self {
        let key = AccessKey {
            access_key: DEFAULT_ACCESS_KEY.to_owned(),
            secret_key: DEFAULT_SECRET_KEY.to_owned(),
            security_token: None,
        };
        Self {
            access_keys: vec![key],
            ..Self::documented_issuers()
        }
    }

    /// A user, an agency and a pod identity that the documentation names, and nothing else.
    pub fn documented_issuers() -> Self {
        let [domain_name, username, password] = DEFAULT_USER.map(str::to_owned);
        Self {
            users: vec![User {
                domain_name,
                username,
                password,
            }],
            metadata: Metadata::V2,
            pod_tokens: vec![DEFAULT_POD_TOKEN.to_owned()],
            ..Self::default()
        }
    }
}

/// Credentials never show their secrets, not even simulated ones: someone will try a real pair here.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.access_keys.iter().map(|key| &key.access_key).collect();
        let users: Vec<_> = self.users.iter().map(|user| &user.username).collect();
        f.debug_struct("Credentials")
            .field("access_keys", &keys)
            .field("tokens", &self.tokens.len())
            .field("users", &users)
            .field("lifetime", &self.lifetime)
            .field("metadata", &self.metadata)
            .field("pod_tokens", &self.pod_tokens.len())
            .finish()
    }
}
