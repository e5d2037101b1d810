//! What the reading operations answer: which pools a request selects, in pages, and the bytes of the list.
//!
//! Owns the meaning of the parameters of ListPools and `ListWorkspaces`.
//! Changes nothing.

use std::{fmt::Write as _, sync::Arc};

use serde_json::{Value, json};

use super::{
    pools::{Life, Pool},
    query::Query,
    scenario::DEFAULT_WORKSPACE,
    selector::{Selector, labels_of},
    world::World,
};

/// The pools that a request selects, as far as they fit a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) pools: Vec<Arc<str>>,
    /// The value of `continue` that leads to the next page.
    pub(super) next: Option<String>,
    /// The pools on later pages.
    pub(super) remaining: usize,
}

/// Why a listing is refused: the HTTP status is 400 for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRequest {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// Before the id of the last pool of the page before. Contains a character that a query must encode.
const TOKEN: &str = "after=";

impl World {
    /// The pools that ListPools answers to these parameters. Unknown parameters are ignored, as the cloud does.
    pub(super) fn list(&self, query: &Query) -> Result<Page, BadRequest> {
        let workspace = query.filled("workspaceId").unwrap_or(DEFAULT_WORKSPACE);
        if !self.workspaces.iter().any(|known| known.id == workspace) {
            return Err(BadRequest::new(
                "ModelArts.0102",
                format!("Workspace {workspace} does not exist."),
            ));
        }
        let lives = lives(query.filled("status"), self.blank_lists_failed)?;
        let selector = Selector::parse(query.filled("labelSelector").unwrap_or_default()).map_err(
            |problem| {
                BadRequest::new(
                    "ModelArts.50004000",
                    format!("Bad request, labelSelector: {problem}"),
                )
            },
        )?;
        let after = query.filled("continue").map(|token| {
            token.strip_prefix(TOKEN).ok_or_else(|| {
                BadRequest::new(
                    "ModelArts.50004000",
                    format!("Bad request, continue: {token:?} was given by no listing"),
                )
            })
        });
        let after = after.transpose()?.map(|id| self.position(id));

        let mut selected: Vec<(&String, &Pool)> = self
            .pools
            .iter()
            .filter(|(_, pool)| {
                pool.workspace == workspace
                    && pool.is_listed(self.elapsed())
                    && lives.contains(&pool.life)
            })
            .filter(|(_, pool)| selector.is_empty() || selects(&selector, pool))
            .filter(|(id, _)| {
                after
                    .as_ref()
                    .is_none_or(|after| self.position(id) > *after)
            })
            .collect();
        if self.order.is_some() {
            selected.sort_by_key(|(id, _)| self.position(id));
        }
        let size = self
            .page_size
            .map_or(selected.len(), |size| size.get().min(selected.len()));
        let remaining = selected.len() - size;
        let last = selected[..size]
            .last()
            .map(|(id, _)| format!("{TOKEN}{id}"));
        Ok(Page {
            pools: selected[..size]
                .iter()
                .map(|(_, pool)| pool.json.clone())
                .collect(),
            next: last.filter(|_| remaining > 0),
            remaining,
        })
    }

    /// The answer of `ListWorkspaces`: `limit` (default 1000) from `offset` on.
    pub(super) fn list_workspaces(&self, query: &Query) -> Result<Value, BadRequest> {
        let number = |key: &str, default: usize| match query.filled(key).map(str::parse) {
            None => Ok(default),
            Some(Ok(number)) => Ok(number),
            Some(Err(_)) => Err(BadRequest::new(
                "ModelArts.50004000",
                format!("Bad request, {key}: no number"),
            )),
        };
        let (limit, offset) = (number("limit", 1000)?, number("offset", 0)?);
        let shown: Vec<Value> = self
            .workspaces
            .iter()
            .skip(offset)
            .take(limit)
            .map(|workspace| {
                json!({
                    "id": workspace.id, "name": workspace.name, "status": workspace.status, "status_info": "", "description": "",
                    "owner": "", "enterprise_project_id": "0", "auth_type": "PUBLIC",
                    "create_time": 1_663_297_840_000_u64, "update_time": 1_663_297_840_000_u64
                })
            })
            .collect();
        Ok(json!({"total_count": self.workspaces.len(), "count": shown.len(), "workspaces": shown}))
    }

