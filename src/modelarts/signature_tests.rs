//! Our signatures against those of the official Python signer (huaweicloudsdkcore 3.1.219), whose
//! output `testdata/aksk-vectors.json` is. The fixture holds SDK-HMAC-SHA256 alone: the SDK's
//! derived V11 signature is another algorithm, which only a gateway of another kind asks for.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    algorithm: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    ak: String,
    sk: String,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    body: Option<String>,
    headers: BTreeMap<String, String>,
    expect: Expected,
}

#[derive(Deserialize)]
struct Expected {
    headers_sent: BTreeMap<String, String>,
    canonical_request: String,
    string_to_sign: String,
    signed_headers: String,
    signature: String,
    authorization: String,
    request_uri: String,
}

fn vectors() -> Vec<Vector> {
    let fixture: Vectors =
        serde_json::from_str(include_str!("testdata/aksk-vectors.json")).expect("vectors");
    assert_eq!(fixture.algorithm, ALGORITHM);
    assert_eq!(fixture.vectors.len(), 15, "the fixture is whole");
    fixture.vectors
}

#[test]
fn every_vector_of_the_official_signer() {
    for vector in vectors() {
        let Vector { name, expect, .. } = &vector;
        let query = encode_query(&vector.query);
        let separator = if query.is_empty() { "" } else { "?" };
        assert_eq!(
            format!("{}{separator}{query}", vector.path),
            expect.request_uri,
            "{name}"
        );
        // What the signer was given, with what it added.
        let mut headers = expect.headers_sent.clone();
        headers.extend(vector.headers.clone());
        let headers: Vec<_> = headers.into_iter().collect();
        // The SDK's own words for a body that it does not read; no request of ours has one.
        let unsigned = expect.headers_sent.get("X-Sdk-Content-Sha256").cloned();
        let body = vector.body.as_deref().unwrap_or_default();
        let payload_hash = unsigned.unwrap_or_else(|| payload_hash(body.as_bytes()));
        let canonical = canonical_request(&Parts {
            method: &vector.method,
            path: &vector.path,
            query: &query,
            headers: &headers,
            payload_hash: &payload_hash,
        });
        assert_eq!(canonical, expect.canonical_request, "{name}");
        let to_sign = string_to_sign(&expect.headers_sent["X-Sdk-Date"], &canonical);
        assert_eq!(to_sign, expect.string_to_sign, "{name}");
        let signature = signature(&vector.sk, &to_sign);
        assert_eq!(signature, expect.signature, "{name}");
        let names = signed_headers(&headers);
        assert_eq!(names, expect.signed_headers, "{name}");
        assert_eq!(
            authorization(&vector.ak, &names, &signature),
            expect.authorization,
            "{name}"
        );
    }
}

#[test]
fn the_hash_of_an_empty_body() {
    assert_eq!(payload_hash(b""), EMPTY_PAYLOAD_HASH);
}

#[test]
fn debug_shows_no_header() {
    let headers = [("x-security-token".to_owned(), "hunter2".to_owned())];
    let parts = Parts {
        method: "GET",
        path: "/",
        query: "",
        headers: &headers,
        payload_hash: EMPTY_PAYLOAD_HASH,
    };
    let shown = format!("{parts:?}");
    assert!(
        shown.contains("x-security-token") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn percent_signs_that_encode_nothing_stay() {
    for (text, expected) in [
        ("%", "%25"),
        ("%2", "%252"),
        ("%zz", "%25zz"),
        ("%+1", "%25%2B1"),
        ("a%20b", "a%20b"),
        ("%e8%ae%ad", "%E8%AE%AD"),
        ("%é", "%25%C3%A9"),
    ] {
        assert_eq!(encode(&decode(text)), expected, "{text}");
    }
}
