//! How much memory this process takes: its resident set, as Linux counts it.

use std::fs;
use std::process::Command;

/// The largest resident set since the begin.
pub(super) struct Peak {
    before: u64,
}

impl Peak {
    pub(super) fn begin() -> Self {
        // Sets the largest to what is resident now.
        fs::write("/proc/self/clear_refs", "5").expect("a Linux that counts anew");
        Self {
            before: resident("VmRSS:"),
        }
    }

    /// Bytes that were resident at once beyond those at the begin, at most.
    pub(super) fn end(self) -> u64 {
        resident("VmHWM:").saturating_sub(self.before)
    }
}

fn resident(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kib: u64 = kib.and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024
}

/// Lets a child give memory back as soon as it is free: what one row has taken must not hide what the next
/// takes.
pub(super) fn give_back_early(child: &mut Command) {
    child
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536");
}
