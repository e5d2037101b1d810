//! The reference pages say what the code says. `make generate` writes them.

#![allow(
    clippy::format_push_string,
    reason = "pages are small, and read better as pieces of text"
)]

use clap::{Command, CommandFactory as _};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use modelarts_pool_controller::api::crds;
use modelarts_pool_controller::cli::Cli;
use modelarts_pool_controller::controller::FailureReason;
use modelarts_pool_controller::modelarts::{Codes, Kind, RULES, Reason, Rule};
use serde_json::Value;

use super::support::generated::{NOTE, check, head, row};

#[test]
fn api_reference_says_what_the_crds_say() {
    let mut text = format!(
        "# API reference\n{NOTE}
`kubectl explain modelartspool.spec --recursive` shows the same in a terminal. `[]` stands for each
item of a list. A mirror (ModelArtsPool) is written by the controller alone; a source
(ModelArtsPoolSource) by people, but for its status.
"
    );
    let [pools, sources] = crds::all();
    for (_, crd) in [sources, pools] {
        text += &kind(&crd);
    }
    check("docs/api.md", &text);
}

fn kind(crd: &CustomResourceDefinition) -> String {
    let names = &crd.spec.names;
    let crd_json = serde_json::to_value(crd).expect("JSON");
    let version = &crd_json["spec"]["versions"][0];
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut text = format!(
        "\n## {}\n\n{}\n\n`apiVersion: {}/{}`; for kubectl `{}` or `{}`.\n",
        names.kind,
        description(schema),
        crd.spec.group,
        version["name"].as_str().expect("a name"),
        names.plural,
        names
            .short_names
            .iter()
            .flatten()
            .next()
            .expect("a short name"),
    );
    for rule in rules(schema) {
        text += &format!("\nAlso checked: {rule}.\n");
    }
    text += "\n### Columns of kubectl get\n\n";
    text += &head(&["column", "shown", "from", "description"]);
    let columns = version["additionalPrinterColumns"]
        .as_array()
        .expect("columns");
    for column in columns {
        let wide = column["priority"].as_i64().unwrap_or(0) > 0;
        text += &row(&[
            &column["name"].as_str().expect("a name").to_uppercase(),
            if wide {
                "with `--output=wide`"
            } else {
                "always"
            },
            &format!("`{}`", column["jsonPath"].as_str().expect("a path")),
            column["description"].as_str().unwrap_or_default(),
        ]);
    }
    let selectable = version["selectableFields"].as_array();
    let selectable: Vec<String> = selectable
        .into_iter()
        .flatten()
        .filter_map(|field| field["jsonPath"].as_str())
        .map(|path| format!("`{}`", path.trim_start_matches('.')))
        .collect();
    if !selectable.is_empty() {
        text += &format!("\nFor `--field-selector`: {}.\n", selectable.join(", "));
    }
    for part in ["spec", "status"] {
        let part_schema = &schema["properties"][part];
        text += &format!("\n### {part}\n\n{}\n", description(part_schema));
        for rule in rules(part_schema) {
            text += &format!("\nAlso checked: {rule}.\n");
        }
        text += "\n";
        text += &head(&["field", "type", "default", "bounds", "description"]);
        fields(part_schema, "", &mut text);
    }
    text
}

fn fields(schema: &Value, path: &str, text: &mut String) {
    let required: Vec<&str> = strings(&schema["required"]).collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let default = match &field["default"] {
            Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
            Value::Null => String::new(),
            default => format!("`{default}`"),
        };
        text.push_str(&row(&[
            &format!("`{path}`"),
            &type_of(field),
            &default,
            &bounds(field).join("; "),
            &description(field),
        ]));
        fields(field, &path, text);
        if field["items"].is_object() {
            fields(&field["items"], &format!("{path}[]"), text);
        }
        if field["additionalProperties"]["properties"].is_object() {
            fields(&field["additionalProperties"], &format!("{path}.KEY"), text);
        }
    }
}

fn type_of(schema: &Value) -> String {
    let name = schema["type"].as_str().unwrap_or("any");
    match (name, schema["format"].as_str()) {
        ("array", _) => format!("list of {}", type_of(&schema["items"])),
        ("object", _) if schema["additionalProperties"].is_object() => {
            format!("map to {}", type_of(&schema["additionalProperties"]))
        }
        ("integer", Some(format)) => format.to_owned(),
        ("string", Some("date-time")) => "time".to_owned(),
        _ => name.to_owned(),
    }
}

/// What the API server refuses, in words.
fn bounds(schema: &Value) -> Vec<String> {
    let mut bounds = Vec::new();
    let values: Vec<String> = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|value| !value.is_null())
        .map(|value| format!("`{}`", value.as_str().unwrap_or_default()))
        .collect();
    if !values.is_empty() {
        bounds.push(format!("one of {}", values.join(", ")));
    }
    for (least, most, what) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
    ] {
        match (schema[least].as_f64(), schema[most].as_f64()) {
            (Some(least), Some(most)) => bounds.push(format!("{least} to {most}{what}")),
            (Some(least), None) => bounds.push(format!("at least {least}{what}")),
            (None, Some(most)) => bounds.push(format!("at most {most}{what}")),
            (None, None) => {}
        }
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        bounds.push(format!("`{pattern}`"));
    }
    bounds.extend(rules(schema));
    if schema["items"].is_object() {
        let each = self::bounds(&schema["items"]);
        bounds.extend(each.into_iter().map(|bound| format!("each {bound}")));
    }
    bounds
}

fn rules(schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array();
    let rules = rules.into_iter().flatten();
    rules
        .map(|rule| rule["message"].as_str().expect("a message").to_owned())
        .collect()
}

