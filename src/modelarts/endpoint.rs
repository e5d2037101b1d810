//! Which hosts are asked: origins, and the patterns that allow them.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// An origin: scheme, host and port, nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Box<str>,
    host: Box<str>,
    /// Where it is not the scheme's own.
    port: Option<u16>,
}

/// Origins that may be asked: scheme, host and port must match; `*` stands for one DNS label, or for
/// any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPattern {
    scheme: Box<str>,
    host: Box<str>,
    port: PortPattern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PortPattern {
    Default,
    One(u16),
    Any,
}

/// The patterns in force. Every request is checked before a key signs it.
#[derive(Clone, Debug)]
pub struct AllowedEndpoints(pub Vec<EndpointPattern>);

/// Why a text is no origin or no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} {problem}; write https://host or https://host:port")]
pub struct InvalidEndpoint {
    text: String,
    problem: &'static str,
}

/// Hosts of ModelArts and IAM, by region.
const DEFAULT_PATTERNS: [&str; 4] = [
    "https://modelarts.*.myhuaweicloud.com",
    // The official SDK's table has this one for ap-southeast-1.
    "https://modelarts.*.myhuaweicloud.cn",
    "https://iam.*.myhuaweicloud.com",
    // For regions that have no IAM of their own.
    "https://iam.myhuaweicloud.com",
];

/// Regions without an IAM of their own, as the official SDK's table of endpoints has it.
const WITHOUT_IAM: [&str; 3] = ["cn-north-11", "cn-southwest-3", "af-north-1"];

/// The endpoint of ModelArts in `region`.
///
/// # Errors
/// Where `region` can't be part of a host's name.
pub fn modelarts_endpoint(region: &str) -> Result<Endpoint, InvalidEndpoint> {
    // As the official SDK's table of endpoints has it; all others end in .com.
    let domain = if region == "ap-southeast-1" {
        "myhuaweicloud.cn"
    } else {
        "myhuaweicloud.com"
    };
    format!("https://modelarts.{region}.{domain}").parse()
}

/// The endpoint of IAM for `region`.
///
/// # Errors
/// Where `region` can't be part of a host's name.
pub fn iam_endpoint(region: &str) -> Result<Endpoint, InvalidEndpoint> {
    if WITHOUT_IAM.contains(&region) {
        return "https://iam.myhuaweicloud.com".parse();
    }
    format!("https://iam.{region}.myhuaweicloud.com").parse()
}

impl Endpoint {
    /// The value of the header Host.
    #[must_use]
    pub fn host_header(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_string(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host_header())
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |problem| {
            Err(InvalidEndpoint {
                text: without_user_info(text),
                problem,
            })
        };
        let Ok(url) = Url::parse(text) else {
            return fail("is no URL");
        };
        let Some(host) = url.host_str().filter(|h| !h.is_empty()) else {
            return fail("has no host");
        };
        if !matches!(url.scheme(), "http" | "https") {
            return fail("is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return fail("has user info, which does not belong there");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return fail("has a query or fragment, which does not belong there");
        }
        // Url adds the path `/` to a text without one.
        if url.path() != "/" || text.ends_with('/') {
            return fail("has a path, which does not belong there");
        }
        Ok(Self {
            scheme: url.scheme().into(),
            host: host.into(),
            port: url.port(),
        })
    }
}

impl FromStr for EndpointPattern {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (origin, any_port) = match text.strip_suffix(":*") {
            Some(origin) => (origin, true),
            None => (text, false),
        };
        // `*` is no character of a host's name; a label that none has stands in for it.
        let stand_in = "any-label-stands-here";
        let endpoint: Endpoint = origin.replace('*', stand_in).parse().map_err(
            |InvalidEndpoint { problem, .. }| InvalidEndpoint {
                text: without_user_info(text),
                problem,
            },
        )?;
        let labels = endpoint.host.split('.');
        if labels
            .into_iter()
            .any(|l| l.contains(stand_in) && l != stand_in)
        {
            return Err(InvalidEndpoint {
                text: without_user_info(text),
                problem: "has * as a part of a label; it stands for a whole one",
            });
        }
        let port = match endpoint.port {
            _ if any_port => PortPattern::Any,
            Some(port) => PortPattern::One(port),
            None => PortPattern::Default,
        };
        Ok(Self {
            scheme: endpoint.scheme,
            host: endpoint.host.replace(stand_in, "*").into(),
            port,
        })
    }
}

