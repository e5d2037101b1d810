//! The pod identity agent of CCE, and what it answers: pure. It issues the temporary keys of the agency that
//! is associated with the pod's service account. Source: the official SDKs.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::lifetime::Grant;
use super::temporary_keys;
use crate::modelarts::said::json_problem;

/// The request of this file, by the name that errors and metrics have for it.
pub(in crate::modelarts) const ASSUME_AGENCY: &str = "AssumeAgencyForPodIdentity";
/// How soon before their end temporary keys are renewed: as the official SDKs do.
pub(super) const MARGIN: Duration = super::agency::MARGIN;

/// The pod's token from the bytes of its file, as a header carries it.
///
/// # Errors
/// Where there is none.
pub(super) fn token(file: &[u8]) -> Result<&str, &'static str> {
    let token = file.trim_ascii();
    if token.is_empty() || !token.iter().all(u8::is_ascii_graphic) {
        return Err("it holds no token");
    }
    std::str::from_utf8(token).map_err(|_| "it holds no token")
}

/// What an answer with status 200 grants.
///
/// # Errors
/// What is missing, without a word of the answer.
pub(super) fn grant(body: &[u8]) -> Result<Grant, String> {
    #[derive(Deserialize)]
    struct Body {
        credentials: Keys,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Keys {
        access_key_id: String,
        secret_access_key: String,
        security_token: String,
        expiration: Timestamp,
    }
    let Body { credentials } = serde_json::from_slice(body)
        .map_err(|e| format!("the answer is none of the agent: {}", json_problem(&e)))?;
    Ok(Grant {
        credentials: temporary_keys(
            credentials.access_key_id,
            credentials.secret_access_key,
            credentials.security_token,
        )?,
        expires: credentials.expiration,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_file() {
        assert_eq!(token(b"ey.J-_0\n"), Ok("ey.J-_0"));
        for bad in [&b""[..], b" \n", b"a b", "密".as_bytes(), b"a\x00"] {
            assert!(token(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn answers_of_the_agent() {
        let whole = r#"{"credentials":{"accessKeyId":"AK","secretAccessKey":"hunter2","securityToken":"hunter3","expiration":"2026-01-08T03:50:07Z"},"namespace":"n"}"#;
        let grant_of = |body: &str| grant(body.as_bytes());
        let granted = grant_of(whole).expect("keys");
        assert_eq!(granted.expires.to_string(), "2026-01-08T03:50:07Z");
        for bad in [
            "",
            "{}",
            &whole[..80],
            &whole.replace("\"AK\"", "\"\""),
            &whole.replace("securityToken", "token"),
        ] {
            let error = grant_of(bad).expect_err(bad);
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
