//! Why requests to the cloud fail: a closed set, used alike in conditions, events and metrics.

/// What mends a failure, and so how soon it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may pass by itself: tried again with backoff.
    Transient,
    /// Somebody must act where the controller can't see it: tried again with backoff.
    Lasting,
    /// Only a person can mend it, and the controller sees when it is done: the source is `Stalled`.
    Stalled,
}

/// Why a request to the cloud failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The cloud does not accept the key or token, or IAM the password.
    CredentialsRejected,
    /// Who issues credentials to this machine or pod has none for it.
    CredentialsUnavailable,
    /// The clocks differ by more than the signature allows.
    ClockSkew,
    /// The account is suspended, restricted, frozen or in arrears.
    AccountSuspended,
    /// The key is good and may not do this.
    Forbidden,
    /// Too many requests.
    Throttled,
    /// The request is not one the cloud takes.
    InvalidRequest,
    /// The host answers, and has no such API.
    EndpointNotFound,
    /// There is no such pool.
    PoolNotFound,
    /// The cloud can't be reached, or fails.
    CloudUnavailable,
    /// The answer is not a whole listing.
    IncompleteListing,
    /// The answer is larger than is read.
    ListingTooLarge,
    /// The host is none of those that may be asked.
    EndpointRefused,
}

impl Reason {
    /// All of them, in the order in which people read of them.
    pub const ALL: [Self; 13] = [
        Self::CredentialsRejected,
        Self::CredentialsUnavailable,
        Self::ClockSkew,
        Self::AccountSuspended,
        Self::Forbidden,
        Self::Throttled,
        Self::InvalidRequest,
        Self::EndpointNotFound,
        Self::PoolNotFound,
        Self::CloudUnavailable,
        Self::IncompleteListing,
        Self::ListingTooLarge,
        Self::EndpointRefused,
    ];

    /// The word in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialsRejected => "CredentialsRejected",
            Self::CredentialsUnavailable => "CredentialsUnavailable",
            Self::ClockSkew => "ClockSkew",
            Self::AccountSuspended => "AccountSuspended",
            Self::Forbidden => "Forbidden",
            Self::Throttled => "Throttled",
            Self::InvalidRequest => "InvalidRequest",
            Self::EndpointNotFound => "EndpointNotFound",
            Self::PoolNotFound => "PoolNotFound",
            Self::CloudUnavailable => "CloudUnavailable",
            Self::IncompleteListing => "IncompleteListing",
            Self::ListingTooLarge => "ListingTooLarge",
            Self::EndpointRefused => "EndpointRefused",
        }
    }

    /// What mends it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Throttled | Self::CloudUnavailable | Self::IncompleteListing => Kind::Transient,
            Self::AccountSuspended
            | Self::Forbidden
            | Self::InvalidRequest
            | Self::EndpointNotFound
            | Self::PoolNotFound
            | Self::ListingTooLarge => Kind::Lasting,
            Self::CredentialsRejected
            | Self::CredentialsUnavailable
            | Self::ClockSkew
            | Self::EndpointRefused => Kind::Stalled,
        }
    }

    /// What has happened, as a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CredentialsRejected => {
                "The cloud does not accept the key or the token, or IAM the password. All requests with the key stop for 5 min, and with the user for 15 min, since more failures would lock them."
            }
            Self::CredentialsUnavailable => {
                "The node that the controller runs on has no agency (`Agency`), or its pod none (`PodIdentity`); the message says what the metadata service or the agent answers."
            }
            Self::ClockSkew => {
                "The cloud refuses the signature because its time is off by more than 15 min; the message says by how much, where the cloud tells its time."
            }
            Self::AccountSuspended => {
                "The key is good, and the account is suspended, restricted, frozen or in arrears."
            }
            Self::Forbidden => "The key is good and may not list pools.",
            Self::Throttled => "The cloud asks for fewer requests. `Retry-After` is obeyed.",
            Self::InvalidRequest => "The cloud does not take the request.",
            Self::EndpointNotFound => "The host answers, and has no such API.",
            Self::PoolNotFound => {
                "The answer that lets the mirror of a missing pool go; no pass fails for it."
            }
            Self::CloudUnavailable => {
                "The cloud can't be reached, or fails; tried again, less and less often."
            }
            Self::IncompleteListing => "An answer is not a whole listing. No mirror was changed.",
            Self::ListingTooLarge => {
                "The answers of a pass are larger than 256 MiB in all, or one pool, or what an answer says beside its pools, is larger than 16 MiB. The message says which."
            }
            Self::EndpointRefused => {
                "The host is none that the controller may send credentials to."
            }
        }
    }

    /// What a person can do where IAM says so, which issues tokens for passwords; none: as of the others.
    #[must_use]
    pub const fn advice_on_tokens(self) -> Option<&'static str> {
        Some(match self {
            Self::CredentialsRejected => {
                "check username, password and domainName in the Secret; they are not tried again for 15 min or until the Secret changes"
            }
            Self::Forbidden => "let the user ask the cloud by API, and for this project",
            Self::InvalidRequest => "check projectId of the source, and domainName in the Secret",
            Self::EndpointNotFound => "check region and iamEndpoint of the source",
            _ => return None,
        })
    }

    /// What a person can do, as the end of a message.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::CredentialsRejected => {
                "check the keys in the Secret; they are not tried again for 5 min or until the Secret changes"
            }
            Self::CredentialsUnavailable => {
                "type Agency: give the ECS that the controller runs on an agency; type PodIdentity: associate an agency with the controller's service account, and start its pod anew"
            }
            Self::ClockSkew => "set the clock of the controller's node (the cloud allows 15 min)",
            Self::AccountSuspended => "settle the account with the cloud",
            Self::Forbidden => {
                "grant the user modelarts:pool:list and modelarts:pool:get on this project and workspace"
            }
            Self::Throttled => {
                "raise spec.interval, or look who else uses up the quota of requests"
            }
            Self::InvalidRequest => "check projectId, workspaceIds and labelSelector of the source",
            Self::EndpointNotFound => "check region and endpoint of the source",
            Self::PoolNotFound => "the pool is gone",
            Self::CloudUnavailable => {
                "nothing to do if it passes; else check endpoint, proxy, DNS and network policy"
            }
            Self::IncompleteListing => {
                "nothing was changed; if it lasts, report it with the request id"
            }
            Self::ListingTooLarge => "narrow the source by workspaceIds or labelSelector",
            Self::EndpointRefused => {
                "correct the source, or allow the host with --allowed-endpoints"
            }
        }
    }
}
