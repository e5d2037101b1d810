//! A fingerprint of JSON that does not change when the cloud reorders what it sends.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Number, Value};

/// A 64-bit hash of a JSON value, the same for equal values of one process.
///
/// Arrays count as sets with repetitions: the cloud does not keep the order of its arrays, and no
/// array of a pool has an order that means anything. Numbers count by value, since the API server
/// writes `1.0` back as `1` and integers beyond 64 bits as floats.
pub type Fingerprint = u64;

/// The [`Fingerprint`] of `value`.
#[must_use]
pub fn fingerprint(value: &Value) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::Null => 0_u8.hash(&mut hasher),
        Value::Bool(b) => (1_u8, b).hash(&mut hasher),
        Value::Number(n) => hash_number(n, &mut hasher),
        Value::String(s) => (3_u8, s).hash(&mut hasher),
        Value::Array(items) => {
            let mut parts: Vec<Fingerprint> = items.iter().map(fingerprint).collect();
            parts.sort_unstable();
            (4_u8, parts).hash(&mut hasher);
        }
        Value::Object(fields) => {
            // serde_json keeps the keys sorted, so that equal objects are walked alike.
            (5_u8, fields.len()).hash(&mut hasher);
            for (key, field) in fields {
                (key, fingerprint(field)).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

/// The [`Fingerprint`] of several parts together.
pub(super) fn combined(parts: &impl Hash) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

fn hash_number(number: &Number, hasher: &mut impl Hasher) {
    if let Some(integer) = number.as_i64() {
        (2_u8, integer).hash(hasher);
    } else if let Some(float) = number.as_f64() {
        match whole(float) {
            Some(integer) => (2_u8, integer).hash(hasher),
            None => (6_u8, float.to_bits()).hash(hasher),
        }
    }
}

/// The integer that `float` is, where it is one that 64 bits hold.
pub(crate) fn whole(float: f64) -> Option<i64> {
    // Both bounds are exact powers of two, so that the comparison does not round.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&float);
    #[allow(
        clippy::cast_possible_truncation,
        reason = "whole and within the bounds of i64"
    )]
    (fits && float.fract() == 0.0).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_does_not_count_at_any_depth() {
        let a = json!({"scope": ["Train", "Infer"], "resources": [{"flavor": "a", "azs": [1, 2]}, {"flavor": "b"}]});
        let b = json!({"resources": [{"flavor": "b"}, {"azs": [2, 1], "flavor": "a"}], "scope": ["Infer", "Train"]});
        assert_eq!(fingerprint(&a), fingerprint(&b));
    }

    #[test]
    fn everything_else_counts() {
        let all = [
            json!(null),
            json!(false),
            json!(0),
            json!(""),
            json!([]),
            json!({}),
            json!([[]]),
            json!([0]),
            json!([0, 0]),
            json!("0"),
            json!({"a": 1, "b": 2}),
            json!({"a": 2, "b": 1}),
            json!({"a": {"b": 1}}),
            json!(0.5),
            json!([{"f": "a", "c": 1}, {"f": "b", "c": 2}]),
            json!([{"f": "a", "c": 2}, {"f": "b", "c": 1}]),
        ];
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(fingerprint(a) == fingerprint(b), i == j, "{a} {b}");
            }
        }
    }

    #[test]
    fn numbers_count_by_value_as_the_api_server_rewrites_them() {
        for (sent, stored) in [
            ("1.0", "1"),
            ("1e2", "100"),
            ("1e20", "100000000000000000000"),
            ("12345678901234567890", "12345678901234567000"),
            ("-0.0", "0"),
        ] {
            let parse = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
            assert_eq!(
                fingerprint(&parse(sent)),
                fingerprint(&parse(stored)),
                "{sent}"
            );
        }
    }
}
