//! A cloud that does what no cloud should: whatever it answers, a listing ends in mirrors, in skipped pools
//! or in a clear error, within a bounded time and memory.

mod answers;
mod memory;
mod sink;

#[path = "../../../../tests/hostile/pools.rs"]
mod pools;

use std::process::Command;

use super::loopback::{Loopback, Script};
use super::*;
use answers::answers;
use memory::{Peak, give_back_early};
use pools::pools;
use sink::Mirrors;

const CHILD: &str = "modelarts::client::tests::hostile::child";

/// Bytes of all answers of a listing that are read of rows that never end: their server is slow enough.
const LIMIT_OF_THE_ENDLESS: u64 = 1024 * 1024;
/// Memory that a listing may take, whatever is answered; the server of the row is in the same process. A body
/// that is held whole, or unpacked whole, goes far beyond.
const MAX_MEMORY: u64 = 48 * 1024 * 1024;

/// How a listing ends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// With so many mirrors.
    Mirrors(usize),
    /// Without mirrors, and with these reasons in `skipped`.
    Skipped(Vec<&'static str>),
    /// With an error of this kind.
    Error(Reason),
}

impl From<pools::End> for End {
    fn from(end: pools::End) -> Self {
        match end {
            pools::End::Mirror => Self::Mirrors(1),
            pools::End::Skipped(reason) => Self::Skipped(vec![reason]),
            pools::End::Incomplete => Self::Error(Reason::IncompleteListing),
            pools::End::TooLarge => Self::Error(Reason::ListingTooLarge),
        }
    }
}

/// One thing that a cloud answers. It is made when its turn comes: some are large.
struct Row {
    name: &'static str,
    script: Box<dyn FnOnce() -> Script>,
    end: End,
    limit: u64,
    /// How long the answer may be silent.
    silence: Duration,
}

impl Row {
    fn new(name: &'static str, end: End, script: impl FnOnce() -> Script + 'static) -> Self {
        Self {
            name,
            script: Box::new(script),
            end,
            limit: MAX_LISTING,
            silence: Duration::from_mins(1),
        }
    }

    fn of_pool(pool: pools::HostilePool) -> Self {
        Self::new(pool.name, pool.end.into(), move || {
            let body = [br#"{"kind":"PoolList","items":["#, &*pool.item, b"]}"].concat();
            Script::answer("200 OK", "", &body)
        })
    }

    async fn check(self) -> Result<(), String> {
        let Self {
            name,
            script,
            end,
            limit,
            silence,
        } = self;
        let server = Loopback::start(script()).await;
        let options = HttpOptions {
            read_timeout: silence,
            ..options()
        };
        let client = client(&server.url(), key("AK", "SK", None), options);
        let client = client.with(Timestamp::now, limit);
        let selection = selection(&["0"], &[StatusFilter::Created]);
        let peak = Peak::begin();
        let listing = tokio::time::timeout(
            Duration::from_mins(1),
            list(&client, &selection, Mirrors::default()),
        );
        let Ok(listing) = listing.await else {
            return Err(format!("{name}: no end"));
        };
        let memory = peak.end();
        if memory > MAX_MEMORY {
            return Err(format!("{name}: it took {} MiB", memory >> 20));
        }
        let (found, message) = match listing {
            Ok(mirrors) => (mirrors.end()?, String::new()),
            Err(error) => (End::Error(error.reason()), error.to_string()),
        };
        if found != end {
            return Err(format!("{name}: {found:?}, not {end:?}; {message}"));
        }
        if message.len() > 1000 || message.contains(|c: char| c.is_control()) {
            return Err(format!("{name}: no clear message: {message:?}"));
        }
        Ok(())
    }
}

/// What the child does: all rows, one after another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs in a process of its own, whose memory is its own"]
async fn child() {
    let rows: Vec<Row> = pools()
        .into_iter()
        .map(Row::of_pool)
        .chain(answers())
        .collect();
    assert!(rows.len() >= 200, "{}", rows.len());
    let mut problems = Vec::new();
    for row in rows {
        problems.extend(row.check().await.err());
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test]
async fn whatever_is_answered_the_listing_ends_well_in_bounded_memory() {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args([CHILD, "--exact", "--ignored", "--nocapture"]);
    give_back_early(&mut command);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.expect("no panic").expect("a child");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && printed.contains("1 passed"),
        "{printed}{complained}"
    );
}
