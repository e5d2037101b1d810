//! `plan` shows no credential and no secret of a pool, in any form, whether it succeeds or not; and what
//! it redacts shows nothing else of a pool that could tell of anybody.

use serde_json::json;

use super::process_keeps_secrets::{MARK, NEIGHBOUR, POOL, SECURITY_TOKEN, marked, pool};
use super::support::plan::plan;

#[tokio::test]
async fn no_secret_is_shown_in_any_form() {
    let (env, key) = marked().await;
    let spec = json!({"credentials": {"type": "AccessKey", "secretRef": {"name": "key"}}});
    let source = env.add_source("s", spec).await;
    let directory = tempfile::tempdir().expect("a directory");
    let file = |name: &str, text: String| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.display().to_string()
    };
    let name = &*format!("{}/s", env.namespace);
    let listing = &*file("pools.json", json!({"items": [pool()]}).to_string());
    let secret = &*file(
        "secret.json",
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": key}).to_string(),
    );
    let old = json!({"accessKey": "AKOFATEST0", "secretKey": "hunter-old", "securityToken": SECURITY_TOKEN});
    let old = &*file(
        "old.json",
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": old}).to_string(),
    );
    let source = &*file("source.json", serde_json::to_string(&source).expect("JSON"));

    let seen = |text: &str| text.matches(NEIGHBOUR).count();
    for (arguments, code, neighbours) in [
        (&[name][..], 2, 6),
        (&[name, "--output=yaml"], 2, 6),
        (&[name, "--output=json"], 2, 6),
        (&["-f", source, "--secret-file", secret], 2, 6),
        (&["-f", source, "--from-file", listing], 2, 6),
        (&[name, "--redact"], 0, 0),
        (&["--redact", "--from-file", listing], 0, 0),
        // The gateway repeats what was signed, the security token among it.
        (&["-f", source, "--secret-file", old], 1, 0),
        (&["-f", secret], 1, 0),
        (&["-f", source, "--secret-file", listing], 1, 0),
        (&["-f", source, "--from-file", secret], 1, 0),
        (
            &[
                "-f",
                source,
                "--from-file",
                listing,
                "--mirrors-file",
                secret,
            ],
            1,
            0,
        ),
    ] {
        let planned = plan(&env, arguments).await;
        assert_eq!(
            planned.code,
            Some(code),
            "{arguments:?}: {}",
            planned.stderr
        );
        let said = planned.stdout + &planned.stderr;
        assert!(!said.contains(MARK), "{arguments:?}: {said}");
        assert!(!said.contains(env.cluster.admin_token()), "{said}");
        assert_eq!(seen(&said), neighbours, "{arguments:?}: {said}");
        // A pool's own words are shown in a plan, and not to strangers.
        assert_eq!(said.contains(POOL), code == 2, "{arguments:?}: {said}");
    }
}
