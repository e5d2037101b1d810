//! Lists that show less than there is: new pools come late, failed ones go early.

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

/// A project that a pool is created in, after a minute.
const CREATION: &str = "
listDelay: 2m
pools:
  - pool: {metadata: {name: old}, status: {phase: Running}}
timeline:
  - at: 1m
    pool: new
    changes: [{create: {pool: {metadata: {name: new}, status: {phase: Creating}}}}]
  - {at: 90s, pool: new, changes: [{setPhase: {phase: Running}}]}
";

#[tokio::test]
async fn a_new_pool_is_shown_at_once_and_listed_later() {
    let rig = Rig::new(Scenario::parse(CREATION).unwrap()).await;
    let control = rig.simulator.control();
    let shown = async || rig.get(&format!("{}/new", pools()), &[]).await.status;
    assert_eq!(
        (shown().await, rig.list(&[]).await.ids()),
        (404, vec!["old"])
    );
    control.advance(MINUTE);
    assert_eq!(
        (shown().await, rig.list(&[]).await.ids()),
        (200, vec!["old"])
    );
    control.advance(Duration::from_millis(119_999));
    assert_eq!(rig.list(&[("status", "creating")]).await.ids().len(), 0);
    assert_eq!(
        (shown().await, rig.list(&[]).await.ids()),
        (200, vec!["old"])
    );
    control.advance(Duration::from_millis(1));
    assert_eq!(rig.list(&[]).await.ids(), ["new", "old"]);

    // What was listed stays so, whatever changes in it; what comes back under its id is new.
    let path = "/pools/old";
    let again = r#"{"metadata":{"name":"old"},"status":{"phase":"Running"}}"#;
    assert_eq!(rig.control("PUT", path, again).await.status, 204);
    assert_eq!(rig.list(&[]).await.ids(), ["new", "old"]);
    assert_eq!(rig.control("DELETE", path, "").await.status, 204);
    assert_eq!(rig.control("PUT", path, again).await.status, 204);
    assert_eq!(rig.list(&[]).await.ids(), ["new"]);
    assert_eq!(rig.control("POST", "/list-delay", "").await.status, 204);
    assert_eq!(rig.control("DELETE", path, "").await.status, 204);
    assert_eq!(rig.control("PUT", path, again).await.status, 204);
    assert_eq!(rig.list(&[]).await.ids(), ["new", "old"]);
}

#[tokio::test]
async fn a_failed_pool_leaves_the_list_at_once_and_the_cloud_after_three_days() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    let failed = Change::SetPhase {
        phase: Some("CreationFailed".into()),
        message: None,
    };
    control.change_pool(SAMPLE, &failed).unwrap();
    let found = async || {
        let shown = rig.get(&format!("{}/{SAMPLE}", pools()), &[]).await.status;
        let blank = rig.list(&[]).await.ids().len();
        (
            shown,
            blank,
            rig.list(&[("status", "failed")]).await.ids().len(),
        )
    };
    assert_eq!(found().await, (200, 0, 1));
    control.advance(71 * HOUR + 59 * MINUTE);
    assert_eq!(found().await, (200, 0, 1));
    control.advance(MINUTE);
    assert_eq!(found().await, (404, 0, 0));
}

#[tokio::test]
async fn how_long_failed_pools_are_kept_and_who_lists_them_can_be_chosen() {
    let text = "{keepFailed: 10s, blankListsFailed: true, pools: [{pool: {metadata: {name: a}, status: {phase: CreationFailed}}}]}";
    let rig = Rig::new(Scenario::parse(&format!("# In YAML.\n{text}")).unwrap()).await;
    assert_eq!(rig.list(&[]).await.ids(), ["a"]);
    assert_eq!(rig.list(&[("status", "failed")]).await.ids(), ["a"]);
    assert_eq!(rig.list(&[("status", "created")]).await.ids().len(), 0);
    // By the clock alone, without a command.
    rig.pass(SignedDuration::from_secs(10));
    assert_eq!(rig.list(&[]).await.ids().len(), 0);
}
