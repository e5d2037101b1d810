//! `simulate`: plays a ModelArts API on this machine, so that the controller can be tried without an account.
//!
//! Owns the flags and what is printed; the simulator itself is `crate::simulator`.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::PathBuf,
};

use clap::Args;

use crate::runtime::shutdown;
use crate::simulator::{
    AccessKey, Clock, Credentials, Generate, Options, Scenario, ScenarioError, Simulator,
    StartError, User, serve,
};

/// Plays a simulated ModelArts API, to try the controller without a Huawei Cloud account.
///
/// Without further flags it plays a small world of resource pools, some of which are created, scale, fall ill and
/// recover while you watch. It checks signatures as the real API does, plays those who issue credentials (IAM, an
/// ECS's metadata service, CCE's pod identity agent), and prints what to apply to your cluster to mirror it. It ends with Ctrl-C and keeps nothing. docs/simulator.md is its guide.
#[derive(Args, Clone)]
pub struct SimulateArgs {
    /// Address to listen on. Port 0 takes a free one. Only peers on this machine may use the control endpoint
    /// under /control, whatever the address.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8088"
    )]
    pub listen: SocketAddr,

    /// Scenario to play, YAML or JSON: the pools, and what happens to them. See --print-scenario for an example.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_SCENARIO",
        value_name = "FILE",
        conflicts_with = "pools"
    )]
    pub scenario: Option<PathBuf>,

    /// Plays so many made-up pools that do not change, instead of the small world; for trials of size.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_POOLS",
        value_name = "NUMBER"
    )]
    pub pools: Option<usize>,

    /// Project id to answer for, instead of the scenario's; every other one is refused.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_PROJECT_ID",
        value_name = "ID"
    )]
    pub project_id: Option<String>,

    /// Access key to accept instead of the scenario's credentials. Made-up ones will do: never use real ones here.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_ACCESS_KEY",
        value_name = "KEY",
        requires = "secret_key"
    )]
    pub access_key: Option<String>,

    /// Secret key that belongs to --access-key.
    #[arg(
        long,
        env = "MODELARTS_POOL_CONTROLLER_SIMULATE_SECRET_KEY",
        value_name = "KEY",
        requires = "access_key",
        hide_env_values = true
    )]
    pub secret_key: Option<String>,

    /// Prints the small world as a commented scenario file to start your own from, and exits.
    #[arg(long, env = "MODELARTS_POOL_CONTROLLER_SIMULATE_PRINT_SCENARIO")]
    pub print_scenario: bool,
}

/// Why `simulate` ended early.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The scenario file is no good.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The server does not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The end can't be waited for.
    #[error("cannot wait for signals: {0}")]
    Signals(io::Error),
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
}

impl SimulateArgs {
    /// Plays until Ctrl-C or SIGTERM.
    pub async fn run(self) -> Result<(), SimulateError> {
        if self.print_scenario {
            io::stdout().write_all(Scenario::default_world_text().as_bytes())?;
            return Ok(());
        }
        let scenario = self.scenario()?;
        let introduction = Introduction::of(&scenario);
        let options = Options {
            scenario,
            listen: self.listen,
            clock: Clock::system(),
        };
        let (stop, signals) = shutdown::on_signals().map_err(SimulateError::Signals)?;
        let mut printed = Ok(());
        serve(
            options,
            |simulator| printed = introduction.print(simulator),
            async {
                tokio::select! {
                    () = stop.wait() => {}
                    () = signals => {}
                }
            },
        )
        .await?;
        Ok(printed?)
    }

    /// The scenario that the flags describe.
    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario = match (&self.scenario, self.pools) {
            (Some(file), _) => Scenario::read(file)?,
            (None, Some(count)) => Scenario {
                generate: vec![Generate::pools(count)],
                ..Scenario::default()
            },
            (None, None) => Scenario::default_world()?,
        };
        if self.project_id.is_some() {
            scenario.project_id.clone_from(&self.project_id);
        }
        if let (Some(access_key), Some(secret_key)) = (&self.access_key, &self.secret_key) {
            let key = AccessKey {
                access_key: access_key.clone(),
                secret_key: secret_key.clone(),
                security_token: None,
            };
            scenario.credentials = Some(Credentials {
                access_keys: vec![key],
                ..Credentials::default()
            });
        }
        Ok(scenario)
    }
}

/// What a person must know to point the controller here.
struct Introduction {
    project_id: String,
    credentials: Credentials,
}

impl Introduction {
    fn of(scenario: &Scenario) -> Self {
        Self {
            project_id: scenario.project_id().to_owned(),
            credentials: scenario.credentials(),
        }
    }

