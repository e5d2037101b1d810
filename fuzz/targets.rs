//! What holds of any bytes that the cloud may send. Each function panics where it does not.

use std::sync::LazyLock;

use modelarts_pool_controller::mirror::{Desired, PoolShape, desired};
use modelarts_pool_controller::modelarts::redact::is_secret_key;
use modelarts_pool_controller::modelarts::{Pool, read_saved};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Made once: it takes long.
static SHAPE: LazyLock<PoolShape> = LazyLock::new(PoolShape::of_the_crd);

/// Bytes of annotations that the API server takes.
const MAX_ANNOTATIONS: usize = 256 * 1024;
/// Bytes of an object that etcd takes.
const MAX_OBJECT: usize = 1536 * 1024;
/// Texts within texts that are looked into for secrets.
const MAX_TEXTS: usize = 3;

/// The items of a listing that is taken for complete are those that another parser finds in it.
pub(super) fn listing(bytes: &[u8]) {
    let mut items = Vec::new();
    let read = read_saved(bytes, |item| {
        items.push(item.to_owned());
        Pool::parse(item).map(drop)
    });
    if read.is_err() {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    match serde_json::from_str::<Listing>(&text) {
        Ok(listing) => {
            let found: Vec<&str> = listing.items.iter().map(|item| item.get()).collect();
            assert_eq!(found, items, "{text:?}");
        }
        // One that only a tolerant parser takes.
        Err(error) => assert!(
            items
                .iter()
                .any(|item| serde_json::from_str::<IgnoredAny>(item).is_err()),
            "{error}: {text:?}"
        ),
    }
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// A pool is refused, or skipped for a reason, or its mirror is one that the API server takes and that
/// holds no secret.
pub(super) fn mirror(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(pool) = Pool::parse(text) else {
        return;
    };
    let made = || desired(&pool.id, pool.json.clone(), text, "source", "0", &SHAPE);
    match (made(), made()) {
        (Err(skip), again) => {
            assert!(skip.id.len() <= 253 && !skip.message.is_empty(), "{skip:?}");
            assert_eq!(again.map(|_| ()), Err(skip));
        }
        (Ok(mirror), again) => {
            let again = again.expect("the same again");
            let same = mirror.spec.get() == again.spec.get()
                && mirror.status.get() == again.status.get()
                && mirror.spec_fingerprint == again.spec_fingerprint
                && mirror.status_fingerprint == again.status_fingerprint
                && mirror.metadata_fingerprint == again.metadata_fingerprint;
            assert!(same, "another mirror of the same pool: {text:?}");
            check(&mirror);
            check(&mirror.of_a_gone_pool());
        }
    }
}

fn check(mirror: &Desired) {
    let parts = [
        &mirror.labels,
        &mirror.annotations,
        &mirror.spec,
        &mirror.status,
    ];
    let bytes: usize = parts.iter().map(|part| part.get().len()).sum();
    assert!(bytes <= MAX_OBJECT, "{bytes} bytes");
    let [labels, annotations, spec, status] = parts.map(|part| {
        let object = serde_json::from_str::<Map<String, Value>>(part.get());
        object.unwrap_or_else(|e| panic!("no object: {e}: {}", part.get()))
    });
    for (key, value) in &labels {
        let value = value.as_str().expect("a text");
        let valid = is_key(key) && (value.is_empty() || is_name(value));
        assert!(valid, "label {key:?}: {value:?}");
    }
    let mut room = MAX_ANNOTATIONS;
    for (key, value) in &annotations {
        let value = value.as_str().expect("a text");
        assert!(is_key(key), "annotation {key:?}");
        room = room
            .checked_sub(key.len() + value.len())
            .expect("annotations that the API server takes");
    }
    for part in [labels, annotations, spec, status] {
        assert_no_secret(&Value::Object(part), MAX_TEXTS);
    }
}

/// `prefix/name`, as a key of a label or an annotation.
fn is_key(key: &str) -> bool {
    let Some((prefix, name)) = key.split_once('/') else {
        return false;
    };
    // Parts of a prefix may be longer than those of a host name: Kubernetes limits the whole alone.
    let is_outer = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_part = |part: &str| {
        part.chars().all(|c| is_outer(c) || c == '-')
            && part.starts_with(is_outer)
            && part.ends_with(is_outer)
    };
    is_name(name) && prefix.len() <= 253 && prefix.split('.').all(is_part)
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 63
        && name.chars().all(inner)
        && outer(name.chars().next())
        && outer(name.chars().next_back())
}

/// No key in it names a secret, and none in a text that is JSON.
fn assert_no_secret(value: &Value, texts: usize) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                assert!(!is_secret_key(key), "the key {key:?} is mirrored");
                assert_no_secret(value, texts);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_no_secret(item, texts)),
        Value::String(text) if texts > 0 => {
            if let Ok(inner) = serde_json::from_str(text) {
                assert_no_secret(&inner, texts - 1);
            }
        }
        _ => {}
    }
}
