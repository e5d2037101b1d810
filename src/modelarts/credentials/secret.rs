//! Credentials from the data of a Secret.

use std::collections::BTreeMap;

use super::{Credentials, Identity, Password};

/// Bytes of a token at most: the largest that the cloud issues are some 20 KB, and no gateway takes headers of more
/// than this.
const MAX_TOKEN: usize = 64 << 10;
/// Bytes of any other value at most, far more than a key or a name has.
const MAX_VALUE: usize = 1 << 10;

/// What is wrong with the data of a Secret. It names the key, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCredentials {
    /// A key is not there.
    #[error("key {0} is missing; add it")]
    Missing(&'static str),
    /// A key has no value.
    #[error("key {0} is empty; give it its value")]
    Empty(&'static str),
    /// A value is longer than any that the cloud issues.
    #[error(
        "key {key} has {length} bytes, and at most {max} are sent; look whether it holds something else"
    )]
    TooLong {
        /// The key.
        key: &'static str,
        /// Its bytes.
        length: usize,
        /// As many may be.
        max: usize,
    },
    /// A value is not what an HTTP header can carry.
    #[error(
        "key {0} has characters other than printable ASCII, e.g. a space or a line break; look how it was encoded"
    )]
    Unprintable(&'static str),
    /// A value is no text of one line.
    #[error("key {0} is no single line of UTF-8; look how it was encoded")]
    NoLine(&'static str),
}

impl Identity {
    /// An access key from the keys `accessKey`, `secretKey` and, where it is temporary,
    /// `securityToken`.
    ///
    /// # Errors
    /// The key that is missing or unusable.
    pub fn access_key(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidCredentials> {
        let security_token = match header_value(data, "securityToken") {
            Err(InvalidCredentials::Missing(_) | InvalidCredentials::Empty(_)) => None,
            token => Some(token?.into()),
        };
        Ok(Self::Fixed(Credentials::AccessKey {
            access_key: header_value(data, "accessKey")?,
            secret_key: header_value(data, "secretKey")?.into(),
            security_token,
        }))
    }

    /// A token from the key `token`.
    ///
    /// # Errors
    /// The key that is missing or unusable.
    pub fn token(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidCredentials> {
        let token = header_value(data, "token")?;
        Ok(Self::Fixed(Credentials::Token(token.into())))
    }

    /// A user of IAM from the keys `username`, `password` and `domainName`.
    ///
    /// # Errors
    /// The key that is missing or unusable.
    pub fn password(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, InvalidCredentials> {
        Ok(Self::Password(Password {
            username: line(data, "username")?,
            password: line(data, "password")?.into(),
            domain_name: line(data, "domainName")?,
        }))
    }
}

fn bytes<'a>(
    data: &'a BTreeMap<String, Vec<u8>>,
    key: &'static str,
) -> Result<&'a [u8], InvalidCredentials> {
    let bytes = data.get(key).ok_or(InvalidCredentials::Missing(key))?;
    if bytes.trim_ascii().is_empty() {
        return Err(InvalidCredentials::Empty(key));
    }
    let max = match key {
        "token" | "securityToken" => MAX_TOKEN,
        _ => MAX_VALUE,
    };
    let length = bytes.len();
    if length > max {
        return Err(InvalidCredentials::TooLong { key, length, max });
    }
    Ok(bytes)
}

/// A value that goes into a header.
fn header_value(
    data: &BTreeMap<String, Vec<u8>>,
    key: &'static str,
) -> Result<String, InvalidCredentials> {
    // `echo key | base64` adds a line break that nobody means.
    let bytes = bytes(data, key)?.trim_ascii_end();
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(InvalidCredentials::Unprintable(key));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| InvalidCredentials::Unprintable(key))
}

/// A value that goes into JSON. A password may hold spaces, also at its end.
fn line(data: &BTreeMap<String, Vec<u8>>, key: &'static str) -> Result<String, InvalidCredentials> {
    let text =
        std::str::from_utf8(bytes(data, key)?).map_err(|_| InvalidCredentials::NoLine(key))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.contains(char::is_control) {
        return Err(InvalidCredentials::NoLine(key));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parse = fn(&BTreeMap<String, Vec<u8>>) -> Result<Identity, InvalidCredentials>;

    fn data(pairs: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        let pairs = pairs.iter();
        pairs
            .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn errors_name_the_key_and_never_the_value() {
        use InvalidCredentials::{Empty, Missing, NoLine, Unprintable};
        let (key, token, password): (Parse, Parse, Parse) =
            (Identity::access_key, Identity::token, Identity::password);
        for (parse, pairs, expected) in [
            (key, vec![], Missing("accessKey")),
            (key, vec![("accessKey", "AK")], Missing("secretKey")),
            (
                key,
                vec![("accessKey", " \n"), ("secretKey", "s")],
                Empty("accessKey"),
            ),
            (
                key,
                vec![("accessKey", "AK"), ("secretKey", "hunter 2")],
                Unprintable("secretKey"),
            ),
            (
                key,
                vec![("accessKey", "AK"), ("secretKey", "密")],
                Unprintable("secretKey"),
            ),
            (token, vec![], Missing("token")),
            (password, vec![], Missing("username")),
            (password, vec![("username", "u")], Missing("password")),
            (
                password,
                vec![("username", "u"), ("password", "hunter2")],
                Missing("domainName"),
            ),
            (
                password,
                vec![("username", "u"), ("password", "\n"), ("domainName", "d")],
                Empty("password"),
            ),
            (
                password,
                vec![
                    ("username", "u"),
                    ("password", "hunter\n2"),
                    ("domainName", "d"),
                ],
                NoLine("password"),
            ),
        ] {
            let error = parse(&data(&pairs)).expect_err("invalid");
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("hunter"));
        }
        let mut broken = data(&[("username", "u"), ("domainName", "d")]);
        broken.insert("password".to_owned(), vec![0xff, b'x']);
        let error = Identity::password(&broken).expect_err("invalid");
        assert_eq!(error, NoLine("password"));
    }

    #[test]
    fn a_value_that_is_too_long_is_told_by_its_key() {
        let (key, token, password): (Parse, Parse, Parse) =
            (Identity::access_key, Identity::token, Identity::password);
        let all = [
            (key, "accessKey", MAX_VALUE),
            (key, "secretKey", MAX_VALUE),
            (key, "securityToken", MAX_TOKEN),
            (token, "token", MAX_TOKEN),
            (password, "username", MAX_VALUE),
            (password, "password", MAX_VALUE),
            (password, "domainName", MAX_VALUE),
        ];
        for (parse, long, max) in all {
            let value = |length| "v".repeat(length);
            let of = |length: usize| {
                let pairs = all.map(|(_, key, _)| (key, if key == long { length } else { 1 }));
                let pairs = pairs.map(|(key, length)| (key.to_owned(), value(length).into_bytes()));
                parse(&pairs.into())
            };
            assert!(of(max).is_ok(), "{long}");
            let error = of(max + 1).expect_err("too long").to_string();
            let words = format!("key {long} has {} bytes", max + 1);
            assert!(error.starts_with(&words) && error.len() < 200, "{error}");
        }
    }

    #[test]
    fn a_trailing_line_break_is_not_part_of_a_value() {
        for (parse, with, without) in [
            (
                Identity::access_key as Parse,
                [("accessKey", "AK\n"), ("secretKey", "SK\n"), ("x", "")],
                [("accessKey", "AK"), ("secretKey", "SK"), ("x", "")],
            ),
            (
                Identity::password,
                [
                    ("username", "u\n"),
                    ("password", "密 p \r\n"),
                    ("domainName", "d\n"),
                ],
                [
                    ("username", "u"),
                    ("password", "密 p "),
                    ("domainName", "d"),
                ],
            ),
        ] {
            let print = |pairs: &[_]| parse(&data(pairs)).expect("valid").print();
            assert_eq!(print(&with), print(&without));
        }
    }
}