impl EndpointPattern {
    /// Whether `endpoint` matches.
    #[must_use]
    pub fn matches(&self, endpoint: &Endpoint) -> bool {
        let port = match self.port {
            PortPattern::Default => endpoint.port.is_none(),
            PortPattern::One(port) => endpoint.port == Some(port),
            PortPattern::Any => true,
        };
        let (wanted, labels) = (self.host.split('.'), endpoint.host.split('.'));
        let same_count = wanted.clone().count() == labels.clone().count();
        let host = same_count
            && wanted
                .zip(labels)
                .all(|(w, l)| w == "*" && !l.is_empty() || w == l);
        port && host && self.scheme == endpoint.scheme
    }
}

impl AllowedEndpoints {
    /// Whether `endpoint` may be asked.
    #[must_use]
    pub fn allow(&self, endpoint: &Endpoint) -> bool {
        self.0.iter().any(|pattern| pattern.matches(endpoint))
    }
}

impl Default for AllowedEndpoints {
    fn default() -> Self {
        Self(
            DEFAULT_PATTERNS
                .iter()
                .filter_map(|p| p.parse().ok())
                .collect(),
        )
    }
}

/// User info may hold a password, which must not stand in an error.
fn without_user_info(text: &str) -> String {
    match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}…{}", &text[..scheme + 3], &text[at..])
        }
        (None, Some(at)) => format!("…{}", &text[at..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        text.parse().expect(text)
    }

    #[test]
    fn origins() {
        for (text, printed) in [
            ("https://a.b", "https://a.b"),
            ("https://a.b:443", "https://a.b"),
            ("http://127.0.0.1:8088", "http://127.0.0.1:8088"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("HTTPS://A.B", "https://a.b"),
        ] {
            assert_eq!(endpoint(text).to_string(), printed, "{text}");
        }
        for bad in [
            "",
            "a.b",
            "ftp://a.b",
            "https://",
            "https://a.b/",
            "https://a.b/x",
            "https://a.b?x=1",
            "https://a.b#x",
            "https://u:p@a.b",
            "https://u@a.b",
            "https://@a.b",
            "https://a b",
        ] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_in_an_endpoint_is_not_repeated() {
        let error = "https://user:hunter2@host/"
            .parse::<Endpoint>()
            .expect_err("user info")
            .to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_default_allows_the_cloud_and_nothing_else() {
        let allowed = AllowedEndpoints::default();
        assert_eq!(allowed.0.len(), DEFAULT_PATTERNS.len());
        for region in ["cn-north-4", "ap-southeast-1", "af-south-1"] {
            let own = modelarts_endpoint(region).expect(region);
            assert!(allowed.allow(&own), "{region}");
        }
        for (region, iam) in [
            ("cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com"),
            ("cn-north-11", "https://iam.myhuaweicloud.com"),
            ("cn-southwest-3", "https://iam.myhuaweicloud.com"),
            ("af-north-1", "https://iam.myhuaweicloud.com"),
        ] {
            let own = iam_endpoint(region).expect(region);
            assert_eq!(own.to_string(), iam);
            assert!(allowed.allow(&own), "{region}");
        }
        for bad in [
            "http://modelarts.cn-north-4.myhuaweicloud.com",
            "https://modelarts.cn-north-4.myhuaweicloud.com:8443",
            "https://modelarts.a.b.myhuaweicloud.com",
            "https://modelarts.cn-north-4.myhuaweicloud.com.evil.example",
            "https://evil.example",
            "https://169.254.169.254",
        ] {
            assert!(!allowed.allow(&endpoint(bad)), "{bad}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("http://127.0.0.1:*", "http://127.0.0.1:5000", true),
            ("http://127.0.0.1:*", "https://127.0.0.1:5000", false),
            ("https://*.example:8443", "https://a.example:8443", true),
            ("https://*.example:8443", "https://a.example", false),
            ("https://*.example", "https://a.b.example", false),
        ] {
            let pattern: EndpointPattern = pattern.parse().expect(pattern);
            assert_eq!(
                pattern.matches(&endpoint(text)),
                expected,
                "{pattern:?} {text}"
            );
        }
        for bad in [
            "https://*/x",
            // It would match nothing, or more than it seems to.
            "https://model*.example",
            "https://**.example",
            "*",
            "https://u:hunter2@*.example",
        ] {
            let error = bad.parse::<EndpointPattern>().expect_err(bad).to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
