//! How many nodes of a pool can be counted on, by those who read mirrors. Pure.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::conditions::{LISTED, SYNCED};
use super::{ModelArtsPool, ModelArtsPoolSource, SOURCE_LABEL};

/// Why the nodes of a pool are not known. Unknown is never 0: keep what was known last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The mirror's source is not there, so that nobody follows the pool.
    NoSource,
    /// Nobody has succeeded in asking the cloud for too long: it is later than the source's `freshUntil`.
    Stale {
        /// The source's `freshUntil`; nothing where no pass has succeeded yet.
        fresh_until: Option<Timestamp>,
    },
    /// The condition `Synced` is not `True`.
    NotSynced {
        /// Its reason; empty where there is no such condition yet.
        reason: String,
    },
    /// The cloud's list does not hold the pool, and it is not confirmed gone.
    Missing,
    /// The cloud does not say how many.
    NotTold,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource => f.write_str("its source is not there"),
            Self::Stale {
                fresh_until: Some(until),
            } => write!(f, "its source has been fresh until {until} only"),
            Self::Stale { fresh_until: None } => f.write_str("no pass of its source has succeeded"),
            Self::NotSynced { reason } if reason.is_empty() => f.write_str("it has no status yet"),
            Self::NotSynced { reason } => write!(f, "it is not synced: {reason}"),
            Self::Missing => f.write_str("the cloud's list does not hold it"),
            Self::NotTold => f.write_str("the cloud does not say"),
        }
    }
}

impl std::error::Error for Unknown {}

impl ModelArtsPool {
    /// The condition of this type, e.g. [`READY`](super::conditions::READY).
    pub fn condition(&self, type_: &str) -> Option<&Condition> {
        let conditions = self.status.as_ref()?.conditions.as_ref()?;
        conditions.iter().find(|c| c.type_ == type_)
    }

    /// Name of the source that the mirror is written for, in the same namespace.
    pub fn source_name(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref()?;
        labels.get(SOURCE_LABEL).map(String::as_str)
    }

    /// Whether the pool is carved out of another one, so that its nodes are among those of that one.
    pub fn is_logical(&self) -> bool {
        self.spec.type_.as_deref() == Some("Logical")
    }

    /// Nodes of the pool that work, of one flavor or of all, as far as they can be counted on `now`. `source` is
    /// the one that [`source_name`](Self::source_name) names. Source: `status.counts.available`, or
    /// `status.resources.available[]` for one flavor.
    ///
    /// # Errors
    /// Where the number is not known: not fresh, not listed, not told. A pool that is confirmed gone has 0.
    pub fn available_nodes(
        &self,
        flavor: Option<&str>,
        source: Option<&ModelArtsPoolSource>,
        now: Timestamp,
    ) -> Result<i64, Unknown> {
        self.fresh(source, now)?;
        if let Some(listed) = self.condition(LISTED)
            && listed.status != "True"
        {
            return match listed.reason.as_str() {
                "Gone" => Ok(0),
                _ => Err(Unknown::Missing),
            };
        }
        let nodes = match flavor {
            None => self.all_available(),
            Some(flavor) => self.available_of(flavor),
        };
        nodes.ok_or(Unknown::NotTold)
    }

    /// Whether the mirror shows what the cloud said lately. The condition alone does not tell: where no replica
    /// runs, nobody is left to set it to False.
    fn fresh(&self, source: Option<&ModelArtsPoolSource>, now: Timestamp) -> Result<(), Unknown> {
        match self.condition(SYNCED) {
            Some(synced) if synced.status == "True" => {}
            other => {
                return Err(Unknown::NotSynced {
                    reason: other.map(|c| c.reason.clone()).unwrap_or_default(),
                });
            }
        }
        let source = source.ok_or(Unknown::NoSource)?;
        let status = source.status.as_ref();
        let fresh_until = status.and_then(|s| s.fresh_until.as_ref()).map(|t| t.0);
        match fresh_until {
            Some(until) if now <= until => Ok(()),
            _ => Err(Unknown::Stale { fresh_until }),
        }
    }

    fn all_available(&self) -> Option<i64> {
        self.status.as_ref()?.counts.as_ref()?.available
    }

