//! One answer of ListPools, read as a stream: the items go on one at a time, the body is not held.

use std::fmt;
use std::io::Read;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// What stands in an answer beside its items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Where the listing goes on. Source: `metadata.continue`.
    pub(super) next: Option<String>,
}

/// Reads one answer; each item goes to `sink` as text.
///
/// # Errors
/// Why it is no page of a complete listing: nothing that went to `sink` may then be used.
pub(super) fn read_page<E: fmt::Display>(
    body: impl Read,
    sink: &mut dyn FnMut(&str) -> Result<(), E>,
) -> Result<Page, PageError> {
    let mut failure = None;
    let mut envelope = Envelope::default();
    let mut deserializer = serde_json::Deserializer::from_reader(body);
    let seed = EnvelopeSeed {
        envelope: &mut envelope,
        sink,
        failure: &mut failure,
    };
    let read = seed
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end());
    if let Some(failure) = failure {
        return Err(PageError::Item(failure));
    }
    read.map_err(|e| {
        if e.is_io() {
            PageError::Io(e.into())
        } else {
            PageError::NoListing(format!("its body is not JSON to the end: {e}"))
        }
    })?;
    envelope.page().map_err(PageError::NoListing)
}

/// Why an answer is no page of a complete listing.
#[derive(Debug)]
pub(super) enum PageError {
    /// It could not be read to its end.
    Io(std::io::Error),
    /// It says something else.
    NoListing(String),
    /// One of its items is no pool.
    Item(String),
}

#[derive(Default)]
struct Envelope {
    kind: Option<Value>,
    metadata: Value,
    has_items: bool,
    error_code: Option<Value>,
}

impl Envelope {
    fn page(self) -> Result<Page, String> {
        let Self {
            kind,
            metadata,
            has_items,
            error_code,
        } = self;
        if let Some(code) = error_code.filter(|c| !c.is_null() && c != "") {
            return Err(format!(
                "it says error code {code} though its status is 200"
            ));
        }
        if let Some(kind) = kind.filter(|k| k != "PoolList") {
            return Err(format!("it is a {kind}, not a PoolList"));
        }
        if !has_items {
            return Err("it has no array of items".to_owned());
        }
        let next = match metadata.get("continue") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.clone()).filter(|t| !t.is_empty()),
            Some(other) => return Err(format!("metadata.continue is no string: {other}")),
        };
        let remaining = metadata.get("remainingItemCount").and_then(|r| match r {
            Value::String(s) => s.parse().ok(),
            other => other.as_f64(),
        });
        if next.is_none() && remaining.is_some_and(|r| r > 0.0) {
            return Err(
                "it says that items remain (remainingItemCount) and not where (continue)"
                    .to_owned(),
            );
        }
        Ok(Page { next })
    }
}

struct EnvelopeSeed<'a, E> {
    envelope: &'a mut Envelope,
    sink: &'a mut dyn FnMut(&str) -> Result<(), E>,
    failure: &'a mut Option<String>,
}

impl<'de, E: fmt::Display> DeserializeSeed<'de> for EnvelopeSeed<'_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, E: fmt::Display> Visitor<'de> for EnvelopeSeed<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an array of items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self {
            envelope,
            sink,
            failure,
        } = self;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => envelope.kind = Some(map.next_value()?),
                "metadata" => envelope.metadata = map.next_value()?,
                "error_code" | "errorCode" => envelope.error_code = Some(map.next_value()?),
                "items" => {
                    envelope.has_items = map.next_value_seed(Items {
                        sink: &mut *sink,
                        failure: &mut *failure,
                    })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

struct Items<'a, E> {
    sink: &'a mut dyn FnMut(&str) -> Result<(), E>,
    failure: &'a mut Option<String>,
}

impl<'de, E: fmt::Display> DeserializeSeed<'de> for Items<'_, E> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, E: fmt::Display> Visitor<'de> for Items<'_, E> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of pools")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            if let Err(error) = (self.sink)(item.get()) {
                *self.failure = Some(error.to_string());
                return Err(serde::de::Error::custom("an item is no pool"));
            }
        }
        Ok(true)
    }

    fn visit_unit<X>(self) -> Result<bool, X> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn read(body: &str) -> (Vec<String>, Result<Page, String>) {
        let mut items = Vec::new();
        let mut sink = |item: &str| {
            items.push(item.to_owned());
            Ok::<_, Infallible>(())
        };
        let page = read_page(body.as_bytes(), &mut sink).map_err(|e| format!("{e:?}"));
        (items, page)
    }

    #[test]
    fn whole_pages() {
        for (body, items, next) in [
            (
                r#"{"kind":"PoolList","apiVersion":"v2","items":[{"a":1}, {"b":[2]}]}"#,
                2,
                None,
            ),
            (r#"{"items":[]}"#, 0, None),
            (
                r#" {"items":[],"metadata":{"continue":"","remainingItemCount":0},"x":{"y":[]}} "#,
                0,
                None,
            ),
            (
                r#"{"items":[1],"metadata":{"continue":"t","remainingItemCount":5},"kind":"PoolList"}"#,
                1,
                Some("t"),
            ),
            (
                r#"{"items":[],"metadata":null,"error_code":null,"errorCode":""}"#,
                0,
                None,
            ),
        ] {
            let (seen, page) = read(body);
            assert_eq!(
                page,
                Ok(Page {
                    next: next.map(str::to_owned)
                }),
                "{body}"
            );
            assert_eq!(seen.len(), items, "{body}");
        }
    }

    #[test]
    fn an_item_goes_on_as_it_was_sent() {
        let (items, _) = read(r#"{"items":[{"a" : 1.0,  "b":"\u8bad"}]}"#);
        assert_eq!(items, [r#"{"a" : 1.0,  "b":"\u8bad"}"#]);
    }

    #[test]
    fn answers_that_are_no_listing() {
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"items":null}"#,
            r#"{"items":{}}"#,
            r#"{"items":"x"}"#,
            r#"{"items":[{"a":1}"#,
            r#"{"items":[{"a":1}]"#,
            r#"{"items":[]}x"#,
            r#"{"items":[]}{"items":[]}"#,
            r#"{"kind":"NodeList","items":[]}"#,
            r#"{"kind":null,"items":[]}"#,
            r#"{"error_code":"ModelArts.50005000","error_msg":"x"}"#,
            r#"{"items":[],"error_code":"ModelArts.50005000"}"#,
            r#"{"items":[],"errorCode":500}"#,
            r#"{"items":[],"metadata":{"remainingItemCount":3}}"#,
            r#"{"items":[],"metadata":{"remainingItemCount":"3"}}"#,
            r#"{"items":[],"metadata":{"continue":5}}"#,
            "<html>",
        ] {
            assert!(read(bad).1.is_err(), "{bad}");
        }
    }

    #[test]
    fn a_refused_item_ends_the_page() {
        let mut sink = |item: &str| if item == "2" { Err("no pool") } else { Ok(()) };
        match read_page(r#"{"items":[1,2,3]}"#.as_bytes(), &mut sink) {
            Err(PageError::Item(message)) => assert_eq!(message, "no pool"),
            other => panic!("{other:?}"),
        }
    }
}
