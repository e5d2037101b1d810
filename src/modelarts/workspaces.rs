//! One answer of `ListWorkspaces`.

use serde::Deserialize;
use serde_json::Value;

use super::said::json_problem;

/// The workspaces in one answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WorkspacePage {
    pub(super) ids: Vec<String>,
    /// How many there are in all, where the answer says. Source: `total_count`.
    pub(super) total: Option<usize>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    total_count: Value,
    workspaces: Vec<Workspace>,
    #[serde(default)]
    error_code: Value,
}

#[derive(Deserialize)]
struct Workspace {
    id: Value,
}

impl WorkspacePage {
    /// # Errors
    /// Why it is no part of a complete list.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        // serde would take an array for an object of the same fields.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err("its body is no JSON object".to_owned());
        }
        let Body {
            total_count,
            workspaces,
            error_code,
        } = serde_json::from_slice(body)
            .map_err(|e| format!("its body is no list of workspaces: {}", json_problem(&e)))?;
        if !error_code.is_null() && error_code != "" {
            return Err("it says an error code though its status is 200".to_owned());
        }
        let total = match &total_count {
            Value::Null => None,
            Value::String(text) => Some(text.trim().parse().ok()),
            other => Some(other.as_u64().and_then(|n| usize::try_from(n).ok())),
        };
        let total = total
            .map(|t| t.ok_or("its total_count is no number"))
            .transpose()?;
        let ids = workspaces.into_iter().map(|Workspace { id }| match id {
            Value::String(id) if !id.is_empty() => Ok(id),
            Value::Number(id) => Ok(id.to_string()),
            _ => Err("one of its workspaces has no id".to_owned()),
        });
        Ok(Self {
            ids: ids.collect::<Result<_, _>>()?,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_pages() {
        for (body, ids, total) in [
            (
                r#"{"total_count":3,"count":2,"workspaces":[{"id":"0","name":"default"},{"id":"a"}]}"#,
                vec!["0", "a"],
                Some(3),
            ),
            (
                r#"{"total_count":"1","workspaces":[{"id":0}],"error_code":null}"#,
                vec!["0"],
                Some(1),
            ),
            (r#"{"workspaces":[]}"#, vec![], None),
        ] {
            let ids = ids.into_iter().map(str::to_owned).collect();
            let page = WorkspacePage::parse(body.as_bytes());
            assert_eq!(page, Ok(WorkspacePage { ids, total }), "{body}");
        }
    }

    #[test]
    fn answers_that_are_no_list() {
        for bad in [
            "",
            "{}",
            "[null,[]]",
            r#"{"workspaces":null}"#,
            r#"{"workspaces":{}}"#,
            r#"{"workspaces":[{}]}"#,
            r#"{"workspaces":[{"id":""}]}"#,
            r#"{"workspaces":[{"id":null}]}"#,
            r#"{"workspaces":[],"workspaces":[{"id":"1"}]}"#,
            r#"{"workspaces":[],"total_count":"many"}"#,
            r#"{"workspaces":[],"total_count":-1}"#,
            r#"{"workspaces":[],"error_code":"ModelArts.7001"}"#,
            r#"{"workspaces":[]"#,
            r#"{"workspaces":[]}x"#,
        ] {
            assert!(WorkspacePage::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
