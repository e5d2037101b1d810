//! `plan`, run as people run it.

use serde_json::Value;

use super::env::Env;
use super::process::output;

/// What `plan` said.
pub struct Planned {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Planned {
    /// Holds it to its exit code and to words of its plan.
    pub fn says(&self, code: i32, words: &[&str]) {
        let Self {
            code: found,
            stdout,
            stderr,
        } = self;
        assert_eq!(*found, Some(code), "{stdout}{stderr}");
        for word in words {
            assert!(stdout.contains(word), "no {word:?} in {stdout}{stderr}");
        }
    }

    /// The plan that was printed with `-o json`.
    pub fn json(&self) -> Value {
        let plan = serde_json::from_str(&self.stdout);
        plan.unwrap_or_else(|e| panic!("{e}: {}{}", self.stdout, self.stderr))
    }
}

/// Runs `plan` as an administrator of the cluster, with the simulated cloud allowed.
pub async fn plan(env: &Env, arguments: &[&str]) -> Planned {
    let kubeconfig = env.cluster.kubeconfig().display().to_string();
    let allowed = format!("--allowed-endpoints={}", env.endpoint());
    let arguments = [&[&*allowed], arguments].concat();
    run(&arguments, &[("KUBECONFIG", &kubeconfig)]).await
}

/// Runs `plan` with these arguments and this environment alone. The cloud is played meanwhile.
pub async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Planned {
    let owned = |text: &&str| (*text).to_owned();
    let arguments: Vec<String> = arguments.iter().map(owned).collect();
    let variables: Vec<(String, String)> = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let ended = tokio::task::spawn_blocking(move || {
        let arguments = arguments.iter().map(String::as_str);
        let arguments: Vec<&str> = ["plan"].into_iter().chain(arguments).collect();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(n, v)| (&**n, &**v)).collect();
        output(&arguments, &variables)
    });
    let ended = ended.await.expect("an end");
    Planned {
        code: ended.status.code(),
        stdout: String::from_utf8(ended.stdout).expect("UTF-8"),
        stderr: String::from_utf8(ended.stderr).expect("UTF-8"),
    }
}
