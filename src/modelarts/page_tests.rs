use std::convert::Infallible;

use super::*;

/// Reads `body` in pieces of `size` bytes.
fn read_in(body: &[u8], size: usize) -> (Vec<String>, Result<Page, String>) {
    let mut items = Vec::new();
    let mut reader = PageReader::default();
    for piece in body.chunks(size) {
        let taken = reader.feed(piece, |item: &str| {
            items.push(item.to_owned());
            Ok::<_, Infallible>(())
        });
        assert_eq!(taken, Ok(()));
    }
    (items, reader.end())
}

fn read(body: &str) -> (Vec<String>, Result<Page, String>) {
    read_in(body.as_bytes(), usize::MAX)
}

#[test]
fn whole_pages() {
    for (body, items, next) in [
        (
            r#"{"kind":"PoolList","apiVersion":"v2","items":[{"a":1}, {"b":[2]}]}"#,
            2,
            None,
        ),
        (r#"{"items":[]}"#, 0, None),
        (
            r#" {"items" : [ ] ,"metadata":{"continue":"","remainingItemCount":0},"x":{"y":[]}} "#,
            0,
            None,
        ),
        (
            r#"{"items":[{}],"metadata":{"continue":"t","remainingItemCount":5},"kind":"PoolList"}"#,
            1,
            Some("t"),
        ),
        (
            r#"{"items":[],"metadata":null,"error_code":null,"errorCode":""}"#,
            0,
            None,
        ),
        (
            r#"{"metadata":{"remainingItemCount":"0","continue":null},"items":[]}"#,
            0,
            None,
        ),
        // Items of something else are none of ours.
        (
            r#"{"x":{"items":[{"a":1}]},"others":[{"b":1}],"items":[{"c":1}],"y":"items"}"#,
            1,
            None,
        ),
    ] {
        let (seen, page) = read(body);
        let next = next.map(str::to_owned);
        assert_eq!(page, Ok(Page { next }), "{body}");
        assert_eq!(seen.len(), items, "{body}");
    }
}

#[test]
fn an_item_goes_on_as_it_was_sent() {
    let item = r#"{"a" : 1.0,  "b":"\u8bad 训练 }]\"{[", "c":[{"items":[{}]}]}"#;
    let (items, page) = read(&format!(r#"{{"items":[ {item} ,{item}]}}"#));
    assert_eq!((items, page.is_ok()), (vec![item.to_owned(); 2], true));
}

#[test]
fn how_the_body_is_cut_into_pieces_means_nothing() {
    let body = r#"{"kind":"PoolList","items":[{"n":"训\\\"练"},{"m":[[],{}]}],"metadata":{"continue":"池"}}"#;
    let whole = read(body);
    assert_eq!((whole.0.len(), whole.1.is_ok()), (2, true));
    for size in 1..body.len() {
        assert_eq!(read_in(body.as_bytes(), size), whole, "pieces of {size}");
    }
}

#[test]
fn of_a_long_listing_no_more_than_one_item_is_held() {
    let item = format!(r#"{{"x":"{}"}}"#, "x".repeat(10_000));
    let mut reader = PageReader::default();
    let mut seen = 0;
    let mut feed = |reader: &mut PageReader, bytes: &[u8]| {
        let taken = reader.feed(bytes, |_: &str| {
            seen += 1;
            Ok::<_, Infallible>(())
        });
        assert_eq!(taken, Ok(()));
        (reader.item.capacity(), reader.envelope.len())
    };
    feed(&mut reader, br#"{"items":["#);
    for n in 0..1000 {
        let (held, rest) = feed(&mut reader, item.as_bytes());
        assert!(held < 2 * item.len() && rest < 20 + 3 * n, "{held} {rest}");
        feed(&mut reader, b",");
    }
    assert_eq!(seen, 1000);
}

#[test]
fn every_beginning_of_a_listing_is_no_listing() {
    let body = r#"{"kind":"PoolList","items":[{"a":"x"},{"b":[1]}],"metadata":{"continue":"t"}}"#;
    for end in 0..body.len() {
        assert!(read(&body[..end]).1.is_err(), "{}", &body[..end]);
    }
    assert!(read(body).1.is_ok());
}

#[test]
fn answers_that_are_no_listing() {
    for bad in [
        "",
        "{}",
        "[]",
        "null",
        // What serde would take for the fields in their order.
        r#"["PoolList",null,[],null,null]"#,
        r#"{"items":null}"#,
        r#"{"items":{}}"#,
        r#"{"items":"x"}"#,
        r#"{"items":[{"a":1}"#,
        r#"{"items":[{"a":1}]"#,
        r#"{"items":[{"a":1} {"b":1}]}"#,
        r#"{"items":[{"a":1},]}"#,
        r#"{"items":[{"a":1}}"#,
        r#"{"items":[]}x"#,
        r#"{"items":[]}{"items":[]}"#,
        // Items that are no objects.
        r#"{"items":[null]}"#,
        r#"{"items":[{},1]}"#,
        r#"{"items":[[{}]]}"#,
        r#"{"items":["x",{}]}"#,
        // Which of two is meant?
        r#"{"items":[{"a":1}],"items":[]}"#,
        r#"{"items":[],"items":null}"#,
        r#"{"items":[],"error_code":"X","error_code":null}"#,
        r#"{"items":[],"metadata":{"continue":"t"},"metadata":{}}"#,
        // The key in other words: its items were not seen.
        r#"{"\u0069tems":[{"a":1}]}"#,
        r#"{"kind":"NodeList","items":[]}"#,
        r#"{"kind":null,"items":[]}"#,
        r#"{"kind":["PoolList"],"items":[]}"#,
        r#"{"error_code":"ModelArts.50005000","error_msg":"x"}"#,
        r#"{"items":[],"error_code":"ModelArts.50005000"}"#,
        r#"{"items":[],"errorCode":500}"#,
        r#"{"items":[],"error_code":{"a":1}}"#,
        r#"{"items":[],"metadata":{"remainingItemCount":3}}"#,
        r#"{"items":[],"metadata":{"remainingItemCount":"3"}}"#,
        r#"{"items":[],"metadata":{"remainingItemCount":"many"}}"#,
        r#"{"items":[],"metadata":{"remainingItemCount":18446744073709551615}}"#,
        r#"{"items":[],"metadata":{"continue":5}}"#,
        r#"{"items":[],"metadata":{"continue":["t"]}}"#,
        r#"{"items":[],"metadata":"x"}"#,
        "<html>",
        "\u{feff}{\"items\":[]}",
    ] {
        assert!(read(bad).1.is_err(), "{bad}");
    }
}

#[test]
fn a_place_to_go_on_has_a_limit() {
    for (bytes, expected) in [(MAX_CONTINUE, true), (MAX_CONTINUE + 1, false)] {
        let token = "t".repeat(bytes);
        let (_, page) = read(&format!(
            r#"{{"items":[],"metadata":{{"continue":"{token}"}}}}"#
        ));
        assert_eq!(page.is_ok(), expected, "{bytes}: {page:?}");
    }
}

#[test]
fn brackets_without_end_overflow_nothing() {
    for body in ["[".repeat(100_000), "{".repeat(100_000), "]".repeat(10)] {
        assert!(read(&body).1.is_err());
        assert!(read(&format!(r#"{{"items":[],"x":{body}"#)).1.is_err());
    }
}

#[test]
fn a_refused_item_ends_the_page() {
    let mut seen = 0;
    let fed =
        PageReader::default().feed(br#"{"items":[{"a":1},{"b":2},{"c":3}]}"#, |item: &str| {
            seen += 1;
            if item == r#"{"b":2}"# {
                Err("no pool")
            } else {
                Ok(())
            }
        });
    let refused = Unfit::Incomplete("no pool".to_owned());
    assert_eq!((fed, seen), (Err(refused), 2));
}

#[test]
fn bytes_that_are_no_text_stay_with_their_item() {
    let mut body = br#"{"items":[{"a":""#.to_vec();
    body.extend([0xff, 0xfe]);
    body.extend(br#""},{"b":1}]}"#);
    let (items, page) = read_in(&body, 3);
    assert_eq!(page, Ok(Page::default()));
    assert_eq!(items, ["{\"a\":\"\u{fffd}\u{fffd}\"}", r#"{"b":1}"#]);
}

#[test]
fn no_part_is_held_beyond_the_limit() {
    let fed = |body: &str| {
        let mut reader = PageReader {
            max_held: 40,
            ..PageReader::default()
        };
        let fed = reader.feed(body.as_bytes(), |_: &str| Ok::<_, Infallible>(()));
        assert!(reader.item.len() <= 40 && reader.envelope.len() <= 40 + PLACEHOLDER.len());
        fed.map_err(|unfit| format!("{unfit:?}"))
    };
    let item = |length: usize| format!(r#"{{"x":"{}"}}"#, "x".repeat(length - 8));
    let items = |length| format!(r#"{{"items":[{0},{0},{0}]}}"#, item(length));
    assert_eq!(fed(&items(40)), Ok(()));
    let one = r#"TooLarge("one of its pools has more than 40 bytes")"#;
    assert_eq!(fed(&items(41)), Err(one.to_owned()));
    let rest = r#"TooLarge("what it says beside its pools has more than 40 bytes")"#;
    let envelope = |length: usize| format!(r#"{{"items":[],"x":"{}"}}"#, "x".repeat(length - 19));
    assert_eq!(fed(&envelope(40)), Ok(()));
    for body in [
        envelope(41),
        " ".repeat(41),
        format!(r#"{{"items":[{}]}}"#, vec!["{}"; 40].join(",")),
    ] {
        assert_eq!(fed(&body), Err(rest.to_owned()), "{body}");
    }
}
