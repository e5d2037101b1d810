use super::*;

#[test]
fn an_item_needs_an_id() {
    let large = format!(r#"{{"metadata":{{}},"x":"{}"}}"#, "x".repeat(MAX_PARSED));
    for bad in [
        "null",
        "[]",
        "1",
        "{}",
        r#"{"metadata":{}}"#,
        r#"{"metadata":{"name":""}}"#,
        r#"{"metadata":{"name":1}}"#,
        r#"{"metadata":"p"}"#,
        "{",
        &large,
    ] {
        assert!(Pool::parse(bad).is_err(), "{bad:.40}");
    }
}

#[test]
fn secrets_never_leave_the_parser() {
    let text = r#"{"metadata":{"name":"p","annotations":{"x":"{\"token\":\"hunter2\"}"}},"spec":{"userLogin":{"password":"hunter2"}}}"#;
    let pool = Pool::parse(text).expect("a pool");
    assert_eq!(pool.id, "p");
    assert!(!format!("{pool:?}").contains("hunter2"));
}

#[test]
fn an_error_repeats_nothing_of_the_item() {
    for bad in [
        r#""hunter2""#,
        r#"["hunter2"]"#,
        r#"{"password":"hunter2"}"#,
        r#"{"password":"hunter2""#,
        r#"{"metadata":{"name":{"password":"hunter2"}}}"#,
    ] {
        let error = Pool::parse(bad).expect_err(bad);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn the_last_of_two_equal_keys_wins() {
    let pool = Pool::parse(r#"{"metadata":{"name":"a"},"metadata":{"name":"b"}}"#).expect("a pool");
    assert_eq!(pool.id, "b");
    // Of the first nothing is left, whatever it held.
    let text = r#"{"metadata":{"name":"a"},"spec":{"password":"hunter2","x":[{"token":"hunter2"}]},"spec":{"a":1}}"#;
    let pool = Pool::parse(text).expect("a pool");
    assert_eq!(
        Value::Object(pool.json),
        serde_json::json!({"metadata": {"name": "a"}, "spec": {"a": 1}})
    );
}

#[test]
fn of_a_pool_that_no_mirror_holds_only_the_id_is_read() {
    let text = format!(
        r#"{{"x":[{}1],"metadata":{{"labels":{{}},"name":"p"}}}}"#,
        "0,".repeat(MAX_PARSED)
    );
    let pool = Pool::parse(&text).expect("a pool");
    assert_eq!((&*pool.id, pool.json.len()), ("p", 0));
}

/// Levels of nesting within strings within strings: what follows them must not use up the stack.
#[test]
fn nesting_within_strings_uses_up_no_stack() {
    let mut text = "[".repeat(126) + &"]".repeat(126);
    for _ in 0..10 {
        let quoted = Value::String(text).to_string();
        text = format!("{}{quoted}{}", "[".repeat(100), "]".repeat(100));
    }
    let pool = format!(
        r#"{{"metadata":{{"name":"p"}},"x":{}}}"#,
        Value::String(text)
    );
    // The smallest stack that the program's threads have.
    let parsed = std::thread::Builder::new()
        .stack_size(2 * 1024 * 1024)
        .spawn(move || Pool::parse(&pool).map(|p| p.id))
        .expect("a thread")
        .join();
    assert_eq!(parsed.expect("no panic"), Ok("p".to_owned()));
}
