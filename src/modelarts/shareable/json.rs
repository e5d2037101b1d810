//! JSON as it is written: members in their order and each as often as it stands there, numbers as they
//! are spelled. What is to be reported must not be tidied up on the way.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Levels of nesting that are kept, as of a pool that is mirrored.
const MAX_DEPTH: usize = 64;

/// A value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// A number, `true`, `false` or `null`, as it is spelled.
    Plain(String),
    Text(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The value that `text` is. What is nested deeper than is mirrored is left out.
    pub(super) fn parse(text: &str) -> serde_json::Result<Self> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self::of(raw.get(), MAX_DEPTH)?.unwrap_or(Self::Plain("null".to_owned())))
    }

    /// Nothing for an array or an object that is more than `left` levels deep.
    fn of(text: &str, left: usize) -> serde_json::Result<Option<Self>> {
        let inner = |raw: &RawValue| Self::of(raw.get(), left.saturating_sub(1));
        Ok(Some(match text.as_bytes().first() {
            Some(b'{' | b'[') if left == 0 => return Ok(None),
            Some(b'{') => {
                let Members(members) = serde_json::from_str(text)?;
                let mut kept = Vec::with_capacity(members.len());
                for (key, raw) in members {
                    kept.extend(inner(raw)?.map(|value| (key, value)));
                }
                Self::Object(kept)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let mut kept = Vec::with_capacity(items.len());
                for raw in items {
                    kept.extend(inner(raw)?);
                }
                Self::Array(kept)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            _ => Self::Plain(text.to_owned()),
        }))
    }

    /// Writes it to `out`, without white space.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Self::Plain(text) => out.push_str(text),
            Self::Text(text) => write_text(text, out),
            Self::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&Value::from(text).to_string());
}

/// The members of an object.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_but_for_white_space() {
        for text in [
            r#"{"b":1.0,"a":[1e2,-0,12345678901234567890,1e400],"b":{"b":null,"b":true},"c":"\" 训\u0001"}"#,
            "[]",
            r#""a""#,
            "{}",
            "-1.50E+3",
        ] {
            let mut written = String::new();
            Json::parse(&format!(" {text}\n"))
                .expect("JSON")
                .write(&mut written);
            assert_eq!(written, text);
        }
        assert!(Json::parse("{").is_err());
    }

    #[test]
    fn what_is_nested_without_end_is_left_out() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for (levels, kept) in [(64, deep(64)), (65, deep(64).replace('1', ""))] {
            let mut written = String::new();
            let json = Json::parse(&deep(levels)).expect("JSON");
            json.write(&mut written);
            assert_eq!(written, kept);
        }
        assert!(Json::parse(&deep(100_000)).is_ok());
    }
}