    fn available_of(&self, flavor: &str) -> Option<i64> {
        let resources = self.status.as_ref()?.resources.as_ref()?;
        // A list that is there and lacks the flavor says that there is none.
        let mut entries = resources.available.as_ref()?.iter();
        entries.try_fold(0_i64, |sum, entry| match entry.flavor.as_deref() {
            Some(of) if of == flavor => Some(sum.saturating_add(entry.count?)),
            Some(_) => Some(sum),
            // It may be of this flavor.
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn source() -> ModelArtsPoolSource {
        let source = json!({
            "metadata": {"name": "s"},
            "spec": {"projectId": "p", "region": "r", "credentials": {"type": "Agency"}},
            "status": {"freshUntil": at(100)},
        });
        serde_json::from_value(source).expect("a source")
    }

    fn pool(status: &Value) -> ModelArtsPool {
        let pool = json!({
            "metadata": {"name": "p", "labels": {"modelarts.huaweicloud.com/source": "s"}},
            "spec": {"type": "Dedicate"},
            "status": status,
        });
        serde_json::from_value(pool).expect("a pool")
    }

    fn condition(type_: &str, status: &str, reason: &str) -> Value {
        json!({"type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": at(1)})
    }

    /// A pool of 3 nodes, 2 of them of flavor `a`, with these reasons of `Synced` and `Listed`.
    fn mirrored(synced: &str, listed: &str) -> ModelArtsPool {
        let status_of = |reason, good| if reason == good { "True" } else { "False" };
        let gone = listed == "Gone";
        pool(&json!({
            "counts": {"available": if gone { 0 } else { 3 }},
            "resources": {"available": [
                {"flavor": "a", "count": 1}, {"flavor": "b", "count": 1}, {"flavor": "a", "count": 1},
            ]},
            "conditions": [
                condition("Synced", status_of(synced, "Synced"), synced),
                condition("Listed", status_of(listed, "Listed"), listed),
            ],
        }))
    }

    #[test]
    fn what_is_fresh_and_listed_counts() {
        let (pool, source) = (mirrored("Synced", "Listed"), source());
        let available = |flavor| pool.available_nodes(flavor, Some(&source), at(100));
        assert_eq!(available(None), Ok(3));
        assert_eq!(available(Some("a")), Ok(2));
        assert_eq!(available(Some("b")), Ok(1));
        assert_eq!(available(Some("none of it")), Ok(0));
    }

    #[test]
    fn what_is_not_known_is_never_a_number() {
        let source = source();
        let fresh = mirrored("Synced", "Listed");
        let never = ModelArtsPoolSource {
            status: None,
            ..source.clone()
        };
        for (pool, source, now, expected) in [
            (&fresh, None, 1, Unknown::NoSource),
            (
                &fresh,
                Some(&source),
                101,
                Unknown::Stale {
                    fresh_until: Some(at(100)),
                },
            ),
            (
                &fresh,
                Some(&never),
                1,
                Unknown::Stale { fresh_until: None },
            ),
            (
                &mirrored("ListFailed", "Listed"),
                Some(&source),
                1,
                Unknown::NotSynced {
                    reason: "ListFailed".to_owned(),
                },
            ),
            (
                &mirrored("Suspended", "Gone"),
                Some(&source),
                1,
                Unknown::NotSynced {
                    reason: "Suspended".to_owned(),
                },
            ),
            (
                &mirrored("Synced", "Missing"),
                Some(&source),
                1,
                Unknown::Missing,
            ),
            (
                &pool(&json!({})),
                Some(&source),
                1,
                Unknown::NotSynced {
                    reason: String::new(),
                },
            ),
        ] {
            for flavor in [None, Some("a")] {
                let answer = pool.available_nodes(flavor, source, at(now));
                assert_eq!(answer.as_ref(), Err(&expected), "{pool:?}");
                assert!(!expected.to_string().is_empty());
            }
        }
    }

    #[test]
    fn a_pool_that_is_gone_has_no_nodes() {
        let gone = mirrored("Synced", "Gone");
        assert_eq!(gone.available_nodes(None, Some(&source()), at(1)), Ok(0));
        assert_eq!(
            gone.available_nodes(Some("a"), Some(&source()), at(1)),
            Ok(0)
        );
    }

    #[test]
    fn what_the_cloud_does_not_say_is_not_told() {
        let conditions = [
            condition("Synced", "True", "Synced"),
            condition("Listed", "True", "Listed"),
        ];
        let source = source();
        for (flavor, resources) in [
            (None, json!({"available": [{"flavor": "a"}]})),
            (Some("a"), Value::Null),
            (Some("a"), json!({})),
            (Some("a"), json!({"available": [{"flavor": "a"}]})),
            (
                Some("a"),
                json!({"available": [{"flavor": "a", "count": 1}, {"count": 1}]}),
            ),
        ] {
            let pool = pool(
                &json!({"counts": {"desired": 1}, "resources": resources, "conditions": conditions}),
            );
            let answer = pool.available_nodes(flavor, Some(&source), at(1));
            assert_eq!(answer, Err(Unknown::NotTold), "{resources}");
        }
    }

    #[test]
    fn who_it_belongs_to_is_told() {
        let pool = mirrored("Synced", "Listed");
        assert_eq!(pool.source_name(), Some("s"));
        assert!(!pool.is_logical());
    }
}
