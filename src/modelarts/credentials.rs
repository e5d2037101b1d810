//! What proves an identity to the cloud, from the data of a Secret.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use secrecy::{ExposeSecret, SecretString};

/// Stands for what is left out of a text.
const LEFT_OUT: &str = "[left out]";

/// Credentials; their Debug output shows no secret.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A key pair that signs each request.
    AccessKey {
        /// The public half.
        access_key: String,
        /// The secret half.
        secret_key: SecretString,
        /// Goes with temporary keys.
        security_token: Option<SecretString>,
    },
    /// An IAM token.
    Token(SecretString),
}

/// What is wrong with the data of a Secret. It names the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// A key is not there.
    #[error("key {0} is missing; add it")]
    Missing(&'static str),
    /// A key has no value.
    #[error("key {0} is empty; give it its value")]
    Empty(&'static str),
    /// A value is not what an HTTP header can carry.
    #[error(
        "key {0} has characters other than printable ASCII, e.g. a space or a line break; look how it was encoded"
    )]
    Unprintable(&'static str),
}

impl Credentials {
    /// An access key from the keys `accessKey`, `secretKey` and, where it is temporary,
    /// `securityToken`.
    ///
    /// # Errors
    /// The key that is missing or unusable.
    pub fn access_key(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidCredentials> {
        let security_token = match value(data, "securityToken") {
            Err(InvalidCredentials::Missing(_) | InvalidCredentials::Empty(_)) => None,
            token => Some(token?.into()),
        };
        Ok(Self::AccessKey {
            access_key: value(data, "accessKey")?,
            secret_key: value(data, "secretKey")?.into(),
            security_token,
        })
    }

    /// A token from the key `token`.
    ///
    /// # Errors
    /// The key that is missing or unusable.
    pub fn token(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidCredentials> {
        Ok(Self::Token(value(data, "token")?.into()))
    }

    /// `text` without these credentials: the cloud's own words may repeat what it was sent.
    #[must_use]
    pub fn left_out_of(&self, text: &str) -> String {
        let secrets = match self {
            Self::AccessKey {
                secret_key,
                security_token,
                ..
            } => [Some(secret_key), security_token.as_ref()],
            Self::Token(token) => [Some(token), None],
        };
        let mut clean = text.to_owned();
        for secret in secrets.into_iter().flatten() {
            let secret = secret.expose_secret();
            if !secret.is_empty() {
                clean = clean.replace(secret, LEFT_OUT);
            }
        }
        // Also where the gateway has escaped or cut the value.
        for header in ["x-security-token:", "x-auth-token:"] {
            clean = without_value_of(header, &clean);
        }
        clean
    }

    /// The identity of the credentials within this process: a changed Secret has another.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::AccessKey {
                access_key,
                secret_key,
                security_token,
            } => {
                let token = security_token.as_ref().map(ExposeSecret::expose_secret);
                (0, access_key, secret_key.expose_secret(), token).hash(&mut hasher);
            }
            Self::Token(token) => (1, token.expose_secret()).hash(&mut hasher),
        }
        hasher.finish()
    }
}

/// `text` without what stands after `header`, up to the end of its line; the gateway's own lines end
/// with `|`.
fn without_value_of(header: &str, text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.to_ascii_lowercase().find(header) {
        let (before, value) = rest.split_at(at + header.len());
        clean.push_str(before);
        clean.push_str(LEFT_OUT);
        let end = value.find(['|', '\n']).unwrap_or(value.len());
        rest = &value[end..];
    }
    clean.push_str(rest);
    clean
}

fn value(
    data: &BTreeMap<String, Vec<u8>>,
    key: &'static str,
) -> Result<String, InvalidCredentials> {
    let bytes = data.get(key).ok_or(InvalidCredentials::Missing(key))?;
    // `echo key | base64` adds a line break that nobody means.
    let bytes = bytes.trim_ascii_end();
    if bytes.is_empty() {
        return Err(InvalidCredentials::Empty(key));
    }
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(InvalidCredentials::Unprintable(key));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| InvalidCredentials::Unprintable(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn errors_name_the_key_and_never_the_value() {
        for (pairs, expected) in [
            (vec![], InvalidCredentials::Missing("accessKey")),
            (
                vec![("accessKey", "AK")],
                InvalidCredentials::Missing("secretKey"),
            ),
            (
                vec![("accessKey", " \n"), ("secretKey", "s")],
                InvalidCredentials::Empty("accessKey"),
            ),
            (
                vec![("accessKey", "AK"), ("secretKey", "hunter 2")],
                InvalidCredentials::Unprintable("secretKey"),
            ),
            (
                vec![("accessKey", "AK"), ("secretKey", "密")],
                InvalidCredentials::Unprintable("secretKey"),
            ),
        ] {
            let error = Credentials::access_key(&data(&pairs)).expect_err("invalid");
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("hunter"));
        }
        assert_eq!(
            Credentials::token(&data(&[])).expect_err("invalid"),
            InvalidCredentials::Missing("token")
        );
    }

    #[test]
    fn a_trailing_line_break_is_not_part_of_a_key() {
        let with = Credentials::access_key(&data(&[("accessKey", "AK\n"), ("secretKey", "SK\n")]))
            .expect("valid");
        let without = Credentials::access_key(&data(&[("accessKey", "AK"), ("secretKey", "SK")]))
            .expect("valid");
        assert_eq!(with.fingerprint(), without.fingerprint());
    }

    #[test]
    fn debug_shows_no_secret() {
        let all = data(&[
            ("accessKey", "AK"),
            ("secretKey", "hunter2"),
            ("securityToken", "hunter3"),
            ("token", "hunter4"),
        ]);
        for credentials in [Credentials::access_key(&all), Credentials::token(&all)] {
            let shown = format!("{credentials:?}");
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }

    #[test]
    fn credentials_are_left_out_of_the_clouds_words() {
        let all = data(&[
            ("accessKey", "AK"),
            ("secretKey", "hunter2"),
            ("securityToken", "hunter3=="),
            ("token", "hunter4"),
        ]);
        let key = Credentials::access_key(&all).expect("valid");
        let token = Credentials::token(&all).expect("valid");
        for (credentials, text, expected) in [
            (&key, "nothing 密", "nothing 密"),
            (&key, "a hunter2 b hunter3==", "a [left out] b [left out]"),
            (&token, "token hunter4!", "token [left out]!"),
            (
                &key,
                "GET|/|host:h|x-sdk-date:d|x-security-token:hunter3==|host;x-security-token|",
                "GET|/|host:h|x-sdk-date:d|x-security-token:[left out]|host;x-security-token|",
            ),
            // Cut or escaped on the way.
            (
                &key,
                "X-Security-Token: hunt",
                "X-Security-Token:[left out]",
            ),
            (
                &token,
                "X-Auth-Token: hunt%3D\nnext",
                "X-Auth-Token:[left out]\nnext",
            ),
        ] {
            assert_eq!(credentials.left_out_of(text), expected);
        }
    }

    #[test]
    fn other_values_have_another_fingerprint() {
        let of = |pairs: &[(&str, &str)]| {
            Credentials::access_key(&data(pairs))
                .expect("valid")
                .fingerprint()
        };
        let base = of(&[("accessKey", "AK"), ("secretKey", "SK")]);
        assert_ne!(base, of(&[("accessKey", "AK"), ("secretKey", "SK2")]));
        assert_ne!(
            base,
            of(&[
                ("accessKey", "AK"),
                ("secretKey", "SK"),
                ("securityToken", "T")
            ])
        );
    }
}