    fn print(&self, simulator: &Simulator) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(self.text(&simulator.url()).as_bytes())?;
        out.flush()
    }

    fn text(&self, url: &str) -> String {
        let project_id = &self.project_id;
        let Offer {
            kind,
            shown,
            credentials_type,
            data,
        } = self.offer();
        let user = self.credentials.users.first();
        let user = user.map_or_else(String::new, |user| {
            let User {
                domain_name,
                username,
                password,
            } = user;
            format!("  IAM user     {username} of account {domain_name}, password {password}\n")
        });
        // Only a password needs to know where IAM is.
        let iam = if credentials_type == "Password" {
            format!("    iamEndpoint: {url}\n")
        } else {
            String::new()
        };
        format!(
            r#"The simulated ModelArts API runs.

  endpoint     {url}
  project id   {project_id}
  {kind:<13}{shown}
{user}
To mirror its pools, run the controller, in another terminal:

  modelarts-pool-controller crds --apply
  modelarts-pool-controller run --allowed-endpoints {url}

and apply:

  kubectl apply -f - <<EOF
  apiVersion: v1
  kind: Secret
  metadata:
    name: simulated-modelarts
  type: modelarts.huaweicloud.com/credentials
  stringData:
{data}  ---
  apiVersion: modelarts.huaweicloud.com/v1alpha1
  kind: ModelArtsPoolSource
  metadata:
    name: simulated
  spec:
    endpoint: {url}
{iam}    projectId: "{project_id}"
    interval: 5s
    credentials:
      type: {credentials_type}
      secretRef:
        name: simulated-modelarts
  EOF
  kubectl get modelartspools --watch

What it was asked: curl {url}/control/requests
Ctrl-C ends it.
"#
        )
    }

    /// The first credentials of a scenario, in the form that needs least. This file may show them: they open a
    /// simulated door.
    fn offer(&self) -> Offer<'_> {
        let Credentials {
            access_keys,
            tokens,
            users,
            ..
        } = &self.credentials;
        if let Some(key) = access_keys.first() {
            let token = key.security_token.as_ref();
            let token = token.map(|token| ("securityToken", &**token));
            let pairs = [
                ("accessKey", &*key.access_key),
                ("secretKey", &*key.secret_key),
            ];
            return Offer {
                kind: "access key",
                shown: &key.access_key,
                credentials_type: "AccessKey",
                data: lines(pairs.into_iter().chain(token)),
            };
        }
        if let Some(token) = tokens.first() {
            return Offer {
                kind: "token",
                shown: token,
                credentials_type: "Token",
                data: lines([("token", &**token)]),
            };
        }
        if let Some(user) = users.first() {
            return Offer {
                kind: "user",
                shown: &user.username,
                credentials_type: "Password",
                data: lines([
                    ("domainName", &*user.domain_name),
                    ("username", &*user.username),
                    ("password", &*user.password),
                ]),
            };
        }
        Offer {
            kind: "access key",
            shown: "none",
            credentials_type: "AccessKey",
            data: "    # the scenario accepts no credentials\n".to_owned(),
        }
    }
}

/// Credentials as a person needs them.
struct Offer<'a> {
    kind: &'static str,
    shown: &'a str,
    credentials_type: &'static str,
    /// The lines of a Secret.
    data: String,
}

/// The lines of a Secret with these keys and values.
fn lines<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    pairs
        .into_iter()
        .fold(String::new(), |lines, (key, value)| {
            format!("{lines}    {key}: \"{value}\"\n")
        })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::simulator::{DEFAULT_ACCESS_KEY, DEFAULT_PROJECT_ID, DEFAULT_USER};

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        args: SimulateArgs,
    }

    fn parse(arguments: &[&str]) -> SimulateArgs {
        Command::try_parse_from([&["simulate"], arguments].concat())
            .unwrap()
            .args
    }

    #[test]
    fn flags_that_need_or_exclude_each_other() {
        assert!(Command::try_parse_from(["simulate", "--access-key", "a"]).is_err());
        assert!(Command::try_parse_from(["simulate", "--pools", "1", "--scenario", "f"]).is_err());
    }

    #[test]
    fn flags_shape_the_scenario() {
        let scenario = parse(&[
            "--pools",
            "7",
            "--project-id",
            "p",
            "--access-key",
            "a",
            "--secret-key",
            "s",
        ])
        .scenario()
        .unwrap();
        assert_eq!(
            (scenario.generate[0].count, scenario.project_id()),
            (7, "p")
        );
        assert_eq!(scenario.credentials().access_keys[0].access_key, "a");
        assert!(parse(&[]).scenario().unwrap().pools.len() > 5);
        let missing = parse(&["--scenario", "/nowhere.yaml"])
            .scenario()
            .unwrap_err();
        assert!(missing.to_string().contains("/nowhere.yaml"));
    }

    #[test]
    fn the_introduction_can_be_pasted() {
        let user = Credentials {
            access_keys: Vec::new(),
            ..Credentials::documented()
        };
        let token = Credentials {
            tokens: vec!["t".to_owned()],
            ..Credentials::default()
        };
        for (credentials, type_, key, value) in [
            (None, "AccessKey", "accessKey", DEFAULT_ACCESS_KEY),
            (Some(user), "Password", "password", DEFAULT_USER[2]),
            (Some(token), "Token", "token", "t"),
        ] {
            let scenario = Scenario {
                credentials,
                ..Scenario::default()
            };
            let url = "http://127.0.0.1:8088";
            let text = Introduction::of(&scenario).text(url);
            let yaml: String = text
                .lines()
                .skip_while(|line| !line.contains("<<EOF"))
                .skip(1)
                .take_while(|line| !line.contains("EOF"))
                .map(|line| line.strip_prefix("  ").unwrap().to_owned() + "\n")
                .collect();
            let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&yaml).unwrap();
            assert_eq!(documents[0]["stringData"][key], value);
            let spec = &documents[1]["spec"];
            assert_eq!(spec["credentials"]["type"], type_);
            assert_eq!(
                spec["credentials"]["secretRef"]["name"],
                documents[0]["metadata"]["name"]
            );
            assert_eq!(spec["projectId"], DEFAULT_PROJECT_ID);
            let iam = (type_ == "Password").then_some(url);
            assert_eq!(spec["iamEndpoint"].as_str(), iam);
        }
    }
}
