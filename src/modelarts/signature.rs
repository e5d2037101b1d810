//! SDK-HMAC-SHA256, the signature of Huawei Cloud's API gateway: pure.

use std::fmt::{self, Write as _};

use ring::{digest, hmac};

/// Name of the algorithm, as it stands in the header Authorization.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";
/// Hash of an empty body, as all requests of this client have.
pub const EMPTY_PAYLOAD_HASH: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What of a request is signed. Its Debug output shows the names of the headers alone: a security
/// token is one of the values.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The verb, in capitals.
    pub method: &'a str,
    /// The path as it is sent, percent-encoded.
    pub path: &'a str,
    /// The query as it is sent, without the question mark.
    pub query: &'a str,
    /// The headers that are signed, with their values.
    pub headers: &'a [(String, String)],
    /// [`payload_hash`] of the body.
    pub payload_hash: &'a str,
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("headers", &signed_headers(self.headers))
            .finish_non_exhaustive()
    }
}

/// The request in the one form that client and gateway both derive.
#[must_use]
pub fn canonical_request(parts: &Parts<'_>) -> String {
    let Parts {
        method,
        path,
        query,
        headers,
        payload_hash,
    } = parts;
    let mut lines = String::new();
    for (name, value) in sorted(headers) {
        let _ = writeln!(lines, "{name}:{}", value.trim());
    }
    // The path is signed with a slash at its end that the sent one does not have, and what was
    // encoded in it is decoded before it is split: an encoded slash becomes a separator.
    let mut path = decode(path)
        .split('/')
        .map(encode)
        .collect::<Vec<_>>()
        .join("/");
    if !path.ends_with('/') {
        path.push('/');
    }
    format!(
        "{method}\n{path}\n{}\n{lines}\n{}\n{payload_hash}",
        canonical_query(query),
        signed_headers(headers)
    )
}

/// What the secret key signs, at `date` (`YYYYMMDDTHHMMSSZ`).
#[must_use]
pub fn string_to_sign(date: &str, canonical_request: &str) -> String {
    format!(
        "{ALGORITHM}\n{date}\n{}",
        payload_hash(canonical_request.as_bytes())
    )
}

/// The signature, in lower-case hexadecimal digits.
#[must_use]
pub fn signature(secret_key: &str, string_to_sign: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret_key.as_bytes());
    hex(hmac::sign(&key, string_to_sign.as_bytes()).as_ref())
}

/// The names of the signed headers, as they stand in the header Authorization.
#[must_use]
pub fn signed_headers(headers: &[(String, String)]) -> String {
    sorted(headers)
        .into_iter()
        .map(|(name, _)| name)
        .collect::<Vec<_>>()
        .join(";")
}

/// The value of the header Authorization.
#[must_use]
pub fn authorization(access_key: &str, signed_headers: &str, signature: &str) -> String {
    format!(
        "{ALGORITHM} Access={access_key}, SignedHeaders={signed_headers}, Signature={signature}"
    )
}

/// Lower-case hexadecimal SHA-256 of a body.
#[must_use]
pub fn payload_hash(body: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, body).as_ref())
}

/// A query as it is sent and signed: sorted by key and value, only unreserved characters left as they
/// are.
#[must_use]
pub fn encode_query(parameters: &[(String, String)]) -> String {
    let mut parameters: Vec<_> = parameters.iter().collect();
    parameters.sort();
    parameters
        .iter()
        .map(|(k, v)| format!("{}={}", encode(k), encode(v)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Percent-encodes all but `A-Z a-z 0-9 - _ . ~`.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|p| !p.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key), decode(value))
    });
    encode_query(&pairs.collect::<Vec<_>>())
}

/// Lower-case names, sorted; a name with `_` is never signed, since gateways drop such headers.
fn sorted(headers: &[(String, String)]) -> Vec<(String, &str)> {
    let mut headers: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !name.contains('_'))
        .map(|(name, value)| (name.to_lowercase(), value.as_str()))
        .collect();
    headers.sort();
    headers
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = text
            .get(i + 1..i + 3)
            // The parser of integers takes a sign too.
            .filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        match (bytes[i], hex) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                i += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
