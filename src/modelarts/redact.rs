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
pub(super) const MAX_NESTING: usize = 8;

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

/// Whether to keep the value, and whether something in it was removed or written anew.
fn redact_value(value: &mut Value, nesting: usize) -> (bool, bool) {
    match value {
        Value::Object(object) if is_secret(object) => (false, true),
        Value::Object(object) => (true, redact_object(object, nesting)),
        Value::Array(items) => {
            let mut removed = false;
            items.retain_mut(|item| {
                let (keep, changed) = redact_value(item, nesting);
                removed |= changed || !keep;
                keep
            });
            (true, removed)
        }
        Value::String(text) => redact_text(text, nesting),
        Value::Null | Value::Bool(_) | Value::Number(_) => (true, false),
    }
}

fn is_secret(entry: &Map<String, Value>) -> bool {
    names_a_secret(entry.iter().map(|(key, value)| (&**key, value.as_str())))
}

/// Whether these members, each with its text, are an entry such as `{"key": "db-password",
/// "value": …}`, as tags and parameters have them.
pub(super) fn names_a_secret<'a>(
    mut entry: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone,
) -> bool {
    let is = |key: &str, words: &[&str]| words.iter().any(|w| key.eq_ignore_ascii_case(w));
    let named = entry
        .clone()
        .any(|(key, text)| is(key, &["key", "name"]) && text.is_some_and(is_secret_key));
    named && entry.any(|(key, _)| is(key, &["value", "values"]))
}

fn redact_text(text: &mut String, nesting: usize) -> (bool, bool) {
    if !text.contains(['{', '[', '"']) {
        return (true, false);
    }
    if nesting >= MAX_NESTING {
        return (false, true);
    }
    match serde_json::from_str::<Value>(text) {
        Ok(mut inner) => {
            let (keep, removed) = redact_value(&mut inner, nesting + 1);
            // Of equal keys only the last was parsed: what the others say was not looked at.
            let changed = removed || members(&inner) != members_in(text);
            if changed {
                *text = inner.to_string();
            }
            (keep, changed)
        }
        // Cut off, written by hand, or JSON amid other words: it can't be cleaned, so it must not
        // pass.
        Err(_) => (!mentions_a_secret(text), false),
    }
}

/// Members of the objects in `value`, at every depth.
fn members(value: &Value) -> usize {
    match value {
        Value::Object(object) => object.len() + object.values().map(members).sum::<usize>(),
        Value::Array(items) => items.iter().map(members).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Members of the objects that stand in the JSON `text`, each as often as it stands there: one for
/// each colon outside of strings.
fn members_in(text: &str) -> usize {
    let (mut count, mut in_string, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b':' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

/// Whether a quoted key of a secret stands before a colon in `text`. Python's quotes count too.
pub(super) fn mentions_a_secret(text: &str) -> bool {
    let mut parts = text.split(['"', '\'']);
    let Some(mut before) = parts.next() else {
        return false;
    };
    for part in parts {
        if part.trim_start().starts_with(':') && is_secret_key(&unescaped(before)) {
            return true;
        }
        before = part;
    }
    false
}

/// `text` with the escapes of ASCII characters decoded, at whatever depth of quoting.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("\\u");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .get(..4)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) if code.is_ascii() => {
                plain.push(char::from(code));
                plain.push_str(&part[4..]);
            }
            _ => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
