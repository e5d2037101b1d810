//! JSON as the body of an apply.
//!
//! The API server reads an apply as YAML. JSON is YAML but for a few characters: some are refused
//! when they stand in the text as they are, others count as line breaks and come back as spaces.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::value::RawValue;

/// Longest key as it is written: YAML knows no longer ones than 1024 characters, with quotes and colon.
const MAX_KEY: usize = 1000;

/// `value` as JSON that reads the same as YAML.
pub(super) fn json(value: &impl Serialize) -> serde_json::Result<Box<RawValue>> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, YamlSafe))?;
    let text = String::from_utf8(bytes).map_err(serde::ser::Error::custom)?;
    RawValue::from_string(text)
}

/// Leaves fields out whose keys no apply can carry; the rest of the pool is worth more.
pub(super) fn drop_long_keys(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, _| is_writable_key(key));
            object.values_mut().for_each(drop_long_keys);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_long_keys),
        _ => {}
    }
}

/// The values in `value`, itself included, at every depth.
pub(super) fn values(value: &Value) -> usize {
    1 + match value {
        Value::Object(object) => object.values().map(values).sum(),
        Value::Array(items) => items.iter().map(values).sum(),
        _ => 0,
    }
}

fn is_writable_key(key: &str) -> bool {
    // No character takes more than six when it is escaped.
    key.len() <= MAX_KEY / 6 || json(&key).is_ok_and(|text| text.get().chars().count() <= MAX_KEY)
}

/// Escapes what YAML reads otherwise than JSON does.
struct YamlSafe;

impl Formatter for YamlSafe {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_special) {
            let (plain, special) = rest.split_at(at);
            CompactFormatter.write_string_fragment(writer, plain)?;
            let mut chars = special.chars();
            if let Some(character) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(character))?;
            }
            rest = chars.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

/// Whether YAML refuses `character` in a text, or reads it as a line break.
fn is_special(character: char) -> bool {
    matches!(
        character,
        '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_reads_otherwise_is_escaped_and_says_the_same() {
        let text = "plain 训练 😀 \u{0}\n\"\\ \u{7f}\u{80}\u{85}\u{9f}\u{a0}\u{2028}\u{2029}\u{202e}\u{feff}\u{fffe}\u{ffff}";
        let value = serde_json::json!({ text: [text, 1.5, null] });
        let written = json(&value).expect("JSON");
        assert!(!written.get().contains(is_special), "{written}");
        assert!(written.get().contains("plain 训练 😀"), "{written}");
        let read: Value = serde_json::from_str(written.get()).expect("JSON");
        assert_eq!(read, value);
    }

    #[test]
    fn only_fields_with_endless_keys_are_left_out() {
        let (long, longest) = ("k".repeat(998), "k".repeat(999));
        let escaped = "\u{85}".repeat(167);
        let mut value =
            serde_json::json!({&*long: 1, "a": [{&*longest: 1, &*escaped: 1, "b": longest}]});
        drop_long_keys(&mut value);
        assert_eq!(value, serde_json::json!({&*long: 1, "a": [{"b": longest}]}));
    }
}
