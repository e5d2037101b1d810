//! Keeps what was issued, for all sources, until it is to be renewed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Password;
use super::issuers::{AmbientOptions, Issuers};
use super::lifetime::{Age, Issued};
use crate::modelarts::endpoint::Endpoint;
use crate::modelarts::error::CloudError;
use crate::modelarts::http::HttpOptions;
use crate::modelarts::reason::Reason;

/// How long an issuer that fails is not asked for what is still good.
const RENEWAL_PAUSE: Duration = Duration::from_mins(1);

/// How long a password is not used that was rejected: five wrong ones lock the user, for a quarter of an hour.
pub const REJECTED_USER_PAUSE: Duration = Duration::from_mins(15);

/// Who issues credentials, and to whom.
#[derive(Clone, Debug)]
pub(super) enum Issuer {
    /// IAM issues tokens.
    Iam {
        /// To this user.
        user: Password,
        /// Origin of IAM.
        endpoint: Endpoint,
        /// For this project alone, by its id.
        project: String,
    },
    /// The metadata service of an ECS issues the keys of its agency.
    Agency,
    /// The agent of CCE issues the keys of a pod's agency.
    PodIdentity,
}

/// What an issuer was asked with: the password and what the token is for. What is issued for one is used for
/// nothing else.
type Binding = [u8; 32];

/// Whoever an issuer locks, or asks to wait, by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(String, String),
    Agency,
    PodIdentity,
}

impl Issuer {
    fn holder(&self) -> Holder {
        match self {
            Self::Iam { user, .. } => Holder::User(user.domain_name.clone(), user.username.clone()),
            Self::Agency => Holder::Agency,
            Self::PodIdentity => Holder::PodIdentity,
        }
    }

    fn binding(&self) -> Binding {
        match self {
            Self::Iam {
                user,
                endpoint,
                project,
            } => user.digest(&[&endpoint.to_string(), project]),
            Self::Agency | Self::PodIdentity => [0; 32],
        }
    }

    /// The password that a rejection is about, whatever it was asked for.
    fn password(&self) -> Option<Binding> {
        match self {
            Self::Iam { user, .. } => Some(user.digest(&[])),
            Self::Agency | Self::PodIdentity => None,
        }
    }

    /// `text` without what this issuer is asked with.
    pub(super) fn left_out_of(&self, text: &str) -> String {
        match self {
            Self::Iam { user, .. } => user.left_out_of(text),
            Self::Agency | Self::PodIdentity => text.to_owned(),
        }
    }
}

/// What was issued, shared by all sources. In memory alone.
#[derive(Debug)]
pub(in crate::modelarts) struct IssuedCredentials {
    issuers: Issuers,
    of: Mutex<HashMap<Holder, Arc<Cache>>>,
}

/// What was issued to one holder.
#[derive(Debug, Default)]
struct Cache {
    kept: Mutex<Kept>,
    /// Held while the issuer is asked: five wrong passwords lock a user, so that one is tried at a time.
    turn: tokio::sync::Mutex<()>,
}

/// Pure.
#[derive(Debug, Default)]
struct Kept {
    issued: HashMap<Binding, Arc<Issued>>,
    /// Failures so far, and the last.
    failures: u64,
    failed: Option<Failed>,
    /// Passwords that were rejected, with what, and until when they are not used.
    rejected: HashMap<Binding, (CloudError, Instant)>,
    /// Until when nothing is renewed that is still good: the issuer has failed.
    pause: Option<Instant>,
}

/// Why nothing was issued, and for whom.
#[derive(Debug)]
struct Failed {
    binding: Binding,
    error: CloudError,
}

/// What was issued, and whether that was just now.
pub(super) struct Got {
    pub(super) issued: Arc<Issued>,
    pub(super) is_new: bool,
}

impl Got {
    const fn kept(issued: Arc<Issued>) -> Self {
        Self {
            issued,
            is_new: false,
        }
    }
}

impl IssuedCredentials {
    /// Nothing issued yet.
    ///
    /// # Errors
    /// As of [`crate::modelarts::HttpClient::new`].
    pub(in crate::modelarts) fn new(
        http: &HttpOptions,
        ambient: AmbientOptions,
    ) -> Result<Self, String> {
        Ok(Self {
            issuers: Issuers::new(http, ambient)?,
            of: Mutex::default(),
        })
    }

