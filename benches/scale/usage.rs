//! What a process and its children use, as Linux counts it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The descendants of this process.
fn descendants(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    for pid in entries.filter_map(|e| e.file_name().to_str()?.parse().ok()) {
        if let Some(parent) = fields(pid).and_then(|f| f.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut all = children.remove(&root).unwrap_or_default();
    let mut at = 0;
    while let Some(pid) = all.get(at) {
        all.extend(children.remove(pid).unwrap_or_default());
        at += 1;
    }
    all
}

/// The fields of `/proc/PID/stat` from the third on, the state.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// CPU time of all descendants of `root` so far, also of those that ended and were waited for.
///
/// Of those that live, exact to nanoseconds; of those that ended, to clock ticks of 10 ms.
pub fn cpu(root: u32) -> Duration {
    descendants(root).into_iter().map(cpu_of).sum()
}

fn cpu_of(pid: u32) -> Duration {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let lived: u64 = tasks
        .filter_map(|task| {
            let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            schedstat.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum();
    // cutime and cstime: the 16th and 17th fields of the whole line.
    let waited: u64 = fields(pid)
        .unwrap_or_default()
        .iter()
        .skip(13)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_nanos(lived) + Duration::from_millis(10 * waited)
}

/// A field of `/proc/PID/status` of all descendants, in MiB.
fn memory(root: u32, field: &str) -> f64 {
    let of = |pid| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix(field))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()
    };
    descendants(root).into_iter().filter_map(of).sum::<f64>() / 1024.0
}

/// Resident memory of all descendants, MiB.
pub fn resident(root: u32) -> f64 {
    memory(root, "VmRSS:")
}

/// The most resident memory of all descendants at once, looked at every 50 ms, or at any time of one that lives on.
pub struct Peak {
    root: u32,
    kib: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peak {
    /// Begins to look.
    pub fn of(root: u32) -> Self {
        let (kib, ended) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (most, end) = (Arc::clone(&kib), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "some millions at most"
                )]
                most.fetch_max((resident(root) * 1024.0) as u64, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Self {
            root,
            kib,
            ended,
            thread: Some(thread),
        }
    }

    /// So far, MiB.
    pub fn mib(&self) -> f64 {
        let seen = self.kib.load(Ordering::Relaxed) as f64 / 1024.0;
        // Of a single process the kernel knows it exactly.
        if descendants(self.root).len() == 1 {
            seen.max(memory(self.root, "VmHWM:"))
        } else {
            seen
        }
    }
}

impl Drop for Peak {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Bytes that each open connection of the descendants has sent and received, by its addresses; nothing without `ss`.
pub type Traffic = BTreeMap<String, u64>;

/// Reads what `ss` (Debian: iproute2) says of the connections.
pub fn traffic(root: u32) -> Option<Traffic> {
    let said = Command::new("ss")
        .args(["-tinpHO", "state", "established"])
        .output()
        .ok()?;
    let pids: BTreeSet<u32> = descendants(root).into_iter().collect();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let ours = |line: &str| {
        let pid = line
            .split_once("pid=")
            .and_then(|(_, rest)| rest.split(',').next()?.parse().ok());
        pid.is_some_and(|pid| pids.contains(&pid))
    };
    let number = |line: &str, name: &str| {
        let (_, rest) = line.split_once(name)?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    let lines = text.lines().filter(|line| ours(line));
    Some(
        lines
            .map(|line| {
                let addresses: Vec<&str> = line.split_whitespace().skip(2).take(2).collect();
                let bytes = ["bytes_sent:", "bytes_received:"]
                    .iter()
                    .filter_map(|n| number(line, n))
                    .sum();
                (addresses.join(" "), bytes)
            })
            .collect(),
    )
}

/// The bytes of connections to this port between two looks. What was closed in between is not known.
pub fn between(before: &Traffic, after: &Traffic, port: u16) -> f64 {
    let end = format!(":{port}");
    let of = |(addresses, bytes): (&String, &u64)| {
        bytes.saturating_sub(before.get(addresses).copied().unwrap_or(0))
    };
    after
        .iter()
        .filter(|(a, _)| a.ends_with(&end))
        .map(of)
        .sum::<u64>() as f64
}
