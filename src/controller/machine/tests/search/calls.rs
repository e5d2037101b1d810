//! The machine's calls, and what comes of each.

use std::fmt;
use std::sync::Arc;

use super::cloud;
use super::faults::unreachable;
use super::history::WriteFault;
use super::mutants::Mutant;
use super::world::World;
use crate::api::ModelArtsPoolSourceStatus;
use crate::api_server::WriteError;
use crate::controller::key::Key;
use crate::controller::machine::{
    Action, Confirmation, CredentialsError, Input, PoolAnswer, SourceIdentity, WriteOrder,
    WriteTicket,
};
use crate::controller::reason::FailureReason;
use crate::controller::source::Settings;
use crate::mirror::Step;
use crate::mirror::apply::Written;
use crate::modelarts::{Credentials, Identity};

/// A call to the cloud or to the API server. Law 7's "only reads" holds by type: of [`Action`]s, `List` and
/// `Confirm` alone go to the cloud, and the client has no other request than GET.
#[derive(Debug)]
pub(super) enum Call {
    Credentials {
        key: Key,
        pass: u64,
    },
    List {
        key: Key,
        pass: u64,
        settings: Box<Settings>,
        secret: u64,
    },
    Show {
        key: Key,
        pass: u64,
        secret: u64,
        pools: Vec<Arc<str>>,
    },
    Check {
        key: Key,
        uid: Box<str>,
    },
    Write(WriteTicket, Box<WriteOrder>),
    Report {
        key: Key,
        uid: Box<str>,
        number: u64,
        version: u64,
        status: Box<ModelArtsPoolSourceStatus>,
    },
    Publish,
}

impl Call {
    pub(super) fn of(action: Action) -> Self {
        match action {
            Action::ReadCredentials { key, pass, .. } => Self::Credentials { key, pass },
            Action::List {
                key,
                pass,
                settings,
                identity,
                ..
            } => {
                let secret = identity.print().whole;
                Self::List {
                    key,
                    pass,
                    settings,
                    secret,
                }
            }
            Action::Confirm {
                key,
                pass,
                identity,
                pools,
                ..
            } => {
                let secret = identity.print().whole;
                Self::Show {
                    key,
                    pass,
                    secret,
                    pools,
                }
            }
            Action::Check { key, uid } => Self::Check { key, uid },
            Action::Write(ticket, order) => Self::Write(ticket, Box::new(order)),
            Action::Report {
                key,
                uid,
                number,
                resource_version,
                status,
            } => Self::Report {
                key,
                uid,
                number,
                version: resource_version,
                status,
            },
            Action::Publish(_) | Action::GiveUp { .. } => Self::Publish,
        }
    }

    pub(super) fn is_to_the_cloud(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. })
    }

    /// Whether it changes something, also where its answer is not awaited any more.
    pub(super) fn is_write(&self) -> bool {
        matches!(self, Self::Write(..) | Self::Report { .. })
    }
}

impl World {
    /// Performs a call and returns its answer.
    pub(super) fn perform(&mut self, call: Call) -> Input {
        let now = self.now.instant;
        let reached = match self.faults.outage.at(now) {
            Some(()) => Err(unreachable()),
            None => Ok(()),
        };
        match call {
            Call::Credentials { key, pass } => {
                let missing = self.faults.secret.at(now).is_some();
                let read = reached.map_err(CredentialsError::ApiServer);
                let read = read.and_then(|()| {
                    if missing {
                        Err(no_secret())
                    } else {
                        Ok(self.read_secret())
                    }
                });
                Input::CredentialsRead(key, pass, read)
            }
            Call::List {
                key,
                pass,
                settings,
                ..
            } => {
                let listing = match self.faults.listing.at(now) {
                    Some(fault) => Err(fault.error()),
                    None => Ok(self.cloud.list(&settings, &key.name)),
                };
                Input::Listed(key, pass, listing)
            }
            Call::Show {
                key, pass, pools, ..
            } => Input::Confirmed(key, pass, self.show_pools(&pools)),
            Call::Check { key, uid } => {
                let exists = self.cluster.source(&uid).is_some_and(|s| !s.deleting);
                Input::Checked(key, uid, reached.map(|()| exists))
            }
            Call::Write(ticket, order) => {
                let forgotten =
                    self.mutant == Some(Mutant::DeletionsFail) && ticket.step == Step::Delete;
                let result = if forgotten {
                    Ok(Written::Deleted)
                } else {
                    reached.and_then(|()| self.write(&ticket, &order))
                };
                Input::Written(ticket, result)
            }
            Call::Report {
                key,
                uid,
                number,
                version,
                status,
            } => {
                let result = match (reached, self.faults.writes.at(now)) {
                    (Err(error), _) => Err(error),
                    (Ok(()), None | Some(WriteFault::AnswerLost)) => {
                        self.cluster.write_status(&key, &uid, version, *status)
                    }
                    (Ok(()), Some(fault)) => Err(fault.error()),
                };
                Input::Reported(key, uid, number, result)
            }
            Call::Publish => Input::Published,
        }
    }

