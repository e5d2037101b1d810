//! Answers: what a cloud, or who stands between, might send instead of a listing.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};

use super::super::limits::gzipped;
use super::super::loopback::head;
use super::*;

const LISTING: &str = r#"{"kind":"PoolList","items":[{"metadata":{"name":"a"}}]}"#;
/// How long the slow may be silent.
const SILENCE: Duration = Duration::from_millis(300);
const MIB: usize = 1024 * 1024;

pub(super) fn answers() -> Vec<Row> {
    [
        encodings(),
        packings(),
        transfers(),
        heads(),
        endless(),
        envelopes(),
        errors(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

const WHOLE: End = End::Mirrors(1);
const INCOMPLETE: End = End::Error(Reason::IncompleteListing);
const UNAVAILABLE: End = End::Error(Reason::CloudUnavailable);
const TOO_LARGE: End = End::Error(Reason::ListingTooLarge);

/// A body with status 200.
fn body(name: &'static str, end: End, body: impl AsRef<[u8]> + 'static) -> Row {
    Row::new(name, end, move || {
        Script::answer("200 OK", "", body.as_ref())
    })
}

/// Bytes in the place of an answer.
fn raw(name: &'static str, end: End, bytes: impl AsRef<[u8]> + 'static) -> Row {
    Row::new(name, end, move || Script::Bytes(bytes.as_ref().to_vec()))
}

/// A good listing with these lines in its head.
fn with_head(name: &'static str, end: End, headers: impl AsRef<str> + 'static) -> Row {
    Row::new(name, end, move || {
        Script::answer("200 OK", headers.as_ref(), LISTING.as_bytes())
    })
}

/// A status with this body.
fn status(name: &'static str, reason: Reason, status: &'static str, body: &str) -> Row {
    let body = body.to_owned();
    Row::new(name, End::Error(reason), move || {
        Script::answer(status, "", body.as_bytes())
    })
}

#[rustfmt::skip]
fn encodings() -> Vec<Row> {
    let utf16 = |little: bool, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        let units = mark.into_iter().chain(LISTING.encode_utf16());
        let bytes = |unit: u16| {
            if little {
                unit.to_le_bytes()
            } else {
                unit.to_be_bytes()
            }
        };
        units.flat_map(bytes).collect()
    };
    let utf32: Vec<u8> = LISTING
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    vec![
        body("a listing", WHOLE, LISTING),
        body("a mark of byte order", INCOMPLETE, format!("\u{feff}{LISTING}")),
        body("UTF-16 with a mark", INCOMPLETE, utf16(true, true)),
        body("UTF-16 without one", INCOMPLETE, utf16(false, false)),
        body("UTF-32", INCOMPLETE, utf32),
        body("no UTF-8 beside the pools", INCOMPLETE, b"{\"items\":[],\"\xff\":1}"),
        body("no UTF-8 between the pools", INCOMPLETE, b"{\"items\":[{}\xff,{}]}"),
        body("NULs before it", INCOMPLETE, format!("\0\0{LISTING}")),
        body("NULs behind it", INCOMPLETE, format!("{LISTING}\0")),
        body("lines of JSON", INCOMPLETE, format!("{LISTING}\n{LISTING}")),
        body("a prefix against scripts", INCOMPLETE, format!(")]}}',\n{LISTING}")),
        body("XML", INCOMPLETE, "<?xml version=\"1.0\"?><PoolList/>"),
        body("YAML", INCOMPLETE, "kind: PoolList\nitems: []\n"),
        body("HTML of a portal", INCOMPLETE, "<html><body>Log in</body></html>"),
        body("nothing", INCOMPLETE, ""),
        body("BSON", INCOMPLETE, b"\x16\0\0\0\x04items\0\x05\0\0\0\0\0"),
    ]
}

/// Answers whose head says that they are packed.
#[rustfmt::skip]
fn packings() -> Vec<Row> {
    let packed = |name, end, encoding: &'static str, bytes: Vec<u8>| {
        Row::new(name, end, move || {
            let header = format!("content-encoding: {encoding}\r\n");
            Script::answer("200 OK", &header, &bytes)
        })
    };
    // Made when its turn comes: some are packed from much.
    let bomb = |name, end, content: fn() -> Vec<u8>| {
        Row::new(name, end, move || {
            let header = "content-encoding: gzip\r\n";
            Script::answer("200 OK", header, &gzipped(&content()))
        })
    };
    let zlib = || {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(LISTING.as_bytes()).expect("into memory");
        encoder.finish().expect("into memory")
    };
    let deflated = || {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(LISTING.as_bytes()).expect("into memory");
        encoder.finish().expect("into memory")
    };
    let zipped = gzipped(LISTING.as_bytes());
    let twice = gzipped(&zipped);
    let wrong_sum = || {
        let mut bytes = gzipped(LISTING.as_bytes());
        let at = bytes.len() - 8;
        bytes[at] ^= 0xff;
        bytes
    };
    vec![
        packed("gzip", WHOLE, "gzip", zipped.clone()),
        packed("gzip in capitals", INCOMPLETE, "GZIP", zipped.clone()),
        packed("gzip that is not said", INCOMPLETE, "identity", zipped.clone()),
        packed("gzip with a wrong sum", UNAVAILABLE, "gzip", wrong_sum()),
        packed("gzip with more behind it", WHOLE, "gzip", [&*zipped, b"more"].concat()),
        packed("gzip twice, said once", INCOMPLETE, "gzip", twice.clone()),
        packed("gzip twice, said twice", INCOMPLETE, "gzip, gzip", twice),
        packed("deflate, which nobody asked for", INCOMPLETE, "deflate", zlib()),
        packed("raw deflate", INCOMPLETE, "deflate", deflated()),
        packed("Brotli, which nobody asked for", INCOMPLETE, "br", vec![0x0b, 0x02, 0x80, b'{', b'}', 0x03]),
        packed("Zstandard, which nobody asked for", INCOMPLETE, "zstd", vec![0x28, 0xb5, 0x2f, 0xfd]),
        packed("a word that nobody knows, and no packing", WHOLE, "x-none", LISTING.into()),
        bomb("a bomb of spaces", TOO_LARGE, || vec![b' '; 64 * MIB]),
        bomb("a bomb in a text", TOO_LARGE, || {
            let mut bytes = br#"{"items":[{"metadata":{"name":""#.to_vec();
            bytes.resize(64 * MIB, b'a');
            bytes
        }),
        bomb("a bomb of brackets", TOO_LARGE, || vec![b'['; 64 * MIB]),
        Row {
            limit: LIMIT_OF_THE_ENDLESS,
            ..bomb("a bomb of pools", TOO_LARGE, || {
                let pool = r#"{"metadata":{"name":"UPPER","labels":{}}},"#;
                format!(r#"{{"items":[{}"#, pool.repeat(50_000)).into()
            })
        },
        Row::new("a bomb in an error", UNAVAILABLE, || {
            let bomb = gzipped(&vec![b'x'; 64 * MIB]);
            Script::answer(
                "503 Service Unavailable",
                "content-encoding: gzip\r\n",
                &bomb,
            )
        }),
    ]
}

/// Answers whose length is told in another way, or wrongly.
#[rustfmt::skip]
fn transfers() -> Vec<Row> {
    let chunks = |name, end, chunks: &[u8]| {
        let bytes = [
            &head("200 OK", "transfer-encoding: chunked\r\n", None),
            chunks,
        ]
        .concat();
        raw(name, end, bytes)
    };
    let chunk = format!("{:x}\r\n{LISTING}\r\n", LISTING.len());
    let length = |name, end, length: &str| {
        let lines = format!("content-length: {length}\r\n");
        let bytes = [&head("200 OK", &lines, None), LISTING.as_bytes()].concat();
        raw(name, end, bytes)
    };
    vec![
        chunks("chunks", WHOLE, format!("{chunk}0\r\n\r\n").as_bytes()),
        chunks("chunks without the last", UNAVAILABLE, chunk.as_bytes()),
        chunks("a chunk of endless length", UNAVAILABLE, b"ffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        chunks("a length of 17 digits", UNAVAILABLE, b"10000000000000000\r\n{}\r\n0\r\n\r\n"),
        chunks("a length that is no number", UNAVAILABLE, b"zz\r\n{}\r\n0\r\n\r\n"),
        chunks("a length below zero", UNAVAILABLE, b"-2\r\n{}\r\n0\r\n\r\n"),
        chunks("chunks without line ends", UNAVAILABLE, b"2{}0"),
        chunks("1 MB of words behind a length", UNAVAILABLE, format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(MIB)).as_bytes()),
        chunks("1 MB of words behind the last", UNAVAILABLE, format!("{chunk}0\r\nx: {}\r\n\r\n", "x".repeat(MIB)).as_bytes()),
        length("a length that is too small", INCOMPLETE, "10"),
        length("a length that is too large", UNAVAILABLE, "10000"),
        length("an endless length", UNAVAILABLE, "18446744073709551615"),
        length("a length with a sign", UNAVAILABLE, "-1"),
        length("a length that is a word", UNAVAILABLE, "all"),
        length("two lengths", UNAVAILABLE, "55\r\ncontent-length: 10"),
        raw("no length, and HTTP 1.0", WHOLE, format!("HTTP/1.0 200 OK\r\n\r\n{LISTING}")),
    ]
}

/// Answers whose head is strange.
#[rustfmt::skip]
fn heads() -> Vec<Row> {
    vec![
        raw("no HTTP", UNAVAILABLE, "SSH-2.0-OpenSSH_9.9\r\n"),
        raw("HTTP without a head", UNAVAILABLE, LISTING),
        raw("another version of HTTP", UNAVAILABLE, format!("HTTP/7.3 200 OK\r\n\r\n{LISTING}")),
        raw("a frame of HTTP 2", UNAVAILABLE, b"\0\0\0\x04\0\0\0\0\0"),
        raw("a status of four digits", UNAVAILABLE, format!("HTTP/1.1 2000 OK\r\n\r\n{LISTING}")),
        raw("a status below 100", UNAVAILABLE, format!("HTTP/1.1 099 No\r\n\r\n{LISTING}")),
        raw("no status", UNAVAILABLE, format!("HTTP/1.1\r\n\r\n{LISTING}")),
        raw("zeros", UNAVAILABLE, vec![0; 100_000]),
        raw("another protocol", UNAVAILABLE, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
        with_head("a header of 1 MB", UNAVAILABLE, format!("x: {}\r\n", "x".repeat(MIB))),
        with_head("10,000 headers", UNAVAILABLE, "x: y\r\n".repeat(10_000)),
        with_head("a header with a NUL", UNAVAILABLE, "x: a\0b\r\n"),
        with_head("a header without a colon", UNAVAILABLE, "nothing\r\n"),
        with_head("a header over two lines", UNAVAILABLE, "x: a\r\n b\r\n"),
        with_head("a header that is no text", WHOLE, "x: \u{e9}\r\n"),
        with_head("a request id of 10 KB", WHOLE, format!("x-request-id: {}\r\n", "x".repeat(10_000))),
        with_head("HTML, it says", WHOLE, "content-type: text/html\r\n"),
        with_head("UTF-16, it says", WHOLE, "content-type: application/json; charset=utf-16\r\n"),
        with_head("a type that is none", WHOLE, "content-type: ;;\r\n"),
        with_head("a place to go to", WHOLE, "location: http://169.254.169.254/\r\nrefresh: 0\r\n"),
    ]
}

/// Answers that never end, or take their time.
#[rustfmt::skip]
fn endless() -> Vec<Row> {
    let endless = |name, end, head: Vec<u8>, again: Vec<u8>| {
        Row {
            limit: LIMIT_OF_THE_ENDLESS,
            ..Row::new(name, end, move || Script::Endless { head, again })
        }
    };
    let begun = |begin: &str| [&head("200 OK", "", None), begin.as_bytes()].concat();
    let chunked = |begin: &str| {
        let head = head("200 OK", "transfer-encoding: chunked\r\n", None);
        [
            &head,
            format!("{:x}\r\n{begin}\r\n", begin.len()).as_bytes(),
        ]
        .concat()
    };
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
    let pool =
        r#"{"metadata":{"name":"UPPER"},"x":"                                             "},"#;
    let pools = pool.repeat(100);
    // The answer may be silent for a moment only.
    let slow = |name, script: fn() -> Script| Row {
        silence: SILENCE,
        ..Row::new(name, UNAVAILABLE, script)
    };
    vec![
        endless("chunks without end", TOO_LARGE, chunked("{"), chunk(&" ".repeat(8192))),
        Row {
            limit: LIMIT_OF_THE_ENDLESS / 16,
            ..endless("chunks of one byte without end", TOO_LARGE, chunked("{"), chunk(" ").repeat(10_000))
        },
        endless("pools without end", TOO_LARGE, begun(r#"{"items":["#), pools.clone().into()),
        endless("pools in chunks without end", TOO_LARGE, chunked(r#"{"items":["#), chunk(&pools)),
        endless("a text without end", TOO_LARGE, begun(r#"{"items":[{"a":""#), vec![b'a'; MIB]),
        endless("brackets without end", TOO_LARGE, begun("{"), br#""a":{"#.repeat(10_000)),
        endless("a number without end", TOO_LARGE, begun(r#"{"items":[{"a":"#), vec![b'9'; MIB]),
        endless("headers without end", UNAVAILABLE, b"HTTP/1.1 200 OK\r\n".to_vec(), b"a: b\r\n".repeat(1000)),
        endless("a header without end", UNAVAILABLE, b"HTTP/1.1 200 OK\r\na: ".to_vec(), vec![b'a'; MIB]),
        endless("a status line without end", UNAVAILABLE, b"HTTP/1.1 200 ".to_vec(), vec![b'a'; MIB]),
        slow("waiting without end", || Script::Endless { head: Vec::new(), again: b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100) }),
        endless("bytes without end", UNAVAILABLE, Vec::new(), vec![0x80; MIB]),
        Row::new("an error without end", UNAVAILABLE, || Script::Endless { head: head("500 Internal Server Error", "", None), again: vec![b'['; MIB] }),
        slow("a head that comes byte by byte", || Script::Drip { head: b"HTTP/1.1 200 OK\r\nx:".to_vec(), pause: SILENCE / 10 }),
        slow("a head, and then silence", || Script::Silence(head("200 OK", "", None))),
        slow("half a body, and then silence", || Script::Silence([&head("200 OK", "", None), LISTING.as_bytes()].concat())),
        slow("a body that is promised", || Script::Silence(head("200 OK", "", Some(5)))),
        Row {
            limit: LIMIT_OF_THE_ENDLESS,
            ..Row::new("pages without end", TOO_LARGE, || Script::Numbered(|n| {
                let body = format!(r#"{{"items":[],"metadata":{{"continue":"{n}"}}{}}}"#, " ".repeat(10_000));
                [&head("200 OK", "", Some(body.len())), body.as_bytes()].concat()
            }))
        },
        // The same page again and again, each time with the same place to go on.
        body("the same page without end", INCOMPLETE, r#"{"items":[],"metadata":{"continue":"x"}}"#),
        body("a place to go on of 20 KB", INCOMPLETE, format!(r#"{{"items":[],"metadata":{{"continue":"{}"}}}}"#, "x".repeat(20_000))),
        body("a place to go on of 1 MB", INCOMPLETE, format!(r#"{{"items":[],"metadata":{{"continue":"{}"}}}}"#, "x".repeat(MIB))),
        body("a place to go on that is a query", INCOMPLETE, r#"{"items":[],"metadata":{"continue":"&workspaceId=1#\r\nx: y"}}"#),
    ]
}

/// Bodies that are JSON and no listing, beside those of `page_tests`.
#[rustfmt::skip]
fn envelopes() -> Vec<Row> {
    let keys: Vec<String> = (0..100_000).map(|n| format!(r#""k{n}":1"#)).collect();
    let keys = keys.join(",");
    let deep = |count: usize| {
        format!(
            r#"{{"items":[],"x":{}{}}}"#,
            "[".repeat(count),
            "]".repeat(count)
        )
    };
    vec![
        body("100,000 brackets beside the pools", End::Mirrors(0), deep(100_000)),
        body("a million pools of nothing", INCOMPLETE, format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(MIB))),
        body("a million items that are none", INCOMPLETE, format!(r#"{{"items":[{}null]}}"#, "null,".repeat(MIB))),
        body("a kind of 2 MB", INCOMPLETE, format!(r#"{{"kind":"{}","items":[]}}"#, "k".repeat(2 * MIB))),
        body("an error code of 2 MB", INCOMPLETE, format!(r#"{{"error_code":"{}","items":[]}}"#, "c".repeat(2 * MIB))),
        body("100,000 keys beside the pools", WHOLE, format!(r#"{{{keys},"items":[{{"metadata":{{"name":"a"}}}}]}}"#)),
        body("so many remain that no number holds it", INCOMPLETE, r#"{"items":[],"metadata":{"remainingItemCount":1e400}}"#),
        body("fewer than none remain", WHOLE, r#"{"items":[{"metadata":{"name":"a"}}],"metadata":{"remainingItemCount":-1}}"#),
        body("it is not a number how many remain", INCOMPLETE, r#"{"items":[],"metadata":{"remainingItemCount":NaN}}"#),
        body("a pool of good and one of bad JSON", INCOMPLETE, r#"{"items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"},"x":NaN}]}"#),
        body("a listing in a text", INCOMPLETE, serde_json::json!(LISTING).to_string()),
        body("a listing in a listing", INCOMPLETE, format!(r#"{{"items":[{LISTING}]}}"#)),
    ]
}

/// Errors in strange words.
#[rustfmt::skip]
fn errors() -> Vec<Row> {
    use Reason::{CloudUnavailable, CredentialsRejected, EndpointNotFound, Forbidden, Throttled};
    let deep = format!("{}{}", r#"{"error":"#.repeat(10_000), "}".repeat(10_000));
    let long = format!(
        r#"{{"error_code":"{}","error_msg":"{}"}}"#,
        "c".repeat(10_000),
        "m".repeat(50_000)
    );
    let odd = r#"{"error_code":["a"],"error_msg":{"b":1},"request_id":null}"#;
    let lines =
        r#"{"error_code":"A\r\nB","error_msg":"\u001b[2J\u2028\u202e\u0000","request_id":"\t"}"#;
    vec![
        status("an error in 10,000 errors", CloudUnavailable, "500 Internal Server Error", &deep),
        status("an error in many words", CloudUnavailable, "502 Bad Gateway", &long),
        status("an error in words of other types", CloudUnavailable, "500 Internal Server Error", odd),
        status("an error that breaks lines", CloudUnavailable, "500 Internal Server Error", lines),
        status("a rejection as a page", CredentialsRejected, "401 Unauthorized", "<html>no</html>"),
        status("a refusal without a word", Forbidden, "403 Forbidden", ""),
        status("a listing as an error", EndpointNotFound, "404 Not Found", LISTING),
        status("too many requests, in bytes", Throttled, "429 Too Many Requests", "\u{0}\u{1}\u{2}"),
        status("a status that nobody knows", CloudUnavailable, "599 x", LISTING),
        status("the largest of all statuses", CloudUnavailable, "999 x", LISTING),
        status("nothing has changed", CloudUnavailable, "304 Not Modified", ""),
        status("a choice", CloudUnavailable, "300 Multiple Choices", LISTING),
        status("only a part", CloudUnavailable, "206 Partial Content", LISTING),
    ]
}
