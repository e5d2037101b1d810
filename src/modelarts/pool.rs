//! One pool of a listing.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::redact::redact;
use super::said::json_problem;
use super::tolerant::parse_object;

/// Bytes of an item that is parsed whole. No object of Kubernetes can hold a larger one, and parsed
/// it takes many times its size: only its id is read.
const MAX_PARSED: usize = 2 * 1024 * 1024;

/// A pool as the cloud sent it, without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The pool's id. Source: `metadata.name`.
    pub id: String,
    /// All of it, beside secrets; nothing where it has more than 2 MiB.
    pub json: Map<String, Value>,
}

/// An item that is no pool: it can't be told which one it is, so that the listing is not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItem {
    /// It is no JSON object. What it is is not repeated: it may hold secrets.
    #[error("an item is no object: {0}")]
    NoObject(String),
    /// It has no id.
    #[error("an item has no id (metadata.name)")]
    NoId,
}

impl Pool {
    /// Parses one item of a listing, or the answer of `ShowPool`.
    ///
    /// # Errors
    /// Where it is no object with an id.
    pub fn parse(text: &str) -> Result<Self, InvalidItem> {
        let no_object = |e: serde_json::Error| InvalidItem::NoObject(json_problem(&e));
        let (id, json) = if text.len() > MAX_PARSED {
            let nameless: Large = serde_json::from_str(text).map_err(no_object)?;
            (nameless.metadata.and_then(|m| m.name), Map::new())
        } else {
            let mut json = parse_object(text).map_err(no_object)?;
            let id = json.get("metadata").and_then(|m| m.get("name"));
            let id = id.and_then(Value::as_str).map(str::to_owned);
            redact(&mut json);
            (id, json)
        };
        let id = id.filter(|id| !id.is_empty()).ok_or(InvalidItem::NoId)?;
        Ok(Self { id, json })
    }
}

/// What is read of a pool that is too large to be mirrored.
#[derive(Deserialize)]
struct Large {
    metadata: Option<LargeMetadata>,
}

#[derive(Deserialize)]
struct LargeMetadata {
    name: Option<String>,
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
