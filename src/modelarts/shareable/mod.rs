//! A listing that can be shown to strangers: without secrets, and with everything replaced that could
//! tell of people, places and things. What matters to a mirror is kept: documented fields, words and
//! flavors, counts, times, the spelling of numbers, the order, and the form and length of each text.
//!
//! The rule is: what [`keep`] and [`words`] name is kept, all else is replaced.

mod json;
mod keep;
mod names;
mod words;

use serde_json::Value;

use self::json::Json;
use self::keep::{keeps_anywhere, keeps_in_field, keeps_number};
use self::names::Names;
use self::words::is_public_word;
use super::pool::InvalidItem;
use super::redact::{MAX_NESTING, is_secret_key, mentions_a_secret, names_a_secret};
use super::said::json_problem;
use super::tolerant::mended;

/// Bytes of an item from which its length is kept exactly: it may be too large for a mirror.
const LARGE: usize = 1024 * 1024;

/// The pools `items`, as they were sent, as the body of a listing. The same again gives the same.
///
/// # Errors
/// Where an item is no JSON object.
pub fn shareable<'a>(items: impl IntoIterator<Item = &'a str>) -> Result<String, InvalidItem> {
    let mut listing = String::from(r#"{"kind":"PoolList","apiVersion":"v2","items":["#);
    let mut writer = Writer::default();
    let mut separator = "\n";
    for item in items {
        listing.push_str(separator);
        let start = listing.len();
        writer.item(item)?.write(&mut listing);
        let missing = item.len().saturating_sub(listing.len() - start);
        if item.len() >= LARGE && listing.pop().is_some() {
            listing.extend(std::iter::repeat_n(' ', missing));
            listing.push('}');
        }
        separator = ",\n";
    }
    listing.push_str("\n]}\n");
    Ok(listing)
}

/// What is known of the place where a value stands.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// `metadata` of a pool.
    Metadata,
    /// Labels or annotations of a pool.
    Tags,
    /// The documented field of this name, or one in it.
    Field(&'a str),
    /// Elsewhere.
    Free,
}

#[derive(Default)]
struct Writer {
    names: Names,
}

impl Writer {
    fn item(&mut self, text: &str) -> Result<Json, InvalidItem> {
        let parsed = Json::parse(text).or_else(|_| Json::parse(&mended(text)));
        match parsed.map_err(|e| InvalidItem::NoObject(json_problem(&e)))? {
            Json::Object(members) => Ok(self.members(members, Place::Field(""), 0)),
            _ => Err(InvalidItem::NoObject("another value".to_owned())),
        }
    }

    /// An object without what is secret in it.
    fn members(&mut self, members: Vec<(String, Json)>, place: Place<'_>, nesting: usize) -> Json {
        let mut kept = Vec::with_capacity(members.len());
        for (key, value) in members {
            if is_secret_key(&key) {
                continue;
            }
            let inner = match (place, &*key) {
                (Place::Field(""), "metadata") => Place::Metadata,
                (Place::Metadata, "labels" | "annotations") => Place::Tags,
                (Place::Metadata, "creationTimestamp") => Place::Field(&key),
                // Their members are the customer's.
                (Place::Field(_), "labels" | "tags" | "taints" | "extendParams") => Place::Free,
                (Place::Field(_), name) if is_public_word(name) => Place::Field(name),
                _ => Place::Free,
            };
            if let Some(value) = self.value(value, inner, nesting) {
                let key = self.key(&key, place);
                kept.push((key, value));
            }
        }
        Json::Object(kept)
    }

    /// Nothing where it is a secret.
    fn value(&mut self, value: Json, place: Place<'_>, nesting: usize) -> Option<Json> {
        let field = match place {
            Place::Field(name) => Some(name),
            _ => None,
        };
        match value {
            Json::Object(members) if is_secret(&members) => None,
            Json::Object(members) => Some(self.members(members, place, nesting)),
            Json::Array(items) => {
                let items = items.into_iter();
                let kept = items.filter_map(|item| self.value(item, place, nesting));
                Some(Json::Array(kept.collect()))
            }
            Json::Text(text) if keeps_anywhere(&text) => Some(Json::Text(text)),
            Json::Text(text) if field.is_some_and(|name| keeps_in_field(name, &text)) => {
                Some(Json::Text(text))
            }
            Json::Text(text) => self.text(&text, nesting).map(Json::Text),
            Json::Plain(spelled) => {
                let is_number = spelled.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                if !is_number || keeps_number(field, &spelled) {
                    return Some(Json::Plain(spelled));
                }
                Some(Json::Plain(self.names.number(&spelled)))
            }
        }
    }

    /// A text that is not kept; JSON in it is followed.
    fn text(&mut self, text: &str, nesting: usize) -> Option<String> {
        if !text.contains(['{', '[', '"']) {
            return Some(self.names.text(text));
        }
        if nesting >= MAX_NESTING {
            return None;
        }
        // Followed where the mirror follows it.
        let parsed = serde_json::from_str::<Value>(text).and_then(|_| Json::parse(text));
        let Ok(inner) = parsed else {
            return (!mentions_a_secret(text)).then(|| self.names.text(text));
        };
        let inner = self.value(inner, Place::Free, nesting + 1)?;
        let mut written = String::with_capacity(text.len());
        inner.write(&mut written);
        Some(written)
    }

    fn key(&mut self, key: &str, place: Place<'_>) -> String {
        match (place, key.split_once('/')) {
            // The words before the slash make it the cloud's, also where the rest is no valid key.
            (Place::Tags, Some((prefix, name))) if is_the_clouds(prefix) => {
                if name.bytes().all(is_of_a_key) {
                    key.to_owned()
                } else {
                    format!("{prefix}/{}", self.names.text(name))
                }
            }
            _ if is_public_word(key) => key.to_owned(),
            _ => self.names.text(key),
        }
    }
}

/// Whether the labels with this prefix are the cloud's own.
fn is_the_clouds(prefix: &str) -> bool {
    let rest = prefix.strip_prefix("os.modelarts");
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        && prefix.bytes().all(is_of_a_key)
}

fn is_of_a_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn is_secret(members: &[(String, Json)]) -> bool {
    names_a_secret(members.iter().map(|(key, value)| {
        let text = match value {
            Json::Text(text) => Some(&**text),
            _ => None,
        };
        (&**key, text)
    }))
}

#[cfg(test)]
mod tests;