    /// What `from` has issued, or issues now. Of those who ask at once, one asks the issuer; the others get
    /// what it gets, also where that is a failure.
    pub(super) async fn get(&self, from: &Issuer) -> Result<Got, CloudError> {
        let cache = self.cache(from.holder());
        let binding = from.binding();
        let (mut valid, failures) = {
            let kept = cache.kept();
            match kept.look(&binding, now()) {
                Some((issued, Age::Good)) => return Ok(Got::kept(issued)),
                Some((issued, _)) if kept.is_paused(now()) => return Ok(Got::kept(issued)),
                other => (other.map(|(issued, _)| issued), kept.failures),
            }
        };
        let turn = match valid.take() {
            None => cache.turn.lock().await,
            // Somebody renews it already: meanwhile it is good.
            Some(issued) => match cache.turn.try_lock() {
                Err(_) => return Ok(Got::kept(issued)),
                Ok(turn) => {
                    valid = Some(issued);
                    turn
                }
            },
        };
        {
            let kept = cache.kept();
            if let Some((issued, Age::Good)) = kept.look(&binding, now()) {
                return Ok(Got::kept(issued));
            }
            if let Some(error) = kept.failed_since(failures, &binding) {
                return Err(error);
            }
            if let Some(error) = kept.rejected(from, now()) {
                return Err(error);
            }
        }
        let answer = self.issuers.ask(from).await;
        let mut kept = cache.kept();
        drop(turn);
        match (answer, valid) {
            (Ok(issued), _) => {
                let issued = Arc::new(issued);
                kept.keep(binding, issued.clone(), now());
                Ok(Got {
                    issued,
                    is_new: true,
                })
            }
            (Err(error), _) if error.reason() == Reason::CredentialsRejected => {
                kept.reject(from, &error, now());
                Err(kept.fail(binding, error))
            }
            (Err(error), Some(issued)) if issued.age(now()) != Age::Expired => {
                tracing::warn!(%error, "credentials can't be renewed; those that are about to expire are used on");
                let pause = error.retry_after().unwrap_or_default().max(RENEWAL_PAUSE);
                kept.pause = now().checked_add(pause);
                Ok(Got::kept(issued))
            }
            (Err(error), _) => Err(kept.fail(binding, error)),
        }
    }

    /// Does not use `issued` again.
    pub(super) fn forget(&self, from: &Issuer, issued: &Arc<Issued>) {
        let cache = self.cache(from.holder());
        cache.kept().forget(&from.binding(), issued);
    }

    fn cache(&self, holder: Holder) -> Arc<Cache> {
        let mut of = lock(&self.of);
        if let Some(cache) = of.get(&holder) {
            return cache.clone();
        }
        // Users whose password nobody has any more are not kept for ever.
        let now = now();
        of.retain(|_, cache| Arc::strong_count(cache) > 1 || cache.kept().is_of_use(now));
        of.entry(holder).or_default().clone()
    }
}

impl Cache {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }
}

impl Kept {
    /// What was issued for this and has not expired.
    fn look(&self, binding: &Binding, now: Instant) -> Option<(Arc<Issued>, Age)> {
        let issued = self.issued.get(binding)?;
        let age = issued.age(now);
        (age != Age::Expired).then(|| (issued.clone(), age))
    }

    fn keep(&mut self, binding: Binding, issued: Arc<Issued>, now: Instant) {
        self.issued.retain(|_, old| old.age(now) != Age::Expired);
        self.issued.insert(binding, issued);
    }

    fn forget(&mut self, binding: &Binding, issued: &Arc<Issued>) {
        // Another may have renewed it.
        if self
            .issued
            .get(binding)
            .is_some_and(|kept| Arc::ptr_eq(kept, issued))
        {
            self.issued.remove(binding);
        }
    }

    fn fail(&mut self, binding: Binding, error: CloudError) -> CloudError {
        self.failures += 1;
        self.failed = Some(Failed {
            binding,
            error: error.clone(),
        });
        error
    }

    /// The failure that came after the first `before` ones, where asking again would bring the same.
    fn failed_since(&self, before: u64, binding: &Binding) -> Option<CloudError> {
        let last = self.failed.as_ref().filter(|_| self.failures > before)?;
        (last.binding == *binding).then(|| last.error.clone())
    }

    fn reject(&mut self, from: &Issuer, error: &CloudError, now: Instant) {
        if let Some(password) = from.password() {
            self.rejected.retain(|_, (_, until)| now < *until);
            let until = now + REJECTED_USER_PAUSE;
            self.rejected.insert(password, (error.clone(), until));
        }
    }

    /// With what the password was rejected that would be sent.
    fn rejected(&self, from: &Issuer, now: Instant) -> Option<CloudError> {
        let (error, until) = self.rejected.get(&from.password()?)?;
        (now < *until).then(|| error.clone())
    }

    fn is_paused(&self, now: Instant) -> bool {
        self.pause.is_some_and(|until| now < until)
    }

    fn is_of_use(&self, now: Instant) -> bool {
        self.issued.values().any(|i| i.age(now) != Age::Expired)
            || self.rejected.values().any(|(_, until)| now < *until)
    }
}

/// The clock of the runtime, which tests can set.
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A panic elsewhere leaves plain data behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
