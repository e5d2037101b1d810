//! Compares JSON, and says where it differs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The places where `found` is not `expected`. Numbers are compared by their value: the API server
/// writes 1.0 as 1.
pub fn differences(expected: &Value, found: &Value, at: &str, into: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(e), Value::Object(f)) => {
            let keys: BTreeSet<&String> = e.keys().chain(f.keys()).collect();
            for key in keys {
                let at = format!("{at}.{key}");
                match (e.get(key), f.get(key)) {
                    (Some(e), Some(f)) => differences(e, f, &at, into),
                    (Some(e), None) => into.push(format!("{at} is missing, not {}", short(e))),
                    (_, f) => into.push(format!("{at} is there: {}", short(&json!(f)))),
                }
            }
        }
        (Value::Array(e), Value::Array(f)) if e.len() == f.len() => {
            for (index, (e, f)) in e.iter().zip(f).enumerate() {
                differences(e, f, &format!("{at}[{index}]"), into);
            }
        }
        (Value::Number(e), Value::Number(f)) if e.as_f64() == f.as_f64() => {}
        (e, f) if e == f => {}
        (e, f) => into.push(format!("{at} is {}, not {}", short(f), short(e))),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
