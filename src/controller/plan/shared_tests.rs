//! A listing that strangers are shown is planned like the true one.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::Plan;
use super::tests::planned;
use crate::modelarts::shareable;

/// What must be the same of a listing and of what strangers are shown of it.
fn gist(plan: &Plan) -> Value {
    let mut changes: Vec<String> = plan
        .changes
        .iter()
        .map(|change| {
            let after = change.after.as_ref().expect("a mirror");
            let said: Vec<Value> = after["status"]["conditions"]
                .as_array()
                .expect("conditions")
                .iter()
                .map(|c| {
                    let reason = c["reason"].as_str().expect("a reason");
                    // The cloud's own word, where it is none of the documentation's, may be replaced.
                    let reason = if reason.starts_with(|c: char| c.is_ascii_lowercase()) {
                        "a word"
                    } else {
                        reason
                    };
                    json!([c["type"], c["status"], reason])
                })
                .collect();
            let sizes = ["labels", "annotations"].map(|part| {
                let entries = after["metadata"][part].as_object();
                entries.map_or(0, Map::len)
            });
            let status = &after["status"];
            let flavors = status["flavors"].as_str().unwrap_or_default().split(',');
            let flavors: Vec<_> = flavors.filter(|f| f.starts_with("modelarts")).collect();
            let other = status["otherMetadata"].as_object().map_or(0, Map::len);
            json!([
                change.operation.as_str(),
                said,
                status["counts"],
                flavors,
                after["spec"]["type"] == "Dedicate",
                sizes,
                other
            ])
            .to_string()
        })
        .collect();
    changes.sort();
    let mut skipped: Vec<_> = plan.skipped.iter().map(|s| s.reason.as_str()).collect();
    skipped.sort_unstable();
    json!([
        changes,
        skipped,
        plan.unchanged,
        plan.status.pools,
        plan.status.counts
    ])
}

/// In all that may not be seen.
const MARK: &str = "hunter";

struct Odd(Rng);

impl Odd {
    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.0.usize(..of.len())]
    }

    fn text(&mut self) -> String {
        let n = self.0.u32(..6);
        let form = self.one(&[
            "",
            "0",
            "hunter-#",
            "Hunter-#",
            "hunter #",
            "训练hunter#",
            "hunter_#.",
            "hunter#@x.example",
            "true",
            "10.11.12.1#",
            r#"{"hunter": "hunter#", "b": [1.0, {"hunter-#": null}]}"#,
            r#"{"hunter": "cut #"#,
            r#"{"password": "hunter", "hunter": #}"#,
            "\u{85}hunter\u{202e}#",
            "hunterhunterhunterhunterhunterhunterhunterhunterhunterhunterhunter#",
        ]);
        form.replace('#', &n.to_string())
    }

    fn key(&mut self) -> String {
        let n = self.0.u32(..4);
        let form = self.one(&[
            "os.modelarts/name",
            "os.modelarts/workspace.id",
            "os.modelarts/k#",
            "os.modelarts.pool/biz",
            "os.modelarts/hunter@#",
            "os.modelartsx/hunter",
            "hunter/#",
            "a/b/hunter",
            "hunter",
            "app.kubernetes.io/hunter",
            "hunterToken",
            "type",
        ]);
        form.replace('#', &n.to_string())
    }

    fn number(&mut self) -> Value {
        let n = self.0.u32(..3);
        json!(
            self.one(&[
                "@1.0",
                "@1e2",
                "@0",
                "@-7",
                "@12345678901234567890",
                "@1380013800#",
                "@0.5",
                "@1e400"
            ])
            .replace('#', &n.to_string())
        )
    }

    fn count(&mut self) -> Value {
        match self.0.u32(..8) {
            0 => json!(self.text()),
            1 => json!(" 3 "),
            2 => Value::Null,
            3 => json!(self.one(&["@1e2", "@3.0", "@-1", "@9223372036854775807", "@1e400"])),
            n => json!(n),
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.0.u32(..if depth == 0 { 4 } else { 6 }) {
            0 => Value::Null,
            1 => json!(true),
            2 => self.number(),
            3 => json!(self.text()),
            4 => (0..self.0.u32(..3))
                .map(|_| self.value(depth - 1))
                .collect(),
            _ => Value::Object(
                (0..self.0.u32(..3))
                    .map(|_| (self.key(), self.value(depth - 1)))
                    .collect(),
            ),
        }
    }

    fn tags(&mut self) -> Value {
        let n = self.0.u32(..5);
        Value::Object((0..n).map(|_| (self.key(), self.value(0))).collect())
    }

    fn resources(&mut self) -> Value {
        let mut entry = json!({"flavor": self.one(&["modelarts.vm.cpu.4ud", "modelarts.x", "hunter"]), "count": self.count(), "nodePool": self.text()});
        entry[self.key()] = self.value(2);
        match self.0.u32(..4) {
            0 => entry,
            1 => json!([]),
            2 => json!([entry, {"count": self.count()}]),
            _ => json!([entry]),
        }
    }

    fn pool(&mut self) -> String {
        let n = self.0.u32(..8);
        let id = self.one(&[
            "hunter-#",
            "hunter.a#",
            "Hunter#",
            "-hunter#",
            "hunter_#",
            "训hunter#",
            "hunter#",
        ]);
        let mut pool = json!({
            "apiVersion": self.one(&["v2", "v1", "hunter"]),
            "metadata": {"name": id.replace('#', &n.to_string()), "labels": self.tags(), "annotations": self.tags(), "creationTimestamp": self.one(&["2022-09-16T03:10:40Z", "hunter", ""])},
            "spec": {"type": self.one(&["Dedicate", "Logical", "hunter"]), "scope": self.one(&["Train", "hunter"]), "resources": self.resources(), "x": self.value(3)},
            "status": {
                "phase": self.one(&["Running", "Abnormal", "hunter phase", "hunterphase", "SomethingNew", ""]), "message": self.text(),
                "resources": {"available": self.resources(), "creating": self.resources()}, "counts": self.value(1),
            },
        });
        if self.0.u32(..5) == 0 {
            pool["status"] = self.value(2);
        }
        // Numbers as they are spelled, which a `Value` can't hold.
        let mut text = pool.to_string();
        while let Some(at) = text.find("\"@") {
            let end = at + 2 + text[at + 2..].find('"').expect("an end");
            let number = text[at + 2..end].to_owned();
            text.replace_range(at..=end, &number);
        }
        text
    }

    fn pools(&mut self) -> Vec<String> {
        (0..self.0.usize(1..6)).map(|_| self.pool()).collect()
    }
}

