//! Those who issue credentials: IAM, the metadata service of an ECS, and the pod identity agent of CCE. All play
//! for one project, at the one address of the simulator.
//!
//! Owns what was issued and the count of wrong passwords; pure but for these.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    answer::Answer,
    cloud::Call,
    credentials::{AccessKey, Credentials, Metadata, User},
    selection::Operation,
};

/// So many wrong passwords in a row lock a user.
const FAILURES: u32 = 5;
/// For so long a locked user gets no token, also with the right password.
const LOCK: SignedDuration = SignedDuration::from_mins(15);
/// How long what is issued lasts where nothing else is said.
const LIFETIME: Duration = Duration::from_hours(24);

/// Who may be issued what, and what was.
#[derive(Clone, Debug, Default)]
pub(super) struct Issuers {
    credentials: Credentials,
    failures: HashMap<(String, String), Failures>,
    issued: Vec<Issued>,
    metadata_tokens: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    consecutive: u32,
    locked_until: Option<Timestamp>,
}

/// A token, or a temporary key.
#[derive(Clone)]
struct Issued {
    what: What,
    until: Timestamp,
}

#[derive(Clone)]
enum What {
    Token { token: String, user: User },
    Key(AccessKey),
}

/// What is issued never shows, as a real one would not.
impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued {{ until: {} }}", self.until)
    }
}

impl Issuers {
    pub(super) fn new(credentials: &Credentials) -> Self {
        Self {
            credentials: credentials.clone(),
            ..Self::default()
        }
    }

    /// Issues to these from now on, and forgets locks. The tokens of a user who is not among them any more, or has
    /// another password, end.
    pub(super) fn accept(&mut self, credentials: &Credentials) {
        self.issued.retain(|issued| match &issued.what {
            What::Token { user, .. } => credentials.users.contains(user),
            What::Key(_) => true,
        });
        self.failures.clear();
        self.credentials = credentials.clone();
    }

    /// Whether this token was issued and is good.
    pub(super) fn has_token(&self, token: &str, now: Timestamp) -> bool {
        let mut good = self.issued.iter().filter(|issued| now < issued.until);
        good.any(
            |issued| matches!(&issued.what, What::Token { token: known, .. } if known == token),
        )
    }

    /// The temporary key of this name, where it was issued and is good.
    pub(super) fn key(&self, access_key: &str, now: Timestamp) -> Option<&AccessKey> {
        let good = self.issued.iter().filter(|issued| now < issued.until);
        let mut keys = good.filter_map(|issued| match &issued.what {
            What::Key(key) => Some(key),
            What::Token { .. } => None,
        });
        keys.find(|key| key.access_key == access_key)
    }

    /// Ends all that was issued.
    pub(super) fn expire(&mut self) {
        self.issued.clear();
        self.metadata_tokens.clear();
    }

    /// The answer to a request for credentials.
    pub(super) fn answer(&mut self, call: &Call, project: &str, now: Timestamp) -> Answer {
        match (call.operation, &*call.method) {
            (Operation::CreateToken, "POST") => self.token(&call.body, project, now),
            (Operation::CreateMetadataToken, "PUT") => self.metadata_token(call),
            (Operation::GetSecurityKey, "GET") => self.agency_key(call, now),
            (Operation::AssumeAgencyForPodIdentity, "POST") => self.pod_key(call, now),
            _ => Answer::text(405, "Method Not Allowed"),
        }
    }

