//! Lengths of time as a person writes them: `10s`, `1m30s`, `250ms`.
//!
//! Owns only the text form that scenario files and control requests share.

use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

/// Reads a length of time such as `10s` or `1m30s`; refuses negative ones, since nothing happens before the start.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let signed: SignedDuration = text
        .trim()
        .parse()
        .map_err(|_| format!("{text:?} is no length of time; write it like 10s, 1m30s or 250ms"))?;
    Duration::try_from(signed).map_err(|_| format!("{text:?} is negative"))
}

/// The text of a length of time, readable by [`parse`].
pub(super) fn print(span: Duration) -> String {
    SignedDuration::try_from(span).map_or_else(
        |_| format!("{}s", span.as_secs()),
        |span| format!("{span:#}"),
    )
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

pub(super) fn serialize<S: Serializer>(span: &Duration, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_str(&print(*span))
}

/// The same for an optional field.
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Duration, Serializer, parse, print};
    use serde::de::Error as _;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(from)?
            .map(|text| parse(&text).map_err(D::Error::custom))
            .transpose()
    }

    #[expect(clippy::ref_option, reason = "the signature is serde's")]
    pub(in super::super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        into: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => into.serialize_str(&print(*span)),
            None => into.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_prints_it_back() {
        for (text, millis) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("0s", 0),
            ("1h", 3_600_000),
        ] {
            let span = parse(text).unwrap();
            assert_eq!(span, Duration::from_millis(millis), "{text}");
            assert_eq!(parse(&print(span)).unwrap(), span, "{text}");
        }
    }

    #[test]
    fn refuses_with_an_example_of_what_would_be_right() {
        for text in ["soon", "", "-5s", "5"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("soon").unwrap_err().contains("1m30s"));
    }
}