fn description(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

#[test]
fn flags_page_says_what_the_help_says() {
    let mut text = format!(
        "# Commands and flags\n{NOTE}
`modelarts-pool-controller COMMAND --help` shows the same in a terminal. A flag wins over its
environment variable. Where a flag may be repeated, its variable takes the values separated by commas.
"
    );
    let mut cli = Cli::command();
    // Fills in what clap derives, such as names of values.
    cli.build();
    for command in cli.get_subcommands().filter(|c| c.get_name() != "help") {
        text += &command_section(command);
    }
    check("docs/flags.md", &text);
}

fn command_section(command: &Command) -> String {
    let about = command
        .get_long_about()
        .or(command.get_about())
        .expect("a description");
    let about = about.to_string();
    let about = about.trim_end_matches('.');
    let mut text = format!("\n## {}\n\n{about}.\n", command.get_name());
    let flags: Vec<_> = command
        .get_arguments()
        .filter(|flag| flag.get_env().is_some())
        .collect();
    if flags.is_empty() {
        text += "\nIt has no flags.\n";
        return text;
    }
    text += "\n";
    text += &head(&["flag", "variable", "default", "meaning"]);
    for flag in flags {
        let takes_value = flag.get_action().takes_values();
        let values = flag.get_value_names().filter(|_| takes_value);
        let value = values
            .map(|names| format!(" {}", names.join(" ")))
            .unwrap_or_default();
        let defaults = flag.get_default_values().iter().filter(|_| takes_value);
        let default: Vec<String> = defaults.map(|d| format!("`{}`", d.display())).collect();
        let help = flag
            .get_long_help()
            .or(flag.get_help())
            .expect("help")
            .to_string();
        let possible = flag.get_possible_values();
        let possible: Vec<String> = possible
            .iter()
            .filter(|_| takes_value)
            .map(|v| match v.get_help() {
                Some(help) => format!("`{}`: {help}", v.get_name()),
                None => format!("`{}`", v.get_name()),
            })
            .collect();
        let meaning = if possible.is_empty() {
            format!("{help}.")
        } else {
            format!("{help}. One of {}.", possible.join("; "))
        };
        text += &row(&[
            &match flag.get_long() {
                Some(long) => format!("`--{long}{value}`"),
                None => format!("`{}`", value.trim_start()),
            },
            &format!("`{}`", flag.get_env().expect("a variable").display()),
            &default.join(", "),
            &meaning,
        ]);
    }
    text
}

#[test]
fn errors_page_says_what_the_table_says() {
    let mut text = format!(
        "# Errors
{NOTE}
Why a pass fails. The reason is that of the condition `Ready` of the source (and of `Stalled`, where it is one
that only a person can mend), and it stands in the event `SyncFailed` or `CredentialsRejected`, in the label
`result` of `modelarts_source_syncs_total`, and in the log.

Transient is what may pass by itself. After any failure the next pass comes no sooner than after `spec.interval`,
and later after each further one, up to 10 min; not before a `Retry-After` of the cloud is over. Where the table
says `Stalled`, the Secret and the source are looked at again within a minute, and the cloud is asked when there is
something new to ask with.

"
    );
    text += &head(&["reason", "what it means", "transient", "what to do"]);
    let cloud = Reason::ALL.map(FailureReason::from);
    for reason in cloud.into_iter().chain(FailureReason::OURS) {
        text += &row(&[
            &format!("`{reason}`"),
            reason.meaning(),
            match reason.kind() {
                Kind::Transient => "yes",
                Kind::Lasting => "no",
                Kind::Stalled => "no: `Stalled`",
            },
            &advice(reason),
        ]);
    }
    text += "
## Which answer means which

The first row that fits counts. The code alone does not tell: some mean other things with other statuses. A
request without an answer is `CloudUnavailable`. An answer with status 200 that is no whole listing, or that holds
an error code, is `IncompleteListing`.

";
    text += &head(&["HTTP status", "code", "what the cloud means", "reason"]);
    for rule in RULES {
        let operations: Vec<String> = rule.operations.iter().map(|o| format!("`{o}`")).collect();
        let meaning = match (&*operations, rule.says) {
            ([], "") => rule.meaning.to_owned(),
            ([], says) => format!("It says `{says}`. {}", rule.meaning),
            (operations, _) => format!("Asked with {}. {}", operations.join(" or "), rule.meaning),
        };
        let reason = format!("`{}`", rule.reason.as_str());
        text += &row(&[&statuses(rule), &codes(rule.codes), &meaning, &reason]);
    }
    check("docs/errors.md", &text);
}

fn statuses(rule: &Rule) -> String {
    let (first, last) = (rule.statuses.start(), rule.statuses.end());
    match (first, last) {
        (100, 999) => "any other than 200".to_owned(),
        _ if first == last => first.to_string(),
        _ => format!("{first} to {last}"),
    }
}

fn codes(codes: Codes) -> String {
    let of = |part: &str, numbers: &[&str]| {
        let codes: Vec<String> = numbers.iter().map(|n| format!("`{part}.{n}`")).collect();
        codes.join(", ")
    };
    match codes {
        Codes::Any => "any, or none".to_owned(),
        Codes::Gateway([]) => "any of a gateway: `APIGW`, `APIG`, `APIC`".to_owned(),
        Codes::Gateway(numbers) => of("APIGW", numbers),
        Codes::ModelArts(numbers) => of("ModelArts", numbers),
    }
}

fn advice(reason: FailureReason) -> String {
    let on_tokens = match reason {
        FailureReason::Cloud(reason) => reason.advice_on_tokens(),
        _ => None,
    };
    let on_tokens = on_tokens.map(|advice| format!(" Where IAM says so of a password: {advice}."));
    sentence(reason.advice()) + &on_tokens.unwrap_or_default()
}

/// The end of a message as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}
