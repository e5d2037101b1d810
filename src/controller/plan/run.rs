//! One feeding of the machine: what it asks for is answered, what it orders is written down.

use std::sync::Arc;

use serde_json::Value;

use super::dry_run::{DryRun, observed};
use super::view::{self, Views};
use super::{
    AmbientNamespaces, Change, CredentialsFrom, Known, Operation, Plan, PlanRequest, Pools, known,
};
use crate::api::CredentialsType;
use crate::api_server::WriteError;
use crate::controller::events::Event;
use crate::controller::fetch::{self, Listing};
use crate::controller::identity::{ambient_identity, credentials_of, read_credentials};
use crate::controller::key::Key;
use crate::controller::machine::{
    Action, Confirmation, CredentialsError, Input, Limits, Machine, Notice, Now, SourceIdentity,
};
use crate::controller::report::PassResult;
use crate::controller::source::{Settings, Source};
use crate::mirror::PoolShape;
use crate::modelarts::{self, Cloud, Credentials, Identity, InvalidItem, Pool, PoolSink};

/// One feeding of the machine.
pub(super) struct Run {
    machine: Machine,
    now: Now,
    key: Key,
    known: Known,
    credentials: CredentialsFrom,
    ambient: AmbientNamespaces,
    pools: Pools,
    pub(super) api: DryRun,
    shape: Arc<PoolShape>,
    source: Source,
    result: Option<PassResult>,
    events: Vec<Event>,
    unasked: Vec<String>,
}

impl Run {
    pub(super) fn new(request: PlanRequest) -> Self {
        let PlanRequest {
            known,
            credentials,
            ambient,
            pools,
            now,
        } = request;
        // Nothing is under way but this: what is not answered must not be waited for.
        let limits = Limits {
            passes: usize::MAX,
            writes: usize::MAX,
        };
        let key = known.source.key.clone();
        let api = DryRun::new(&key.namespace, &known.mirrors);
        let mut run = Self {
            machine: Machine::new(limits, 0),
            now,
            source: known.source.clone(),
            key,
            known,
            credentials,
            ambient,
            pools,
            api,
            shape: Arc::new(PoolShape::of_the_crd()),
            result: None,
            events: Vec::new(),
            unasked: Vec::new(),
        };
        run.feed();
        run
    }

    /// Shows the machine what there is.
    fn feed(&mut self) {
        for other in std::mem::take(&mut self.known.others) {
            // That it exists is all that counts; one that is being deleted has no passes.
            let deleting = true;
            let other = Source { deleting, ..other };
            self.tell(Input::SourceSeen(Box::new(other)));
        }
        self.tell(Input::SourceSeen(Box::new(self.source.clone())));
        let seen: Vec<_> = self
            .known
            .mirrors
            .iter()
            .filter_map(|(name, mirror)| {
                Some((self.key.sibling(name), Box::new(observed(mirror)?)))
            })
            .collect();
        for (mirror, observed) in seen {
            self.tell(Input::MirrorSeen(mirror, observed));
        }
        self.tell(Input::Synced);
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(input, self.now);
    }

    /// Answers what the machine asks for until it asks no more. Time stands still meanwhile.
    pub(super) async fn drive(&mut self) -> Result<(), String> {
        while let Some(action) = self.machine.next_action(self.now) {
            self.perform(action).await?;
        }
        self.note();
        Ok(())
    }

    fn note(&mut self) {
        for notice in self.machine.take_notices() {
            if let Notice::PassEnded { source, report, .. } = notice
                && source == self.key
            {
                self.result = Some(report.result);
            }
        }
    }

