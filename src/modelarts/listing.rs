//! A listing of a project: every workspace, filter and page, or an error.

use std::collections::HashSet;

use super::answer::Budget;
use super::client::Client;
use super::error::CloudError;
use super::page::{Page, PageReader};
use super::pool::InvalidItem;
use super::reason::Reason;

/// Pages followed at most for one filter: a cloud that never ends must not keep a pass for ever. A test follows them
/// all, so that there are fewer.
pub(super) const MAX_PAGES: usize = if cfg!(test) { 200 } else { 10_000 };

/// Which pools to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// In which workspaces.
    pub workspaces: WorkspaceSelection,
    /// Handed to ListPools as it is; empty: none.
    pub label_selector: String,
    /// In which states of creation.
    pub statuses: Vec<StatusFilter>,
}

/// Workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceSelection {
    /// All that the project has.
    All,
    /// These.
    List(Vec<String>),
}

/// The filter `status` of ListPools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFilter {
    /// Pools that were created.
    Created,
    /// Pools that are being created.
    Creating,
    /// Pools whose creation failed, for three days.
    Failed,
}

/// Takes the pools of a listing, one at a time. It is given back when the listing is complete and
/// dropped when it is not.
pub trait PoolSink: Send + 'static {
    /// Takes one item, as it was sent, of the listing of `workspace`.
    ///
    /// # Errors
    /// Where it is no pool: the listing is then not complete.
    fn pool(&mut self, workspace: &str, json: &str) -> Result<(), InvalidItem>;

    /// An answer was read to its end, whose request the cloud calls `request_id`; empty where it has no name.
    fn answered(&mut self, request_id: &str) {
        let _ = request_id;
    }
}

/// Lists what `selection` names; every pool goes to `sink`.
///
/// One request at a time: the first after a change of credentials must go alone, since six rejected
/// ones lock a customer's key.
///
/// # Errors
/// The first request that failed, or the first answer that is not whole.
pub async fn list<S: PoolSink>(
    client: &Client,
    selection: &Selection,
    mut sink: S,
) -> Result<S, CloudError> {
    let mut budget = client.budget();
    let workspaces = match &selection.workspaces {
        WorkspaceSelection::All => client.list_workspaces(&mut budget).await?,
        WorkspaceSelection::List(ids) => ids.clone(),
    };
    let filters = filters(&selection.statuses);
    if workspaces.is_empty() || filters.is_empty() {
        // To ask for nothing and to be told nothing are not the same.
        return Err(CloudError::new(
            "ListPools",
            Reason::InvalidRequest,
            "no workspace or no status is selected",
        ));
    }
    for workspace in workspaces {
        for status in &filters {
            let selector = &selection.label_selector;
            let budget = &mut budget;
            list_filter(client, budget, &workspace, *status, selector, &mut sink).await?;
        }
    }
    Ok(sink)
}

/// The values of the filter to ask for, one request each. The cloud's blank filter means created and
/// creating, and leaves the failed out.
fn filters(statuses: &[StatusFilter]) -> Vec<Option<&'static str>> {
    let all = [
        StatusFilter::Created,
        StatusFilter::Creating,
        StatusFilter::Failed,
    ];
    if all.iter().all(|s| statuses.contains(s)) {
        return vec![None, Some("failed")];
    }
    let word = |status: &StatusFilter| match status {
        StatusFilter::Created => "created",
        StatusFilter::Creating => "creating",
        StatusFilter::Failed => "failed",
    };
    all.iter()
        .filter(|s| statuses.contains(s))
        .map(|s| Some(word(s)))
        .collect()
}

async fn list_filter<S: PoolSink>(
    client: &Client,
    budget: &mut Budget,
    workspace: &str,
    status: Option<&str>,
    label_selector: &str,
    sink: &mut S,
) -> Result<(), CloudError> {
    let mut seen = HashSet::new();
    let mut next: Option<String> = None;
    loop {
        let mut query = vec![("workspaceId".to_owned(), workspace.to_owned())];
        let optional = [
            ("status", status),
            ("labelSelector", Some(label_selector)),
            ("continue", next.as_deref()),
        ];
        for (name, value) in optional {
            if let Some(value) = value.filter(|v| !v.is_empty()) {
                query.push((name.to_owned(), value.to_owned()));
            }
        }
        let mut answer = client.list_pools(&query, budget).await?;
        let mut page = PageReader::default();
        answer
            .read(|piece| page.feed(piece, |item| sink.pool(workspace, item)))
            .await?;
        sink.answered(&answer.request_id());
        let Page { next: token } = page.end().map_err(|e| answer.incomplete(&e))?;
        let Some(token) = token else { return Ok(()) };
        if !seen.insert(token.clone()) {
            return Err(answer.incomplete(&format!(
                "it continues where it has been before ({token:?})"
            )));
        }
        if seen.len() > MAX_PAGES {
            return Err(answer.incomplete(&format!("it has more than {MAX_PAGES} pages")));
        }
        next = Some(token);
    }
}

#[cfg(test)]
mod tests {
    use super::StatusFilter::{Created, Creating, Failed};
    use super::*;

    #[test]
    fn filters_of_statuses() {
        assert_eq!(
            filters(&[Failed, Created, Creating]),
            [None, Some("failed")]
        );
        assert_eq!(
            filters(&[Created, Creating]),
            [Some("created"), Some("creating")]
        );
        assert_eq!(filters(&[Failed]), [Some("failed")]);
    }
}