    fn read_secret(&self) -> SourceIdentity {
        let (version, changed) = self.secret;
        SourceIdentity {
            identity: Identity::Fixed(Credentials::Token(version.to_string().into())),
            changed,
        }
    }

    fn show_pools(&self, pools: &[Arc<str>]) -> Confirmation {
        let now = self.now.instant;
        if let Some(fault) = self.faults.show.at(now) {
            return Confirmation {
                pools: Vec::new(),
                failure: Some(fault.error()),
            };
        }
        let unsaid = |id: &str| {
            let spell = cloud::number(id).and_then(|pool| self.faults.unsaid.get(&pool));
            spell.is_some_and(|spell| spell.at(now).is_some())
        };
        let answer = |id: &Arc<str>| {
            if unsaid(id) {
                PoolAnswer::Failed("not allowed".to_owned())
            } else {
                self.cloud.show(id)
            }
        };
        Confirmation {
            pools: pools.iter().map(|id| (id.clone(), answer(id))).collect(),
            failure: None,
        }
    }

    fn write(&mut self, ticket: &WriteTicket, order: &WriteOrder) -> Result<Written, WriteError> {
        let now = self.now.instant;
        let name = &*ticket.mirror.name;
        let refused = cloud::number(name).and_then(|pool| self.faults.refused.get(&pool));
        let fault = self.faults.writes.at(now);
        if let Some(fault) = fault.filter(|f| *f != WriteFault::AnswerLost) {
            return Err(fault.error());
        }
        if refused.is_some_and(|spell| spell.at(now).is_some()) && ticket.step != Step::Delete {
            return Err(WriteError::Refused("as the history says".to_owned()));
        }
        let version = self.cluster.api.version();
        let before = self.cluster.api.get(name).cloned();
        let result = self.cluster.api.write(ticket, order);
        if self.cluster.api.version() != version {
            self.laws.written(ticket, before.as_ref(), &self.cluster);
            self.cluster.tell(name);
        }
        match fault {
            Some(lost) => Err(lost.error()),
            None => result,
        }
    }
}

fn no_secret() -> CredentialsError {
    CredentialsError::Unusable {
        reason: FailureReason::SecretNotFound,
        message: "as the history says".to_owned(),
    }
}

/// One line of a history that is traced.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials { key, pass } => write!(f, "{key} reads credentials for pass {pass}"),
            Self::List { key, pass, .. } => write!(f, "{key} lists for pass {pass}"),
            Self::Show {
                key, pass, pools, ..
            } => write!(f, "{key} asks about {pools:?} in pass {pass}"),
            Self::Check { key, .. } => write!(f, "{key} is checked"),
            Self::Write(ticket, order) => {
                let said = order
                    .conditions
                    .iter()
                    .map(|c| format!("{} {}/{}", c.type_, c.status, c.reason));
                let said: Vec<_> = said.collect();
                write!(
                    f,
                    "{} writes {}: {:?} {said:?}",
                    ticket.source, ticket.mirror, ticket.step
                )
            }
            Self::Report { key, status, .. } => {
                let ready = status.condition("Ready").map(|c| &*c.reason);
                write!(f, "{key} reports {ready:?}")
            }
            Self::Publish => write!(f, "an event"),
        }
    }
}
