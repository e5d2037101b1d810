//! Who may ask: the gateway's check of signatures and tokens, with its refusals and its lock.
//!
//! Owns the decision and the counting of failures; pure but for that counter. The canonical form of a request
//! is `modelarts::signature`'s matter, so that client and simulator can only be wrong together where the
//! official vectors are silent.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::{
    credentials::{AccessKey, Credentials},
    issuers::Issuers,
    query::Query,
};
use crate::modelarts::signature;

/// A clock may be wrong by so much, says the guide to signing requests.
const SKEW: SignedDuration = SignedDuration::from_mins(15);
/// One more consecutive failure locks a key.
const FAILURES: u32 = 5;
/// For so long a locked key is refused, also with a right signature.
const LOCK: SignedDuration = SignedDuration::from_mins(5);

/// The gateway's memory: what it accepts, and who failed how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Gate {
    credentials: Credentials,
    failures: HashMap<String, Failures>,
    pub(super) issuers: Issuers,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    consecutive: u32,
    locked_until: Option<Timestamp>,
}

/// The parts of a request that its signature covers, as they came over the wire; header names in lower case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a Query,
    pub(super) headers: &'a [(String, String)],
}

/// A refusal: always 401 with an error body of the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// The header `Authorization`, taken apart.
struct Claim<'a> {
    access_key: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl Gate {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self {
            issuers: Issuers::new(&credentials),
            credentials,
            failures: HashMap::new(),
        }
    }

    /// Accepts these from now on, and forgets failures and locks.
    pub(super) fn accept(&mut self, credentials: Credentials) {
        self.issuers.accept(&credentials);
        self.failures.clear();
        self.credentials = credentials;
    }

    /// Lets a request pass or says why not. `now` is the gateway's clock.
    pub(super) fn check(&mut self, attempt: Attempt<'_>, now: Timestamp) -> Result<(), Refusal> {
        if let Some(token) = attempt.header("x-auth-token") {
            let mut known = self.credentials.tokens.iter();
            let is_known = known.any(|known| known == token);
            return if is_known || self.issuers.has_token(token, now) {
                Ok(())
            } else {
                Err(Refusal::of("decrypt token fail"))
            };
        }
        let Some(claim) = attempt.header("authorization").and_then(Claim::parse) else {
            return Err(Refusal::of("x-auth-token not found"));
        };
        let mut keys = self.credentials.access_keys.iter();
        let key = keys.find(|key| key.access_key == claim.access_key);
        let Some(key) = key.or_else(|| self.issuers.key(claim.access_key, now)) else {
            return Err(Refusal::of(&format!("ak {} not exist", claim.access_key)));
        };
        let failures = self.failures.entry(key.access_key.clone()).or_default();
        if failures.locked_until.is_some_and(|until| now < until) {
            return Err(Refusal {
                code: "APIGW.0301",
                message: "AK access failed to reach the limit,forbidden".to_owned(),
            });
        }
        let outcome = verify(attempt, &claim, key, now);
        *failures = match (&outcome, *failures) {
            (Ok(()), _) => Failures::default(),
            // What was counted before a lock that is over counts no more.
            (Err(_), before) => failures_after(
                if before.locked_until.is_some() {
                    0
                } else {
                    before.consecutive
                },
                now,
            ),
        };
        outcome
    }
}

fn failures_after(before: u32, now: Timestamp) -> Failures {
    let consecutive = before + 1;
    Failures {
        consecutive,
        locked_until: (consecutive > FAILURES).then(|| now.saturating_add(LOCK).unwrap_or(now)),
    }
}

fn verify(
    attempt: Attempt<'_>,
    claim: &Claim<'_>,
    key: &AccessKey,
    now: Timestamp,
) -> Result<(), Refusal> {
    let date = attempt.header("x-sdk-date").unwrap_or_default();
    let signed_at = DateTime::strptime("%Y%m%dT%H%M%SZ", date)
        .ok()
        .and_then(|date| date.to_zoned(TimeZone::UTC).ok())
        .ok_or_else(|| {
            Refusal::of("verify aksk signature fail, x-sdk-date is missing or malformed")
        })?
        .timestamp();
    if now.duration_since(signed_at).abs() > SKEW {
        let server = now.strftime("%Y%m%dT%H%M%SZ");
        return Err(Refusal::of(&format!(
            "signature expired, signature time:{date},server time:{server}"
        )));
    }
    if key.security_token.is_some()
        && key.security_token.as_deref() != attempt.header("x-security-token")
    {
        return Err(Refusal::of("decrypt token fail"));
    }
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    let must = ["x-sdk-date", "x-security-token"];
    if let Some(unsigned) = must
        .iter()
        .find(|name| attempt.header(name).is_some() && !names.contains(name))
    {
        return Err(Refusal::of(&format!(
            "verify aksk signature fail, {unsigned} is not signed"
        )));
    }
    let signed: Vec<(String, String)> = attempt
        .headers
        .iter()
        .filter(|(name, _)| names.contains(&name.as_str()))
        .cloned()
        .collect();
    let payload_hash = attempt
        .header("x-sdk-content-sha256")
        .unwrap_or(signature::EMPTY_PAYLOAD_HASH);
    let canonical = canonical_request(attempt, &signed, payload_hash);
    let expected = signature::signature(
        &key.secret_key,
        &signature::string_to_sign(date, &canonical),
    );
    if expected == claim.signature {
        return Ok(());
    }
    let echo = canonical.replace('\n', "|");
    Err(Refusal::of(&format!(
        "verify aksk signature fail, canonicalRequest:{echo}"
    )))
}

fn canonical_request(
    attempt: Attempt<'_>,
    signed: &[(String, String)],
    payload_hash: &str,
) -> String {
    let query = signature::encode_query(attempt.query.pairs());
    signature::canonical_request(&signature::Parts {
        method: attempt.method,
        path: attempt.path,
        query: &query,
        headers: signed,
        payload_hash,
    })
}

impl Attempt<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

impl<'a> Claim<'a> {
    fn parse(authorization: &'a str) -> Option<Self> {
        let fields = authorization.strip_prefix("SDK-HMAC-SHA256 ")?;
        let field = |name: &str| {
            fields.split(',').find_map(|part| {
                part.trim()
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix('='))
            })
        };
        Some(Self {
            access_key: field("Access")?,
            signed_headers: field("SignedHeaders")?,
            signature: field("Signature")?,
        })
    }
}

impl Refusal {
    fn of(reason: &str) -> Self {
        Self {
            code: "APIGW.0301",
            message: format!("Incorrect IAM authentication information: {reason}"),
        }
    }
}
