use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube::Client;
use kube::client::Body;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;

/// An API server that answers each request by `answer`, which is told what is asked for.
fn api(
    answer: impl Fn(&str) -> (StatusCode, Value) + Clone + Send + Sync + 'static,
) -> (Api<DynamicObject>, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let service = tower::service_fn(move |request: axum::http::Request<Body>| {
        let what = if request
            .uri()
            .query()
            .is_some_and(|q| q.contains("watch=true"))
        {
            "watch"
        } else {
            "list"
        };
        log.0.lock().expect("no panic").push((Instant::now(), what));
        let (status, body) = answer(what);
        async move {
            let mut body = body.to_string();
            body.push('\n');
            let response = axum::http::Response::builder()
                .status(status)
                .body(Body::from(body.into_bytes()));
            Ok::<_, Infallible>(response.expect("a response"))
        }
    });
    (sources(&Client::new(service, "ns"), None), asked)
}

#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<(Instant, &'static str)>>>);

impl Asked {
    fn take(&self) -> Vec<(Instant, &'static str)> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

fn list() -> (StatusCode, Value) {
    (
        StatusCode::OK,
        json!({"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSourceList",
        "metadata": {"resourceVersion": "5"}, "items": []}),
    )
}

fn failure(code: u16) -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": "Expired"})
}

/// Events of `api` for a minute of virtual time.
async fn a_minute_of(api: Api<DynamicObject>) -> Vec<WatchEvent> {
    let end = Instant::now() + Duration::from_mins(1);
    let mut events = Vec::new();
    let mut stream = watch(api);
    while let Ok(Some(event)) = tokio::time::timeout_at(end, stream.next()).await {
        events.push(event);
        assert!(events.len() < 1000, "it spins: {:?}", &events[..20]);
    }
    events
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_is_begun_anew_with_a_list() {
    // As an event of a watch that began, and as the answer to its begin.
    for begins in [true, false] {
        let (api, asked) = api(move |what| match what {
            "list" => list(),
            _ if begins => (
                StatusCode::OK,
                json!({"type": "ERROR", "object": failure(410)}),
            ),
            _ => (StatusCode::GONE, failure(410)),
        });
        let events = a_minute_of(api).await;
        let asked = asked.take();
        let what: Vec<_> = asked.iter().map(|(_, what)| *what).take(4).collect();
        assert_eq!(what, ["list", "watch", "list", "watch"], "begins: {begins}");
        let wait = asked[2].0 - asked[1].0;
        assert!(wait <= Duration::from_millis(200), "{wait:?}");
        let relisted = events.iter().filter(|e| matches!(e, WatchEvent::Relisted));
        let relisted = relisted.count();
        assert!((55..=70).contains(&relisted), "{relisted} in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_fails_is_tried_again_about_once_a_second() {
    for status in [
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::TOO_MANY_REQUESTS,
    ] {
        let (api, asked) = api(move |_| (status, failure(status.as_u16())));
        let events = a_minute_of(api).await;
        let asked = asked.take();
        assert!(
            (55..=70).contains(&asked.len()),
            "{status}: {} requests in a minute",
            asked.len()
        );
        let longest = asked.windows(2).map(|w| w[1].0 - w[0].0).max();
        assert!(
            longest <= Some(Duration::from_secs(1)),
            "{status}: {longest:?}"
        );
        assert!(
            events
                .iter()
                .all(|e| matches!(e, WatchEvent::Failed(_) | WatchEvent::Relisting)),
            "{events:?}"
        );
    }
}
