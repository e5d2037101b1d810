//! The metadata service of an ECS, and what it answers: pure. It issues the temporary keys of the agency that
//! the ECS has. Sources: the official SDKs, the guide of ECS.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::StatusCode;
use serde::Deserialize;

use super::lifetime::Grant;
use super::temporary_keys;
use crate::modelarts::said::json_problem;

/// The requests of this file, by the name that errors and metrics have for them.
pub(in crate::modelarts) const GET_SECURITY_KEY: &str = "GetSecurityKey";
/// The path of the token that version 2 asks for.
pub(super) const TOKEN_PATH: &str = "/meta-data/latest/api/token";
/// The path of the keys.
pub(super) const KEY_PATH: &str = "/openstack/latest/securitykey";
/// The header that says how many seconds a token of version 2 shall last, and that number.
pub(super) const TTL: (&str, &str) = ("x-metadata-token-ttl-seconds", "21600");
/// The header that carries the token of version 2.
pub(super) const TOKEN_HEADER: &str = "x-metadata-token";
/// How soon before their end temporary keys are renewed: as the official SDKs do.
pub(super) const MARGIN: Duration = Duration::from_mins(40);
/// How an ECS without an agency says so.
const NO_AGENCY: &str = "Please configure Cloud Service Agency first";

/// What the answer to the request for a token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenAnswer {
    /// The body is the token.
    Token,
    /// The service knows version 1 alone: keys are got without a token.
    VersionOne,
    /// It fails.
    Failed,
}

/// What this status of an answer to the request for a token means.
pub(super) fn token_answer(status: StatusCode) -> TokenAnswer {
    match status.as_u16() {
        200 => TokenAnswer::Token,
        404 | 405 | 503 => TokenAnswer::VersionOne,
        _ => TokenAnswer::Failed,
    }
}

/// Whether keys that were refused with this status and body are given for another token.
pub(super) fn wants_another_token(status: StatusCode, body: &[u8]) -> bool {
    status == StatusCode::UNAUTHORIZED && !String::from_utf8_lossy(body).contains(NO_AGENCY)
}

/// What an answer with status 200 grants.
///
/// # Errors
/// What is missing, without a word of the answer.
pub(super) fn grant(body: &[u8]) -> Result<Grant, String> {
    #[derive(Deserialize)]
    struct Body {
        credential: Keys,
    }
    #[derive(Deserialize)]
    struct Keys {
        access: String,
        secret: String,
        securitytoken: String,
        expires_at: Timestamp,
    }
    let Body { credential } = serde_json::from_slice(body).map_err(|e| {
        format!(
            "the answer is none of the metadata service: {}",
            json_problem(&e)
        )
    })?;
    Ok(Grant {
        credentials: temporary_keys(
            credential.access,
            credential.secret,
            credential.securitytoken,
        )?,
        expires: credential.expires_at,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::modelarts::Credentials;

    #[test]
    fn version_one_is_taken_where_there_is_no_version_two() {
        for (status, expected) in [
            (200, TokenAnswer::Token),
            (404, TokenAnswer::VersionOne),
            (405, TokenAnswer::VersionOne),
            (503, TokenAnswer::VersionOne),
            (400, TokenAnswer::Failed),
            (403, TokenAnswer::Failed),
            (500, TokenAnswer::Failed),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(token_answer(status), expected, "{status}");
        }
    }

    #[test]
    fn a_token_that_is_refused_is_told_from_a_missing_agency() {
        for (status, body, expected) in [
            (401, "", true),
            (401, "token expired", true),
            (401, "Please configure Cloud Service Agency first.", false),
            (404, "", false),
            (500, "", false),
        ] {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(wants_another_token(status, body.as_bytes()), expected);
        }
    }

    #[test]
    fn answers_of_the_metadata_service() {
        let whole = r#"{"credential":{"access":"AK","secret":"hunter2","securitytoken":"hunter3","expires_at":"2020-01-08T03:50:07.574000Z"}}"#;
        let Grant {
            credentials,
            expires,
        } = grant(whole.as_bytes()).expect("keys");
        assert_eq!(expires.to_string(), "2020-01-08T03:50:07.574Z");
        let Credentials::AccessKey {
            access_key,
            secret_key,
            security_token: Some(security_token),
        } = credentials
        else {
            panic!("{credentials:?}");
        };
        let parts = [secret_key.expose_secret(), security_token.expose_secret()];
        assert_eq!((&*access_key, parts), ("AK", ["hunter2", "hunter3"]));
        for bad in [
            "",
            "{}",
            "not found",
            &whole[..50],
            &whole.replace("hunter2", ""),
            &whole.replace("hunter3", "hunter\\n3"),
            &whole.replace("expires_at", "expiration"),
        ] {
            let error = grant(bad.as_bytes()).expect_err(bad);
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
