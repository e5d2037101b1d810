//! The files of a plan: each read once, each checked for what it must hold. No error repeats what stands
//! in one: any of them may be a Secret by mistake.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::DynamicObject;
use serde_json::{Map, Value};

use crate::api::{API_VERSION, ModelArtsPoolSourceSpec, SOURCE_KIND};
use crate::controller::plan::CredentialsFrom;

/// Looks that only one of the flags names standard input.
///
/// # Errors
/// Which ones do.
pub(super) fn check_stdin(flags: &[(&str, Option<&PathBuf>)]) -> Result<(), String> {
    let is_stdin = |file: Option<&PathBuf>| file.is_some_and(|f| f.as_os_str() == "-");
    let named: Vec<&str> = flags
        .iter()
        .filter(|(_, file)| is_stdin(*file))
        .map(|(flag, _)| *flag)
        .collect();
    if named.len() > 1 {
        return Err(format!(
            "{} are -, and there is one standard input",
            named.join(" and ")
        ));
    }
    Ok(())
}

/// All of a file.
pub(super) fn bytes(flag: &str, file: &Path) -> Result<Vec<u8>, String> {
    if file.as_os_str() != "-" {
        return std::fs::read(file)
            .map(without_mark)
            .map_err(|e| format!("{flag} {}: {e}", file.display()));
    }
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|e| format!("{flag}: failed to read standard input: {e}"))?;
    Ok(without_mark(bytes))
}

/// The objects in a file, the items of lists among them.
fn objects(flag: &str, file: &Path) -> Result<Vec<Value>, String> {
    let bytes = bytes(flag, file)?;
    parsed(&bytes).map_err(|problem| format!("{flag} {}: {problem}", file.display()))
}

/// The one object of a file.
fn object(flag: &str, file: &Path, kind: &str) -> Result<Value, String> {
    let shown = format!("{flag} {}", file.display());
    let mut objects = objects(flag, file)?.into_iter();
    let object = objects
        .next()
        .ok_or_else(|| format!("{shown} holds no object; it must hold one {kind}"))?;
    let more = objects.len();
    if more > 0 {
        return Err(format!(
            "{shown} holds {} objects; it must hold one {kind} alone",
            more + 1
        ));
    }
    let found = object["kind"].as_str().unwrap_or_default();
    match found {
        _ if found == kind => Ok(object),
        "" => Err(format!(
            "{shown} holds no Kubernetes object (it has no kind); it must hold one {kind}"
        )),
        _ => Err(format!(
            "{shown} holds an object of kind {found:?}; it must hold one {kind}"
        )),
    }
}

/// The source in a file.
pub(super) fn source(file: &Path) -> Result<DynamicObject, String> {
    let object = object("-f", file, SOURCE_KIND)?;
    let shown = format!("-f {}", file.display());
    if object["apiVersion"] != API_VERSION {
        return Err(format!(
            "{shown}: its apiVersion is {}; it must be {API_VERSION}",
            object["apiVersion"]
        ));
    }
    let spec = object["spec"].clone();
    let typed: ModelArtsPoolSourceSpec = serde_json::from_value(spec.clone())
        .map_err(|e| format!("{shown}: spec can't be read: {e}; compare it with docs/api.md"))?;
    let typed = serde_json::to_value(typed).unwrap_or_default();
    if let Some(unknown) = unknown(&spec, &typed, "spec") {
        return Err(format!(
            "{shown}: {unknown} is no field of a source; compare it with docs/api.md"
        ));
    }
    serde_json::from_value(object).map_err(|e| format!("{shown}: metadata can't be read: {e}"))
}

