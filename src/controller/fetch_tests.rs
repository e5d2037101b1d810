use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::controller::source::Source;
use crate::runtime::kubernetes::client_of_played;

fn collector(previous: &Listing) -> Collector {
    let previous = previous.pools.iter();
    Collector {
        source: "s".into(),
        shape: Arc::new(PoolShape::of_the_crd()),
        previous: previous
            .map(|(name, d)| (d.text_fingerprint, (name.clone(), d.clone())))
            .collect(),
        listing: Listing::default(),
    }
}

fn pool(id: &str, phase: &str) -> String {
    json!({"metadata": {"name": id}, "status": {"phase": phase}}).to_string()
}

fn phase(listing: &Listing, id: &str) -> Option<String> {
    listing.pools[id].phase.as_deref().map(str::to_owned)
}

#[test]
fn long_ids_that_begin_alike_are_skipped_each() {
    let mut collector = collector(&Listing::default());
    let (one, other) = (
        format!("{}a", "x".repeat(300)),
        format!("{}b", "x".repeat(300)),
    );
    for id in [&one, &other, &one] {
        collector.pool("0", &pool(id, "Running")).expect("a pool");
    }
    let skipped = collector.listing.skipped;
    assert_eq!(skipped.len(), 2, "{skipped:?}");
    for skip in skipped {
        assert!(skip.id.starts_with(&"x".repeat(236)), "{}", skip.id);
        assert_eq!(skip.id.len(), 253);
    }
}

#[test]
fn of_the_same_id_twice_the_later_answer_wins() {
    let mut first = collector(&Listing::default());
    first.pool("0", &pool("a", "Creating")).expect("a pool");
    first.pool("1", &pool("a", "Running")).expect("a pool");
    assert_eq!(first.listing.pools.len(), 1);
    assert_eq!(phase(&first.listing, "a").as_deref(), Some("Running"));

    // Also where one of the answers is known from the last listing, in either order.
    let (known, new) = (pool("a", "Running"), pool("a", "Error"));
    for (order, expected) in [([&known, &new], "Error"), ([&new, &known], "Running")] {
        let mut second = collector(&first.listing);
        for text in order {
            second.pool("1", text).expect("a pool");
        }
        assert_eq!(phase(&second.listing, "a").as_deref(), Some(expected));
    }

    // Also where one of them can't be mirrored.
    let large =
        json!({"metadata": {"name": "a"}, "spec": {"x": "x".repeat(1024 * 1024)}}).to_string();
    let mut third = collector(&first.listing);
    third.pool("1", &large).expect("a pool");
    assert_eq!(
        (third.listing.pools.len(), third.listing.skipped.len()),
        (0, 1)
    );
    third.pool("1", &known).expect("a pool");
    assert_eq!(
        (third.listing.pools.len(), third.listing.skipped.len()),
        (1, 0)
    );
    third.pool("1", &large).expect("a pool");
    assert_eq!(
        (third.listing.pools.len(), third.listing.skipped.len()),
        (0, 1)
    );
    let endless = pool(&"Long".repeat(100), "Running");
    third.pool("0", &endless).expect("a pool");
    third.pool("1", &endless).expect("a pool");
    assert_eq!(third.listing.skipped.len(), 2);
}

#[test]
fn what_is_listed_in_the_same_words_is_taken_from_the_last_listing() {
    let mut first = collector(&Listing::default());
    first.pool("0", &pool("a", "Running")).expect("a pool");
    let mut second = collector(&first.listing);
    second.pool("0", &pool("a", "Running")).expect("a pool");
    assert!(Arc::ptr_eq(
        &first.listing.pools["a"],
        &second.listing.pools["a"]
    ));
    // Another workspace is another label.
    let mut moved = collector(&first.listing);
    moved.pool("1", &pool("a", "Running")).expect("a pool");
    let labels = moved.listing.pools["a"].labels.get().to_owned();
    assert!(
        labels.contains(r#""os.modelarts/workspace.id":"1""#),
        "{labels}"
    );
}

/// A cloud on loopback that begins to answer and then sends one byte each second.
async fn dripping_cloud() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{";
        let mut sent = stream.write_all(head).await;
        while sent.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            sent = stream.write_all(b" ").await;
        }
    });
    format!("http://{address}")
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_drips_is_given_up_at_the_deadline() {
    let allowed = "http://127.0.0.1:*".parse().expect("a pattern");
    let http = modelarts::HttpOptions {
        allowed: modelarts::AllowedEndpoints(vec![allowed]),
        ..modelarts::HttpOptions::default()
    };
    let ambient = modelarts::AmbientOptions {
        metadata: None,
        pod_identity: None,
    };
    let source = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
        "metadata": {"namespace": "ns", "name": "s", "uid": "u", "resourceVersion": "1"},
        "spec": {"endpoint": dripping_cloud().await, "projectId": "p",
            "credentials": {"type": "Token", "secretRef": {"name": "keys"}}},
    });
    let source = Source::of(serde_json::from_value(source).expect("a source"));
    let settings = source.expect("a source").settings.expect("a good spec");
    let begun = tokio::time::Instant::now();
    let listing = list(
        Cloud::new(http, ambient).expect("connections"),
        Key::new("ns", "s"),
        settings,
        Arc::new(Identity::Fixed(modelarts::Credentials::Token("t".into()))),
        Vec::new(),
        Arc::new(PoolShape::of_the_crd()),
    );
    let error = listing.await.expect_err("no listing");
    assert_eq!(error.failure.reason, Reason::CloudUnavailable.into());
    let message = &error.failure.message;
    assert!(message.contains("not complete within 900 s"), "{message}");
    assert_eq!(begun.elapsed().as_secs(), LISTING_DEADLINE.as_secs());
}

#[tokio::test]
async fn a_source_is_gone_where_the_answer_names_it_and_nowhere_else() {
    let status = |message: &str| {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
            "message": message});
        status.to_string()
    };
    for (body, gone) in [
        (
            status("modelartspoolsources.modelarts.huaweicloud.com \"s\" not found"),
            true,
        ),
        (
            status("the server could not find the requested resource"),
            false,
        ),
        ("404 page not found\n".to_owned(), false),
    ] {
        let answer = move || {
            let body = body.clone();
            async move { (axum::http::StatusCode::NOT_FOUND, body) }
        };
        let router = axum::Router::new().fallback(answer);
        let client = client_of_played(router).await;
        let answer = may_write_for(client, &Key::new("ns", "s"), "uid").await;
        let expected = if gone { Ok(false) } else { Err(()) };
        let told = answer.map_err(|error| {
            assert!(matches!(error, WriteError::NotFound(_)), "{error}");
        });
        assert_eq!(told, expected);
    }
}
