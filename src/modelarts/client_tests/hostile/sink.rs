//! Makes mirrors of what is listed, as the controller does.

use std::sync::LazyLock;

use super::{End, InvalidItem, Pool, PoolSink};
use crate::mirror::{Desired, PoolShape, Skip, desired};

/// Made once: it takes long.
static SHAPE: LazyLock<PoolShape> = LazyLock::new(PoolShape::of_the_crd);

/// Pools as they are mirrored or skipped.
#[derive(Debug, Default)]
pub(super) struct Mirrors {
    mirrors: Vec<Desired>,
    skipped: Vec<Skip>,
}

impl PoolSink for Mirrors {
    fn pool(&mut self, workspace: &str, json: &str) -> Result<(), InvalidItem> {
        let Pool { id, json: pool } = Pool::parse(json)?;
        match desired(&id, pool, json, "source", workspace, &SHAPE) {
            Ok(mirror) => self.mirrors.push(mirror),
            Err(skip) => self.skipped.push(skip),
        }
        Ok(())
    }
}

impl Mirrors {
    /// What a whole listing ends with.
    pub(super) fn end(self) -> Result<End, String> {
        let Self { mirrors, skipped } = self;
        let long = |s: &&Skip| s.id.len() > 253 || s.message.len() > 1000;
        match (mirrors.len(), skipped.iter().find(long)) {
            (_, Some(skip)) => Err(format!("no short words about {:.300}", skip.id)),
            (0, _) if !skipped.is_empty() => {
                let reasons = skipped.iter().map(|s| s.reason.as_str());
                Ok(End::Skipped(reasons.collect()))
            }
            (count, _) => Ok(End::Mirrors(count)),
        }
    }
}