    /// Where a pool stands in listings; comparable also for pools that are gone, so that a page's token outlives its pool.
    fn position<'a>(&self, id: &'a str) -> (u64, &'a str) {
        (self.order.map_or(0, |order| mixed(order, id)), id)
    }
}

impl BadRequest {
    fn new(code: &'static str, message: String) -> Self {
        Self { code, message }
    }
}

impl Page {
    /// The body of the answer: `metadata` is there only where pages follow, as in the documented sample.
    pub(super) fn render(&self) -> String {
        let metadata = self
            .next
            .as_ref()
            .map(|next| json!({"continue": next, "remainingItemCount": self.remaining}));
        render("PoolList", metadata.as_ref(), &self.pools)
    }
}

/// A list of the API, from the bytes of its items.
pub(super) fn render(kind: &str, metadata: Option<&Value>, items: &[Arc<str>]) -> String {
    let mut body =
        String::with_capacity(128 + items.iter().map(|item| item.len() + 1).sum::<usize>());
    // Writing into a String can't fail.
    let _ = write!(body, r#"{{"kind":"{kind}","apiVersion":"v2","#);
    if let Some(metadata) = metadata {
        let _ = write!(body, r#""metadata":{metadata},"#);
    }
    body.push_str(r#""items":["#);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            body.push(',');
        }
        body.push_str(item);
    }
    body.push_str("]}");
    body
}

/// Blank means creating and created, without the failed ones (HWC 2025-02, OTC23; CMX asks for those separately),
/// or all regardless (OTC24).
fn lives(status: Option<&str>, blank_lists_failed: bool) -> Result<&'static [Life], BadRequest> {
    match status {
        None if blank_lists_failed => Ok(&[Life::Creating, Life::Created, Life::Failed]),
        None => Ok(&[Life::Creating, Life::Created]),
        Some("creating") => Ok(&[Life::Creating]),
        Some("created") => Ok(&[Life::Created]),
        Some("failed") => Ok(&[Life::Failed]),
        Some(other) => Err(BadRequest::new(
            "ModelArts.50004000",
            format!("Bad request, status: {other:?} is none of created, creating, failed"),
        )),
    }
}

fn selects(selector: &Selector, pool: &Pool) -> bool {
    serde_json::from_str(&pool.json).is_ok_and(|pool: Value| selector.matches(&labels_of(&pool)))
}

