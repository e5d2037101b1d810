//! The chart's README lists each value with its default and its meaning: from values.yaml, and for the
//! fields of a source from the schema. `make generate` writes it.

use serde_json::Value;

use super::support::generated::{check, head, row};
use super::support::markdown::read;

const README: &str = "charts/modelarts-pool-controller/README.md";
const HEADING: &str = "\n## Values\n";

/// A value of values.yaml: its path, its default as JSON, and the comment above it.
struct Documented {
    path: String,
    default: String,
    meaning: String,
}

/// Reads values.yaml line by line, since a parser drops the comments: two spaces a level, a comment right
/// above its key. Indented lines of a comment are an example.
fn documented(text: &str) -> Vec<Documented> {
    let values: Value = serde_saphyr::from_str(text).expect("YAML");
    let mut found = Vec::new();
    let mut parents: Vec<String> = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    for line in text.lines() {
        let depth = (line.len() - line.trim_start().len()) / 2;
        if let Some(words) = line.trim_start().strip_prefix('#') {
            if !words.starts_with("   ") {
                comment.push(words.trim());
            }
            continue;
        }
        let Some((key, _)) = line.trim_start().split_once(':') else {
            comment.clear();
            continue;
        };
        parents.truncate(depth);
        parents.push(key.to_owned());
        let value = values
            .pointer(&format!("/{}", parents.join("/")))
            .unwrap_or_else(|| panic!("values.yaml: {line:?} is no key of the first levels"));
        let is_group = value.as_object().is_some_and(|map| !map.is_empty());
        found.push(Documented {
            path: parents.join("."),
            default: if is_group {
                String::new()
            } else {
                format!("`{value}`")
            },
            meaning: comment.join(" ").trim().to_owned(),
        });
        comment.clear();
    }
    found
}

/// The fields of a source, as the schema describes them.
fn fields(schema: &Value, path: &str, found: &mut Vec<Documented>) {
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let meaning = schema["description"].as_str().unwrap_or_default();
        found.push(Documented {
            path: path.clone(),
            default: String::new(),
            meaning: meaning.to_owned(),
        });
        // Its own document is the CRD.
        if name != "spec" {
            fields(schema, &path, found);
        }
    }
}

#[test]
fn each_value_is_in_the_generated_readme() {
    let mut all = documented(&read("charts/modelarts-pool-controller/values.yaml"));
    let schema = read("charts/modelarts-pool-controller/values.schema.json");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let sources = all.iter().position(|value| value.path == "sources");
    let mut of_sources = Vec::new();
    let items = &schema["properties"]["sources"]["items"];
    fields(items, "sources[]", &mut of_sources);
    let after = sources.expect("sources") + 1;
    all.splice(after..after, of_sources);
    assert!(all.len() > 60, "only {} values", all.len());

    let mut table = head(&["value", "default", "meaning"]);
    for Documented {
        path,
        default,
        meaning,
    } in &all
    {
        assert!(meaning.len() > 8, "{path} is not documented");
        table += &row(&[&format!("`{path}`"), default, meaning]);
    }
    let readme = read(README);
    let (written, _) = readme.split_once(HEADING).expect("a section of values");
    let note =
        "<!-- The table is written by make generate, from values.yaml and values.schema.json. -->";
    check(README, &format!("{written}{HEADING}\n{note}\n\n{table}"));
}

/// Each value of the schema has a row: `chart_is_sound.rs` holds that values.yaml has each of them; here, that
/// the line reader above misses none.
#[test]
fn no_value_is_missed_by_the_reader_of_comments() {
    fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = format!("{path}{name}");
            found.push(path.clone());
            // What is under it is data.
            paths(value, &format!("{path}."), found);
        }
    }
    let text = read("charts/modelarts-pool-controller/values.yaml");
    let values: Value = serde_saphyr::from_str(&text).expect("YAML");
    let mut expected = Vec::new();
    paths(&values, "", &mut expected);
    expected.sort();
    let mut found: Vec<_> = documented(&text).into_iter().map(|d| d.path).collect();
    found.sort();
    assert_eq!(found, expected);
}
