use serde_json::json;

use super::*;

fn parse(text: &str) -> Value {
    Value::Object(parse_object(text).expect(text))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[test]
fn json_is_parsed_as_serde_json_parses_it() {
    let text = r#"{"a":[null,true,-1,18446744073709551615,1.5e3,"x\ud83d\ude00",{}],"b":{"c":[]},"a":[2]}"#;
    let expected: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(parse(text), expected);
    let huge: Value =
        serde_json::from_str(r#"{"n":123456789012345678901234567890}"#).expect("JSON");
    assert_eq!(parse(r#"{"n":123456789012345678901234567890}"#), huge);
}

#[test]
fn what_is_nested_too_deep_is_left_out_and_the_rest_stays() {
    for (open, close) in [("[", "]"), (r#"{"x":"#, "}")] {
        for levels in [MAX_DEPTH - 1, MAX_DEPTH, 200, 100_000] {
            let inner = if open == "[" { "" } else { "1" };
            let text = format!(
                r#"{{"deep":{}{inner}{},"kept":1}}"#,
                open.repeat(levels),
                close.repeat(levels)
            );
            let value = parse(&text);
            assert_eq!(value["kept"], 1);
            assert_eq!(depth(&value), MAX_DEPTH, "{levels} of {open}");
        }
    }
    let twice = format!(r#"{{"a":1,"a":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    assert_eq!(
        depth(&parse(&twice)),
        MAX_DEPTH,
        "the last of two equal keys"
    );
}

#[test]
fn what_strict_parsers_refuse_is_mended() {
    for (text, expected) in [
        (
            r#"{"n":1e400,"m":[-1E999,2]}"#,
            json!({"n": null, "m": [null, 2]}),
        ),
        (
            r#"{"s":"a\ud83d","t":"\ude00b\n","u":"\ud83d\ude00\ud83dx"}"#,
            json!({"s": "a\u{fffd}", "t": "\u{fffd}b\n", "u": "\u{1f600}\u{fffd}x"}),
        ),
        ("{\"s\":\"a\tb\nc\\\"\"}", json!({"s": "a b c\""})),
        (
            r#"{"s":"1e400 \\","n":1e400}"#,
            json!({"s": "1e400 \\", "n": null}),
        ),
    ] {
        assert_eq!(parse(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    for bad in [
        "",
        "1",
        "null",
        "[]",
        "{",
        r#"{"a":}"#,
        r#"{"a":1}x"#,
        r#"{"a":"\q"}"#,
        r#"{"a":"\"#,
        r#"{"a":"\u12"}"#,
        r#"{"a":01}"#,
        r#"{"a":--1}"#,
        r#"{"a":"训\"#,
        &"[".repeat(100_000),
        &r#"{"a":"#.repeat(100_000),
    ] {
        assert!(parse_object(bad).is_err(), "{bad:.40}");
    }
}
