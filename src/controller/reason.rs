//! Why passes fail: a closed set, used alike in conditions, events, metrics and the log.

use std::fmt;

use crate::api_server::WriteError;
use crate::modelarts::{Kind, Reason};

/// Why a pass failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// A request to the cloud failed.
    Cloud(Reason),
    /// The source's spec can't be used.
    InvalidSpec,
    /// The controller does not lend its own identity.
    AmbientCredentialsRefused,
    /// There is no such Secret.
    SecretNotFound,
    /// The Secret holds no usable credentials.
    SecretInvalid,
    /// The API server does not answer.
    ApiServerUnreachable,
    /// The API server asks for fewer requests.
    ApiServerThrottled,
    /// The controller may not do this.
    ApiServerForbidden,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// A write failed otherwise.
    WriteFailed,
}

/// Reasons that count as rejections of a key.
pub(super) const REJECTIONS: [Reason; 2] = [Reason::CredentialsRejected, Reason::ClockSkew];

impl FailureReason {
    /// Whether the cloud has rejected the credentials.
    #[must_use]
    pub fn is_rejection(self) -> bool {
        matches!(self, Self::Cloud(reason) if REJECTIONS.contains(&reason))
    }

    /// Those that are not the cloud's, in the order in which people read of them.
    pub const OURS: [Self; 9] = [
        Self::InvalidSpec,
        Self::AmbientCredentialsRefused,
        Self::SecretNotFound,
        Self::SecretInvalid,
        Self::ApiServerUnreachable,
        Self::ApiServerThrottled,
        Self::ApiServerForbidden,
        Self::NamespaceTerminating,
        Self::WriteFailed,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cloud(reason) => reason.as_str(),
            Self::InvalidSpec => "InvalidSpec",
            Self::AmbientCredentialsRefused => "AmbientCredentialsRefused",
            Self::SecretNotFound => "SecretNotFound",
            Self::SecretInvalid => "SecretInvalid",
            Self::ApiServerUnreachable => "APIServerUnreachable",
            Self::ApiServerThrottled => "APIServerThrottled",
            Self::ApiServerForbidden => "APIServerForbidden",
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::WriteFailed => "WriteFailed",
        }
    }

    /// What mends it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Cloud(reason) => reason.kind(),
            Self::InvalidSpec
            | Self::AmbientCredentialsRefused
            | Self::SecretNotFound
            | Self::SecretInvalid => Kind::Stalled,
            Self::ApiServerUnreachable | Self::ApiServerThrottled | Self::WriteFailed => {
                Kind::Transient
            }
            Self::ApiServerForbidden | Self::NamespaceTerminating => Kind::Lasting,
        }
    }

    /// What has happened, as a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Cloud(reason) => reason.meaning(),
            Self::InvalidSpec => {
                "The spec can't be used, though the API server took it; the message names the field."
            }
            Self::AmbientCredentialsRefused => {
                "The credentials are of type `Agency` or `PodIdentity`, and the controller does not lend its own identity to this namespace and project."
            }
            Self::SecretNotFound => {
                "The Secret that `spec.credentials.secretRef` names is not in the source's namespace."
            }
            Self::SecretInvalid => {
                "The Secret lacks a key, holds an unusable value, or is of another type than `Opaque` or `modelarts.huaweicloud.com/credentials`."
            }
            Self::ApiServerUnreachable => {
                "Kubernetes' API server does not answer in time. All writes wait."
            }
            Self::ApiServerThrottled => "The API server asks for fewer requests.",
            Self::ApiServerForbidden => {
                "The controller's service account lacks a right; the message names it."
            }
            Self::NamespaceTerminating => "The namespace is being deleted.",
            Self::WriteFailed => "A write to the API server failed for another reason.",
        }
    }

    /// What a person can do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Cloud(reason) => reason.advice(),
            Self::InvalidSpec => "correct the field",
            Self::AmbientCredentialsRefused => {
                "name both in `--ambient-credentials-namespaces` of the controller, or use another type"
            }
            Self::SecretNotFound => "create it there, or correct the name",
            Self::SecretInvalid => {
                "do what the message says; [Credentials](credentials.md) shows the keys of each type"
            }
            Self::ApiServerUnreachable => "if it lasts: look at the API server",
            Self::ApiServerThrottled => "look at its load and at its flow control",
            Self::ApiServerForbidden => "compare its Role or ClusterRole with the chart's",
            Self::NamespaceTerminating => "nothing",
            Self::WriteFailed => "read the message; it is tried again in the next pass",
        }
    }
}

impl From<Reason> for FailureReason {
    fn from(reason: Reason) -> Self {
        Self::Cloud(reason)
    }
}

impl From<&WriteError> for FailureReason {
    fn from(error: &WriteError) -> Self {
        match error {
            WriteError::Unreachable(_) | WriteError::NoAnswer(_) => Self::ApiServerUnreachable,
            WriteError::Throttled { .. } => Self::ApiServerThrottled,
            WriteError::Forbidden(_) => Self::ApiServerForbidden,
            WriteError::NamespaceTerminating => Self::NamespaceTerminating,
            WriteError::Conflict(_)
            | WriteError::NotFound(_)
            | WriteError::Refused(_)
            | WriteError::ServerError(_)
            | WriteError::TimedOut(_) => Self::WriteFailed,
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