    async fn perform(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::ReadCredentials {
                key,
                pass,
                type_,
                secret,
                project,
            } => {
                let found = self.identity(&key, type_, &secret, &project).await?;
                self.tell(Input::CredentialsRead(key, pass, found));
            }
            Action::List {
                key,
                pass,
                settings,
                identity,
                ..
            } => {
                let result = match &self.pools {
                    Pools::Cloud(cloud) => {
                        let (cloud, shape) = (cloud.clone(), self.shape.clone());
                        fetch::list(cloud, key.clone(), *settings, identity, vec![], shape).await
                    }
                    Pools::Saved(body) => Ok(self.saved(body, &settings)?),
                };
                self.tell(Input::Listed(key, pass, result));
            }
            Action::Check { key, uid } => self.tell(Input::Checked(key, uid, Ok(true))),
            Action::Write(ticket, order) => {
                let answer = self.api.write(&ticket, &order);
                let answer = answer
                    .map_err(|e| format!("failed to plan {}: {e}; this is a bug", ticket.mirror))?;
                self.tell(Input::Written(ticket, Ok(answer)));
            }
            Action::Report {
                key,
                uid,
                number,
                status,
                ..
            } => {
                self.source.status = *status;
                self.source.resource_version += 1;
                self.tell(Input::SourceSeen(Box::new(self.source.clone())));
                self.tell(Input::Reported(key, uid, number, Ok(())));
            }
            Action::Confirm {
                key,
                pass,
                settings,
                identity,
                pools,
            } => {
                let answers = match &self.pools {
                    Pools::Cloud(cloud) => {
                        fetch::confirm(cloud.clone(), *settings, identity, pools).await
                    }
                    // A file answers nothing: what the cloud would be asked is said instead.
                    Pools::Saved(_) => {
                        self.unasked.extend(pools.iter().map(ToString::to_string));
                        Confirmation::default()
                    }
                };
                self.tell(Input::Confirmed(key, pass, answers));
            }
            Action::Publish(event) => {
                self.events.push(*event);
                self.tell(Input::Published);
            }
            Action::GiveUp { .. } => {}
        }
        Ok(())
    }

    /// Who the source is to the cloud.
    async fn identity(
        &self,
        key: &Key,
        type_: CredentialsType,
        secret: &str,
        project: &str,
    ) -> Result<Result<SourceIdentity, CredentialsError>, String> {
        let own = match type_ {
            CredentialsType::AccessKey | CredentialsType::Token | CredentialsType::Password => None,
            CredentialsType::Agency => Some(Identity::Agency),
            CredentialsType::PodIdentity => Some(Identity::PodIdentity),
        };
        Ok(match (&self.pools, &self.credentials) {
            (Pools::Saved(_), _) => Ok(none(self.now)),
            (_, CredentialsFrom::File(secret, shown)) => {
                credentials_of(*secret.clone(), type_, shown)
            }
            (_, CredentialsFrom::Cluster(_) | CredentialsFrom::Nowhere) if let Some(own) = own => {
                ambient_identity(&self.ambient, own, key, project)
            }
            (_, CredentialsFrom::Cluster(client)) => {
                let namespace = &key.namespace;
                match read_credentials(client.clone(), namespace, type_, secret).await {
                    // Not the controller's rights: those of who asks.
                    Err(CredentialsError::ApiServer(WriteError::Forbidden(message))) => {
                        return Err(format!(
                            "your user of the cluster may not get the Secret {namespace}/{secret}: {message}; get that right, or give it with --secret-file"
                        ));
                    }
                    read => read,
                }
            }
            (_, CredentialsFrom::Nowhere) => {
                return Err("--offline asks no cluster for the credentials: give them with --secret-file, or a saved listing with --from-file".to_owned());
            }
        })
    }

    /// The pools as the cloud sends them.
    pub(super) async fn listing(mut self) -> Result<Vec<String>, String> {
        while let Some(action) = self.machine.next_action(self.now) {
            match action {
                Action::List {
                    settings, identity, ..
                } if let Pools::Cloud(cloud) = self.pools => {
                    return texts(&cloud, &settings, &identity).await;
                }
                other => self.perform(other).await?,
            }
        }
        Err(self.failure())
    }

    fn saved(&self, body: &[u8], settings: &Settings) -> Result<Listing, String> {
        let workspaces = &settings.selection.workspaces;
        let mut collector = fetch::Collector::new(&self.key.name, self.shape.clone());
        modelarts::read_saved(body, |item| {
            collector.pool(&known::workspace_of(item, workspaces), item)
        })?;
        Ok(collector.end())
    }

    /// Why there is no listing.
    fn failure(&mut self) -> String {
        self.note();
        match (&self.result, self.no_pass()) {
            (Some(PassResult::Failed(failure)), _) => {
                format!("the pass would fail: {}: {}", failure.reason, failure.message)
            }
            (_, Some(why)) => format!("no pass would be made: {why}"),
            _ => {
                "no pass would begin now, as where the cloud has rejected the key a moment ago; the source's condition Ready says why".to_owned()
            }
        }
    }

    /// Why the source needs no pass.
    fn no_pass(&self) -> Option<&'static str> {
        if self.source.deleting {
            return Some("the source is being deleted");
        }
        let settings = self.source.settings.as_ref();
        settings
            .is_ok_and(|s| s.suspend)
            .then_some("spec.suspend is true")
    }

    pub(super) fn plan(mut self) -> Result<Plan, String> {
        let no_pass = self.no_pass();
        let skipped = match &self.result {
            Some(PassResult::Succeeded { skipped, .. }) => skipped.clone(),
            _ if no_pass.is_some() => Vec::new(),
            _ => return Err(self.failure()),
        };
        let mut skipped = skipped;
        skipped.sort_by(|a, b| a.id.cmp(&b.id));
        self.unasked.sort();
        // Of one object, in the order in which things happen.
        self.events.sort_by(|a, b| a.object.cmp(&b.object));
        let written = self.api.written();
        let changes: Vec<Change> = written
            .iter()
            .filter_map(|name| self.change(name))
            .collect();
        let is_ours = |mirror: &Value| view::controller(mirror) == Some(&*self.source.uid);
        let ours = self.known.mirrors.iter();
        let unchanged = ours.filter(|(name, mirror)| !written.contains(*name) && is_ours(mirror));
        Ok(Plan {
            unchanged: unchanged.count(),
            changes,
            status_before: self.known.source.status,
            status: self.source.status,
            skipped,
            events: self.events,
            unasked: self.unasked,
            no_pass,
            source: self.key,
        })
    }

    fn change(&self, name: &Arc<str>) -> Option<Change> {
        let Views { before, after } = view::of(self.known.mirrors.get(name), self.api.get(name));
        let operation = match (&before, &after) {
            (None, None) => return None,
            (None, Some(_)) => Operation::Create,
            (Some(_), Some(_)) => Operation::Update,
            (Some(_), None) => Operation::Delete,
        };
        Some(Change {
            operation,
            mirror: self.key.sibling(name),
            before,
            after,
        })
    }
}

/// Stands for credentials where none are used. Changed just now: an old rejection means others.
fn none(now: Now) -> SourceIdentity {
    SourceIdentity {
        identity: Identity::Fixed(Credentials::Token("none".into())),
        changed: Some(now.wall),
    }
}

async fn texts(
    cloud: &Cloud,
    settings: &Settings,
    identity: &Identity,
) -> Result<Vec<String>, String> {
    let client = fetch::client(cloud, settings, identity).map_err(|e| e.to_string())?;
    let listed = modelarts::list(&client, &settings.selection, Texts::default()).await;
    listed.map(|texts| texts.0).map_err(|e| e.to_string())
}

/// Keeps the pools as they were sent.
#[derive(Default)]
pub struct Texts(pub Vec<String>);

impl PoolSink for Texts {
    fn pool(&mut self, _: &str, json: &str) -> Result<(), InvalidItem> {
        // What a pass refuses is refused here too.
        Pool::parse(json)?;
        self.0.push(json.to_owned());
        Ok(())
    }
}
