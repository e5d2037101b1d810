//! Which sources may be to the cloud who the controller is.

use std::collections::{BTreeMap, BTreeSet};

use super::key::Key;

/// The namespaces whose sources may use the controller's own identity, each for some projects or for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AmbientNamespaces(BTreeMap<String, Projects>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Projects {
    All,
    These(BTreeSet<String>),
}

impl AmbientNamespaces {
    /// Parses `NS` and `NS=PROJECT`; one namespace may come with several projects.
    ///
    /// # Errors
    /// What is neither, and what to write.
    pub fn parse(entries: &[String]) -> Result<Self, String> {
        // A variable that is set and empty says no more than one that is not set.
        if entries == [""] {
            return Ok(Self::default());
        }
        let mut namespaces = BTreeMap::new();
        for entry in entries {
            let (namespace, project) = match entry.split_once('=') {
                Some((namespace, project)) => (namespace, Some(project)),
                None => (&**entry, None),
            };
            let usable = |text: &str| {
                !text.is_empty()
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            };
            if !usable(namespace) || !project.is_none_or(usable) {
                return Err(format!(
                    "{entry:?} is neither NAMESPACE nor NAMESPACE=PROJECT_ID; separate entries by a comma alone"
                ));
            }
            let known = namespaces.entry(namespace.to_owned());
            let projects = known.or_insert_with(|| Projects::These(BTreeSet::new()));
            match (project, projects) {
                (None, projects) => *projects = Projects::All,
                (Some(_), Projects::All) => {}
                (Some(project), Projects::These(projects)) => {
                    projects.insert(project.to_owned());
                }
            }
        }
        Ok(Self(namespaces))
    }

    /// Whether the source `key` may use the controller's own identity for `project`.
    #[must_use]
    pub fn allow(&self, key: &Key, project: &str) -> bool {
        match self.0.get(&*key.namespace) {
            Some(Projects::All) => true,
            Some(Projects::These(projects)) => projects.contains(project),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(entries: &[&str]) -> Result<AmbientNamespaces, String> {
        let entries: Vec<String> = entries.iter().map(|&e| e.to_owned()).collect();
        AmbientNamespaces::parse(&entries)
    }

    #[test]
    fn namespaces_and_projects() {
        for (entries, namespace, project, expected) in [
            (&[][..], "a", "p", false),
            (&[""], "", "", false),
            (&["a"], "a", "p", true),
            (&["a"], "b", "p", false),
            (&["a=p"], "a", "p", true),
            (&["a=p"], "a", "q", false),
            (&["a=p", "a=q"], "a", "q", true),
            (&["a=p", "a"], "a", "q", true),
            (&["a", "a=p"], "a", "q", true),
            (&["a=p", "b=q"], "b", "p", false),
        ] {
            let parsed = parse(entries).expect("namespaces");
            let key = Key::new(namespace, "s");
            assert_eq!(
                parsed.allow(&key, project),
                expected,
                "{entries:?} {namespace} {project}"
            );
        }
        for bad in ["", "a=", "=p", "a b", "a=p=q", "*", "a/b"] {
            let error = parse(&["ok", bad]).expect_err(bad);
            assert!(
                error.starts_with(&format!("{bad:?} is neither ")),
                "{error}"
            );
        }
    }
}
