use serde_json::json;

use super::*;

fn shared(items: &[&str]) -> Value {
    let text = shareable(items.iter().copied()).expect("a listing");
    let again = items_of(&text);
    let again = shareable(again.iter().map(String::as_str)).expect("a listing");
    assert_eq!(again, text, "the same again");
    serde_json::from_str(&text).expect("JSON")
}

/// The items of a listing as they are written.
fn items_of(listing: &str) -> Vec<String> {
    let lines = listing.lines().filter(|l| l.starts_with(r#"{""#));
    let items = lines.filter(|l| !l.contains(r#""items":["#));
    items.map(|l| l.trim_end_matches(',').to_owned()).collect()
}

fn pool(item: &Value) -> Value {
    shared(&[&item.to_string()])["items"][0].take()
}

#[test]
fn what_the_documentation_shows_keeps_its_words_and_loses_its_names() {
    let sample = include_str!("../../simulator/documented-sample.json");
    let sample: Value = serde_json::from_str(sample).expect("JSON");
    assert_eq!(
        pool(&sample["items"][0]),
        json!({
            "kind": "Pool", "apiVersion": "v2",
            "metadata": {
                "name": "aaaa-aaab-aa-00a00000000000aaa00a0000000a000a",
                "creationTimestamp": "2022-09-16T03:10:40Z",
                "labels": {"os.modelarts/name": "aaaa-aaab-aa", "os.modelarts/workspace.id": "0", "os.modelarts/resource.id": "aaac-aaaa-aaab-aa-00a0a"},
                "annotations": {"os.modelarts/description": "", "os.modelarts/billing.mode": "0"},
            },
            "spec": {
                "type": "Dedicate", "scope": ["Train", "Infer"], "resources": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2}],
                "network": {"name": "aaaaaaa-aaac-00a00000000000aaa00a0000000a000a"},
            },
            "status": {
                "phase": "Running", "root": "aaaa-aaab-aa-00a00000000000aaa00a0000000a000a",
                "scope": [{"scopeType": "Train", "state": "Enabled"}, {"scopeType": "Infer", "state": "Enabled"}],
                "resources": {"available": [{"flavor": "modelarts.vm.cpu.4ud", "count": 2, "azs": [{"az": "ab-aaaaa-0a", "count": 2}]}]},
            },
        })
    );
}

#[test]
fn everything_else_is_replaced_in_every_place() {
    let mark = "hunter";
    let inside =
        json!({"hunter": "hunter", "deeper": json!([{"hunter-1": ["hunter"]}]).to_string()});
    let item = json!({
        "hunter": {"hunter": [1, null, true, "hunter", {"hunter": "hunter"}]},
        "metadata": {
            "name": "hunter-1", "uid": "hunter", "creationTimestamp": "hunter",
            "labels": {"hunter": "hunter", "os.modelartsx/hunter": "hunter", "os.modelarts/name": "hunter", "os.modelarts/hunter@x": ""},
            "annotations": {
                "os.modelarts/description": "of hunter@example.com, 13800138000", "os.modelarts/tenant.domain.name": "hunter",
                "os.modelarts/flavor.resource.ids": inside.to_string(), "cut": "{\"hunter\": \"hunter",
            },
        },
        "spec": {
            "type": "hunter", "scope": ["hunter"], "userLogin": {"keyPairName": "hunter"}, "containerNetwork": {"cidr": "10.11.12.0/24", "mode": "hunter"},
            "resources": [{
                "flavor": "hunter", "nodePool": "hunter", "count": "hunter", "labels": {"type": "hunter", "hunter": "hunter"}, "tags": [{"key": "hunter", "value": "hunter"}],
                "taints": [{"key": "hunter", "value": "hunter", "effect": "hunter"}], "extendParams": {"hunter": "hunter", "type": "hunter"},
                "rootVolume": {"size": "hunter"}, "driver": {"version": "hunter"}, "azs": [{"az": "hunter"}], "phone": 13_800_138_000_u64,
            }],
        },
        "status": {"phase": "hunter", "message": "hunter: hunter", "scope": [{"state": "hunter", "plugins": [{"name": "hunter"}]}]},
    });
    let shared = pool(&item).to_string();
    for mark in [mark, "13800138000", "10.11.12", "example"] {
        assert!(item.to_string().contains(mark), "{mark}");
        assert!(!shared.contains(mark), "{mark} in {shared}");
    }
    assert_eq!(shared.len(), item.to_string().len());
}

#[test]
fn secrets_are_left_out_as_a_mirror_leaves_them_out() {
    let item = json!({
        "metadata": {"name": "p", "annotations": {
            "os.modelarts/login": json!({"user": "u", "password": "hunter2"}).to_string(), "cut": "{\"password\": \"hunter2", "accessToken": "hunter2",
        }},
        "spec": {"userLogin": {"password": "hunter2"}, "resources": [{"postInstall": "hunter2", "taints": [{"key": "db-password", "value": "hunter2"}, {"key": "b", "value": "no"}]}]},
    });
    let shared = pool(&item);
    assert_eq!(
        shared,
        json!({
            "metadata": {"name": "b", "annotations": {"os.modelarts/login": json!({"aaaa": "a"}).to_string()}},
            "spec": {"userLogin": {}, "resources": [{"taints": [{"key": "c", "value": "no"}]}]},
        })
    );
}

#[test]
fn oddities_of_what_was_sent_are_not_tidied_up() {
    let items = [
        r#"{ "metadata":{"name":"b"},"spec":{"x":1.0,"y":[1e2,-0,12345678901234567890],"x":null,"resources":{"count":" 2 "}} }"#,
        r#"{"metadata":{"name":"a"},"status":null,"spec":{"é训":"\ud800 \u0007"}}"#,
    ];
    let text = shareable(items).expect("a listing");
    assert_eq!(
        items_of(&text),
        [
            r#"{"metadata":{"name":"a"},"spec":{"b":1.0,"c":[1e2,-0,10000000000000000000],"b":null,"resources":{"count":" 2 "}}}"#,
            "{\"metadata\":{\"name\":\"d\"},\"status\":null,\"spec\":{\"à一\":\"\u{fffd} \\u0007\"}}",
        ]
    );
}

#[test]
fn what_may_be_too_large_stays_as_large() {
    let small =
        json!({"metadata": {"name": "p"}, "spec": {"password": "x".repeat(1000)}}).to_string();
    let large =
        json!({"metadata": {"name": "p"}, "spec": {"password": "x".repeat(LARGE), "kept": "y"}})
            .to_string();
    let text = shareable([&*small, &large]).expect("a listing");
    let items: Vec<usize> = items_of(&text).iter().map(String::len).collect();
    assert_eq!(
        items,
        [r#"{"metadata":{"name":"a"},"spec":{}}"#.len(), large.len()]
    );
}

#[test]
fn what_is_no_pool_is_refused_without_a_word_of_it() {
    for item in ["[\"hunter\"]", "{\"hunter", "\"hunter\""] {
        let error = shareable([item]).expect_err(item).to_string();
        assert!(!error.contains("hunter"), "{error}");
    }
    assert_eq!(
        shareable([]).expect("a listing"),
        "{\"kind\":\"PoolList\",\"apiVersion\":\"v2\",\"items\":[\n]}\n"
    );
}