    /// IAM. The shapes of its errors are those of `OpenStack` Keystone.
    fn token(&mut self, body: &[u8], project: &str, now: Timestamp) -> Answer {
        let error = |status: u16, title: &str, message: &str| {
            let body = json!({"error": {"code": status, "message": message, "title": title}});
            Answer::json(status, &body)
        };
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |path: &str| body.pointer(path).and_then(Value::as_str);
        let user = "/auth/identity/password/user";
        let parts = ["name", "password", "domain/name"].map(|part| text(&format!("{user}/{part}")));
        let [Some(username), Some(password), Some(domain_name)] = parts else {
            return error(400, "Bad Request", "The request body is invalid.");
        };
        let mut users = self.credentials.users.iter();
        let user = users.find(|u| u.username == username && u.domain_name == domain_name);
        let failures = self
            .failures
            .entry((domain_name.to_owned(), username.to_owned()))
            .or_default();
        if failures.locked_until.is_some_and(|until| now < until) {
            return error(401, "Unauthorized", "The account is locked.");
        }
        let Some(user) = user.filter(|user| user.password == password) else {
            // What was counted before a lock that is over counts no more.
            let before = match failures.locked_until {
                Some(_) => 0,
                None => failures.consecutive,
            };
            let locked_until = now.saturating_add(LOCK).unwrap_or(now);
            *failures = Failures {
                consecutive: before + 1,
                locked_until: (before + 1 >= FAILURES).then_some(locked_until),
            };
            let wrong = "The username or password is wrong.";
            return error(401, "Unauthorized", wrong);
        };
        *failures = Failures::default();
        if text("/auth/scope/project/id") != Some(project) {
            return error(404, "Not Found", "Could not find project.");
        }
        let token = secret("token");
        let issued = What::Token {
            token: token.clone(),
            user: user.clone(),
        };
        let until = self.issue(issued, now);
        let body = json!({"token": {
            "expires_at": in_microseconds(until), "issued_at": in_microseconds(now), "methods": ["password"],
            "project": {"id": project, "name": "simulated"},
            "user": {"name": username, "domain": {"name": domain_name}},
        }});
        Answer {
            headers: vec![("x-subject-token", token)],
            ..Answer::json(201, &body)
        }
    }

    fn metadata_token(&mut self, call: &Call) -> Answer {
        match self.credentials.metadata {
            Metadata::Absent | Metadata::V1 => Answer::text(404, "Not Found"),
            Metadata::NoAgency | Metadata::V2 => {
                if call.header("x-metadata-token-ttl-seconds").is_none() {
                    return Answer::text(400, "Bad Request");
                }
                let token = secret("metadata-token");
                self.metadata_tokens.push(token.clone());
                Answer::text(200, &token)
            }
        }
    }

    fn agency_key(&mut self, call: &Call, now: Timestamp) -> Answer {
        let shown = call.header("x-metadata-token");
        let is_known = shown.is_some_and(|shown| self.metadata_tokens.iter().any(|t| t == shown));
        match self.credentials.metadata {
            Metadata::Absent => return Answer::text(404, "Not Found"),
            Metadata::V2 | Metadata::NoAgency if !is_known => {
                return Answer::text(401, "Unauthorized");
            }
            Metadata::NoAgency => {
                return Answer::text(401, "Please configure Cloud Service Agency first");
            }
            Metadata::V1 | Metadata::V2 => {}
        }
        let (key, security_token, until) = self.temporary_key(now);
        let credential = json!({
            "access": key.access_key, "secret": key.secret_key, "securitytoken": security_token,
            "expires_at": in_microseconds(until),
        });
        Answer::json(200, &json!({ "credential": credential }))
    }

    fn pod_key(&mut self, call: &Call, now: Timestamp) -> Answer {
        let known = &self.credentials.pod_tokens;
        if known.is_empty() {
            return Answer::text(404, "Not Found");
        }
        let shown = call.header("authorization");
        if !shown.is_some_and(|shown| known.iter().any(|t| t == shown)) {
            return Answer::text(401, "Unauthorized");
        }
        let (key, security_token, until) = self.temporary_key(now);
        let credentials = json!({
            "accessKeyId": key.access_key, "secretAccessKey": key.secret_key, "securityToken": security_token,
            "expiration": until.to_string(),
        });
        Answer::json(200, &json!({ "credentials": credentials }))
    }

    fn temporary_key(&mut self, now: Timestamp) -> (AccessKey, String, Timestamp) {
        let security_token = secret("security-token");
        let key = AccessKey {
            access_key: format!("TEMPORARY{:016X}", fastrand::u64(..)),
            secret_key: secret("secret-key"),
            security_token: Some(security_token.clone()),
        };
        let until = self.issue(What::Key(key.clone()), now);
        (key, security_token, until)
    }

    /// Issues something now; until when it is good.
    fn issue(&mut self, what: What, now: Timestamp) -> Timestamp {
        let lifetime = self.credentials.lifetime.unwrap_or(LIFETIME);
        let until = now.saturating_add(lifetime).unwrap_or(now);
        self.issued.retain(|issued| now < issued.until);
        self.issued.push(Issued { what, until });
        until
    }
}

/// A secret of this kind that nobody has seen before.
fn secret(kind: &str) -> String {
    format!("issued-{kind}-{:032x}", fastrand::u128(..))
}

/// A time as IAM and the metadata service write it.
fn in_microseconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}
