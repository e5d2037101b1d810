//! Files that are generated from code: `make generate` writes them, everything else compares.
//!
//! Taken in by unit tests too.

use std::path::Path;
use std::{env, fs};

/// What generated Markdown begins with, after its title.
pub(crate) const NOTE: &str = "<!-- Written by make generate: changes by hand are lost. -->\n";

/// Fails where `file`, relative to the root of the repository, is not `text`; writes it where
/// GENERATE is set.
pub(crate) fn check(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if env::var_os("GENERATE").is_some() {
        fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a directory");
        fs::write(&path, text).expect("a writable file");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differences = similar::TextDiff::from_lines(&*written, text)
        .unified_diff()
        .context_radius(1)
        .to_string();
    assert!(
        written == text,
        "{file} differs from the code: run make generate\n{differences}"
    );
}

/// A row of a Markdown table.
pub(crate) fn row(cells: &[&str]) -> String {
    let escaped = cells.iter().map(|cell| {
        let words: Vec<&str> = cell.split_whitespace().collect();
        words.join(" ").replace('|', "\\|")
    });
    format!("| {} |\n", escaped.collect::<Vec<_>>().join(" | "))
}

/// The first rows of a Markdown table.
pub(crate) fn head(names: &[&str]) -> String {
    row(names) + &row(&vec!["---"; names.len()])
}
