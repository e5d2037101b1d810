//! Which requests a fault or a hold means.
//!
//! Owns the names of the operations and the matching of a request's parameters.

use serde::{Deserialize, Serialize};

use super::query::Query;

/// The operations of the simulated API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Operation {
    /// `GET /v2/{project}/pools`
    ListPools,
    /// `GET /v2/{project}/pools/{id}`
    ShowPool,
    /// `GET /v1/{project}/workspaces`
    ListWorkspaces,
    /// `POST /v3/auth/tokens` of IAM.
    CreateToken,
    /// `PUT /meta-data/latest/api/token` of the metadata service: its version 2.
    CreateMetadataToken,
    /// `GET /openstack/latest/securitykey` of the metadata service.
    GetSecurityKey,
    /// `POST /v1/credentials` of the pod identity agent.
    AssumeAgencyForPodIdentity,
    /// Any other path.
    Other,
}

impl Operation {
    /// Whether it issues credentials, and is none of the `ModelArts` API.
    pub fn issues_credentials(self) -> bool {
        matches!(
            self,
            Self::CreateToken
                | Self::CreateMetadataToken
                | Self::GetSecurityKey
                | Self::AssumeAgencyForPodIdentity
        )
    }
}

/// Which requests are meant. What is not given fits every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Selection {
    /// The operation; `*` or nothing: every operation.
    #[serde(with = "any_operation", skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// What the request asks for.
    #[serde(rename = "match")]
    pub matching: Match,
    /// So many of these requests pass before the first is hit.
    pub skip: u32,
}

/// Values of a request's parameters. `""` stands for a parameter that is missing or empty, `*` for one that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Match {
    /// The parameter `workspaceId`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// The parameter `status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The parameter `continue`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#continue: Option<String>,
    /// The parameter `labelSelector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_selector: Option<String>,
    /// The id in ShowPool's path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
}

impl Selection {
    /// Every request of an operation.
    #[must_use]
    pub fn of(operation: Operation) -> Self {
        Self {
            operation: Some(operation),
            ..Self::default()
        }
    }

    /// Whether the selection means this request; one that is skipped is counted down here.
    pub(super) fn hits(&mut self, operation: Operation, query: &Query, pool: Option<&str>) -> bool {
        let fits = |wanted: &Option<String>, given: Option<&str>| match (
            wanted.as_deref(),
            given.unwrap_or_default(),
        ) {
            (None, _) => true,
            (Some("*"), given) => !given.is_empty(),
            (Some(wanted), given) => wanted == given,
        };
        let wanted = &self.matching;
        let meant = self.operation.is_none_or(|wanted| wanted == operation)
            && fits(&wanted.workspace_id, query.get("workspaceId"))
            && fits(&wanted.status, query.get("status"))
            && fits(&wanted.r#continue, query.get("continue"))
            && fits(&wanted.label_selector, query.get("labelSelector"))
            && fits(&wanted.pool, pool);
        if meant && self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        meant
    }
}

/// `*` is how people write "every operation".
pub(super) mod any_operation {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::IntoDeserializer};

    use super::Operation;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Operation>, D::Error> {
        match Option::<String>::deserialize(from)?.as_deref() {
            None | Some("*") => Ok(None),
            Some(name) => Operation::deserialize(name.into_deserializer()).map(Some),
        }
    }

    #[expect(
        clippy::ref_option,
        clippy::trivially_copy_pass_by_ref,
        reason = "the signature is serde's"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        operation: &Option<Operation>,
        into: S,
    ) -> Result<S::Ok, S::Error> {
        operation.serialize(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_present_and_equal_parameters() {
        for (wanted, query, expected) in [
            ("", "", true),
            ("", "continue=", true),
            ("", "continue=a", false),
            ("*", "continue=a", true),
            ("*", "", false),
            ("a", "continue=a", true),
            ("a", "continue=b", false),
        ] {
            let mut selection = Selection {
                matching: Match {
                    r#continue: Some(wanted.into()),
                    ..Match::default()
                },
                ..Selection::default()
            };
            assert_eq!(
                selection.hits(Operation::ListPools, &Query::parse(query), None),
                expected,
                "{wanted} {query}"
            );
        }
    }
}
