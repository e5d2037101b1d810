//! What the documents say of the repository holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use modelarts_pool_controller::api::crds;

use super::support::markdown::{code, documents, read, root};

#[test]
fn each_link_leads_somewhere() {
    let mut links = 0;
    for document in documents() {
        let name = document.display();
        let text = read(document.to_str().expect("a path"));
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                root().join(&document)
            } else {
                root()
                    .join(document.parent().expect("a directory"))
                    .join(path)
            };
            assert!(target.exists(), "{name}: {link} leads nowhere");
            if !anchor.is_empty() {
                let text = fs::read_to_string(target).expect("a text");
                let found = text
                    .lines()
                    .any(|line| anchor_of(line).as_deref() == Some(anchor));
                assert!(found, "{name}: {link} leads to no heading");
            }
        }
    }
    assert!(links > 20, "only {links} links were looked at");
}

/// The anchor that a heading gets.
fn anchor_of(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = title.to_lowercase().replace(' ', "-");
    Some(
        kept.chars()
            .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect(),
    )
}

#[test]
fn each_file_that_is_named_exists() {
    let mut files = 0;
    for document in documents() {
        let text = read(document.to_str().expect("a path"));
        for named in text.lines().flat_map(code) {
            let named = named.trim_end_matches('/');
            let in_tree = ["src/", "tests/", "docs/", "examples/", "crds/"];
            if in_tree.iter().any(|folder| named.starts_with(folder)) {
                files += 1;
                let name = document.display();
                assert!(root().join(named).exists(), "{name}: there is no {named}");
            }
        }
    }
    assert!(files > 15, "only {files} files were looked at");
}

#[test]
fn the_readme_shows_the_table_of_today() {
    let text = read("README.md");
    let shown = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("0 s  NAME "));
    let shown: Vec<&str> = shown.expect("a table").split_whitespace().collect();
    let [(_, pools), _] = crds::all();
    let columns = &pools.spec.versions[0].additional_printer_columns;
    let always = columns
        .iter()
        .flatten()
        .filter(|c| c.priority.unwrap_or(0) == 0);
    let names: Vec<String> = always.map(|c| c.name.to_uppercase()).collect();
    assert_eq!(shown, names);
}

#[test]
fn each_dependency_has_its_reason() {
    let manifest = read("Cargo.toml");
    let listed = |section: &str| -> BTreeSet<String> {
        let (_, rest) = manifest.split_once(section).expect("a section");
        let lines = rest.lines().take_while(|line| !line.starts_with('['));
        let names = lines.filter_map(|line| line.split_once(" = "));
        names
            .map(|(name, _)| name.trim_matches('#').trim().to_owned())
            .collect()
    };
    let document = read("docs/dependencies.md");
    let (program, tests) = document
        .split_once("## For tests and the demo alone")
        .expect("two parts");
    for (section, part) in [
        ("\n[dependencies]\n", program),
        ("\n[dev-dependencies]\n", tests),
    ] {
        let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
        let explained: BTreeSet<String> = rows
            .filter_map(|row| row.split('`').next())
            .map(str::to_owned)
            .collect();
        assert_eq!(
            explained,
            listed(section),
            "docs/dependencies.md against Cargo.toml"
        );
    }
}

/// Words in quotes that look like reasons and are none.
const NO_REASONS: [&str; 12] = [
    "Secret",
    "Opaque",
    "Dedicate",
    "Logical",
    "False",
    "Running",
    "ShowPool",
    "ScalingFailed",
    "SeclingFailed",
    "Warning",
    "Normal",
    "Mirror",
];

#[test]
fn each_reason_is_explained() {
    let explained = read("docs/troubleshooting.md") + &read("docs/errors.md");
    let explained: BTreeSet<&str> = explained.lines().flat_map(code).collect();
    let mut sources = vec![
        root().join("src/mirror/desired.rs"),
        root().join("src/mirror/situation.rs"),
        root().join("src/modelarts/reason.rs"),
    ];
    files_under(&root().join("src/controller"), &mut sources);
    let mut reasons = BTreeSet::new();
    for source in sources {
        let text = fs::read_to_string(&source).expect("a text");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        // Comments have quotes of their own.
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            reasons.extend(
                line.split('"')
                    .skip(1)
                    .step_by(2)
                    .filter(|t| is_reason(t))
                    .map(str::to_owned),
            );
        }
    }
    for known in [
        "SecretNotFound",
        "CredentialsRejected",
        "NameConflict",
        "NoPhase",
        "ListFailed",
        "PhaseChanged",
    ] {
        assert!(
            reasons.contains(known),
            "{known} was not found in the code: {reasons:?}"
        );
    }
    for reason in reasons {
        assert!(
            explained.contains(&*reason),
            "neither docs/troubleshooting.md nor docs/errors.md explains {reason}; where it is no reason of a condition, add it to NO_REASONS"
        );
    }
}

fn is_reason(text: &str) -> bool {
    text.len() > 4
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_alphanumeric())
        && text.chars().any(|c| c.is_ascii_lowercase())
        && !NO_REASONS.contains(&text)
}

fn files_under(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_under(&path, found);
        } else if !path.to_string_lossy().contains("test") {
            found.push(path);
        }
    }
}
