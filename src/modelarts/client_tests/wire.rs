//! What goes over the wire: the signed bytes, and nothing to a host that is not allowed.

use super::loopback::{Loopback, Script};
use super::*;

const EMPTY_LIST: &str = r#"{"kind":"PoolList","items":[]}"#;
/// What differs between the ways to encode a query.
const SELECTOR: &str =
    r#"os.modelarts/name=训练 池,a!=b,in ('x',"y"),!*'()+%2F%zz&=?#;:@/$[]|\^`{}<>~-_."#;

/// The parts of a request's head.
struct Sent {
    path: String,
    query: String,
    headers: Vec<(String, String)>,
}

impl Sent {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end().split("\r\n");
        let request = lines.next().expect("a request line");
        let target = request
            .strip_prefix("GET ")
            .and_then(|r| r.strip_suffix(" HTTP/1.1"))
            .expect(request);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').expect(line);
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        Self {
            path: path.to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The header Authorization that these bytes should have, and the canonical request.
    fn expected(&self, access_key: &str, secret_key: &str) -> (String, String) {
        let authorization = self.header("authorization").expect("signed");
        let names = authorization
            .split_once("SignedHeaders=")
            .and_then(|(_, rest)| rest.split_once(','))
            .expect("names")
            .0;
        let signed: Vec<_> = names
            .split(';')
            .map(|name| (name.to_owned(), self.header(name).expect(name).to_owned()))
            .collect();
        let canonical = canonical_request(&Parts {
            method: "GET",
            path: &self.path,
            query: &self.query,
            headers: &signed,
            payload_hash: EMPTY_PAYLOAD_HASH,
        });
        let date = self.header("x-sdk-date").expect("a date");
        let signature = signature(secret_key, &string_to_sign(date, &canonical));
        (
            super::super::authorization(access_key, names, &signature),
            canonical,
        )
    }
}

#[tokio::test]
async fn the_signed_bytes_are_the_sent_bytes() {
    let server = Loopback::start(Script::ok(EMPTY_LIST)).await;
    let client = client(&server.url(), key("AK", "SK", Some("st/+==")), options());
    for selector in ["", SELECTOR, "a=\u{1}\t\r\n", "%20", " "] {
        let selection = Selection {
            workspaces: WorkspaceSelection::List(vec!["a b/训".to_owned()]),
            label_selector: selector.to_owned(),
            statuses: vec![StatusFilter::Created],
        };
        listed(&client, &selection).await.expect("a listing");
        let sent = Sent::parse(server.heads().last().expect("a request"));
        let (authorization, canonical) = sent.expected("AK", "SK");
        assert_eq!(
            sent.header("authorization"),
            Some(&*authorization),
            "{canonical}"
        );
        // Not only does the gateway derive the same: the bytes are the canonical ones.
        assert_eq!(canonical.lines().nth(2), Some(&*sent.query), "{selector:?}");
        assert_eq!(sent.path, format!("/v2/{DEFAULT_PROJECT_ID}/pools"));
        assert!(
            authorization.contains("SignedHeaders=host;x-project-id;x-sdk-date;x-security-token,"),
            "{authorization}"
        );
        assert_eq!(sent.header("host"), Some(&*server.address.to_string()));
        assert_eq!(sent.header("x-security-token"), Some("st/+=="));
        assert_eq!(sent.header("x-auth-token"), None);
    }
}

#[tokio::test]
async fn the_simulated_gateway_derives_the_same() {
    let cloud = cloud(&["0/a"]).await;
    let selection = Selection {
        label_selector: "!os.modelarts/name".to_owned(),
        ..all()
    };
    let found = listed(&plain_client(&cloud.url()), &selection).await;
    assert_eq!(found.expect("a listing"), ["0/a"]);
    // It refuses this selector, not its signature.
    let selection = Selection {
        label_selector: SELECTOR.to_owned(),
        ..all()
    };
    let error = listed(&plain_client(&cloud.url()), &selection).await;
    let error = error.expect_err("no selector");
    assert_eq!(
        (error.status, error.reason()),
        (Some(400), Reason::InvalidRequest),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_goes_without_a_signature() {
    let server = Loopback::start(Script::ok(EMPTY_LIST)).await;
    let client = client(&server.url(), Credentials::Token("t".into()), options());
    listed(&client, &all()).await.expect("a listing");
    let sent = Sent::parse(server.heads().last().expect("a request"));
    assert_eq!(sent.header("x-auth-token"), Some("t"));
    assert_eq!(sent.header("authorization"), None);
}

#[tokio::test]
async fn nothing_is_sent_to_a_host_that_is_not_allowed() {
    let server = Loopback::start(Script::ok(EMPTY_LIST)).await;
    let port = server.address.port();
    for pattern in [
        "https://modelarts.*.myhuaweicloud.com".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{}", port ^ 1),
        "http://127.0.0.1".to_owned(),
        "http://*:*".to_owned(),
    ] {
        let allowed = AllowedEndpoints(vec![pattern.parse().expect("a pattern")]);
        let options = HttpOptions {
            allowed,
            ..options()
        };
        for credentials in [key("AK", "SK", None), Credentials::Token("t".into())] {
            let client = client(&server.url(), credentials, options.clone());
            let every = Selection {
                workspaces: WorkspaceSelection::All,
                ..all()
            };
            for error in [
                listed(&client, &all()).await.expect_err("refused"),
                listed(&client, &every).await.expect_err("refused"),
                client.show_pool("a").await.expect_err("refused"),
            ] {
                assert_eq!(error.reason(), Reason::EndpointRefused, "{pattern}");
                assert!(error.to_string().contains(&server.url()), "{error}");
            }
        }
    }
    assert_eq!(server.connections(), 0);
    // The same server is asked where it is allowed.
    let asked = listed(&plain_client(&server.url()), &all()).await;
    assert_eq!(asked.expect("a listing"), Vec::<String>::new());
    assert!(server.connections() > 0);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Loopback::start(Script::ok(EMPTY_LIST)).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location = format!("location: {}/v2/x/pools\r\n", target.url());
        let server = Loopback::start(Script::answer(status, &location, b"")).await;
        let error = listed(&plain_client(&server.url()), &all()).await;
        let error = error.expect_err("a redirect");
        assert_eq!(error.reason(), Reason::CloudUnavailable);
        assert!(error.message.contains("redirects"), "{error}");
        assert_eq!(server.connections(), 1);
    }
    assert_eq!(target.connections(), 0);
}

#[tokio::test]
async fn another_success_than_200_is_no_listing() {
    for status in [
        "201 Created",
        "202 Accepted",
        "204 No Content",
        "206 Partial Content",
    ] {
        let body = if status.starts_with("204") {
            ""
        } else {
            EMPTY_LIST
        };
        let server = Loopback::start(Script::answer(status, "", body.as_bytes())).await;
        let answer = listed(&plain_client(&server.url()), &all()).await;
        assert_eq!(answer.expect_err(status).reason(), Reason::CloudUnavailable);
    }
}

#[tokio::test]
async fn what_no_header_can_carry_is_an_error_and_is_not_sent() {
    let server = Loopback::start(Script::ok(EMPTY_LIST)).await;
    let http = HttpClient::new(options()).expect("a client");
    for (project, credentials) in [
        ("p\r\nX-Injected: 1", key("AK", "SK", None)),
        ("p", key("AK\r\nX: 1", "SK", None)),
        ("p", key("AK", "SK", Some("hunter2\n"))),
        ("p", Credentials::Token("hunter2\u{0}".into())),
    ] {
        let endpoint = server.url().parse().expect("an endpoint");
        let client = Client::new(http.clone(), endpoint, project.to_owned(), credentials);
        let error = listed(&client, &all()).await.expect_err("an error");
        assert_eq!(error.reason(), Reason::InvalidRequest, "{error}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error}");
    }
    assert_eq!(server.connections(), 0);
}

/// What is not asked for is not unpacked, and so can be no bomb.
#[tokio::test]
async fn no_packing_is_asked_for_but_gzip() {
    let server = Loopback::start(Script::ok(EMPTY_LIST)).await;
    let selection = selection(&["0"], &[StatusFilter::Created]);
    let listing = listed(&plain_client(&server.url()), &selection).await;
    assert_eq!(listing.map(|pools| pools.len()), Ok(0));
    let [head] = &*server.heads() else {
        panic!("another number of requests")
    };
    assert_eq!(Sent::parse(head).header("accept-encoding"), Some("gzip"));
}
