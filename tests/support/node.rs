//! A node as far as Helm's hooks need one: it runs the program as their pods would, with the arguments and
//! under the service account of each, and says how it ended.

use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use super::chart::{account_of, kubectl};
use super::cluster::Cluster;
use super::process::output;

/// Set when dropped, also where a test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` while Jobs and pods of the namespace are run, with `variables` added to what they are given.
pub fn while_it_runs<T>(
    cluster: &Cluster,
    namespace: &str,
    variables: &[(&str, &str)],
    work: impl FnOnce() -> T,
) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                run_once(cluster, namespace, variables);
            }
        });
        work()
    })
}

/// Runs what has not been run yet. Each look is a request to the API server.
fn run_once(cluster: &Cluster, namespace: &str, variables: &[(&str, &str)]) {
    let Ok(list) = kubectl(cluster, namespace, &["get", "jobs,pods", "-o=json"]) else {
        return;
    };
    let list: Value = serde_json::from_str(&list).expect("JSON");
    for object in list["items"].as_array().expect("a list") {
        let is_job = object["kind"] == "Job";
        let status = &object["status"];
        let ended = ["Succeeded", "Failed"]
            .iter()
            .any(|p| status["phase"] == *p);
        if ended || status["conditions"].is_array() && is_job {
            continue;
        }
        let pod = if is_job {
            &object["spec"]["template"]["spec"]
        } else {
            &object["spec"]
        };
        let ended = run_pod(cluster, namespace, pod, variables);
        let status = status_of(is_job, ended.status.success());
        let name = object["metadata"]["name"].as_str().expect("a name");
        let object = format!("{}/{name}", if is_job { "job" } else { "pod" });
        let patch = json!({ "status": status }).to_string();
        let patch = [
            "patch",
            &object,
            "--subresource=status",
            "--type=merge",
            "--patch",
            &patch,
        ];
        kubectl(cluster, namespace, &patch).expect("a status");
    }
}

/// Runs what the spec of a pod says, under its service account, with these variables.
pub fn run_pod(
    cluster: &Cluster,
    namespace: &str,
    pod: &Value,
    variables: &[(&str, &str)],
) -> Output {
    let account = pod["serviceAccountName"].as_str().expect("an account");
    let kubeconfig = account_of(cluster, namespace, account);
    let kubeconfig = kubeconfig.to_str().expect("UTF-8");
    let arguments = &pod["containers"][0]["args"];
    let arguments: Vec<String> = serde_json::from_value(arguments.clone()).expect("arguments");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let variables = [&[("KUBECONFIG", kubeconfig)], variables].concat();
    output(&arguments, &variables)
}

fn status_of(is_job: bool, succeeded: bool) -> Value {
    if !is_job {
        return json!({"phase": if succeeded { "Succeeded" } else { "Failed" }});
    }
    let now = jiff::Timestamp::now().round(jiff::Unit::Second);
    let now = now.expect("a time").to_string();
    let condition = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now, "lastProbeTime": now});
    if succeeded {
        json!({
            "startTime": now, "completionTime": now, "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
        })
    } else {
        json!({"startTime": now, "failed": 1, "conditions": [condition("FailureTarget"), condition("Failed")]})
    }
}