/// FNV-1a: any even spread will do.
fn mixed(order: u64, id: &str) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325 ^ order.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    id.bytes().fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, num::NonZeroUsize, time::Duration};

    use jiff::Timestamp;

    use super::*;
    use crate::simulator::{Generate, Scenario, change::Change};

    fn world(pools: &[(&str, &str, &str)]) -> World {
        let mut world = World::new(&Scenario::default(), Timestamp::UNIX_EPOCH).unwrap();
        for (id, workspace, phase) in pools {
            let pool = json!({"metadata": {"name": id, "labels": {"name": id}}, "status": {"phase": phase}});
            world.put(id, workspace, &pool.to_string()).unwrap();
        }
        world
    }

    fn ids(world: &World, query: &str) -> Vec<String> {
        let body: Value =
            serde_json::from_str(&world.list(&Query::parse(query)).unwrap().render()).unwrap();
        assert_eq!(body["kind"], "PoolList");
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pool| pool["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn filters_by_workspace_status_and_label() {
        let world = world(&[
            ("a", "0", "Running"),
            ("b", "0", "Creating"),
            ("c", "0", "CreationFailed"),
            ("d", "7", "Running"),
            ("e", "0", "Abnormal"),
            ("f", "0", ""),
        ]);
        for (query, expected) in [
            ("", "a b e f"),
            ("workspaceId=", "a b e f"),
            ("workspaceId=0&status=", "a b e f"),
            ("workspaceId=7", "d"),
            ("status=created", "a e"),
            ("status=creating", "b f"),
            ("status=failed", "c"),
            ("labelSelector=name%3Da", "a"),
            ("labelSelector=name!%3Da%2Cname", "b e f"),
            ("labelSelector=!name", ""),
            ("unknown=1", "a b e f"),
        ] {
            assert_eq!(ids(&world, query).join(" "), expected, "{query}");
        }
        for (query, code) in [
            ("workspaceId=9", "ModelArts.0102"),
            ("status=gone", "ModelArts.50004000"),
            ("labelSelector=%3Dx", "ModelArts.50004000"),
            ("continue=x", "ModelArts.50004000"),
        ] {
            assert_eq!(
                world.list(&Query::parse(query)).unwrap_err().code,
                code,
                "{query}"
            );
        }
    }

    #[test]
    fn pages_lead_through_all_pools_once_in_any_order() {
        let mut world = World::new(&Scenario::default(), Timestamp::UNIX_EPOCH).unwrap();
        world.generate(&Generate::pools(23));
        world.set_page_size(NonZeroUsize::new(5));
        for order in [None, Some(1), Some(2)] {
            world.reorder(order);
            let (mut query, mut seen, mut sizes) = (Query::default(), Vec::new(), Vec::new());
            loop {
                let page = world.list(&query).unwrap();
                sizes.push((page.pools.len(), page.remaining));
                seen.extend(page.pools.clone());
                let Some(next) = page.next else { break };
                query = Query::parse(&format!("continue={}", next.replace('=', "%3D")));
            }
            assert_eq!(sizes, [(5, 18), (5, 13), (5, 8), (5, 3), (3, 0)]);
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 23, "{order:?}");
        }
    }

    #[test]
    fn a_page_goes_on_where_its_last_pool_is_gone() {
        let mut world = world(&[
            ("a", "0", "Running"),
            ("b", "0", "Running"),
            ("c", "0", "Running"),
        ]);
        world.set_page_size(NonZeroUsize::new(2));
        assert_eq!(ids(&world, ""), ["a", "b"]);
        world.change("b", &Change::Delete).unwrap();
        assert_eq!(ids(&world, "continue=after%3Db"), ["c"]);
    }

    #[test]
    fn hidden_and_moved_pools() {
        let mut world = world(&[("a", "0", "Running"), ("b", "0", "Running")]);
        world.change("a", &Change::Hide).unwrap();
        assert_eq!(
            (ids(&world, ""), world.pool("a").is_some()),
            (vec!["b".to_owned()], true)
        );
        world.change("a", &Change::Show).unwrap();
        world
            .change(
                "b",
                &Change::Move {
                    workspace: "7".to_owned(),
                },
            )
            .unwrap();
        assert_eq!(
            (ids(&world, ""), ids(&world, "workspaceId=7")),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
    }

    #[test]
    fn workspaces_in_parts() {
        let world = world(&[("a", "7", "Running"), ("b", "8", "Running")]);
        let shown = world
            .list_workspaces(&Query::parse("limit=2&offset=1"))
            .unwrap();
        assert_eq!(
            (shown["total_count"].as_u64(), shown["count"].as_u64()),
            (Some(3), Some(2))
        );
        assert_eq!(shown["workspaces"][0]["id"], "7");
        assert!(world.list_workspaces(&Query::parse("limit=x")).is_err());
    }

    #[test]
    fn bytes_are_sent_as_they_were_put() {
        let mut world = world(&[]);
        let odd = r#"{"metadata":{"name":"odd"},"n":123456789012345678901234567890,"f":1.0,"f":2}"#;
        world.put("odd", "0", odd).unwrap();
        assert!(
            world
                .list(&Query::default())
                .unwrap()
                .render()
                .contains(odd)
        );
        world.advance_to(Duration::from_secs(5));
    }
}
