//! The documents as the tests read them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cluster::run;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
pub fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The Markdown files that people read, relative to the root.
pub fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new(), "docs".into(), "charts".into()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(root().join(&directory)).into_iter().flatten() {
            let entry = entry.expect("an entry");
            let path = directory.join(entry.file_name());
            if directory != Path::new("") && entry.path().is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// The fenced blocks in this language.
pub fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect()
}

/// The texts between backticks in a line.
pub fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The words of a shell command, as the shell takes them apart.
pub fn words(command: &str) -> Vec<String> {
    let (program, arguments) = command.split_once(' ').expect("arguments");
    let script = format!("say() {{ printf '%s\\n' \"$@\"; }}\nsay {arguments}");
    let printed = run(Command::new("sh").args(["-euc", &script])).expect("a sound command");
    let words = printed.lines().map(str::to_owned);
    std::iter::once(program.to_owned()).chain(words).collect()
}
