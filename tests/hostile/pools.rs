//! Pools that no cloud should send, each with what becomes of it.
//!
//! Taken in by unit tests too, which send them through the client.

/// What becomes of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is mirrored.
    Mirror,
    /// It is named in `skipped`, with this reason.
    Skipped(&'static str),
    /// It is no pool: the listing is not complete.
    Incomplete,
    /// It is larger than is held: the listing is too large.
    TooLarge,
}

/// One pool.
pub(crate) struct HostilePool {
    /// What is strange about it.
    pub(crate) name: &'static str,
    /// The item of the listing, byte by byte.
    pub(crate) item: Vec<u8>,
    pub(crate) end: End,
}

/// All of them. Each that is mirrored has an id of its own.
pub(crate) fn pools() -> Vec<HostilePool> {
    let tables = [names(), numbers(), texts(), keys(), sizes(), shapes()];
    let numbered = tables.into_iter().flatten().enumerate();
    let made = numbered.map(|(number, (name, item, end))| HostilePool {
        name,
        item: replaced(&item, &format!("hostile-{number}")),
        end,
    });
    made.collect()
}

/// Stands for the id.
const ID: &str = "@ID@";

type Row = (&'static str, Vec<u8>, End);

/// `item` with `id` where it says so, once.
fn replaced(item: &[u8], id: &str) -> Vec<u8> {
    let at = item.windows(ID.len()).position(|w| w == ID.as_bytes());
    match at {
        Some(at) => [&item[..at], id.as_bytes(), &item[at + ID.len()..]].concat(),
        None => item.to_vec(),
    }
}

/// A pool whose spec, status and metadata also have these members, each with a comma before it.
fn pool(metadata: &str, spec: &str, status: &str) -> Vec<u8> {
    format!(
        r#"{{"kind":"Pool","apiVersion":"v2","metadata":{{"name":"{ID}"{metadata}}},"spec":{{"type":"Dedicate"{spec}}},"status":{{"phase":"Running"{status}}}}}"#
    )
    .into_bytes()
}

fn in_spec(members: &str) -> Vec<u8> {
    pool("", &format!(",{members}"), "")
}

fn in_status(members: &str) -> Vec<u8> {
    pool("", "", &format!(",{members}"))
}

fn in_metadata(members: &str) -> Vec<u8> {
    pool(&format!(",{members}"), "", "")
}

/// A pool whose id is this JSON.
fn named(id: &str) -> Vec<u8> {
    format!(r#"{{"metadata":{{"name":{id}}},"spec":{{"type":"Dedicate"}}}}"#).into_bytes()
}

#[rustfmt::skip]
fn names() -> Vec<Row> {
    use End::{Incomplete, Mirror, Skipped};
    let of_letter = |letter: &str, length: usize| format!("\"{}\"", letter.repeat(length));
    let invalid = Skipped("InvalidName");
    vec![
        ("no metadata", b"{}".to_vec(), Incomplete),
        ("no id", br#"{"metadata":{}}"#.to_vec(), Incomplete),
        ("an empty id", named(r#""""#), Incomplete),
        ("a null id", named("null"), Incomplete),
        ("a number as id", named("7"), Incomplete),
        ("an object as id", named(r#"{"a":"b"}"#), Incomplete),
        ("an array as id", named(r#"["a"]"#), Incomplete),
        ("metadata is a text", br#"{"metadata":"a"}"#.to_vec(), Incomplete),
        ("the longest id of an object", named(&of_letter("n", 253)), Mirror),
        ("an id one longer", named(&of_letter("n", 254)), invalid),
        ("an id of 100 KB", named(&of_letter("m", 100_000)), invalid),
        ("an id of 10 MB", named(&of_letter("o", 10_000_000)), invalid),
        ("an id in capitals", named(r#""POOL""#), invalid),
        ("an id that leads elsewhere", named(r#""../../secrets/a""#), invalid),
        ("an id of a dot", named(r#"".""#), invalid),
        ("an id with a dot at its end", named(r#""a.""#), invalid),
        ("an id with a hyphen at its begin", named(r#""-a""#), invalid),
        ("an id with a space", named(r#""a b""#), invalid),
        ("an id with a NUL", named(r#""a\u0000b""#), invalid),
        ("an id with a line break", named(r#""a\nb""#), invalid),
        ("an id that turns its line around", named(r#""a\u202eb""#), invalid),
        ("an id of half a surrogate pair", named(r#""\ud83d""#), invalid),
        ("an id with an emoji", named(r#""a😀""#), invalid),
        ("an id with a percent sign", named(r#""a%2fb""#), invalid),
        ("an id of one digit", named(r#""0""#), Mirror),
        ("an id in punycode", named(r#""xn--80ak6aa92e""#), Mirror),
        ("an id with dots", named(r#""a.b.c""#), Mirror),
        ("an id of another object's path", named(r#""x/status""#), invalid),
        ("the key name in escapes", br#"{"metadata":{"\u006e\u0061me":"@ID@"}}"#.to_vec(), Mirror),
        ("two ids, of which the last counts", br#"{"metadata":{"name":"UPPER","name":"@ID@"}}"#.to_vec(), Mirror),
        ("two metadata, of which the last counts", br#"{"metadata":{"name":"UPPER"},"metadata":{"name":"@ID@"}}"#.to_vec(), Mirror),
        ("metadata twice, the last without an id", br#"{"metadata":{"name":"a"},"metadata":{}}"#.to_vec(), Incomplete),
    ]
}

#[rustfmt::skip]
fn numbers() -> Vec<Row> {
    use End::{Incomplete, Mirror};
    // In a field that takes whole numbers, and in one that takes anything.
    let number = |n: &str| {
        in_spec(&format!(
            r#""controlMode":{n},"resources":[{{"flavor":"f","count":{n}}}],"unknown":[{n}]"#
        ))
    };
    let digits = |count: usize| "9".repeat(count);
    vec![
        ("a number beyond any double", number("1e400"), Mirror),
        ("the same below zero", number("-1E+400"), Mirror),
        ("an exponent of 20 digits", number("1e99999999999999999999"), Mirror),
        ("a number too small for a double", number("1e-400"), Mirror),
        ("the largest double", number("1.7976931348623157e308"), Mirror),
        ("minus zero", number("-0"), Mirror),
        ("minus zero point zero", number("-0.0"), Mirror),
        ("the largest of 64 bits", number("9223372036854775807"), Mirror),
        ("one more", number("9223372036854775808"), Mirror),
        ("the smallest of 64 bits", number("-9223372036854775808"), Mirror),
        ("one less", number("-9223372036854775809"), Mirror),
        ("the largest without a sign", number("18446744073709551615"), Mirror),
        ("one more without a sign", number("18446744073709551616"), Mirror),
        ("the first that no double holds", number("9007199254740993"), Mirror),
        ("a whole number of 1,000 digits", number(&digits(1000)), Mirror),
        ("one of 50,000 digits", number(&digits(50_000)), Mirror),
        ("a fraction of 50,000 digits", number(&format!("0.{}", digits(50_000))), Mirror),
        ("a whole number in capitals", number("1E2"), Mirror),
        ("a fraction with many zeros", number("2.0000"), Mirror),
        ("nodes whose sum has more than 64 bits", pool("", r#","resources":[{"count":9223372036854775807},{"count":9223372036854775807}]"#, r#","resources":{"available":[{"count":9223372036854775807},{"count":9223372036854775807}],"abnormal":{"count":-9223372036854775808},"deleting":[{"count":-9223372036854775808},{"count":-1}]}"#), Mirror),
        ("not a number", number("NaN"), Incomplete),
        ("infinity", number("Infinity"), Incomplete),
        ("a number with a leading zero", number("01"), Incomplete),
        ("a number with a plus", number("+1"), Incomplete),
        ("a number that begins with a dot", number(".5"), Incomplete),
        ("a number in hexadecimal", number("0x10"), Incomplete),
        ("a number with an empty exponent", number("1e"), Incomplete),
    ]
}

#[rustfmt::skip]
fn texts() -> Vec<Row> {
    use End::{Incomplete, Mirror};
    let text = |text: &[u8]| {
        let parts = pool(
            r#","annotations":{"os.modelarts/description":"@TEXT@"}"#,
            r#","unknown":"@TEXT@""#,
            r#","message":"@TEXT@""#,
        );
        let parts = String::from_utf8(parts).expect("a text");
        let parts: Vec<&[u8]> = parts.split("@TEXT@").map(str::as_bytes).collect();
        parts.join(text)
    };
    let control: Vec<u8> = (1..32).filter(|c| *c != b'"').collect();
    vec![
        ("a NUL in escapes", text(br"a\u0000b"), Mirror),
        ("control characters as they are", text(&control), Mirror),
        ("a NUL as it is", text(b"a\0b"), Mirror),
        ("the other control characters", text("\u{7f}\u{80}\u{85}\u{9f}".as_bytes()), Mirror),
        ("line ends of Unicode", text("a\u{2028}b\u{2029}c".as_bytes()), Mirror),
        ("marks that turn lines around", text("\u{202e}abc\u{2066}\u{200f}".as_bytes()), Mirror),
        ("marks of byte order", text("\u{feff}a\u{fffe}".as_bytes()), Mirror),
        ("no characters", text("\u{ffff}\u{10ffff}\u{fdd0}".as_bytes()), Mirror),
        ("the same in escapes", text(br"\uffff\udbff\udfff\ufdd0"), Mirror),
        ("the first half of a pair", text(br"a\ud83db"), Mirror),
        ("the second half", text(br"\ude00"), Mirror),
        ("the halves the wrong way round", text(br"\ude00\ud83d"), Mirror),
        ("two first halves", text(br"\ud83d\ud83d\ude00"), Mirror),
        ("bytes that are no UTF-8", text(b"\xff\xfe\xfa"), Mirror),
        ("UTF-8 that is cut", text(b"\xe8\xae"), Mirror),
        ("UTF-8 longer than it need be", text(b"\xc0\x80\xe0\x80\x80"), Mirror),
        ("a surrogate in UTF-8", text(b"\xed\xa0\xbd"), Mirror),
        ("Latin-1", text(b"M\xfcnchen"), Mirror),
        ("a thousand marks upon one letter", text(format!("e{}", "\u{301}".repeat(1000)).as_bytes()), Mirror),
        ("what YAML reads as something else", text(br"yes: {{ .Values.x }} <<: *a !!binary | - ? %TAG #"), Mirror),
        ("HTML and templates", text(br"<script>alert(1)</script> ${jndi:ldap://x} $(id) `id`"), Mirror),
        ("escapes of a terminal", text(br"\u001b[2J\u001b]0;x\u0007"), Mirror),
        ("an escape that is none", text(br"\x41"), Incomplete),
        ("an escape that is cut", text(br"\u12"), Incomplete),
        ("a text that does not end", br#"{"metadata":{"name":"a}}"#.to_vec(), Incomplete),
        ("a time that is none", in_metadata(r#""creationTimestamp":"2022-09-16 03:10:40 CST""#), Mirror),
        ("a time with a leap second", in_metadata(r#""creationTimestamp":"2016-12-31T23:59:60Z""#), Mirror),
        ("the last of all times", in_metadata(r#""creationTimestamp":"9999-12-31T23:59:59Z""#), Mirror),
        ("a time with an offset beyond it", in_metadata(r#""creationTimestamp":"9999-12-31T23:59:59-23:59""#), Mirror),
        ("a time before all", in_metadata(r#""creationTimestamp":"-009999-01-01T00:00:00Z""#), Mirror),
        ("the year 0", in_metadata(r#""creationTimestamp":"0000-01-01T00:00:00Z""#), Mirror),
        ("a time as a number", in_metadata(r#""creationTimestamp":1663297840"#), Mirror),
        ("a phase of 100 KB", pool("", "", &format!(r#","phase":"{}""#, "P".repeat(100_000))), Mirror),
        ("a phase with line breaks", pool("", "", r#","phase":"Run\nning""#), Mirror),
        ("a message of 100 KB", in_status(&format!(r#""message":"{}""#, "m".repeat(100_000))), Mirror),
    ]
}

#[rustfmt::skip]
fn keys() -> Vec<Row> {
    use End::{Incomplete, Mirror, Skipped};
    let labels = |members: &str| {
        in_metadata(&format!(
            r#""labels":{{{members}}},"annotations":{{{members}}}"#
        ))
    };
    let many = |count: usize, value: &str| {
        let members = (0..count).map(|n| format!(r#""os.modelarts/k{n}":"{value}""#));
        members.collect::<Vec<_>>().join(",")
    };
    let plain = |count: usize| {
        let members = (0..count).map(|n| format!(r#""k{n}":{n}"#));
        members.collect::<Vec<_>>().join(",")
    };
    vec![
        ("a label with an empty name", labels(r#""os.modelarts/":"x""#), Mirror),
        ("a label with an empty key", labels(r#""":"x","/":"y""#), Mirror),
        ("a label with two slashes", labels(r#""os.modelarts/a/b":"x""#), Mirror),
        ("a label with a name of 64 characters", labels(&format!(r#""os.modelarts/{}":"x""#, "n".repeat(64))), Mirror),
        ("a label with a prefix of 254 characters", labels(&format!(r#""os.modelarts.{}/n":"x""#, "p".repeat(241))), Mirror),
        ("a label with a key of 100 KB", labels(&format!(r#""os.modelarts/{}":"x""#, "n".repeat(100_000))), Mirror),
        ("a label with a value of 64 characters", labels(&format!(r#""os.modelarts/n":"{}""#, "v".repeat(64))), Mirror),
        ("a label with a control character", labels(r#""os.modelarts/\u0000":"x","os.modelarts/n":"\u0001""#), Mirror),
        ("labels that would steer other programs", labels(r#""app.kubernetes.io/managed-by":"Helm","argocd.argoproj.io/instance":"x","modelarts.huaweicloud.com/source":"y","kubectl.kubernetes.io/last-applied-configuration":"{}""#), Mirror),
        ("a label that says another workspace", labels(r#""os.modelarts/workspace.id":"../1""#), Mirror),
        ("3,000 labels", labels(&many(3000, "x")), Mirror),
        ("annotations of 400 KB", labels(&many(400, &"v".repeat(1000))), Mirror),
        ("labels of every type", labels(r#""os.modelarts/a":null,"os.modelarts/b":1e400,"os.modelarts/c":[],"os.modelarts/d":{"e":{}},"os.modelarts/f":-0.0,"os.modelarts/g":true"#), Mirror),
        ("a label twice", labels(r#""os.modelarts/a":"1","os.modelarts/a":"2""#), Mirror),
        ("labels as an array", in_metadata(r#""labels":["a"],"annotations":"b""#), Mirror),
        ("an empty key", in_spec(r#""":"","":{"":[]}"#), Mirror),
        ("keys that other languages know", in_spec(r#""__proto__":{"a":1},"constructor":1,"$ref":"/x","<<":{"a":1}"#), Mirror),
        ("keys that YAML takes for something else", in_spec(r#""yes":1,"null":2,"1.5":3,"2022-09-16":4,"~":5,"? ":6"#), Mirror),
        ("a key with control characters", in_spec(r#""\u0000\u001f\u0085\u2028\ufeff":1"#), Mirror),
        ("a key of half a surrogate pair", in_spec(r#""\ud83d":1"#), Mirror),
        ("a key that is no UTF-8", in_bytes(b"\"\xff\xfe\":1"), Mirror),
        ("a key of 1,000 characters", in_spec(&format!(r#""{}":1"#, "k".repeat(1000))), Mirror),
        ("a key of 100 KB", in_spec(&format!(r#""{}":1"#, "k".repeat(100_000))), Mirror),
        ("10,000 keys", in_spec(&plain(10_000)), Mirror),
        ("20,000 keys", in_spec(&plain(20_000)), Skipped("TooLarge")),
        ("a spec twice", br#"{"metadata":{"name":"@ID@"},"spec":{"type":"Logical"},"spec":{"type":"Dedicate"}}"#.to_vec(), Mirror),
        ("a field 10,000 times", in_spec(&vec![r#""resources":[]"#; 10_000].join(",")), Mirror),
        ("fields of a status that are ours", in_status(r#""conditions":[{"type":"Ready","status":"True"}],"counts":{"desired":9},"observedGeneration":7,"flavors":1,"creationTimestamp":"x","otherMetadata":[],"cloud":{"cloud":{}}"#), Mirror),
        ("fields of an object's own", in_metadata(r#""finalizers":["x"],"ownerReferences":[{}],"namespace":"kube-system","uid":"u","resourceVersion":"0","deletionTimestamp":"2022-09-16T03:10:40Z","managedFields":[{}],"generateName":"x""#), Mirror),
        ("a key without a value", in_spec(r#""a""#), Incomplete),
        ("a key that is a number", in_spec("1:2"), Incomplete),
        ("a comma at the end", in_spec(r#""a":1,"#), Incomplete),
        ("a comment", in_spec(r#"/* a */"b":1"#), Incomplete),
    ]
}

/// The same as [`in_spec`] of bytes that are no text.
fn in_bytes(members: &[u8]) -> Vec<u8> {
    let whole = in_spec("@MEMBERS@");
    let at = whole.windows(9).position(|w| w == b"@MEMBERS@");
    let at = at.expect("its place");
    [&whole[..at], members, &whole[at + 9..]].concat()
}

#[rustfmt::skip]
fn sizes() -> Vec<Row> {
    use End::{Mirror, Skipped, TooLarge};
    let large = Skipped("TooLarge");
    let text = |bytes: usize| in_spec(&format!(r#""x":"{}""#, "x".repeat(bytes)));
    let nested = |open: &str, inner: &str, close: &str, levels: usize| {
        let (open, close) = (open.repeat(levels), close.repeat(levels));
        in_spec(&format!(r#""deep":{open}{inner}{close}"#))
    };
    let twice = |what: &str, bytes: usize| {
        let count = bytes / (what.len() + 1);
        in_spec(&format!(r#""x":[{}]"#, vec![what; count].join(",")))
    };
    vec![
        ("64 arrays in one another", nested("[", "", "]", 64), Mirror),
        ("128 arrays", nested("[", "", "]", 128), Mirror),
        ("100,000 arrays", nested("[", "", "]", 100_000), Mirror),
        ("200 objects in one another", nested(r#"{"x":"#, "1", "}", 200), Mirror),
        ("100,000 objects", nested(r#"{"x":"#, "1", "}", 100_000), Mirror),
        ("arrays and objects by turns", nested(r#"[{"x":"#, "1", "}]", 50_000), Mirror),
        ("a text of 900 KB", text(900_000), Mirror),
        ("a text of 1.1 MB", text(1_100_000), large),
        ("a text of 10 MB", text(10_000_000), large),
        ("a text of 17 MB", text(17_000_000), TooLarge),
        ("2 MB of empty arrays", twice("[]", 2_000_000), large),
        ("900 KB of empty arrays", twice("[]", 900_000), large),
        ("900 KB of empty objects", twice("{}", 900_000), large),
        ("900 KB of nulls", twice("null", 900_000), large),
        ("900 KB of numbers that grow when they are written", twice("1e15", 900_000), large),
        ("10 MB of numbers", twice("0", 10_000_000), large),
        ("texts that grow when they are stored", text_of("&", 500_000), large),
        ("a label of 10 MB", in_metadata(&format!(r#""labels":{{"os.modelarts/a":"{}"}}"#, "v".repeat(10_000_000))), large),
        ("20,000 node pools", in_spec(&format!(r#""resources":[{}]"#, vec![r#"{"flavor":"f","count":1}"#; 20_000].join(","))), large),
        ("2,000 node pools", in_spec(&format!(r#""resources":[{}]"#, vec![r#"{"flavor":"f","count":1}"#; 2000].join(","))), Mirror),
        ("2,000 flavors", in_spec(&format!(r#""resources":[{}]"#, (0..2000).map(|n| format!(r#"{{"flavor":"f{n}","count":1}}"#)).collect::<Vec<_>>().join(","))), Mirror),
        ("300 KB of JSON in a text in a text", in_spec(&format!(r#""x":"{}""#, r#"{\"a\":\"[1]\"}"#.repeat(20_000))), Mirror),
    ]
}

fn text_of(character: &str, count: usize) -> Vec<u8> {
    in_spec(&format!(r#""x":"{}""#, character.repeat(count)))
}

#[rustfmt::skip]
fn shapes() -> Vec<Row> {
    use End::{Incomplete, Mirror};
    let whole = |spec: &str, status: &str| {
        format!(r#"{{"metadata":{{"name":"{ID}"}},"spec":{spec},"status":{status}}}"#).into_bytes()
    };
    vec![
        ("no spec and no status", named(&format!("\"{ID}\"")), Mirror),
        ("spec and status are null", whole("null", "null"), Mirror),
        ("they are texts", whole(r#""x""#, r#""{}""#), Mirror),
        ("they are arrays", whole("[{}]", "[[]]"), Mirror),
        ("they are numbers", whole("1e400", "-1"), Mirror),
        ("every field has another type", whole(r#"{"type":{},"scope":"Train","resources":"none","network":[],"controlMode":"eight","driver":1,"jobFlavors":{"a":1},"clusters":7,"masters":true,"ipv6enable":"maybe"}"#, r#"{"phase":[],"message":{},"resources":"all","scope":{"a":1},"driver":[],"parent":1,"root":null,"clusters":"x"}"#), Mirror),
        ("buckets of every kind", whole(r#"{"resources":[null,1,"x",[],{"count":"2"},{"count":" 3 "},{"count":{}},{"azs":[null,{"az":1}]}]}"#, r#"{"resources":{"available":null,"creating":7,"abnormal":[[{"count":1}]],"deleting":{"x":{}},"creationFailed":["a"],"new":[]}}"#), Mirror),
        ("an object in an object of the same name", whole(r#"{"spec":{"spec":{}}}"#, r#"{"status":{"status":{}}}"#), Mirror),
        ("another kind", br#"{"kind":"Secret","apiVersion":"v1","metadata":{"name":"@ID@"},"data":{"a":"b"}}"#.to_vec(), Mirror),
        ("a version that is none", br#"{"apiVersion":"\u0000","metadata":{"name":"@ID@"}}"#.to_vec(), Mirror),
        ("unknown fields beside the known", br#"{"metadata":{"name":"@ID@"},"x":[{}],"conditions":1}"#.to_vec(), Mirror),
        ("spaces everywhere", b" {\t\"metadata\"\r\n: { \"name\" :\"@ID@\" } } ".to_vec(), Mirror),
        ("brackets in texts", in_spec(r#""x":"]}{[\"\\","y":"\\\\\"}""#), Mirror),
        ("a word that is no JSON", in_spec(r#""a":True"#), Incomplete),
        ("a text in single quotes", in_spec("'a':'b'"), Incomplete),
        ("a bracket of the wrong kind", in_spec(r#""a":[1}"#), Incomplete),
    ]
}
