//! The pure core, one case at a time, for `benches/instructions.sh`, which counts the instructions of each.
//!
//! `core CASE TIMES` goes over 200 pools so many times.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a measurement that fails has nothing better to do than to say so"
)]

use std::hint::black_box;

use kube::api::DynamicObject;
use modelarts_pool_controller::mirror::{
    Counts, Desired, Existence, Freshness, Observed, Owner, PoolShape, Presence, Wanted,
    conditions, desired, plan, text_fingerprint,
};
use modelarts_pool_controller::modelarts::{Pool, read_saved};
use serde_json::{Value, json};

const SAMPLE: &str = include_str!("../src/simulator/documented-sample.json");
const POOLS: usize = 200;

/// The pool of the cloud's documentation, under so many names, as one listing.
fn listing() -> String {
    let sample: Value = serde_json::from_str(SAMPLE).expect("JSON");
    let sample = sample.pointer("/items/0").unwrap_or(&sample);
    let pools = (0..POOLS).map(|n| {
        let mut pool = sample.clone();
        pool["metadata"]["name"] = json!(format!("pool-{n:04}"));
        pool
    });
    json!({"kind": "PoolList", "apiVersion": "v2", "items": pools.collect::<Vec<_>>()}).to_string()
}

fn texts(listing: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let read = read_saved(listing.as_bytes(), |item| {
        texts.push(item.to_owned());
        Pool::parse(item).map(drop)
    });
    read.expect("a whole listing");
    assert_eq!(texts.len(), POOLS);
    texts
}

fn mirror(text: &str, shape: &PoolShape) -> Desired {
    let pool = Pool::parse(text).expect("a pool");
    desired(&pool.id, pool.json, text, "s", "0", shape).expect("a mirror")
}

fn owner() -> Owner {
    Owner {
        name: "s".into(),
        uid: "u".into(),
    }
}

/// The mirror as the API server has it.
fn stored(mirror: &Desired) -> DynamicObject {
    let part = |raw: &str| -> Value { serde_json::from_str(raw).expect("JSON") };
    let object = json!({
        "apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPool",
        "metadata": {
            "name": "p", "namespace": "n", "uid": "1", "resourceVersion": "7", "generation": 1,
            "labels": part(mirror.labels.get()), "annotations": part(mirror.annotations.get()),
            "ownerReferences": [{"apiVersion": "modelarts.huaweicloud.com/v1alpha1", "kind": "ModelArtsPoolSource",
                "name": "s", "uid": "u", "controller": true}],
        },
        "spec": part(mirror.spec.get()), "status": part(mirror.status.get()),
    });
    serde_json::from_value(object).expect("an object")
}

fn main() {
    // `cargo bench` and `cargo test` hand on flags of their own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let [case, times] = &arguments[..] else {
        return;
    };
    let times: usize = times.parse().expect("a number of times");
    let (listing, shape, owner) = (listing(), PoolShape::of_the_crd(), owner());
    let texts = texts(&listing);
    let mirrors: Vec<Desired> = texts.iter().map(|text| mirror(text, &shape)).collect();
    let objects: Vec<DynamicObject> = mirrors.iter().map(stored).collect();
    let observed = |object: &DynamicObject| Observed::of(object.clone()).expect("a stored object");
    let all: Vec<Observed> = objects.iter().map(observed).collect();
    for _ in 0..times {
        match &**case {
            // A saved listing is taken apart: as one of the cloud, after a look for an error of the cloud in it.
            "saved" => {
                let read = read_saved(listing.as_bytes(), |item| {
                    black_box(item);
                    Ok(())
                });
                black_box(read).expect("a whole listing");
            }
            // A pool is known by its text: all that a quiet pass does with it.
            "known" => texts.iter().for_each(|text| {
                black_box(text_fingerprint(text, "0"));
            }),
            // A pool that has changed is made a mirror.
            "desired" => texts.iter().for_each(|text| {
                black_box(mirror(text, &shape));
            }),
            // The API server shows a mirror. With the copy that is taken in.
            "observed" => objects.iter().for_each(|object| {
                black_box(observed(object));
            }),
            // What is written next of a mirror.
            "plan" => {
                for (mirror, observed) in mirrors.iter().zip(&all) {
                    let wanted = Wanted {
                        existence: Existence::Required,
                        content: Some(mirror),
                        conditions: conditions(
                            &mirror.readiness,
                            Presence::Listed,
                            Freshness::Fresh,
                            None,
                        ),
                        counts: Counts::Kept,
                    };
                    black_box(plan(&wanted, Some(observed), &owner, |_| true, |_| false));
                }
            }
            other => panic!("no such case: {other}"),
        }
    }
}
