//! Which answer means which failure: one table, for the program and for docs/errors.md.

use std::ops::RangeInclusive;

use super::credentials::CREATE_TOKEN;
use super::credentials::agency::GET_SECURITY_KEY;
use super::credentials::pod_identity::ASSUME_AGENCY;
use super::reason::Reason;

/// What answers a rule is about, and what they mean.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The requests; none given: any.
    pub operations: &'static [&'static str],
    /// The HTTP statuses.
    pub statuses: RangeInclusive<u16>,
    /// The codes.
    pub codes: Codes,
    /// What the cloud's words contain; empty: anything.
    pub says: &'static str,
    /// The failure.
    pub reason: Reason,
    /// What the cloud means.
    pub meaning: &'static str,
}

/// Codes of the cloud's errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// Any, or none.
    Any,
    /// Of a gateway, these numbers; none given: any. The shared gateways say `APIGW`, dedicated ones `APIG`, those
    /// of ROMA `APIC`.
    Gateway(&'static [&'static str]),
    /// Of `ModelArts`, these numbers.
    ModelArts(&'static [&'static str]),
}

impl Codes {
    fn has(self, code: &str) -> bool {
        let (part, number) = code.split_once('.').unwrap_or((code, ""));
        match self {
            Self::Any => true,
            Self::Gateway(numbers) => {
                part.starts_with("API") && (numbers.is_empty() || numbers.contains(&number))
            }
            Self::ModelArts(numbers) => part == "ModelArts" && numbers.contains(&number),
        }
    }
}

impl Rule {
    fn fits(&self, operation: &str, status: u16, code: &str, message: &str) -> bool {
        (self.operations.is_empty() || self.operations.contains(&operation))
            && self.statuses.contains(&status)
            && self.codes.has(code)
            && message.contains(self.says)
    }
}

const fn rule(
    statuses: RangeInclusive<u16>,
    codes: Codes,
    reason: Reason,
    meaning: &'static str,
) -> Rule {
    Rule {
        operations: &[],
        statuses,
        codes,
        says: "",
        reason,
        meaning,
    }
}

/// Of an account that is not served, whatever the status is.
const SUSPENDED: Codes = Codes::ModelArts(&["2837", "4116", "4118", "5017", "6201", "6203"]);

/// The first that fits an answer other than 200 says what it means; the last fits all. The code alone does not tell:
/// some mean other things with other statuses.
pub const RULES: &[Rule] = &[
    rule(
        408..=408,
        Codes::Any,
        Reason::CloudUnavailable,
        "The request came too slowly.",
    ),
    Rule {
        operations: &[GET_SECURITY_KEY, ASSUME_AGENCY],
        ..rule(
            400..=428,
            Codes::Any,
            Reason::CredentialsUnavailable,
            "The metadata service or the agent has no credentials to issue.",
        )
    },
    Rule {
        operations: &[CREATE_TOKEN],
        ..rule(
            404..=404,
            Codes::Gateway(&[]),
            Reason::EndpointNotFound,
            "IAM is not published at this host.",
        )
    },
    Rule {
        operations: &[CREATE_TOKEN],
        ..rule(
            404..=404,
            Codes::Any,
            Reason::InvalidRequest,
            "There is no such project or account.",
        )
    },
    rule(
        400..=403,
        SUSPENDED,
        Reason::AccountSuspended,
        "The account is suspended, restricted, frozen or in arrears.",
    ),
    rule(
        400..=400,
        Codes::ModelArts(&["50004000"]),
        Reason::InvalidRequest,
        "Bad request, such as a bad filter.",
    ),
    rule(
        400..=400,
        Codes::ModelArts(&["0102", "7005"]),
        Reason::InvalidRequest,
        "The workspace does not exist.",
    ),
    rule(
        400..=400,
        Codes::ModelArts(&["0204", "0210"]),
        Reason::InvalidRequest,
        "The project id is invalid, or the token is not of this project.",
    ),
    Rule {
        // The gateway reports a skewed clock as a wrong signature.
        says: "signature expired",
        ..rule(
            401..=401,
            Codes::Gateway(&[]),
            Reason::ClockSkew,
            "The time of the signature is off by more than 15 min.",
        )
    },
    rule(
        401..=401,
        Codes::Gateway(&["0301", "0303", "0305"]),
        Reason::CredentialsRejected,
        "The key, its signature or the token is wrong, or the key is locked: more than five rejections lock it for 5 min.",
    ),
    rule(
        401..=401,
        Codes::Gateway(&["0307"]),
        Reason::CredentialsRejected,
        "The token has expired, or is of another region.",
    ),
    rule(
        401..=401,
        Codes::ModelArts(&["0201", "0202", "0203", "0204", "0207", "0212", "50001000"]),
        Reason::CredentialsRejected,
        "No token, or one that is invalid, has expired or is of another region.",
    ),
    rule(
        401..=401,
        Codes::Any,
        Reason::CredentialsRejected,
        "The credentials are not accepted.",
    ),
    rule(
        403..=403,
        Codes::ModelArts(&["0203", "0206"]),
        Reason::CredentialsRejected,
        "The token or the key is invalid.",
    ),
    rule(
        403..=403,
        Codes::ModelArts(&["0210"]),
        Reason::InvalidRequest,
        "The project is not that of the token.",
    ),
    rule(
        403..=403,
        Codes::ModelArts(&["0108", "0112"]),
        Reason::Forbidden,
        "The user lacks the permission, or the policy of the workspace forbids it.",
    ),
    rule(
        403..=403,
        Codes::Gateway(&[
            "0302", "0304", "0306", "0310", "0401", "0402", "0801", "0802",
        ]),
        Reason::Forbidden,
        "The user, the address or the region is not authorised, or the project is unavailable.",
    ),
    rule(
        403..=403,
        Codes::Any,
        Reason::Forbidden,
        "The request is forbidden.",
    ),
    Rule {
        // Only who asks for one pool can learn that it is gone. A gateway's 404 says nothing of the pool.
        operations: &["ShowPool"],
        ..rule(
            404..=404,
            Codes::ModelArts(&["50015001"]),
            Reason::PoolNotFound,
            "There is no such pool.",
        )
    },
    rule(
        404..=404,
        Codes::Gateway(&["0101"]),
        Reason::EndpointNotFound,
        "No such API is published at this host.",
    ),
    rule(
        404..=404,
        Codes::Any,
        Reason::EndpointNotFound,
        "There is no such path at this host.",
    ),
    rule(
        429..=429,
        Codes::Gateway(&["0308"]),
        Reason::Throttled,
        "The quota of requests is used up.",
    ),
    rule(
        429..=429,
        Codes::ModelArts(&["2799", "4206"]),
        Reason::Throttled,
        "Too many requests.",
    ),
    rule(
        429..=429,
        Codes::Any,
        Reason::Throttled,
        "Too many requests.",
    ),
    rule(
        400..=499,
        Codes::Gateway(&["0201", "0602", "0607"]),
        Reason::InvalidRequest,
        "A request that the gateway does not take, or too large a one.",
    ),
    rule(
        400..=499,
        Codes::Any,
        Reason::InvalidRequest,
        "A request that is not taken.",
    ),
    rule(
        300..=399,
        Codes::Any,
        Reason::CloudUnavailable,
        "The answer is at another address. That is not followed, since the credentials are for this one.",
    ),
    rule(
        500..=599,
        Codes::Gateway(&["0613"]),
        Reason::CloudUnavailable,
        "IAM is down.",
    ),
    rule(
        500..=599,
        Codes::Any,
        Reason::CloudUnavailable,
        "The gateway, or the service behind it, fails.",
    ),
    rule(
        100..=999,
        Codes::Any,
        Reason::CloudUnavailable,
        "No answer of the cloud's API.",
    ),
];

