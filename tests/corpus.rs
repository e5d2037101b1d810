//! The corpus of the fuzz targets, and mutations of it: what holds of any bytes that the cloud may send
//! holds of them, and the mirrors they make are accepted by a real API server.

use std::fs;

use fastrand::Rng;
use kube::api::ListParams;
use modelarts_pool_controller::modelarts::Pool;
use modelarts_pool_controller::simulator::{DEFAULT_WORKSPACE, Scenario};
use serde_json::{Value, json};

use super::odd_pools_are_mirrored::odd_values;
use super::support::env::{Env, source_condition};
use super::support::markdown::root;

#[path = "../fuzz/targets.rs"]
mod targets;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("a folder");
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(files.len() > 5, "{}", folder.display());
    let read = |file| fs::read(file).expect("a file");
    files.into_iter().map(read).collect()
}

/// Another text than `bytes`, and often no JSON.
fn mutated_bytes(mut bytes: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    for _ in 0..rng.usize(1..4) {
        let at = rng.usize(..=bytes.len());
        let to = rng.usize(at..=bytes.len()).min(at + 20);
        match rng.u8(..4) {
            0 => drop(bytes.drain(at..to)),
            1 => bytes.insert(at, rng.u8(..)),
            2 => bytes.insert(at, *rng.choice(b"{}[]\",:\\ ").expect("one")),
            _ => {
                let part = bytes[at..to].to_vec();
                let into = rng.usize(..=bytes.len());
                bytes.splice(into..into, part);
            }
        }
    }
    bytes
}

/// The places of all values in `value`.
fn places(value: &Value, place: &str, found: &mut Vec<String>) {
    found.push(place.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                places(value, &format!("{place}/{}", escaped(key)), found);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                places(item, &format!("{place}/{i}"), found);
            }
        }
        _ => {}
    }
}

/// Another pool than `pool`, in a form that it may have.
fn mutated_pool(mut pool: Value, rng: &mut Rng) -> Value {
    let odd = odd_values();
    for _ in 0..rng.usize(1..5) {
        let mut all = Vec::new();
        places(&pool, "", &mut all);
        let place = rng.choice(&all).expect("the root").clone();
        let other = rng.choice(&all).expect("the root");
        let other = pool.pointer(other).expect("a place").clone();
        let value = pool.pointer_mut(&place).expect("a place");
        let old = value.take();
        *value = match rng.u8(..6) {
            0 | 1 => rng.choice(&odd).expect("one").clone(),
            2 => other,
            3 => json!([old, old, other]),
            4 => json!(old.to_string()),
            _ => json!({"a": old, "password": "hunter2", "os.modelarts/x": other}),
        };
    }
    pool
}

fn pools() -> Vec<Value> {
    let texts = corpus("mirror").into_iter();
    // Some are no JSON but to us.
    let pools: Vec<Value> = texts
        .filter_map(|text| serde_json::from_slice(&text).ok())
        .collect();
    assert!(pools.len() > 5);
    pools
}

#[test]
fn what_holds_of_any_answer_holds_of_the_corpus_and_its_mutations() {
    let mut rng = Rng::with_seed(1);
    for bytes in corpus("listing") {
        targets::listing(&bytes);
        for _ in 0..200 {
            targets::listing(&mutated_bytes(bytes.clone(), &mut rng));
        }
    }
    for bytes in corpus("mirror") {
        targets::mirror(&bytes);
        for _ in 0..50 {
            targets::mirror(&mutated_bytes(bytes.clone(), &mut rng));
        }
    }
    for pool in pools() {
        for _ in 0..50 {
            let pool = mutated_pool(pool.clone(), &mut rng);
            targets::mirror(pool.to_string().as_bytes());
        }
    }
}

/// The pools of the corpus and mutations of them, under names of their own.
pub(super) fn corpus_pools() -> Vec<String> {
    let mut rng = Rng::with_seed(2);
    let mut wanted = pools();
    for pool in pools() {
        wanted.extend((0..25).map(|_| mutated_pool(pool.clone(), &mut rng)));
    }
    let named = |(i, mut pool): (usize, Value)| {
        let metadata = pool.get_mut("metadata")?.as_object_mut()?;
        metadata.insert("name".to_owned(), json!(format!("corpus-{i}")));
        let text = pool.to_string();
        Pool::parse(&text).is_ok().then_some(text)
    };
    let texts: Vec<String> = wanted.into_iter().enumerate().filter_map(named).collect();
    assert!(texts.len() > 200, "{}", texts.len());
    texts
}

#[tokio::test]
async fn mirrors_of_the_corpus_and_its_mutations_are_accepted() {
    let texts = corpus_pools();
    let env = Env::with(Scenario::default()).await;
    let put = env.cloud().replace_pools(DEFAULT_WORKSPACE, &texts);
    put.expect("pools");
    env.add_source("corpus", json!({})).await;
    let _controller = env.start_controller().await;
    let source = env.synced("corpus").await;
    let ready = source_condition(&source, "Ready").expect("a condition");
    assert_eq!(ready.status, "True", "{}", ready.message);
    let status = source.status.expect("a status");
    assert_eq!(status.skipped, None);
    let mirrors = env.pools().list(&ListParams::default()).await;
    assert_eq!(mirrors.expect("all parse").items.len(), texts.len());
}
