//! Leaves secrets out of what the cloud sends: at every depth, and inside JSON that stands in a
//! string. Never hashed or shortened instead: a mirror is read by many.

use serde_json::{Map, Value};

/// What the key of a secret contains, in lower case and without `_` and `-`.
const SECRET_KEYS: [&str; 7] = [
    "password",
    "passwd",
    "secret",
    "token",
    "privatekey",
    "credential",
    "postinstall",
];

/// How deep JSON in strings in JSON is followed; deeper text is left out.
const MAX_NESTING: usize = 8;

/// Removes secrets from `object`.
pub fn redact(object: &mut Map<String, Value>) {
    redact_object(object, 0);
}

/// Whether a value under `key` may be a secret.
#[must_use]
pub fn is_secret_key(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SECRET_KEYS.iter().any(|secret| plain.contains(secret))
}

/// Whether something was removed.
fn redact_object(object: &mut Map<String, Value>, nesting: usize) -> bool {
    let before = object.len();
    object.retain(|key, _| !is_secret_key(key));
    let mut removed = object.len() < before;
    object.retain(|_, value| {
        let (keep, changed) = redact_value(value, nesting);
        removed |= changed || !keep;
        keep
    });
    removed
}

/// Whether to keep the value, and whether something in it was removed.
fn redact_value(value: &mut Value, nesting: usize) -> (bool, bool) {
    match value {
        Value::Object(object) => (true, redact_object(object, nesting)),
        Value::Array(items) => {
            let mut removed = false;
            items.retain_mut(|item| {
                let (keep, changed) = redact_value(item, nesting);
                let keep = keep && !names_a_secret(item);
                removed |= changed || !keep;
                keep
            });
            (true, removed)
        }
        Value::String(text) => redact_text(text, nesting),
        Value::Null | Value::Bool(_) | Value::Number(_) => (true, false),
    }
}

/// An entry such as `{"key": "db-password", "value": …}`, as tags and parameters have them.
fn names_a_secret(item: &Value) -> bool {
    let named = |field| {
        item.get(field)
            .and_then(Value::as_str)
            .is_some_and(is_secret_key)
    };
    item.get("value").is_some() && (named("key") || named("name"))
}

fn redact_text(text: &mut String, nesting: usize) -> (bool, bool) {
    let trimmed = text.trim_start();
    if !trimmed.starts_with(['{', '[', '"']) {
        return (true, false);
    }
    if nesting >= MAX_NESTING {
        return (!mentions_a_secret(text), false);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut inner) => {
            let (keep, removed) = redact_value(&mut inner, nesting + 1);
            if removed {
                *text = inner.to_string();
            }
            (keep, removed)
        }
        // Cut off or written by hand: it can't be cleaned, so it must not pass.
        Err(_) => (!mentions_a_secret(text), false),
    }
}

/// Whether a quoted key of a secret stands before a colon in `text`.
fn mentions_a_secret(text: &str) -> bool {
    let mut parts = text.split('"');
    let Some(mut before) = parts.next() else {
        return false;
    };
    for part in parts {
        if part.trim_start().starts_with(':') && is_secret_key(before) {
            return true;
        }
        before = part;
    }
    false
}

#[cfg(test)]
mod tests {
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
        let kept = json!({"a": "{ \"x\" :  1.0 }", "b": "plain password text", "c": "[prod] token pool", "d": "{broken \"x\": 1", "e": ""});
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
        let mut text = json!({"password": "hunter2"}).to_string();
        for _ in 0..12 {
            text = Value::String(text).to_string();
        }
        let result = redacted(json!({"a": text})).to_string();
        assert!(!result.contains("hunter2"), "{result}");
    }
}
