//! One answer of ListPools, taken apart as it comes in: each item goes on at once, so that neither
//! the body nor its items are held.
//!
//! The items are cut out by counting brackets outside of strings. What is left of the body, with
//! `{}` in the place of each item, is parsed at the end: it is JSON if and only if the whole body
//! is, given that each item is.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};

use super::answer::{MAX_HELD, Unfit};
use super::said::json_problem;

/// Stands in the envelope for an item that was cut out.
const PLACEHOLDER: &[u8] = b"{}";

/// Bytes of a place to go on that is followed. It goes into a URL, and no gateway takes a longer one than 8 KiB.
const MAX_CONTINUE: usize = 4096;

/// What stands in an answer beside its items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Where the listing goes on. Source: `metadata.continue`.
    pub(super) next: Option<String>,
}

/// Reads one answer, piece by piece. It has no Debug output: what it holds is not cleaned yet.
pub(super) struct PageReader {
    /// Bytes of one item, and of the envelope, that are held at most.
    max_held: usize,
    envelope: Vec<u8>,
    item: Vec<u8>,
    items: usize,
    /// Brackets that are open, those of an item included.
    depth: usize,
    in_item: bool,
    in_items: bool,
    string: InString,
    /// Where the last string of the outermost object begins in the envelope.
    string_start: usize,
    /// Whether that string is the key `items`.
    key_is_items: bool,
}

impl Default for PageReader {
    fn default() -> Self {
        Self {
            max_held: MAX_HELD,
            envelope: Vec::new(),
            item: Vec::new(),
            items: 0,
            depth: 0,
            in_item: false,
            in_items: false,
            string: InString::No,
            string_start: 0,
            key_is_items: false,
        }
    }
}

/// Where in a string the reader is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum InString {
    #[default]
    No,
    Yes,
    /// Behind a backslash.
    Escaped,
}

impl PageReader {
    /// Takes the next bytes of the body; each item that ends in them goes to `sink` as text.
    ///
    /// # Errors
    /// The sink's, or that a part is too large: nothing that went to the sink may then be used.
    pub(super) fn feed<E: fmt::Display>(
        &mut self,
        bytes: &[u8],
        mut sink: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), Unfit> {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            self.in_item |=
                self.string == InString::No && self.in_items && self.depth == 2 && byte == b'{';
            let in_item = self.in_item;
            let length = if in_item { self.follow_item(rest) } else { 1 };
            let (taken, after) = rest.split_at(length);
            rest = after;
            self.take(taken)?;
            if !in_item {
                self.step(byte);
            }
            if self.in_item && self.depth == 2 {
                self.in_item = false;
                self.items += 1;
                self.envelope.extend_from_slice(PLACEHOLDER);
                sink(&String::from_utf8_lossy(&self.item))
                    .map_err(|e| Unfit::Incomplete(e.to_string()))?;
                self.item.clear();
            }
        }
        Ok(())
    }

    /// Holds bytes of the item, or of what stands beside the items.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Unfit> {
        let (part, name) = if self.in_item {
            (&mut self.item, "one of its pools")
        } else {
            (&mut self.envelope, "what it says beside its pools")
        };
        if part.len() + bytes.len() > self.max_held {
            let max = self.max_held;
            return Err(Unfit::TooLarge(format!("{name} has more than {max} bytes")));
        }
        part.extend_from_slice(bytes);
        Ok(())
    }

    /// Follows strings and brackets to the end of the item, or of the bytes: how many those are. Nearly all of a
    /// listing goes through here, and it is most of what a quiet pass costs.
    fn follow_item(&mut self, bytes: &[u8]) -> usize {
        let (mut depth, mut string) = (self.depth, self.string);
        let mut length = bytes.len();
        for (at, &byte) in bytes.iter().enumerate() {
            match (string, byte) {
                (InString::Yes, b'"') => string = InString::No,
                (InString::Yes, b'\\') => string = InString::Escaped,
                (InString::Escaped, _) | (InString::No, b'"') => string = InString::Yes,
                (InString::No, b'{' | b'[') => depth += 1,
                (InString::No, b'}' | b']') => {
                    depth -= 1;
                    if depth == 2 {
                        length = at + 1;
                        break;
                    }
                }
                (InString::Yes | InString::No, _) => {}
            }
        }
        (self.depth, self.string) = (depth, string);
        length
    }

    /// Follows strings and brackets beside the items.
    fn step(&mut self, byte: u8) {
        if self.string != InString::No {
            self.string = match (self.string, byte) {
                (InString::Yes, b'\\') => InString::Escaped,
                (InString::Yes, b'"') => InString::No,
                _ => InString::Yes,
            };
            return;
        }
        match byte {
            b'"' => {
                self.string = InString::Yes;
                if self.depth == 1 {
                    self.string_start = self.envelope.len().saturating_sub(1);
                }
            }
            b':' if self.depth == 1 => {
                let key = self.envelope.get(self.string_start..).unwrap_or_default();
                let key = key.strip_suffix(b":").unwrap_or_default();
                self.key_is_items = key.trim_ascii_end() == b"\"items\"";
            }
            b',' if self.depth == 1 => self.key_is_items = false,
            b'{' | b'[' => {
                self.depth += 1;
                if self.depth == 2 {
                    self.in_items = byte == b'[' && self.key_is_items;
                }
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }

    /// What stood beside the items, once the whole body was taken.
    ///
    /// # Errors
    /// Why it is no page of a complete listing: nothing that went to the sink may then be used.
    pub(super) fn end(self) -> Result<Page, String> {
        let Self {
            envelope, items, ..
        } = self;
        // serde would take an array for an object of the same fields.
        if !envelope.trim_ascii_start().starts_with(b"{") {
            return Err("its body is no JSON object".to_owned());
        }
        serde_json::from_slice::<Envelope>(&envelope)
            .map_err(|e| format!("its body is no list of pools: {}", json_problem(&e)))?
            .page(items)
    }
}

/// A body without its items. A key that stands twice is an error: it can't be told which is meant.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default, deserialize_with = "present")]
    kind: Option<Scalar>,
    #[serde(default)]
    metadata: Option<Metadata>,
    items: Vec<IgnoredAny>,
    #[serde(default)]
    error_code: Scalar,
    #[serde(default, rename = "errorCode")]
    error_code_of_others: Scalar,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default, rename = "continue")]
    next: Scalar,
    #[serde(default, rename = "remainingItemCount")]
    remaining: Scalar,
}

