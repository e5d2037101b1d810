//! What IAM is asked for a token, and what its answer means: pure. Source: `POST /v3/auth/tokens`
//! (`KeystoneCreateUserTokenByPassword`).

use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::lifetime::Grant;
use super::{Credentials, Password};
use crate::modelarts::said::json_problem;

/// The request for a token, by the name that errors and metrics have for it.
pub(in crate::modelarts) const CREATE_TOKEN: &str = "CreateToken";
/// Without the list of all services, which is long and not used.
pub(super) const PATH: &str = "/v3/auth/tokens?nocatalog=true";
/// The header of the answer that holds the token.
pub(super) const TOKEN_HEADER: &str = "x-subject-token";
/// A token lasts for 24 h. Whoever gets it shortly before its end must be able to finish a listing.
pub(super) const MARGIN: Duration = Duration::from_mins(20);

/// The body of a request for a token of `project`: `ModelArts` takes none that is of no project.
pub(super) fn body(user: &Password, project: &str) -> Value {
    json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user.username,
            "password": user.password.expose_secret(),
            "domain": {"name": user.domain_name},
        }}},
        "scope": {"project": {"id": project}},
    }})
}

/// What an answer with status 201 grants: the token is in a header, the rest in the body.
///
/// # Errors
/// What is missing, without a word of the answer.
pub(super) fn grant(token: Option<&str>, body: &[u8], project: &str) -> Result<Grant, String> {
    #[derive(Deserialize)]
    struct Body {
        token: About,
    }
    #[derive(Deserialize)]
    struct About {
        expires_at: Timestamp,
        project: Option<Project>,
    }
    #[derive(Deserialize)]
    struct Project {
        id: Option<String>,
    }
    let token = token.filter(|token| !token.is_empty());
    let token = token.ok_or("the answer has no header X-Subject-Token")?;
    let Body { token: about } = serde_json::from_slice(body)
        .map_err(|e| format!("the answer is none of IAM's: {}", json_problem(&e)))?;
    let of = about.project.and_then(|project| project.id);
    if of.is_some_and(|of| of != project) {
        return Err("the token is of another project".to_owned());
    }
    Ok(Grant {
        credentials: Credentials::Token(token.into()),
        expires: about.expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_documented_one() {
        let user = Password {
            username: "reader".to_owned(),
            password: "p\"w".into(),
            domain_name: "account".to_owned(),
        };
        let expected = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {
                "name": "reader", "password": "p\"w", "domain": {"name": "account"}}}},
            "scope": {"project": {"id": "0a1b"}},
        }});
        assert_eq!(body(&user, "0a1b"), expected);
    }

    #[test]
    fn answers_of_iam() {
        let whole = r#"{"token":{"expires_at":"2019-02-13T06:52:13.855000Z","methods":["password"],"project":{"id":"p","name":"cn-north-4"}}}"#;
        let Grant {
            credentials,
            expires,
        } = grant(Some("hunter2"), whole.as_bytes(), "p").expect("a token");
        assert_eq!(expires.to_string(), "2019-02-13T06:52:13.855Z");
        assert!(matches!(credentials, Credentials::Token(t) if t.expose_secret() == "hunter2"));

        let without_project = r#"{"token":{"expires_at":"2019-02-13T06:52:13Z"}}"#;
        assert!(grant(Some("t"), without_project.as_bytes(), "p").is_ok());
        for (token, body, problem) in [
            (None, whole, "X-Subject-Token"),
            (Some(""), whole, "X-Subject-Token"),
            (Some("hunter2"), "", "none of IAM's"),
            (Some("hunter2"), "{}", "none of IAM's"),
            (Some("hunter2"), r#"{"token":{}}"#, "none of IAM's"),
            (
                Some("hunter2"),
                r#"{"token":{"expires_at":"hunter3"}}"#,
                "none of IAM's",
            ),
            (Some("hunter2"), &whole[..60], "none of IAM's"),
            (
                Some("hunter2"),
                &whole.replace(r#""id":"p""#, r#""id":"q""#),
                "another project",
            ),
        ] {
            let error = grant(token, body.as_bytes(), "p").expect_err(body);
            assert!(error.contains(problem), "{body}: {error}");
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
