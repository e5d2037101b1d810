//! Parses an object that some program wrote in haste: one strange pool must not spoil the listing of
//! all others.
//!
//! What is nested deeper than anybody reads is left out: the API server's watch would bring it back
//! a few levels deeper, and no mirror could be seen any more. A number that no double holds becomes
//! null, half a surrogate pair becomes U+FFFD, and a raw control character in a string a space.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Levels of nesting that are kept. What reads mirrors stops at 128, the mirror's own included.
const MAX_DEPTH: usize = 64;

/// The object that `text` is.
pub(super) fn parse_object(text: &str) -> serde_json::Result<Map<String, Value>> {
    match parse_strictly(text) {
        Err(error) if error.is_syntax() => parse_strictly(&mended(text)),
        other => other,
    }
}

fn parse_strictly(text: &str) -> serde_json::Result<Map<String, Value>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Bounded { left: MAX_DEPTH }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    match value {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(serde_json::Error::custom("no object")),
    }
}

/// Builds a value of so many levels; nothing for an array or object that is deeper.
#[derive(Clone, Copy)]
struct Bounded {
    left: usize,
}

impl Bounded {
    fn inner(self) -> Option<Self> {
        let left = self.left.checked_sub(1)?;
        Some(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Bounded {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Some(inner) = self.inner() else {
            // Read without recursion.
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.extend(item);
        }
        Ok(Some(Value::Array(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let Some(inner) = self.inner() else {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let mut object = Map::new();
        while let Some(key) = fields.next_key::<String>()? {
            match fields.next_value_seed(inner)? {
                Some(value) => object.insert(key, value),
                // As of two equal keys the last counts.
                None => object.remove(&key),
            };
        }
        Ok(Some(Value::Object(object)))
    }
}

/// `text` with what strict parsers refuse and others write.
pub(super) fn mended(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_string = false;
    while let Some(first) = rest.chars().next() {
        let mut taken = first.len_utf8();
        match first {
            '"' => {
                in_string = !in_string;
                mended.push('"');
            }
            '\\' if in_string => {
                let (escape, length) = escape(rest);
                mended.push_str(escape);
                taken = length;
            }
            c if in_string && c < ' ' => mended.push(' '),
            '-' | '0'..='9' if !in_string => {
                let is_part = |c: char| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
                taken = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let number = &rest[..taken];
                let too_large = number.parse().is_ok_and(f64::is_infinite);
                mended.push_str(if too_large { "null" } else { number });
            }
            c => mended.push(c),
        }
        rest = &rest[taken..];
    }
    mended
}

/// The escape at the beginning of `text`, half a surrogate pair replaced, and the bytes it takes.
fn escape(text: &str) -> (&str, usize) {
    const REPLACEMENT: &str = "\\ufffd";
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (&text[..12], 12),
        (Some(0xd800..=0xdfff), _) => (REPLACEMENT, 6),
        (Some(_), _) => (&text[..6], 6),
        (None, _) => {
            let length = text.chars().take(2).map(char::len_utf8).sum();
            (&text[..length], length)
        }
    }
}

#[cfg(test)]
#[path = "tolerant_tests.rs"]
mod tests;
