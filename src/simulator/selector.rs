//! Label selectors, as Kubernetes writes them: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`,
//! joined by commas.
//!
//! The cloud's grammar is documented nowhere; the parameter is named and used as Kubernetes does it, so
//! that is what is simulated. Owns parsing and matching only.

use std::collections::BTreeMap;

use serde_json::Value;

/// Every requirement must hold. The empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

impl Selector {
    /// Parses a selector; the error says which part is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        split(text)
            .into_iter()
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(requirement)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether nothing is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these labels satisfy every requirement. As in Kubernetes `!=` and `notin` also hold where the label is missing.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Absent(key) => !labels.contains_key(key),
            Requirement::In(key, values) => {
                labels.get(key).is_some_and(|value| values.contains(value))
            }
            Requirement::NotIn(key, values) => {
                labels.get(key).is_none_or(|value| !values.contains(value))
            }
        })
    }
}

/// The labels of a pool as text: some documented samples carry numbers where text belongs.
pub(super) fn labels_of(pool: &Value) -> BTreeMap<String, String> {
    let labels = pool.pointer("/metadata/labels").and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            (
                key.clone(),
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            )
        })
        .collect()
}

/// Splits at commas outside parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(move |character| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == ',' && depth == 0
    })
    .collect()
}

fn requirement(part: &str) -> Result<Requirement, String> {
    if let Some(key) = part.strip_prefix('!') {
        return Ok(Requirement::Absent(checked(key)?));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(
            checked(key)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(
            checked(key)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((left, list)) = part.split_once('(') {
        let list = list
            .strip_suffix(')')
            .ok_or_else(|| format!("{part:?}: a closing parenthesis is missing"))?;
        let values = list
            .split(',')
            .map(|value| value.trim().to_owned())
            .collect();
        return match left.split_whitespace().collect::<Vec<_>>()[..] {
            [key, "in"] => Ok(Requirement::In(checked(key)?, values)),
            [key, "notin"] => Ok(Requirement::NotIn(checked(key)?, values)),
            _ => Err(format!("{part:?}: expected KEY in (…) or KEY notin (…)")),
        };
    }
    Ok(Requirement::Exists(checked(part)?))
}

fn checked(key: &str) -> Result<String, String> {
    let key = key.trim();
    if key.is_empty() || key.contains(|c: char| c.is_whitespace() || "()!=,".contains(c)) {
        return Err(format!("{key:?} is no label key"));
    }
    Ok(key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_as_kubernetes_does() {
        let pool = serde_json::json!({"metadata": {"labels": {"os.modelarts/name": "训练", "n": 1, "empty": ""}}});
        let labels = labels_of(&pool);
        for (selector, expected) in [
            ("", true),
            ("os.modelarts/name=训练", true),
            ("os.modelarts/name==训练", true),
            ("os.modelarts/name=other", false),
            ("os.modelarts/name!=other", true),
            ("missing!=x", true),
            ("os.modelarts/name", true),
            ("!os.modelarts/name", false),
            ("!missing", true),
            ("missing", false),
            ("n=1,os.modelarts/name=训练", true),
            ("n=1,missing", false),
            ("n in (0, 1)", true),
            ("n notin (0,1)", false),
            ("n in (0,1), empty=", true),
        ] {
            assert_eq!(
                Selector::parse(selector).unwrap().matches(&labels),
                expected,
                "{selector}"
            );
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        for selector in ["=a", "a in b c", "a in (b", "a has (b)", "a b"] {
            assert!(Selector::parse(selector).is_err(), "{selector}");
        }
    }
}
