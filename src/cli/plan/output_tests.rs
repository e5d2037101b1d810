use serde_json::json;

use super::*;
use crate::controller::{Event, Key, News};
use crate::mirror::{Skip, SkipReason};

fn change(name: &str, operation: Operation) -> Change {
    let view = |phase: &str| {
        Some(
            json!({"kind": "ModelArtsPool", "status": {"message": "a\u{1b}[31m\u{202e}b \u{2028}训练", "phase": phase}}),
        )
    };
    Change {
        operation,
        mirror: Key::new("ns", name),
        before: view("Running").filter(|_| operation != Operation::Create),
        after: view("Abnormal").filter(|_| operation != Operation::Delete),
    }
}

fn plan(changes: Vec<Change>) -> Plan {
    let skip = |id: &str, reason| Skip {
        id: id.to_owned(),
        reason,
        message: "why".to_owned(),
    };
    Plan {
        source: Key::new("ns", "s"),
        changes,
        unchanged: 4,
        status_before: ModelArtsPoolSourceStatus::default(),
        status: ModelArtsPoolSourceStatus {
            pools: Some(3),
            ..ModelArtsPoolSourceStatus::default()
        },
        skipped: vec![
            skip("B", SkipReason::InvalidName),
            skip("C", SkipReason::InvalidName),
            skip("d", SkipReason::TooLarge),
        ],
        events: vec![Event {
            kind: "ModelArtsPool",
            object: Key::new("ns", "b"),
            uid: "u".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            news: News {
                warning: true,
                reason: "PhaseChanged",
                note: "from Running to Abnormal".to_owned(),
            },
        }],
        unasked: vec!["x".to_owned(), "y".to_owned()],
        no_pass: None,
    }
}

fn all() -> Plan {
    plan(vec![
        change("a", Operation::Create),
        change("b", Operation::Update),
        change("c", Operation::Delete),
    ])
}

#[test]
fn a_diff_for_people() {
    let mut same = change("e", Operation::Update);
    same.before.clone_from(&same.after);
    let mut plan = all();
    plan.changes.push(same);
    let message = "\\e[31m\\u{202e}b \\L训练\"";
    let expected = format!(
        r#"+ ns/a: create
--- now
+++ planned
@@ -0,0 +1,4 @@
+kind: ModelArtsPool
+status:
+  message: "a{message}
+  phase: Abnormal

~ ns/b: update
--- now
+++ planned
@@ -1,4 +1,4 @@
 kind: ModelArtsPool
 status:
   message: "a{message}
-  phase: Running
+  phase: Abnormal

- ns/c: delete
--- now
+++ planned
@@ -1,4 +0,0 @@
-kind: ModelArtsPool
-status:
-  message: "a{message}
-  phase: Running

~ ns/e: update
  the same again: whose each field is was changed by somebody else

~ ns/s: status of the source
--- now
+++ planned
@@ -1 +1 @@
-{{}}
+pools: 3

! ns/B: skipped: InvalidName: why
! ns/C: skipped: InvalidName: why
! ns/d: skipped: TooLarge: why
? ns/x: missing; the cloud would be asked whether it is gone
? ns/y: missing; the cloud would be asked whether it is gone
* ns/b: event: Warning PhaseChanged: from Running to Abnormal

1 to create, 2 to update, 1 to delete, 3 skipped (2 InvalidName, 1 TooLarge), 4 unchanged
"#
    );
    assert_eq!(text(&plan, Form::Diff), Ok(expected));
}

#[test]
fn yaml_and_json_say_the_same_and_steer_no_terminal() {
    let [json, yaml] = [Form::Json, Form::Yaml].map(|form| text(&all(), form).expect("a text"));
    let parsed: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        serde_saphyr::from_str::<Value>(&yaml).expect("YAML"),
        parsed
    );
    assert!(!json.contains(['\u{1b}', '\u{202e}', '\u{2028}']), "{json}");
    assert!(!yaml.contains(['\u{1b}', '\u{2028}']), "{yaml}");
    let changes = parsed["changes"].as_array().expect("changes");
    let short: Vec<_> = changes
        .iter()
        .map(|c| {
            let phase = |side: &str| c[side]["status"]["phase"].clone();
            json!([
                c["operation"],
                c["namespace"],
                c["name"],
                phase("before"),
                phase("after"),
                c.as_object().map(serde_json::Map::len)
            ])
        })
        .collect();
    assert_eq!(
        short,
        [
            json!(["create", "ns", "a", null, "Abnormal", 4]),
            json!(["update", "ns", "b", "Running", "Abnormal", 5]),
            json!(["delete", "ns", "c", "Running", null, 4]),
        ]
    );
    assert_eq!(
        parsed["source"],
        json!({"namespace": "ns", "name": "s", "status": {"pools": 3}})
    );
    assert_eq!(
        parsed["skipped"][2],
        json!({"id": "d", "reason": "TooLarge", "message": "why"})
    );
    assert_eq!(parsed["unchanged"], 4);
    assert_eq!(parsed["unasked"], json!(["x", "y"]));
    let event = json!({"type": "Warning", "reason": "PhaseChanged", "kind": "ModelArtsPool", "namespace": "ns", "name": "b", "note": "from Running to Abnormal"});
    assert_eq!(parsed["events"], json!([event]));
}

#[test]
fn a_text_of_many_words_stays_on_its_line() {
    let words = "word ".repeat(100);
    let yaml = yaml(&json!({ "message": words.trim() })).expect("YAML");
    assert_eq!(yaml.lines().count(), 1, "{yaml}");
}

#[test]
fn nothing_to_do() {
    let mut plan = plan(vec![]);
    plan.skipped.clear();
    plan.events.clear();
    plan.unasked.clear();
    plan.status = plan.status_before.clone();
    plan.no_pass = Some("spec.suspend is true");
    let expected = "No pass would be made: spec.suspend is true.\n0 to create, 0 to update, 0 to delete, 0 skipped, 4 unchanged\n";
    assert_eq!(text(&plan, Form::Diff).as_deref(), Ok(expected));
}