/// The failure that an answer to `operation` means.
pub(super) fn reason(operation: &str, status: u16, code: &str, message: &str) -> Reason {
    let rule = RULES
        .iter()
        .find(|rule| rule.fits(operation, status, code, message));
    rule.map_or(Reason::CloudUnavailable, |rule| rule.reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::DOCUMENTED_ERRORS;

    /// Answers that a rule is about.
    fn examples(rule: &Rule) -> Vec<(&'static str, u16, String, &'static str)> {
        let codes = match rule.codes {
            Codes::Any => vec!["Other.1".to_owned()],
            Codes::Gateway([]) => vec!["APIG.0001".to_owned()],
            Codes::Gateway(numbers) => ["APIGW", "APIG", "APIC"]
                .iter()
                .flat_map(|part| numbers.iter().map(move |number| format!("{part}.{number}")))
                .collect(),
            Codes::ModelArts(numbers) => numbers.iter().map(|n| format!("ModelArts.{n}")).collect(),
        };
        let operation = rule.operations.first().copied().unwrap_or("ListPools");
        let statuses = [*rule.statuses.start(), *rule.statuses.end()];
        statuses
            .into_iter()
            .flat_map(|status| codes.iter().map(move |code| (status, code.clone())))
            .map(|(status, code)| (operation, status, code, rule.says))
            .collect()
    }

    #[test]
    fn each_rule_is_the_first_that_fits_what_it_is_about() {
        for (index, rule) in RULES.iter().enumerate() {
            for (operation, status, code, says) in examples(rule) {
                let first = RULES
                    .iter()
                    .position(|r| r.fits(operation, status, &code, says));
                assert_eq!(first, Some(index), "{status} {code} of {rule:?}");
            }
        }
    }

    #[test]
    fn every_answer_has_a_rule() {
        for status in 100..=999 {
            for code in [
                "",
                "ModelArts.1",
                "APIGW.0301",
                "APIC",
                "IAM.0001",
                ".",
                "🦀",
            ] {
                let fits = |rule: &&Rule| rule.fits("ListPools", status, code, "");
                assert!(RULES.iter().any(|r| fits(&r)), "{status} {code}");
            }
        }
    }

    #[test]
    fn every_code_of_the_documents_is_named() {
        for error in DOCUMENTED_ERRORS {
            let rule = RULES
                .iter()
                .find(|r| r.fits("ListPools", error.status, error.code, error.message));
            let codes = rule.expect("a rule").codes;
            // What a 404 or a 500 says beside that is nobody's business but the cloud's.
            let any = codes == Codes::Any;
            assert!(
                !any || matches!(error.status, 404 | 500..),
                "{} {}: {:?}",
                error.status,
                error.code,
                rule
            );
        }
    }
}