impl Envelope {
    /// `items`: how many were cut out.
    fn page(self, items: usize) -> Result<Page, String> {
        for code in [&self.error_code, &self.error_code_of_others] {
            if !code.is_empty() {
                return Err(format!(
                    "it says error code {code} though its status is 200"
                ));
            }
        }
        if let Some(kind) = self.kind.filter(|k| !k.is("PoolList")) {
            return Err(format!("its kind is {kind}, not PoolList"));
        }
        if self.items.len() != items {
            return Err("one of its items is no object".to_owned());
        }
        let Metadata { next, remaining } = self.metadata.unwrap_or_default();
        let next = match next {
            Scalar::Text(token) if token.len() > MAX_CONTINUE => {
                let bytes = token.len();
                return Err(format!(
                    "metadata.continue has {bytes} bytes, at most {MAX_CONTINUE} are followed"
                ));
            }
            Scalar::Text(token) => Some(token).filter(|t| !t.is_empty()),
            Scalar::Null => None,
            other => return Err(format!("metadata.continue is no string: {other}")),
        };
        let remaining = match &remaining {
            Scalar::Null => 0.0,
            Scalar::Text(text) if text.is_empty() => 0.0,
            Scalar::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
            Scalar::Number(number) => *number,
            Scalar::Bool(_) => f64::NAN,
        };
        // Also where it is no number: it can't be told that nothing remains.
        let nothing_remains = remaining <= 0.0;
        if next.is_none() && !nothing_remains {
            return Err(
                "it says that items remain (remainingItemCount) and not where (continue)"
                    .to_owned(),
            );
        }
        Ok(Page { next })
    }
}

/// A value that is neither object nor array: what else stands there is refused before it can fill
/// the memory.
#[derive(Debug, Default)]
enum Scalar {
    #[default]
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Scalar {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Null) || self.is("")
    }

    fn is(&self, text: &str) -> bool {
        matches!(self, Self::Text(t) if t == text)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => b.fmt(f),
            Self::Number(n) => n.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, a number, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "compared with 0 and shown, never counted with"
    )]
    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "compared with 0 and shown, never counted with"
    )]
    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(value.to_owned()))
    }
}

/// A null that stands there is not the same as nothing.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar>, D::Error> {
    Scalar::deserialize(deserializer).map(Some)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
