//! What proves an identity to the cloud.
//!
//! ```text
//!   Secret ─► Identity ─┬─ a key pair or a token: Credentials as they are
//!                       └─ Password, Agency, PodIdentity ─► Issuer ─► IssuedCredentials ─► Credentials
//! ```
//!
//! An [`Identity`] is what a source has. [`Credentials`] are what a request carries. Where the two differ, an
//! issuer (IAM, the metadata service of an ECS, the pod identity agent of CCE) is asked, and its answer is
//! kept until shortly before it expires. One file for each issuer parses its answers; `lifetime` says when to
//! renew; both are pure. `issuers` alone sends something, and `issued` alone remembers.

mod access;
pub(super) mod agency;
mod iam;
mod identity;
mod issued;
mod issuers;
mod lifetime;
pub(super) mod pod_identity;
mod secret;

use secrecy::{ExposeSecret, SecretString};

pub use access::Access;
pub(super) use access::Held;
pub(super) use iam::CREATE_TOKEN;
pub use identity::{Identity, KeyPrint, Password};
pub(super) use issued::IssuedCredentials;
use issued::Issuer;
pub use issued::REJECTED_USER_PAUSE;
pub use issuers::{AmbientOptions, PodIdentityOptions};
pub use secret::InvalidCredentials;

/// Stands for what is left out of a text.
const LEFT_OUT: &str = "[left out]";

/// What a request carries; the Debug output shows no secret.
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

impl Credentials {
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
        let secrets = secrets.into_iter().flatten();
        let mut clean = without(text, secrets.map(ExposeSecret::expose_secret));
        // Also where the gateway has escaped or cut the value.
        for header in ["x-security-token:", "x-auth-token:"] {
            clean = without_value_of(header, &clean);
        }
        clean
    }
}

/// Temporary keys, from the parts that an issuer sends.
///
/// # Errors
/// Where a part can't be sent on, without a word of it.
fn temporary_keys(
    access_key: String,
    secret_key: String,
    security_token: String,
) -> Result<Credentials, String> {
    let parts = [&access_key, &secret_key, &security_token];
    let usable = |part: &String| !part.is_empty() && part.bytes().all(|b| b.is_ascii_graphic());
    if !parts.into_iter().all(usable) {
        return Err("a part of the keys is empty, or can't stand in a header".to_owned());
    }
    Ok(Credentials::AccessKey {
        access_key,
        secret_key: secret_key.into(),
        security_token: Some(security_token.into()),
    })
}

/// `text` without these values.
fn without<'a>(text: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let values = values.into_iter().filter(|value| !value.is_empty());
    values.fold(text.to_owned(), |clean, value| {
        clean.replace(value, LEFT_OUT)
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_left_out_of_the_clouds_words() {
        let key = Credentials::AccessKey {
            access_key: "AK".to_owned(),
            secret_key: "hunter2".into(),
            security_token: Some("hunter3==".into()),
        };
        let token = Credentials::Token("hunter4".into());
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
}
