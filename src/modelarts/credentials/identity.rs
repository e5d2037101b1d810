//! Who a source is to the cloud.

use std::hash::{DefaultHasher, Hash, Hasher as _};

use ring::digest;
use secrecy::{ExposeSecret, SecretString};

use super::{Credentials, without};

/// Who a source is to the cloud; the Debug output shows no secret.
#[derive(Clone, Debug)]
pub enum Identity {
    /// Credentials that requests carry as they are.
    Fixed(Credentials),
    /// A user of IAM, which issues tokens for the password.
    Password(Password),
    /// The agency of the ECS that this process runs on; its metadata service issues temporary keys.
    Agency,
    /// The identity of the pod that this process is; the agent of CCE issues temporary keys.
    PodIdentity,
}

/// A user of IAM.
#[derive(Clone, Debug)]
pub struct Password {
    /// Name of the user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// Name of the account that the user belongs to.
    pub domain_name: String,
}

/// Tells identities apart within this process, without their secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyPrint {
    /// Of what the cloud locks after rejections: the user of a password; else the same as `whole`.
    pub holder: u64,
    /// Of all of it: a changed Secret has another.
    pub whole: u64,
}

impl Identity {
    /// What tells it apart from others.
    #[must_use]
    pub fn print(&self) -> KeyPrint {
        match self {
            Self::Fixed(Credentials::AccessKey {
                access_key,
                secret_key,
                security_token,
            }) => {
                let token = security_token.as_ref().map(ExposeSecret::expose_secret);
                KeyPrint::of_one(&(0, access_key, secret_key.expose_secret(), token))
            }
            Self::Fixed(Credentials::Token(token)) => KeyPrint::of_one(&(1, token.expose_secret())),
            Self::Password(Password {
                username,
                password,
                domain_name,
            }) => KeyPrint {
                holder: hash(&(2, domain_name, username)),
                whole: hash(&(3, domain_name, username, password.expose_secret())),
            },
            Self::Agency => KeyPrint::of_one(&4),
            Self::PodIdentity => KeyPrint::of_one(&5),
        }
    }
}

impl KeyPrint {
    fn of_one(value: &impl Hash) -> Self {
        let whole = hash(value);
        Self {
            holder: whole,
            whole,
        }
    }
}

impl Password {
    /// `text` without the password.
    #[must_use]
    pub fn left_out_of(&self, text: &str) -> String {
        without(text, [self.password.expose_secret()])
    }

    /// A digest of all of it and of `more`. Unlike a [`KeyPrint`] nobody can find two with the same: what is
    /// issued for one is never used for another.
    pub(super) fn digest(&self, more: &[&str]) -> [u8; 32] {
        let own = [
            &*self.domain_name,
            &*self.username,
            self.password.expose_secret(),
        ];
        let mut context = digest::Context::new(&digest::SHA256);
        for part in own.iter().chain(more) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(access_key: &str, secret_key: &str, security_token: Option<&str>) -> Identity {
        Identity::Fixed(Credentials::AccessKey {
            access_key: access_key.to_owned(),
            secret_key: secret_key.into(),
            security_token: security_token.map(Into::into),
        })
    }

    fn password(domain_name: &str, username: &str, password: &str) -> Password {
        Password {
            username: username.to_owned(),
            password: password.into(),
            domain_name: domain_name.to_owned(),
        }
    }

    #[test]
    fn each_identity_has_a_print_of_its_own() {
        let all = [
            key("AK", "SK", None),
            key("AK", "SK2", None),
            key("AK", "SK", Some("T")),
            Identity::Fixed(Credentials::Token("AK".into())),
            Identity::Password(password("d", "u", "p")),
            Identity::Password(password("d", "u", "p2")),
            Identity::Password(password("d", "u2", "p")),
            Identity::Password(password("d2", "u", "p")),
            Identity::Agency,
            Identity::PodIdentity,
        ];
        let prints: std::collections::HashSet<u64> = all.iter().map(|i| i.print().whole).collect();
        assert_eq!(prints.len(), all.len());
        // Two passwords of one user are one user to the cloud; all else is locked by itself.
        let holders: std::collections::HashSet<u64> =
            all.iter().map(|i| i.print().holder).collect();
        assert_eq!(holders.len(), all.len() - 1);
    }

    #[test]
    fn a_digest_binds_each_part() {
        let base = password("d", "u", "p").digest(&["iam", "project"]);
        assert_eq!(base, password("d", "u", "p").digest(&["iam", "project"]));
        for other in [
            password("d", "u", "p2").digest(&["iam", "project"]),
            password("d", "u2", "p").digest(&["iam", "project"]),
            password("d2", "u", "p").digest(&["iam", "project"]),
            password("d", "u", "p").digest(&["iam2", "project"]),
            password("d", "u", "p").digest(&["iam", "project2"]),
            // Where one part ends and the next begins counts.
            password("du", "", "p").digest(&["iam", "project"]),
            password("d", "u", "p").digest(&["iampro", "ject"]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        for identity in [
            key("AK", "hunter2", Some("hunter3")),
            Identity::Fixed(Credentials::Token("hunter4".into())),
            Identity::Password(password("d", "u", "hunter5")),
        ] {
            let shown = format!("{identity:?} {:?}", identity.print());
            assert!(!shown.contains("hunter"), "{shown}");
        }
        let clean = password("d", "u", "hunter5").left_out_of("wrong: hunter5");
        assert_eq!(clean, "wrong: [left out]");
    }
}
