//! Edits of mirrors, and how long they stand.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::requests::{Log, seconds};
use super::world::World;
use super::{Failure, pause};

/// The longest that an edit may stand: that of a contender which only lists.
const LIMIT: Duration = Duration::from_mins(2);

/// Edits each of these mirrors, one after the other; the milliseconds from the request of each edit to the end of the write
/// that undid it.
pub async fn undone(world: &World, log: &mut Log, names: &[String]) -> Result<Vec<f64>, Failure> {
    let mut all = Vec::new();
    for name in names {
        let before = log.read()?.len();
        let edit = Patch::Merge(json!({"spec": {"type": "Edited"}}));
        let at = Timestamp::now();
        let edited = world
            .mirrors()
            .patch(name, &PatchParams::default(), &edit)
            .await?;
        let generation = edited.metadata.generation;
        let ended = repaired(log, before, name).await?;
        all.push(seconds(at, ended) * 1000.0);
        let now = world.mirrors().get(name).await?;
        if now.metadata.generation <= generation || now.data["spec"]["type"] == "Edited" {
            return Err(format!("{name} was written, and is still edited").into());
        }
    }
    Ok(all)
}

/// When the first write of this mirror by the contender ended, of the requests from the `from`th on.
async fn repaired(log: &mut Log, from: usize, name: &str) -> Result<Timestamp, Failure> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let requests = log.read()?;
        let written = requests[from..]
            .iter()
            .find(|r| r.mirror() == Some(name) && r.status().is_none());
        if let Some(request) = written {
            return Ok(request.ended);
        }
        if Instant::now() > deadline {
            return Err(format!("the edit of {name} stands after {LIMIT:?}").into());
        }
        pause().await;
    }
}
