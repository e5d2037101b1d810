//! What the log says of passes at the default level: a line for each that changed something, none for a quiet one.

use modelarts_pool_controller::simulator::{Fault, Operation};
use serde_json::{Value, json};

use super::support::env::Env;
use super::support::process::Process;

/// The lines about passes so far.
fn passes(process: &Process) -> Vec<Value> {
    let log = process.log();
    // The last line may be half written.
    let whole = log.rfind('\n').map_or("", |end| &log[..end]);
    let lines = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}")));
    lines
        .filter(|line| {
            line["message"]
                .as_str()
                .is_some_and(|m| m.starts_with("pass "))
        })
        .collect()
}

#[tokio::test]
async fn a_pass_has_a_line_where_it_changed_something() {
    let env = Env::with_pools(3).await;
    env.add_source("team-a", json!({"interval": "24h"})).await;
    let more = ["--leader-elect=false", "--log-format=json"];
    let process = Process::over(&env, &env.cluster.kubeconfig(), &more);
    env.synced("team-a").await;
    for _ in 0..3 {
        env.refresh("team-a").await;
    }
    let id = env.cloud().pool_ids()[0].clone();
    let odd = json!({"status": {"phase": "Odd"}});
    env.cloud().patch_pool(&id, odd).expect("a pool");
    env.refresh("team-a").await;
    // With one that fails and one that recovers everything before has been said.
    let down = Fault::status(Operation::ListPools, 503);
    env.cloud().add_fault(down).expect("a fault");
    let asked = json!({"modelarts.huaweicloud.com/refresh-requested-at": "now"});
    env.patch_source("team-a", &json!({"metadata": {"annotations": asked}}))
        .await;
    process.logged("pass failed").await;
    env.cloud().clear_faults();
    env.refresh("team-a").await;
    process.logged("pass succeeded again").await;

    let lines = passes(&process);
    let said: Vec<_> = lines
        .iter()
        .map(|l| ["created", "updated", "statuses", "deleted"].map(|n| l[n].as_u64()))
        .collect();
    let written = |created, statuses| [Some(created), Some(0), Some(statuses), Some(0)];
    let expected = [written(3, 3), written(0, 1), [None; 4], written(0, 0)];
    assert_eq!(said, expected, "{lines:#?}");
    for line in &lines {
        assert_eq!(
            line["source"],
            format!("{}/team-a", env.namespace),
            "{line}"
        );
        let id = line["request_id"].as_str().unwrap_or_default();
        assert_eq!(id.len(), 32, "{line}");
    }
    assert_eq!(lines[2]["level"], "WARN");
    assert_eq!(lines[0]["pools"], 3);
}