/// The Secret in a file.
pub(super) fn secret(file: &Path) -> Result<CredentialsFrom, String> {
    let shown = format!("--secret-file {}", file.display());
    let object = object("--secret-file", file, "Secret")?;
    let mut data = BTreeMap::new();
    for (part, encoded) in [("data", true), ("stringData", false)] {
        let entries = match &object[part] {
            Value::Null => continue,
            Value::Object(entries) => entries,
            _ => return Err(format!("{shown}: {part} is no map")),
        };
        for (key, value) in entries {
            let bytes = match value {
                Value::String(_) if encoded => {
                    serde_json::from_value::<ByteString>(value.clone()).ok()
                }
                Value::String(text) => Some(ByteString(text.clone().into_bytes())),
                _ => None,
            };
            let must = if encoded { "base64" } else { "a string" };
            let bytes = bytes.ok_or_else(|| format!("{shown}: {part}.{key} is not {must}"))?;
            data.insert(key.clone(), bytes);
        }
    }
    let secret = Secret {
        data: Some(data),
        type_: object["type"].as_str().map(str::to_owned),
        ..Secret::default()
    };
    Ok(CredentialsFrom::File(Box::new(secret), shown))
}

/// The mirrors in a file, and the sources beside them.
pub(super) fn mirrors(file: &Path) -> Result<Vec<DynamicObject>, String> {
    let shown = format!("--mirrors-file {}", file.display());
    let objects = objects("--mirrors-file", file)?;
    let typed = objects.into_iter().map(|object| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let name = name.to_owned();
        serde_json::from_value(object)
            .map_err(|_| format!("{shown}: {name:?} is no Kubernetes object"))
    });
    typed.collect()
}

/// Without the mark that some editors begin a file with.
fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => rest.to_vec(),
        None => bytes,
    }
}

/// The objects of a YAML stream or of JSON.
fn parsed(bytes: &[u8]) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
    let documents = if text.trim_start().starts_with('{') {
        // Large files of mirrors are JSON, most likely.
        serde_json::from_str(text)
            .map(|one| vec![one])
            .or_else(|_| yaml(text))?
    } else {
        yaml(text)?
    };
    let mut objects = Vec::new();
    for document in documents {
        add(document, &mut objects)?;
    }
    Ok(objects)
}

fn yaml(text: &str) -> Result<Vec<Value>, String> {
    // Enough for all mirrors of a large project; the file is the user's own.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 200_000_000,
            max_nodes: 100_000_000,
            max_depth: 128,
            max_total_scalar_bytes: 1 << 30,
        },
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        match error.location() {
            Some(at) => format!(
                "it is no YAML: see line {}, column {}",
                at.line(),
                at.column()
            ),
            None => "it is no YAML".to_owned(),
        }
    })
}

/// Adds an object, or the items of a list.
fn add(document: Value, objects: &mut Vec<Value>) -> Result<(), String> {
    match document {
        Value::Null => {}
        Value::Object(mut members) if is_list(&members) => {
            // Items of a typed list need not say what they are.
            let kind = members["kind"]
                .as_str()
                .and_then(|k| k.strip_suffix("List"));
            let kind = kind.filter(|k| !k.is_empty()).map(Value::from);
            let version = members["apiVersion"].clone();
            let items = members.get_mut("items").map(Value::take);
            for mut item in items
                .as_ref()
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
            {
                if let (Value::Object(item), Some(kind)) = (&mut item, &kind)
                    && !item.contains_key("kind")
                {
                    item.insert("kind".to_owned(), kind.clone());
                    item.insert("apiVersion".to_owned(), version.clone());
                }
                add(item, objects)?;
            }
        }
        object @ Value::Object(_) => objects.push(object),
        _ => return Err("it holds no Kubernetes object".to_owned()),
    }
    Ok(())
}

fn is_list(members: &Map<String, Value>) -> bool {
    members.get("items").is_some_and(Value::is_array)
        && members.contains_key("apiVersion")
        && members
            .get("kind")
            .and_then(Value::as_str)
            .is_some_and(|k| k.ends_with("List"))
}

/// The path of a field that `typed` does not have.
fn unknown(given: &Value, typed: &Value, path: &str) -> Option<String> {
    let members = given.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .find_map(|(key, value)| {
            let path = format!("{path}.{key}");
            match typed.get(key) {
                None => Some(path),
                Some(typed) => unknown(value, typed, &path),
            }
        })
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
