//! What a contender asked of the API server, by that server's own audit log: the same for all, whatever they are
//! written in.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;

use super::{Failure, pause};

/// How the audit log names the harness itself.
pub const AGENT: &str = "bench";
/// What belongs to the control plane.
const OTHERS: [&str; 3] = [AGENT, "kube-apiserver/", "kube-controller-manager/"];

/// One request that has ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    #[serde(default)]
    pub user_agent: String,
    #[serde(default)]
    object_ref: Object,
    #[serde(rename = "requestReceivedTimestamp")]
    pub begun: Timestamp,
    #[serde(rename = "stageTimestamp")]
    pub ended: Timestamp,
    response_status: Option<Status>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Object {
    resource: String,
    name: String,
    subresource: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Status {
    code: u16,
}

impl Request {
    /// The name of the mirror that it wrote, object or status; nothing where it wrote none.
    pub fn mirror(&self) -> Option<&str> {
        let accepted = self
            .response_status
            .is_some_and(|s| (200..300).contains(&s.code));
        let writes = !["get", "list", "watch"].contains(&&*self.verb);
        let mirror = self.object_ref.resource == "modelartspools";
        (accepted && writes && mirror).then_some(&*self.object_ref.name)
    }

    /// The name of the mirror whose status it wrote.
    pub fn status(&self) -> Option<&str> {
        self.mirror()
            .filter(|_| self.object_ref.subresource == "status")
    }

    /// Whether it is the control plane's own, or the harness's.
    fn is_others(&self) -> bool {
        OTHERS
            .iter()
            .any(|other| self.user_agent.starts_with(other))
    }
}

/// The audit log, read as it grows.
pub struct Log {
    path: PathBuf,
    read: u64,
    /// A line that is half written.
    rest: Vec<u8>,
    /// What the contender asked so far.
    pub requests: Vec<Request>,
}

impl Log {
    /// Of the audit log `path`, without what is in it by now.
    pub fn from_now(path: PathBuf) -> Result<Self, Failure> {
        let read = path.metadata()?.len();
        Ok(Self {
            path,
            read,
            rest: Vec::new(),
            requests: Vec::new(),
        })
    }

    /// Takes in what was written since; all requests of the contender so far.
    pub fn read(&mut self) -> Result<&[Request], Failure> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.read))?;
        self.read += file.read_to_end(&mut self.rest)? as u64;
        let whole = self
            .rest
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        for line in self.rest[..whole]
            .split(|&b| b == b'\n')
            .filter(|l| !l.is_empty())
        {
            let request: Request = serde_json::from_slice(line)?;
            if !request.is_others() {
                self.requests.push(request);
            }
        }
        self.rest.drain(..whole);
        Ok(&self.requests)
    }

    /// Waits until the statuses of so many mirrors are written by requests that began after `from`; all requests since.
    pub async fn statuses(
        &mut self,
        from: Timestamp,
        count: usize,
        limit: Duration,
    ) -> Result<Vec<Request>, Failure> {
        let deadline = Instant::now() + limit;
        let (mut names, mut looked) = (BTreeSet::new(), 0);
        loop {
            let requests = self.read()?;
            let new = requests[looked..].iter().filter(|r| r.begun > from);
            names.extend(new.filter_map(Request::status).map(str::to_owned));
            looked = requests.len();
            if names.len() >= count {
                return Ok(since(requests, from));
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "{} of {count} statuses are written after {limit:?}",
                    names.len()
                )
                .into());
            }
            pause().await;
        }
    }
}

/// Those that began after `from`.
pub fn since(requests: &[Request], from: Timestamp) -> Vec<Request> {
    requests
        .iter()
        .filter(|r| r.begun > from)
        .cloned()
        .collect()
}

/// When the last of these writes of mirrors ended.
pub fn last_write(requests: &[Request]) -> Option<Timestamp> {
    requests
        .iter()
        .filter(|r| r.mirror().is_some())
        .map(|r| r.ended)
        .max()
}

/// The seconds between two times.
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}
