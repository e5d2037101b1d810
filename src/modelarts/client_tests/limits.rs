//! What bounds a request: time, size, and the patience of the one who asked.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use super::super::super::answer::MAX_HELD;
use super::super::super::listing::MAX_PAGES;
use super::loopback::{Loopback, Script, head};
use super::*;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_mins(1);
const LIMIT: u64 = 64 * 1024;

fn limited(url: &str) -> Client {
    plain_client(url).with(Timestamp::now, LIMIT)
}

pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}

/// A listing of exactly `length` bytes.
fn listing_of(length: usize) -> String {
    let empty = r#"{"items":[],"x":""}"#;
    format!(
        r#"{{"items":[],"x":"{}"}}"#,
        "x".repeat(length - empty.len())
    )
}

async fn outcome(client: &Client) -> Result<(), (Reason, Option<u16>, String)> {
    match listed(client, &selection(&["0"], &[StatusFilter::Created])).await {
        Ok(_) => Ok(()),
        Err(error) => Err((error.reason(), error.status, error.request_id)),
    }
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_is_given_up() {
    // It takes the connection and says nothing of its certificate.
    let server = Loopback::start(Script::Silence(Vec::new())).await;
    let options = HttpOptions {
        connect_timeout: SHORT,
        ..options()
    };
    let url = format!("https://{}", server.address);
    let client = client(&url, key("AK", "SK", None), options);
    let error = listed(&client, &all()).await.expect_err("an error");
    assert_eq!(error.reason(), Reason::CloudUnavailable);
    assert!(error.message.contains("in time"), "{error}");
    server.closed().await;
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_given_up() {
    let unfinished = |body: &str| {
        let mut bytes = head("200 OK", "", Some(1000));
        bytes.extend_from_slice(body.as_bytes());
        bytes
    };
    // Before its head, before its body, within it.
    for before in [Vec::new(), unfinished(""), unfinished(r#"{"items":[{"#)] {
        let server = Loopback::start(Script::Silence(before)).await;
        let options = HttpOptions {
            read_timeout: SHORT,
            ..options()
        };
        let client = client(&server.url(), key("AK", "SK", None), options);
        let error = listed(&client, &all()).await.expect_err("an error");
        assert_eq!(error.reason(), Reason::CloudUnavailable);
        assert!(error.message.contains("in time"), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unavailable() {
    let server = Loopback::start(Script::Silence(Vec::new())).await;
    let url = server.url();
    drop(server);
    let error = listed(&plain_client(&url), &all()).await;
    assert_eq!(
        error.expect_err("no server").reason(),
        Reason::CloudUnavailable
    );
}

#[tokio::test]
async fn an_answer_larger_than_the_limit_is_an_error() {
    let limit = usize::try_from(LIMIT).expect("small");
    let large = Err((Reason::ListingTooLarge, Some(200), "r1".to_owned()));
    for (length, expected) in [(limit, Ok(())), (limit + 1, large.clone())] {
        let body = listing_of(length);
        let server = Loopback::start(Script::ok(&body)).await;
        assert_eq!(outcome(&limited(&server.url())).await, expected, "{length}");
        // The bytes that count are those after decompression.
        let zipped = gzipped(body.as_bytes());
        assert!(zipped.len() < limit / 10);
        let script = Script::answer("200 OK", "content-encoding: gzip\r\n", &zipped);
        let server = Loopback::start(script).await;
        assert_eq!(
            outcome(&limited(&server.url())).await,
            expected,
            "{length}, compressed"
        );
    }
}

#[tokio::test]
async fn the_limit_is_that_of_the_whole_listing() {
    let cloud = cloud(&[]).await;
    let control = cloud.control();
    control.set_page_size(std::num::NonZeroUsize::new(1));
    let put = |id: &str, phase: &str| {
        let pool = format!(
            r#"{{"metadata":{{"name":"{id}"}},"status":{{"phase":"{phase}"}},"x":"{}"}}"#,
            "x".repeat(20_000)
        );
        control.put_raw(id, "0", &pool).expect("a pool");
    };
    let client = limited(&cloud.url());
    put("a", "Running");
    put("b", "Running");
    put("c", "Running");
    assert_eq!(listed(&client, &all()).await.expect("a listing").len(), 3);
    // Each page of each filter is far below the limit.
    put("d", "CreationFailed");
    let error = listed(&client, &all()).await.expect_err("too large");
    assert_eq!(error.reason(), Reason::ListingTooLarge);
    let asked = control.requests().last;
    assert_eq!(asked.len(), 3 + 1 + 3 + 1, "{asked:?}");
}

#[tokio::test]
async fn a_part_that_would_be_held_has_a_limit_of_its_own() {
    let long = "x".repeat(MAX_HELD);
    let pool = format!(r#"{{"metadata":{{"name":"a"}},"x":"{long}"}}"#);
    let server = Loopback::start(Script::ok(&format!(r#"{{"items":[{pool}]}}"#))).await;
    let error = listed(&plain_client(&server.url()), &all()).await;
    let error = error.expect_err("too large");
    assert_eq!(error.reason(), Reason::ListingTooLarge);
    assert!(error.message.contains("one of its pools"), "{error}");
    let server = Loopback::start(Script::ok(&pool)).await;
    let error = plain_client(&server.url()).show_pool("a").await;
    let error = error.expect_err("too large");
    assert_eq!(error.reason(), Reason::ListingTooLarge);
    assert!(error.message.contains("16777216 bytes"), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_given_up_at_the_limit() {
    let spaces = vec![b' '; 1024 * 1024];
    let mut bomb = gzipped(&spaces);
    // Without its end, so that more of the same may follow it: a stream of members.
    let member = bomb.clone();
    bomb.splice(0..0, head("200 OK", "content-encoding: gzip\r\n", None));
    for script in [
        Script::Endless {
            head: head("200 OK", "", None),
            again: spaces,
        },
        Script::Endless {
            head: bomb,
            again: member,
        },
    ] {
        let server = Loopback::start(script).await;
        let large = Err((Reason::ListingTooLarge, Some(200), "r1".to_owned()));
        assert_eq!(outcome(&limited(&server.url())).await, large);
        // The server sees that nobody reads on.
        server.closed().await;
    }
}

#[tokio::test]
async fn an_error_without_end_is_still_an_error() {
    let server = Loopback::start(Script::Endless {
        head: head("503 Service Unavailable", "", None),
        again: b"no service ".repeat(1000),
    })
    .await;
    let error = listed(&plain_client(&server.url()), &all()).await;
    let error = error.expect_err("an error");
    assert_eq!((error.status, &*error.request_id), (Some(503), "r1"));
    assert!(error.message.len() < 500);
    server.closed().await;
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error_wherever_it_is_cut() {
    let body = r#"{"kind":"PoolList","items":[{"metadata":{"name":"a"}}]}"#;
    let zipped = gzipped(body.as_bytes());
    for (headers, body) in [
        ("", body.as_bytes()),
        ("content-encoding: gzip\r\n", &zipped),
    ] {
        for end in [0, 1, body.len() / 2, body.len() - 1] {
            for length in [Some(body.len()), None] {
                let mut bytes = head("200 OK", headers, length);
                bytes.extend_from_slice(&body[..end]);
                let server = Loopback::start(Script::Bytes(bytes)).await;
                let (reason, ..) = outcome(&plain_client(&server.url()))
                    .await
                    .expect_err("an error");
                assert!(
                    matches!(reason, Reason::CloudUnavailable | Reason::IncompleteListing),
                    "{reason:?} at {end}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_gzip_though_it_says_so_is_an_error() {
    let script = Script::answer("200 OK", "content-encoding: gzip\r\n", br#"{"items":[]}"#);
    let server = Loopback::start(script).await;
    let unavailable = Err((Reason::CloudUnavailable, Some(200), "r1".to_owned()));
    assert_eq!(outcome(&plain_client(&server.url())).await, unavailable);
}

#[tokio::test]
async fn a_listing_that_nobody_waits_for_reads_no_more() {
    // Drop by drop, so that neither the limit nor the read timeout would end it.
    let server = Loopback::start(Script::Endless {
        head: head("200 OK", "", None),
        again: b" ".to_vec(),
    })
    .await;
    let client = plain_client(&server.url());
    let selection = all();
    tokio::select! {
        answer = listed(&client, &selection) => panic!("{answer:?}"),
        () = server.opened() => {}
    }
    server.closed().await;
}

#[tokio::test]
async fn a_large_listing_lets_others_have_their_turn() {
    let pool = format!(
        r#"{{"metadata":{{"name":"a"}},"x":"{}"}}"#,
        "x".repeat(1000)
    );
    let body = format!(r#"{{"items":[{}]}}"#, vec![pool; 2000].join(","));
    let server = Loopback::start(Script::ok(&body)).await;
    let client = plain_client(&server.url());
    let selection = selection(&["0"], &[StatusFilter::Created]);
    let mut turns = 0;
    let counting = async {
        loop {
            turns += 1;
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::select! {
        biased;
        found = listed(&client, &selection) => found.expect("a listing"),
        () = counting => unreachable!("it never ends"),
    };
    assert_eq!(found.len(), 2000);
    // At least one for each piece of 16 KiB.
    assert!(turns >= body.len() / (16 * 1024), "{turns} turns");
}

#[tokio::test]
async fn every_request_is_observed_with_its_outcome() {
    let gone = Loopback::start(Script::ok("")).await.url();
    let mut servers = Vec::new();
    for (script, expected) in [
        (Some(Script::ok(r#"{"items":[]}"#)), "200"),
        (
            Some(Script::answer("503 Service Unavailable", "", b"")),
            "503",
        ),
        (Some(Script::Bytes(Vec::new())), "error"),
        (Some(Script::Silence(Vec::new())), "timeout"),
        (None, "connect"),
    ] {
        let url = match script {
            Some(script) => {
                servers.push(Loopback::start(script).await);
                servers.last().map_or_else(String::new, Loopback::url)
            }
            None => gone.clone(),
        };
        let observed = Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = observed.clone();
        let options = HttpOptions {
            read_timeout: if expected == "timeout" { SHORT } else { LONG },
            observer: Arc::new(move |o| {
                let mut seen = told.lock().expect("no panic");
                seen.push((o.operation, o.code.clone()));
            }),
            ..options()
        };
        let client = client(&url, key("AK", "SK", None), options);
        let _ = outcome(&client).await;
        let seen = observed.lock().expect("no panic").clone();
        assert_eq!(seen, [("ListPools", expected.to_owned())]);
    }
}

/// Each page names another one, without end.
#[tokio::test]
async fn a_listing_that_never_ends_is_given_up() {
    let pages = Arc::new(AtomicUsize::new(0));
    let asked = pages.clone();
    let answer = move || {
        let page = asked.fetch_add(1, Ordering::Relaxed);
        let body = format!(r#"{{"items":[],"metadata":{{"continue":"p{page}"}}}}"#);
        async move { ([(CONTENT_TYPE, "application/json")], body) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    let client = plain_client(&format!("http://{address}"));
    let found = listed(&client, &selection(&["0"], &[StatusFilter::Created])).await;
    server.abort();
    let error = found.expect_err("an error");
    assert_eq!(error.reason(), Reason::IncompleteListing);
    let words = format!("more than {MAX_PAGES} pages");
    assert!(error.message.contains(&words), "{error}");
    assert_eq!(pages.load(Ordering::Relaxed), MAX_PAGES + 1);
}
