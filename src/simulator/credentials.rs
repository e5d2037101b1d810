//! The credentials that the simulated gateway accepts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The access key that is accepted where a scenario names no credentials. Public knowledge, opens nothing else.
pub const DEFAULT_ACCESS_KEY: &str = "SIMULATEDACCESSKEY01";
/// The secret of [`DEFAULT_ACCESS_KEY`].
pub const DEFAULT_SECRET_KEY: &str = "simulated-secret-key-for-trying-out";

/// Who may ask.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Credentials {
    /// Access keys, for signed requests.
    pub access_keys: Vec<AccessKey>,
    /// Values of `X-Auth-Token`.
    pub tokens: Vec<String>,
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
    /// The pair that the documentation names: what is accepted where nothing else is said.
    pub fn documented() -> Self {
        let key = AccessKey {
            access_key: DEFAULT_ACCESS_KEY.to_owned(),
            secret_key: DEFAULT_SECRET_KEY.to_owned(),
            security_token: None,
        };
        Self {
            access_keys: vec![key],
            tokens: Vec::new(),
        }
    }
}

/// Credentials never show their secrets, not even simulated ones: someone will try a real pair here.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.access_keys.iter().map(|key| &key.access_key).collect();
        write!(
            f,
            "Credentials {{ access_keys: {keys:?}, tokens: {} }}",
            self.tokens.len()
        )
    }
}
