//! Whether a contender has made the same mirrors as the controller: no number counts before.

use std::collections::BTreeMap;

use kube::api::{DynamicObject, ListParams};
use serde_json::Value;

use super::Failure;
use super::limit::Bodies;
use super::world::World;

/// Mirrors a page, so that no answer holds all at once.
const PAGE: u32 = 500;

/// The mirrors of one contender: name to what is equal in all runs.
pub struct Mirrors {
    texts: BTreeMap<String, String>,
    /// What made them.
    pub bodies: Vec<Bodies>,
}

impl Mirrors {
    /// Reads all of a namespace.
    pub async fn read(world: &World) -> Result<Self, Failure> {
        let (mut texts, mut bodies) = (BTreeMap::new(), Vec::new());
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = world.mirrors().list(&params).await?;
            for mirror in page.items {
                let body = Bodies::of(&mirror);
                texts.insert(body.name.clone(), stable(mirror)?);
                bodies.push(body);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(Self { texts, bodies }),
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Fails where `others` are not these, and shows the first that differs.
    pub fn equal(&self, others: &Self) -> Result<(), Failure> {
        let differs = |name: &&String| self.texts.get(*name) != others.texts.get(*name);
        let Some(name) = self.texts.keys().chain(others.texts.keys()).find(differs) else {
            return Ok(());
        };
        let text = |of: &Self| {
            of.texts
                .get(name)
                .cloned()
                .unwrap_or_else(|| "absent".to_owned())
        };
        Err(format!(
            "the mirror {name} differs:\nexpected: {}\nmade:     {}",
            text(self),
            text(others)
        )
        .into())
    }
}

/// The mirror without what differs from run to run.
fn stable(mirror: DynamicObject) -> Result<String, Failure> {
    let mut mirror = serde_json::to_value(mirror)?;
    if let Some(metadata) = mirror["metadata"].as_object_mut() {
        for varying in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "managedFields",
        ] {
            metadata.remove(varying);
        }
    }
    mirror["metadata"]["ownerReferences"][0]["uid"].take();
    for condition in mirror["status"]["conditions"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        condition["lastTransitionTime"].take();
    }
    // Keys are sorted.
    Ok(Value::to_string(&mirror))
}
