//! The main job, end to end: the pools of a project appear in the cluster, as the cloud shows them.

use serde_json::json;

use super::support::env::{Env, pool_condition};

const SAMPLE: &str = "auto-pool-os-86c13962597848eeb29c5861153a391f";

#[tokio::test]
async fn the_documented_pool_appears_whole() {
    let env = Env::new().await;
    env.add_source("team-a", json!({})).await;
    let controller = env.start_controller().await;
    let pool = env.mirrored(SAMPLE).await;
    assert_eq!(
        pool_condition(&pool, "Ready").map(|c| c.status.as_str()),
        Some("True")
    );
    controller.stop().await;
}
