//! The query of a request: decoded parameters, nothing about their meaning.

/// The parameters of a request in the order sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes a query string. `+` stays `+`: the cloud's signature knows only `%20` for a space, so a client that
    /// sends `+` has signed other bytes than it sent, and that should show.
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (decode(key), decode(value)))
                .collect(),
        )
    }

    /// The first value of a parameter.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that is there and not empty.
    pub(super) fn filled(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    /// All parameters.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Undoes percent-encoding; what is no valid encoding stays as it is.
pub(super) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        match (
            bytes[at],
            bytes.get(at + 1).copied().and_then(hex),
            bytes.get(at + 2).copied().and_then(hex),
        ) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        let query = Query::parse(
            "labelSelector=os.modelarts%2Fname%3D%E8%AE%AD%20a%21&workspaceId=0&status=&flag",
        );
        assert_eq!(query.get("labelSelector"), Some("os.modelarts/name=训 a!"));
        assert_eq!(query.get("status"), Some(""));
        assert_eq!(
            (
                query.filled("status"),
                query.get("flag"),
                query.get("nothing")
            ),
            (None, Some(""), None)
        );
        assert_eq!(decode("a+b%zz%4"), "a+b%zz%4");
    }
}