/// The items of a listing for strangers stand on lines of their own.
fn items_of(listing: &str) -> Vec<String> {
    let lines = listing
        .lines()
        .filter(|l| l.starts_with("{\"") && !l.ends_with("\"items\":["));
    lines.map(|l| l.trim_end_matches(',').to_owned()).collect()
}

#[tokio::test]
async fn strangers_are_shown_a_listing_that_does_the_same() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let mut odd = Odd(Rng::with_seed(seed));
        let first = odd.pools();
        // The second listing has some of the first again.
        let mut second = odd.pools();
        second.extend(first.iter().filter(|_| odd.0.bool()).cloned());
        let all = first.iter().chain(&second).map(String::as_str);
        let shared = shareable(all).expect("a listing");
        assert!(
            !shared.to_lowercase().contains(MARK),
            "seed {seed}: {shared}"
        );
        assert!(
            !shared.contains("13800138") && !shared.contains("10.11"),
            "seed {seed}: {shared}"
        );
        let shared = items_of(&shared);
        let again = shareable(shared.iter().map(String::as_str)).expect("a listing");
        assert_eq!(items_of(&again), shared, "seed {seed}");

        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        for (items, shared) in [
            (&first[..], &shared[..first.len()]),
            (&second, &shared[first.len()..]),
        ] {
            let (plan, mirrors) = planned(&ours, items).await;
            let (shared_plan, shared_mirrors) = planned(&theirs, shared).await;
            let expected = gist(&plan);
            assert_eq!(
                gist(&shared_plan),
                expected,
                "seed {seed}: {items:#?} {shared:#?}"
            );
            (ours, theirs) = (mirrors, shared_mirrors);
            seen.extend(plan.changes.iter().map(|c| c.operation.as_str()));
            seen.extend(plan.skipped.iter().map(|s| s.reason.as_str()));
            seen.extend((plan.unchanged > 0).then_some("unchanged"));
        }
    }
    // The listings were odd enough.
    let expected = ["InvalidName", "create", "unchanged", "update"];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}
