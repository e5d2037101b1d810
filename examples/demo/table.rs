//! Shows a table that changes: in place on a terminal, else a line for each row that changed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Heading of the column after the one that may be shortened.
const SECOND_COLUMN: &str = "POOL-NAME";
/// What the names are shortened to at most; below, rows are cut at the edge instead.
const SHORTEST_NAME: usize = 12;

/// Where the table is shown.
pub(crate) struct Screen {
    terminal: bool,
    shown: String,
}

impl Screen {
    pub(crate) fn new(terminal: bool) -> Self {
        Self {
            terminal,
            shown: String::new(),
        }
    }

    /// Shows the table; nothing happens where it is shown already.
    pub(crate) fn show(&mut self, table: &str, elapsed: Duration) -> Result<(), String> {
        let text = if self.terminal {
            let height = self.shown.lines().count();
            let caption = format!("after {} s", elapsed.as_secs());
            if table == self.shown {
                return Ok(());
            }
            frame(&fitted(table, width()), &caption, height)
        } else {
            changes(&self.shown, table, elapsed)
        };
        table.clone_into(&mut self.shown);
        print(&text)
    }

    /// Shows the table for the last time, whole.
    pub(crate) fn finish(&mut self, table: &str, elapsed: Duration) -> Result<(), String> {
        if self.terminal {
            self.show(table, elapsed)
        } else {
            print(table)
        }
    }
}

/// Overwrites a frame of `height` rows and a caption in place, in one piece: nothing flickers.
fn frame(table: &str, caption: &str, height: usize) -> String {
    let mut text = String::new();
    if height > 0 {
        let _ = write!(text, "\x1b[{}A\r", height + 1);
    }
    // Rows are cut at the edge, since a row that wraps takes more lines than are gone back.
    text.push_str("\x1b[?7l");
    for line in table.lines().chain([caption]) {
        let _ = writeln!(text, "{line}\x1b[K");
    }
    text.push_str("\x1b[?7h\x1b[J");
    text
}

/// A line for each row that is new, changed or gone.
fn changes(before: &str, after: &str, elapsed: Duration) -> String {
    let rows = |table| -> HashMap<String, String> {
        let lines = str::lines(table);
        lines
            .map(|line| (name(line).to_owned(), cells(line)))
            .collect()
    };
    let (old, new) = (rows(before), rows(after));
    let mut text = String::new();
    let seconds = elapsed.as_secs();
    for line in after.lines() {
        if old.get(name(line)) != Some(&cells(line)) {
            let _ = writeln!(text, "{seconds:>4} s  {line}");
        }
    }
    for line in before.lines() {
        if !new.contains_key(name(line)) {
            let _ = writeln!(text, "{seconds:>4} s  {} is gone", name(line));
        }
    }
    text
}

fn name(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The row without its layout, which depends on the other rows, and without the age, which always
/// changes.
fn cells(line: &str) -> String {
    let cells: Vec<&str> = line.split_whitespace().collect();
    cells[..cells.len().saturating_sub(1)].join(" ")
}

/// The table with shorter names, where it is wider than the terminal.
fn fitted(table: &str, width: Option<usize>) -> String {
    let widest = table
        .lines()
        .map(|line| line.trim_end().chars().count())
        .max();
    let second = table.lines().next().and_then(|l| l.find(SECOND_COLUMN));
    let (Some(width), Some(widest), Some(second)) = (width, widest, second) else {
        return table.to_owned();
    };
    let name_width = second
        .saturating_sub(widest.saturating_sub(width))
        .max(SHORTEST_NAME)
        .min(second);
    if name_width == second {
        return table.to_owned();
    }
    let mut text = String::new();
    for line in table.lines() {
        // A name is a DNS name: its bytes are its characters.
        let (name, rest) = line.split_at_checked(second).unwrap_or((line, ""));
        let mut name = name.trim_end().to_owned();
        if name.len() > name_width - 3 {
            name.truncate(name_width - 4);
            name.push('…');
        }
        let _ = writeln!(text, "{name:<name_width$}{}", rest.trim_end());
    }
    text
}

/// Columns of the terminal, where it is one.
fn width() -> Option<usize> {
    let stty = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(stty.stdout).ok()?;
    text.split_whitespace()
        .nth(1)?
        .parse()
        .ok()
        .filter(|w| *w > 0)
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|e| format!("failed to write to standard output: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
NAME                 POOL-NAME   PHASE     AGE
pool-a-0123456789    pool-a      Running   10s
pool-bb-0123456789   pool-bb     Running   20s
";
    const AFTER: &str = "\
NAME                POOL-NAME   PHASE      AGE
pool-a-0123456789   pool-a      Abnormal   15s
pool-c-0123456789   pool-c      Running    1s
";

    #[test]
    fn only_rows_that_changed_are_lines() {
        let lines = changes(BEFORE, AFTER, Duration::from_secs(7));
        assert_eq!(
            lines,
            "   7 s  pool-a-0123456789   pool-a      Abnormal   15s
   7 s  pool-c-0123456789   pool-c      Running    1s
   7 s  pool-bb-0123456789 is gone
"
        );
        let later = AFTER.replace("15s", "75s").replace("   ", "    ");
        assert_eq!(changes(AFTER, &later, Duration::from_secs(8)), "");
    }

    #[test]
    fn a_frame_goes_back_over_the_one_before_and_its_caption() {
        assert!(frame("a\nb\n", "now", 3).starts_with("\x1b[4A\r"));
        let first = frame("a\nb\n", "now", 0);
        assert!(
            first.starts_with("\x1b[?7la\x1b[K\nb\x1b[K\nnow\x1b[K\n"),
            "{first:?}"
        );
    }

    #[test]
    fn names_are_shortened_to_the_width_of_the_terminal() {
        assert_eq!(fitted(BEFORE, None), BEFORE);
        assert_eq!(fitted(BEFORE, Some(46)), BEFORE);
        assert_eq!(
            fitted(BEFORE, Some(40)),
            "\
NAME           POOL-NAME   PHASE     AGE
pool-a-0123…   pool-a      Running   10s
pool-bb-012…   pool-bb     Running   20s
"
        );
    }
}
