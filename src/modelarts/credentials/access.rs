//! How the requests of one client get their credentials.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::issued::{Got, now};
use super::lifetime::{Age, Issued};
use super::{Credentials, Identity, IssuedCredentials, Issuer};
use crate::modelarts::endpoint::Endpoint;
use crate::modelarts::error::CloudError;

/// How the requests of one client get their credentials; clones are the same client's.
#[derive(Clone, Debug)]
pub struct Access(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Fixed(Arc<Credentials>),
    Issued(Arc<ByIssuer>),
}

#[derive(Debug)]
struct ByIssuer {
    issuer: Issuer,
    all: Arc<IssuedCredentials>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What requests carried last.
    last: Option<Arc<Issued>>,
    /// Whether that was issued for this client, and no request with it was accepted yet.
    unproven: bool,
    /// Whether a rejection has led to a renewal.
    renewed: bool,
}

impl State {
    /// Whether a rejection of what requests carried last may come from its age: then another is worth a try,
    /// once.
    const fn may_renew(&self) -> bool {
        !self.unproven && !self.renewed
    }
}

/// The credentials of one request.
pub(in crate::modelarts) enum Held {
    Fixed(Arc<Credentials>),
    Issued(Arc<Issued>),
}

impl Deref for Held {
    type Target = Credentials;

    fn deref(&self) -> &Credentials {
        match self {
            Self::Fixed(credentials) => credentials,
            Self::Issued(issued) => &issued.credentials,
        }
    }
}

impl From<Credentials> for Access {
    fn from(credentials: Credentials) -> Self {
        Self(Kind::Fixed(Arc::new(credentials)))
    }
}

impl Access {
    /// For requests about `project` by `identity`. IAM is at `iam`.
    ///
    /// # Errors
    /// Where a password is to be used and it is not known where IAM is.
    pub(in crate::modelarts) fn new(
        identity: &Identity,
        iam: Option<Endpoint>,
        project: &str,
        all: Arc<IssuedCredentials>,
    ) -> Result<Self, &'static str> {
        let issuer = match identity {
            Identity::Fixed(credentials) => return Ok(credentials.clone().into()),
            Identity::Agency => Issuer::Agency,
            Identity::PodIdentity => Issuer::PodIdentity,
            Identity::Password(user) => Issuer::Iam {
                user: user.clone(),
                endpoint: iam.ok_or("it is not known which IAM to ask")?,
                project: project.to_owned(),
            },
        };
        Ok(Self(Kind::Issued(Arc::new(ByIssuer {
            issuer,
            all,
            state: Mutex::default(),
        }))))
    }

    /// The credentials of the next request.
    pub(in crate::modelarts) async fn held(&self) -> Result<Held, CloudError> {
        match &self.0 {
            Kind::Fixed(credentials) => Ok(Held::Fixed(credentials.clone())),
            Kind::Issued(by) => by.held().await,
        }
    }

    /// The cloud has accepted a request with the last ones.
    pub(in crate::modelarts) fn accepted(&self) {
        if let Kind::Issued(by) = &self.0 {
            by.state().unproven = false;
        }
    }

    /// The cloud has rejected a request with these: others, where it is worth to try again with others. What
    /// was issued is not used again.
    pub(in crate::modelarts) async fn after_rejection(
        &self,
        held: &Held,
    ) -> Result<Option<Held>, CloudError> {
        let (Kind::Issued(by), Held::Issued(issued)) = (&self.0, held) else {
            return Ok(None);
        };
        by.all.forget(&by.issuer, issued);
        {
            let mut state = by.state();
            if !state.may_renew() {
                return Ok(None);
            }
            state.renewed = true;
        }
        by.get().await.map(Some)
    }

    /// `text` without the credentials.
    pub(in crate::modelarts) fn left_out_of(&self, text: &str) -> String {
        match &self.0 {
            Kind::Fixed(credentials) => credentials.left_out_of(text),
            Kind::Issued(by) => {
                let clean = by.issuer.left_out_of(text);
                let last = by.state().last.clone();
                last.map_or_else(
                    || clean.clone(),
                    |issued| issued.credentials.left_out_of(&clean),
                )
            }
        }
    }
}

impl ByIssuer {
    /// What was used last, while it is good: what can't be renewed is tried once in a pass, not with each of its
    /// requests.
    async fn held(&self) -> Result<Held, CloudError> {
        let last = self.state().last.clone();
        match last.filter(|last| last.age(now()) != Age::Expired) {
            Some(last) => Ok(Held::Issued(last)),
            None => self.get().await,
        }
    }

    async fn get(&self) -> Result<Held, CloudError> {
        let Got { issued, is_new } = self.all.get(&self.issuer).await?;
        let mut state = self.state();
        state.unproven |= is_new;
        state.last = Some(issued.clone());
        Ok(Held::Issued(issued))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves plain data behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
