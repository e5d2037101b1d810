//! A plan as text: a diff for people, YAML and JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use super::Form;
use crate::api::ModelArtsPoolSourceStatus;
use crate::controller::Event;
use crate::controller::plan::{Change, Operation, Plan};

/// Lines of a diff around what changes.
const CONTEXT: usize = 3;

/// The plan in this form.
///
/// # Errors
/// Where it can't be written.
pub(super) fn text(plan: &Plan, form: Form) -> Result<String, String> {
    match form {
        Form::Diff => diff(plan),
        Form::Yaml => yaml(&Shown::of(plan)),
        Form::Json => {
            let json = serde_json::to_string_pretty(&Shown::of(plan));
            let json = json.map_err(|e| format!("failed to write the plan as JSON: {e}"))?;
            Ok(safe_json(&json) + "\n")
        }
    }
}

/// What programs read. docs/plan.md describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    source: ShownSource<'a>,
    changes: Vec<ShownChange<'a>>,
    skipped: Vec<ShownSkip<'a>>,
    unasked: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    no_pass: Option<&'static str>,
    events: Vec<ShownEvent<'a>>,
    unchanged: usize,
}

#[derive(Serialize)]
struct ShownSource<'a> {
    namespace: &'a str,
    name: &'a str,
    status: &'a ModelArtsPoolSourceStatus,
}

#[derive(Serialize)]
struct ShownChange<'a> {
    operation: &'static str,
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a Value>,
}

#[derive(Serialize)]
struct ShownSkip<'a> {
    id: &'a str,
    reason: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct ShownEvent<'a> {
    r#type: &'static str,
    reason: &'static str,
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    note: &'a str,
}

impl<'a> ShownEvent<'a> {
    fn of(event: &'a Event) -> Self {
        let Event {
            kind,
            object,
            news,
            uid: _,
            at: _,
        } = event;
        Self {
            r#type: if news.warning { "Warning" } else { "Normal" },
            reason: news.reason,
            kind,
            namespace: &object.namespace,
            name: &object.name,
            note: &news.note,
        }
    }
}

impl<'a> Shown<'a> {
    fn of(plan: &'a Plan) -> Self {
        let change = |change: &'a Change| ShownChange {
            operation: change.operation.as_str(),
            namespace: &change.mirror.namespace,
            name: &change.mirror.name,
            before: change.before.as_ref(),
            after: change.after.as_ref(),
        };
        let skips = plan.skipped.iter().map(|skip| ShownSkip {
            id: &skip.id,
            reason: skip.reason.as_str(),
            message: &skip.message,
        });
        Self {
            source: ShownSource {
                namespace: &plan.source.namespace,
                name: &plan.source.name,
                status: &plan.status,
            },
            changes: plan.changes.iter().map(change).collect(),
            skipped: skips.collect(),
            unasked: &plan.unasked,
            no_pass: plan.no_pass,
            events: plan.events.iter().map(ShownEvent::of).collect(),
            unchanged: plan.unchanged,
        }
    }
}

fn yaml(value: &impl Serialize) -> Result<String, String> {
    // A long text stays on its line: folded, a change of one word would look like one of all.
    let options = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    serde_saphyr::to_string_with_options(value, options)
        .map_err(|e| format!("failed to write the plan as YAML: {e}"))
}

fn diff(plan: &Plan) -> Result<String, String> {
    let mut text = String::new();
    for change in &plan.changes {
        let sign = match change.operation {
            Operation::Create => '+',
            Operation::Update => '~',
            Operation::Delete => '-',
        };
        let title = format!("{sign} {}: {}", change.mirror, change.operation.as_str());
        let part = |value: &Option<Value>| value.as_ref().map(yaml).transpose();
        let (before, after) = (part(&change.before)?, part(&change.after)?);
        section(
            &mut text,
            &title,
            &before.unwrap_or_default(),
            &after.unwrap_or_default(),
        );
    }
    let title = format!("~ {}: status of the source", plan.source);
    let (before, after) = (yaml(&plan.status_before)?, yaml(&plan.status)?);
    if before != after {
        section(&mut text, &title, &before, &after);
    }
    let start = text.len();
    asides(&mut text, plan);
    if text.len() > start {
        text.push('\n');
    }
    if let Some(why) = plan.no_pass {
        let _ = writeln!(text, "No pass would be made: {why}.");
    }
    text.push_str(&summary(plan));
    Ok(safe_text(&text))
}

/// What a pass would say beside its writes.
fn asides(text: &mut String, plan: &Plan) {
    let namespace = &plan.source.namespace;
    for skip in &plan.skipped {
        let (id, reason, message) = (&skip.id, skip.reason.as_str(), &skip.message);
        let _ = writeln!(text, "! {namespace}/{id}: skipped: {reason}: {message}");
    }
    for id in &plan.unasked {
        let _ = writeln!(
            text,
            "? {namespace}/{id}: missing; the cloud would be asked whether it is gone"
        );
    }
    for event in &plan.events {
        let shown = ShownEvent::of(event);
        let (kind, reason, note) = (shown.r#type, shown.reason, shown.note);
        let _ = writeln!(text, "* {}: event: {kind} {reason}: {note}", event.object);
    }
}

fn section(text: &mut String, title: &str, before: &str, after: &str) {
    let _ = writeln!(text, "{title}");
    let lines = TextDiff::from_lines(before, after);
    let mut lines = lines.unified_diff();
    let shown = lines.context_radius(CONTEXT).header("now", "planned");
    let shown = shown.to_string();
    if shown.is_empty() {
        text.push_str("  the same again: whose each field is was changed by somebody else\n");
    }
    let _ = writeln!(text, "{shown}");
}

/// The last line.
fn summary(plan: &Plan) -> String {
    let count = |operation| {
        let changes = plan.changes.iter();
        changes.filter(|c| c.operation == operation).count()
    };
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for skip in &plan.skipped {
        *reasons.entry(skip.reason.as_str()).or_default() += 1;
    }
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    let reasons = match &reasons[..] {
        [] => String::new(),
        some => format!(" ({})", some.join(", ")),
    };
    format!(
        "{} to create, {} to update, {} to delete, {} skipped{reasons}, {} unchanged\n",
        count(Operation::Create),
        count(Operation::Update),
        count(Operation::Delete),
        plan.skipped.len(),
        plan.unchanged,
    )
}

/// JSON in which nothing can steer a terminal.
pub(super) fn safe_json(json: &str) -> String {
    escaped(json, |c, out| {
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// Text in which nothing can steer a terminal.
fn safe_text(text: &str) -> String {
    escaped(text, |c, out| {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters, and those of Unicode that end a line or change its direction.
fn steers(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
