//! Faults, holds, and requests that never end.

use super::*;

#[tokio::test]
async fn faults_as_often_as_they_say_then_the_truth() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    let throttle = Fault {
        retry_after: Some("7".into()),
        ..Fault::preset(Operation::ListPools, Preset::Throttle)
    };
    control.add_fault(throttle.times(1)).unwrap();
    control
        .add_fault(Fault {
            matching: Match {
                status: Some("failed".into()),
                ..Match::default()
            },
            ..Fault::status(Operation::ListPools, 503)
        })
        .unwrap();
    let throttled = rig.list(&[]).await;
    assert_eq!(
        (
            throttled.error().0,
            throttled.error().1,
            &throttled.headers["retry-after"]
        ),
        (429, "APIGW.0308", &"7".parse().unwrap())
    );
    assert_eq!(rig.list(&[]).await.status, 200);
    assert_eq!(
        rig.list(&[("status", "failed")]).await.error().1,
        "APIGW.0613"
    );
    assert!(control.add_fault(Fault::default()).is_err());
    control.clear_faults();
    assert_eq!(rig.list(&[("status", "failed")]).await.status, 200);
}

#[tokio::test]
async fn every_preset_over_the_wire() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    let list = async |preset| {
        control.clear_faults();
        control
            .add_fault(Fault::preset(Operation::ListPools, preset))
            .unwrap();
        rig.list(&[]).await
    };
    let truncated = list(Preset::Truncated).await;
    assert!(
        truncated.status == 200
            && truncated
                .body
                .as_str()
                .unwrap()
                .starts_with(r#"{"kind":"PoolList""#)
    );
    assert_eq!(list(Preset::EmptyObject).await.body, json!({}));
    assert_eq!(list(Preset::ItemsNull).await.body["items"], Value::Null);
    assert_eq!(list(Preset::ErrorWith200).await.error().0, 200);
    assert_eq!(list(Preset::WrongKind).await.body["kind"], "NodeList");
    assert_eq!(
        list(Preset::ItemWithoutId).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        list(Preset::RemainingWithoutContinue).await.body["metadata"],
        json!({"remainingItemCount": 5})
    );
    assert_eq!(
        list(Preset::RepeatedContinue).await.body["metadata"]["continue"],
        "after=the-same"
    );
    let redirect = list(Preset::Redirect).await;
    assert_eq!(
        (redirect.status, &redirect.headers["location"]),
        (302, &"/v2/elsewhere/pools".parse().unwrap())
    );
    control.clear_faults();
    control
        .add_fault(Fault {
            slow: Some(1),
            ..Fault::default()
        })
        .unwrap();
    assert_eq!(rig.list(&[]).await.ids(), [SAMPLE]);

    control.clear_faults();
    control
        .add_fault(Fault::preset(Operation::ListPools, Preset::Close))
        .unwrap();
    let response = rig.request("GET", &pools(), &[]).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "the body is cut");
}

#[tokio::test]
async fn a_hanging_request_is_seen_and_ends_with_its_client() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    control
        .add_fault(Fault::preset(Operation::ListPools, Preset::Hang))
        .unwrap();
    let request = tokio::spawn(rig.request("GET", &pools(), &[]).send());
    control.wait_for(|requests| requests.in_flight == 1).await;
    request.abort();
    let requests = control.wait_for(|requests| requests.in_flight == 0).await;
    assert_eq!((requests.last[0].status, requests.statuses.len()), (0, 0));
}

#[tokio::test]
async fn a_stop_ends_what_hangs() {
    let rig = Rig::sample().await;
    rig.simulator
        .control()
        .add_fault(Fault::preset(Operation::ListPools, Preset::Hang))
        .unwrap();
    let request = tokio::spawn(rig.request("GET", &pools(), &[]).send());
    rig.simulator
        .control()
        .wait_for(|requests| requests.in_flight == 1)
        .await;
    let url = rig.simulator.url();
    rig.simulator.shutdown().await;
    assert_eq!(request.await.unwrap().unwrap().status(), 503);
    assert!(rig.client.get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_held_listing_answers_with_what_is_true_when_released() {
    let rig = Rig::sample().await;
    let control = rig.simulator.control();
    let second = Match {
        status: Some("failed".into()),
        ..Match::default()
    };
    control.hold(Selection {
        matching: second,
        ..Selection::of(Operation::ListPools)
    });
    assert_eq!(
        rig.list(&[]).await.ids(),
        [SAMPLE],
        "the first request of the pass is not meant"
    );
    let held = tokio::spawn(rig.request("GET", &pools(), &[("status", "failed")]).send());
    control.wait_for(|requests| requests.held == 1).await;
    control
        .change_pool(
            SAMPLE,
            &Change::SetPhase {
                phase: Some("CreationFailed".into()),
                message: None,
            },
        )
        .unwrap();
    control.release();
    assert_eq!(
        Reply::of(held.await.unwrap().unwrap()).await.ids(),
        [SAMPLE]
    );
    assert_eq!(
        (control.requests().held, rig.list(&[]).await.ids().len()),
        (0, 0)
    );
}
