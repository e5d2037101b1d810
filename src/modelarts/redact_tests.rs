use serde_json::json;

use super::*;

fn redacted(mut value: Value) -> Value {
    redact(value.as_object_mut().expect("an object"));
    value
}

#[test]
fn keys_of_secrets_at_every_depth() {
    assert_eq!(
        redacted(json!({
            "userLogin": {"keyPairName": "k", "password": "hunter2"},
            "a": [{"b": [{"Secret_Key": "hunter2", "kept": 1}]}],
            "accessToken": {"deep": "hunter2"}, "DBPasswd": "hunter2", "PRIVATE_KEY": "hunter2", "privateKey": "hunter2",
            "credentials": ["hunter2"], "postInstall": "aHVudGVyMg==", "post_install": "hunter2", "passphrase": "kept",
        })),
        json!({"userLogin": {"keyPairName": "k"}, "a": [{"b": [{"kept": 1}]}], "passphrase": "kept"})
    );
}

#[test]
fn json_in_strings() {
    let inner =
        json!({"password": "hunter2", "kept": json!({"token": "hunter2", "x": 1}).to_string()})
            .to_string();
    let result = redacted(json!({"annotation": inner, "list": "[{\"secret\": 1}, 2]"}));
    let expected = json!({"kept": "{\"x\":1}"}).to_string();
    assert_eq!(result, json!({"annotation": expected, "list": "[{},2]"}));
}

#[test]
fn text_without_secrets_is_kept_to_the_letter() {
    let kept = json!({"a": "{ \"x\" :  1.0 }", "b": "plain password text", "c": "[prod] token pool", "d": "{broken \"x\": 1", "e": "", "f": "{ \"a:\\\"\" : \":{\", \"b\": {\"c\":[ {\"c\":1}]} }"});
    assert_eq!(redacted(kept.clone()), kept);
}

#[test]
fn broken_json_with_a_secret_is_left_out() {
    assert_eq!(
        redacted(json!({"a": "{\"password\": \"hunter2", "b": 1})),
        json!({"b": 1})
    );
}

#[test]
fn entries_that_name_a_secret() {
    assert_eq!(
        redacted(
            json!({"tags": [{"key": "db-password", "value": "hunter2"}, {"key": "team", "value": "a"}, {"name": "API_TOKEN", "value": "hunter2"}, {"key": "token"}]})
        ),
        json!({"tags": [{"key": "team", "value": "a"}, {"key": "token"}]})
    );
}

#[test]
fn strings_nested_without_end_do_not_pass() {
    for secret in [
        json!({"password": "hunter2"}),
        json!({"key": "db-password", "value": "hunter2"}),
    ] {
        let mut text = secret.to_string();
        for _ in 0..12 {
            text = Value::String(text).to_string();
        }
        let result = redacted(json!({"a": text})).to_string();
        assert!(!result.contains("hunter2"), "{result}");
    }
}

/// The design's list, in the words of the design.
#[test]
fn every_key_of_the_list_in_every_spelling_at_every_depth() {
    let keys = [
        "password",
        "passwd",
        "secret",
        "token",
        "private_key",
        "privatekey",
        "credential",
        "post_install",
        "postinstall",
    ];
    for key in keys {
        let spellings = [
            key.to_owned(),
            key.to_uppercase(),
            format!("{}{}", key[..1].to_uppercase(), &key[1..]),
            key.replace('_', "-"),
            format!("my.{key}/x"),
            format!("os.modelarts/{key}s"),
        ];
        for spelling in spellings {
            let secret = json!({&*spelling: {"deep": ["hunter2"]}, "kept": true});
            let kept = json!({"kept": true});
            for depth in 0..6 {
                let nest = |inner: &Value| {
                    (0..depth).fold(inner.clone(), |inner, level| {
                        if level % 2 == 0 {
                            json!({"a": inner})
                        } else {
                            json!([1, inner])
                        }
                    })
                };
                let pool = |inner: &Value| json!({"x": nest(inner), "annotations": {"os.modelarts/x": nest(inner).to_string()}});
                assert_eq!(
                    redacted(pool(&secret)),
                    pool(&kept),
                    "{spelling} at {depth}"
                );
            }
        }
    }
}

#[test]
fn entries_that_name_a_secret_in_other_shapes() {
    for entry in [
        json!({"key": "db-password", "value": "hunter2"}),
        json!({"Name": "DB_TOKEN", "Value": "hunter2"}),
        json!({"name": "secrets", "values": ["hunter2"]}),
    ] {
        // One object where others have an array, and both of them in a string.
        for shape in [entry.clone(), json!([entry])] {
            let left = redacted(json!({"tags": shape, "text": shape.to_string(), "kept": 1}));
            assert_eq!(left["kept"], 1);
            assert!(!left.to_string().contains("hunter2"), "{left}");
        }
    }
}

#[test]
fn texts_that_can_not_be_cleaned_do_not_pass() {
    for text in [
        // A byte order mark, words around it, two in a row.
        "\u{feff}{\"password\": \"hunter2\"}",
        "config={\"password\": \"hunter2\"}",
        "{\"a\": 1}\n{\"token\": \"hunter2\"}",
        "\"token\" : hunter2",
        // As Python prints it.
        "{'password': 'hunter2'}",
        // Escapes in a key that is cut off later, and quoted once more.
        r#"{"p\u0061ssword": "hunter2"#,
        r#"{\"token\": \"hunter2\"}"#,
    ] {
        assert_eq!(
            redacted(json!({"a": text, "b": 1})),
            json!({"b": 1}),
            "{text}"
        );
    }
}

#[test]
fn escapes_in_whole_json_hide_no_key() {
    let text = r#"{"p\u0061ssword": "hunter2", "x": 1}"#;
    assert_eq!(redacted(json!({"a": text})), json!({"a": "{\"x\":1}"}));
}

/// Of two equal keys the parser keeps the last: what the first one says is read by nobody but stands
/// in the text.
#[test]
fn a_repeated_key_hides_no_secret() {
    for hidden in [
        r#"{"password":"hunter2"}"#,
        r#"[{"p\u0061ssword":"hunter2"}]"#,
        r#"{"key":"db-password","value":"hunter2"}"#,
        r#"{"token\"":"hunter2"}"#,
        r#""{\"token\":\"hunter2\"}""#,
    ] {
        for text in [
            format!(r#"{{"a":{hidden},"a":1}}"#),
            format!(r#"[{{"a":{hidden},"b":":","a":1}}]"#),
            format!(r#"{{"c":"x","d":{{"a":{hidden},"\u0061":1}}}}"#),
        ] {
            let deep = Value::String(text.clone()).to_string();
            for text in [text, deep] {
                let left = redacted(json!({"x": text, "kept": 1}));
                assert_eq!(left["kept"], 1);
                assert!(!left.to_string().contains("hunter2"), "{left}");
                assert!(left["x"].is_string(), "{left}");
            }
        }
    }
    let text = r#"{"a":{"password":"x"},"a":1}"#;
    assert_eq!(redacted(json!({"x": text})), json!({"x": r#"{"a":1}"#}));
}
