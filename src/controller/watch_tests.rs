use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use kube::Client;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::*;

/// An API server that answers each request by `answer`, which is told what is asked for.
fn api(
    answer: impl Fn(&str) -> (StatusCode, Value) + Clone + Send + Sync + 'static,
) -> (Api<DynamicObject>, Asked) {
    api_of(move |what| {
        let (status, body) = answer(what);
        Some((status, format!("{body}\n").into()))
    })
}

/// The same with any body, or without an answer.
fn api_of(
    answer: impl Fn(&str) -> Option<(StatusCode, Body)> + Clone + Send + Sync + 'static,
) -> (Api<DynamicObject>, Asked) {
    let asked = Asked::default();
    let log = asked.clone();
    let service = tower::service_fn(move |request: axum::http::Request<kube::client::Body>| {
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
        let answer = answer(what);
        async move {
            let Some((status, body)) = answer else {
                return std::future::pending().await;
            };
            let response = axum::http::Response::builder().status(status).body(body);
            Ok::<_, Infallible>(response.expect("a response"))
        }
    });
    let client = client_for_a_watch(&Client::new(service, "ns"));
    (sources(&client, None), asked)
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
        assert!((8..=12).contains(&relisted), "{relisted} in a minute");
    }
}

/// The right to list is there and that to watch is not, until it is given back.
#[tokio::test(start_paused = true)]
async fn lists_whose_watches_fail_are_made_less_and_less_often() {
    let given_back = Instant::now() + Duration::from_mins(5);
    let (api, asked) = api_of(move |what| {
        let list = || (list().0, list().1.to_string().into());
        match what {
            "list" => Some(list()),
            _ if Instant::now() < given_back => {
                Some((StatusCode::FORBIDDEN, failure(403).to_string().into()))
            }
            _ => Some((StatusCode::OK, silent())),
        }
    });
    let mut events = watch(api);
    let (mut told, mut back) = (0, None);
    while back.is_none() {
        match events.next().await {
            Some(WatchEvent::Watching) if told > 1 => back = Some(Instant::now()),
            Some(WatchEvent::Failed(_)) => told += 1,
            _ => {}
        }
    }
    let lists = asked.take().iter().filter(|(_, w)| *w == "list").count();
    assert!((15..=22).contains(&lists), "{lists} lists in five minutes");
    let back = back.expect("it lives") - given_back;
    assert!(back <= MAX_RELIST_BACKOFF + SETTLED_AFTER, "{back:?}");
    assert!(back >= SETTLED_AFTER, "{back:?}");
}

/// An API server that lists, and whose watches are `watch`.
fn api_with_watches(
    watch: impl Fn() -> Body + Clone + Send + Sync + 'static,
) -> (Api<DynamicObject>, Asked) {
    api_of(move |what| {
        let body = if what == "list" {
            list().1.to_string().into()
        } else {
            watch()
        };
        Some((StatusCode::OK, body))
    })
}

/// The body of a watch that shows nothing and does not end.
fn silent() -> Body {
    Body::from_stream(futures::stream::pending::<io::Result<Vec<u8>>>())
}

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_begun_about_once_a_second() {
    let (api, asked) = api_with_watches(Body::empty);
    let events = a_minute_of(api).await;
    let asked = asked.take();
    let lists = asked.iter().filter(|(_, what)| *what == "list").count();
    assert_eq!(lists, 1, "it goes on where it was");
    assert!((55..=70).contains(&asked.len()), "{} requests", asked.len());
    assert!(
        matches!(
            events[..],
            [
                WatchEvent::Relisting,
                WatchEvent::Relisted,
                WatchEvent::Watching
            ]
        ),
        "{events:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_has_lasted_is_begun_again_at_once() {
    let (api, asked) = api_with_watches(|| {
        let end = Instant::now() + Duration::from_secs(WATCH_SECONDS.into());
        Body::from_stream(futures::stream::once(async move {
            tokio::time::sleep_until(end).await;
            io::Result::Ok(Vec::new())
        }))
    });
    a_minute_of(api).await;
    let asked = asked.take();
    let begun: Vec<u64> = asked
        .iter()
        .map(|(at, _)| (*at - asked[0].0).as_secs())
        .collect();
    assert_eq!(begun, [0, 0, 30, 60][..begun.len()], "{asked:?}");
    assert!(begun.len() >= 3, "{begun:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_shows_nothing_is_given_up_in_time() {
    let (api, asked) = api_with_watches(silent);
    a_minute_of(api).await;
    let asked = asked.take();
    let last = asked
        .iter()
        .map(|(at, _)| *at - asked[0].0)
        .collect::<Vec<_>>();
    let limit = Duration::from_secs(u64::from(WATCH_SECONDS) + 10);
    assert!(last.len() >= 3 && last[2] <= limit, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_never_answered_is_given_up_in_time_and_said() {
    for (silent, seconds, times) in [("list", 30, 2), ("watch", 10, 6)] {
        let (api, asked) =
            api_of(move |what| (what != silent).then(|| (list().0, list().1.to_string().into())));
        let events = a_minute_of(api).await;
        let told = events.iter().find_map(|e| match e {
            WatchEvent::Failed(error) => Some(error),
            _ => None,
        });
        let told = told.expect("it is said");
        assert!(
            told.contains(&format!("no answer within {seconds} s")),
            "{told}"
        );
        let silences = asked.take();
        let silences = silences.iter().filter(|(_, what)| *what == silent).count();
        assert_eq!(silences, times, "{silent}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_to_wait_is_obeyed() {
    for (asks, at_least) in [(7, 7), (3_600, 60)] {
        let mut refusal = failure(429);
        refusal["details"] = json!({"retryAfterSeconds": asks});
        let (api, asked) = api(move |_| (StatusCode::TOO_MANY_REQUESTS, refusal.clone()));
        let mut events = watch(api);
        for _ in 0..6 {
            events.next().await;
        }
        let asked = asked.take();
        assert_eq!(asked.len(), 3);
        for pair in asked.windows(2) {
            assert_eq!((pair[1].0 - pair[0].0).as_secs(), at_least, "{asks}");
        }
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

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_told_with_what_to_do() {
    for (code, words) in [
        (403, "no; check the ClusterRole"),
        (404, "no; the API server does not serve it: apply the CRDs"),
        (410, "no"),
    ] {
        let (api, _) = api(move |_| (StatusCode::from_u16(code).expect("a status"), failure(code)));
        let mut events = watch(api);
        events.next().await;
        let Some(WatchEvent::Failed(told)) = events.next().await else {
            panic!("{code}: no failure");
        };
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn only_the_first_slow_watch_in_a_row_is_told() {
    let mut pace = Pace::default();
    let mut now = Instant::now();
    let (mut waits, mut told) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let (at, is_slow) = pace.next(now);
        waits.push((at - now).as_millis());
        told.push(is_slow);
        now = at;
    }
    assert_eq!(waits, [0, 100, 200, 400, 800, 1000, 1000, 1000]);
    assert_eq!(told.iter().position(|t| *t), Some(5));
    assert_eq!(told.iter().filter(|t| **t).count(), 1);
    // One that has lasted begins anew.
    now += SETTLED_AFTER;
    assert_eq!(pace.next(now), (now, false));
}
