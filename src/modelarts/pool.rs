//! One pool of a listing.

use serde_json::{Map, Value};

use super::redact::redact;

/// A pool as the cloud sent it, without secrets.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The pool's id. Source: `metadata.name`.
    pub id: String,
    /// All of it, beside secrets.
    pub json: Map<String, Value>,
}

/// An item that is no pool: it can't be told which one it is, so that the listing is not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItem {
    /// It is no JSON object.
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
        let mut json: Map<String, Value> =
            serde_json::from_str(text).map_err(|e| InvalidItem::NoObject(e.to_string()))?;
        let id = json
            .get("metadata")
            .and_then(|m| m.get("name"))
            .and_then(Value::as_str);
        let id = id
            .filter(|id| !id.is_empty())
            .ok_or(InvalidItem::NoId)?
            .to_owned();
        redact(&mut json);
        Ok(Self { id, json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_needs_an_id() {
        for bad in [
            "null",
            "[]",
            "1",
            "{}",
            r#"{"metadata":{}}"#,
            r#"{"metadata":{"name":""}}"#,
            r#"{"metadata":{"name":1}}"#,
            "{",
        ] {
            assert!(Pool::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn secrets_never_leave_the_parser() {
        let text = r#"{"metadata":{"name":"p","annotations":{"x":"{\"token\":\"hunter2\"}"}},"spec":{"userLogin":{"password":"hunter2"}}}"#;
        let pool = Pool::parse(text).expect("a pool");
        assert_eq!(pool.id, "p");
        assert!(!format!("{pool:?}").contains("hunter2"));
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        let pool =
            Pool::parse(r#"{"metadata":{"name":"a"},"metadata":{"name":"b"}}"#).expect("a pool");
        assert_eq!(pool.id, "b");
    }
}
