use std::io::Write as _;

use super::*;

const SOURCE: &str = "apiVersion: modelarts.huaweicloud.com/v1alpha1
kind: ModelArtsPoolSource
metadata: {name: s}
spec: {region: cn-north-4, projectId: p, credentials: {type: AccessKey, secretRef: {name: k}}}
";

struct File(tempfile::NamedTempFile);

impl File {
    fn of(text: &[u8]) -> Self {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(text).expect("a written file");
        Self(file)
    }

    fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

#[test]
fn a_source_as_people_write_it() {
    let json = serde_saphyr::from_str::<Value>(SOURCE)
        .expect("YAML")
        .to_string();
    let mark = format!("\u{feff}{SOURCE}");
    let documents = format!("---\n# nothing\n---\n{SOURCE}---\n");
    let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{json}]}}"#);
    let typed = format!(
        r#"{{"apiVersion":"modelarts.huaweicloud.com/v1alpha1","kind":"ModelArtsPoolSourceList","items":[{}]}}"#,
        json.replace(r#","kind":"ModelArtsPoolSource""#, "")
    );
    for text in [SOURCE, &json, &mark, &documents, &list, &typed] {
        let source = super::source(&File::of(text.as_bytes()).path());
        let source = source.unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(source.metadata.name.as_deref(), Some("s"), "{text}");
    }
}

#[test]
fn what_is_no_source_is_refused_without_a_word_of_it() {
    let more = format!("{SOURCE}---\n{SOURCE}");
    let version = SOURCE.replace("v1alpha1", "v9");
    let typo = SOURCE.replace("region:", "regoin: hunter, endpoint:");
    let deep = SOURCE.replace("secretRef: {", "secretRef: {nam: hunter, ");
    let kind = SOURCE.replace("type: AccessKey", "type: Nothing");
    for (text, words) in [
        ("", "holds no object"),
        ("kind: hunter: x", "no YAML: see line 1"),
        ("{\"hunter", "no YAML"),
        ("- hunter", "no Kubernetes object"),
        ("hunter", "no Kubernetes object"),
        ("a: hunter", "has no kind"),
        (
            "kind: Secret\nstringData: {a: hunter}",
            "of kind \"Secret\"; it must hold one ModelArtsPoolSource",
        ),
        (&more, "holds 2 objects"),
        (&version, "must be modelarts.huaweicloud.com/v1alpha1"),
        (&typo, "spec.regoin is no field"),
        (&deep, "spec.credentials.secretRef.nam is no field"),
        (&kind, "spec can't be read: unknown variant `Nothing`"),
    ] {
        let file = File::of(text.as_bytes());
        let error = source(&file.path()).expect_err(text);
        assert!(error.contains(words), "{text}: {error}");
        assert!(
            error.contains(file.path().to_str().expect("UTF-8")),
            "{error}"
        );
        assert!(!error.contains("hunter"), "{error}");
    }
    let error = source(&File::of(b"\xff\xfeh").path());
    assert!(error.expect_err("UTF-16").contains("UTF-8"));
    let error = source(Path::new("/no/such.yaml"));
    let error = error.expect_err("no file");
    assert!(error.contains("-f /no/such.yaml: No such file"), "{error}");
}

#[test]
fn a_secret_in_both_spellings() {
    for text in [
        "{apiVersion: v1, kind: Secret, data: {accessKey: QUs=, secretKey: U0s=}}",
        "{apiVersion: v1, kind: Secret, type: Opaque, stringData: {accessKey: AK, secretKey: SK}, data: {accessKey: eA==}}",
    ] {
        let read = secret(&File::of(text.as_bytes()).path());
        let CredentialsFrom::File(secret, _) = read.expect("a Secret") else {
            panic!("no file");
        };
        let data = secret.data.expect("data");
        let data: Vec<_> = data.iter().map(|(k, v)| (&**k, &*v.0)).collect();
        assert_eq!(data, [("accessKey", &b"AK"[..]), ("secretKey", b"SK")]);
    }
}

#[test]
fn what_is_no_secret_is_refused_without_a_word_of_it() {
    for (text, words) in [
        (
            SOURCE,
            "of kind \"ModelArtsPoolSource\"; it must hold one Secret",
        ),
        (
            "kind: Secret\ndata: {secretKey: hunter!}",
            "data.secretKey is not base64",
        ),
        (
            "kind: Secret\ndata: {secretKey: 5}",
            "data.secretKey is not base64",
        ),
        (
            "kind: Secret\nstringData: {secretKey: [hunter]}",
            "stringData.secretKey is not a string",
        ),
        ("kind: Secret\nstringData: hunter", "stringData is no map"),
        (
            "kind: Secret\nstringData: {secretKey: hunter, secretKey: hunter}",
            "no YAML: see line 2",
        ),
        (
            "kind: Secret\nstringData: {secretKey: \"hunter",
            "no YAML: see line 2",
        ),
    ] {
        let read = secret(&File::of(text.as_bytes()).path());
        let error = read.err().unwrap_or_else(|| panic!("read: {text}"));
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("hunter"), "{error}");
    }
}

#[test]
fn mirrors_of_every_form() {
    let mirror = r#"{"apiVersion":"modelarts.huaweicloud.com/v1alpha1","kind":"ModelArtsPool","metadata":{"name":"a"}}"#;
    let two = format!("{mirror}\n---\n{mirror}\n");
    let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{mirror},{mirror}]}}"#);
    let none = r#"{"apiVersion":"v1","kind":"List","items":[]}"#;
    for (text, count) in [(mirror, 1), (&two, 2), (&list, 2), (none, 0)] {
        let mirrors = mirrors(&File::of(text.as_bytes()).path());
        let mirrors = mirrors.unwrap_or_else(|e| panic!("{e}: {text}"));
        assert_eq!(mirrors.len(), count, "{text}");
        assert!(
            mirrors
                .iter()
                .all(|m| m.types.as_ref().is_some_and(|t| t.kind == "ModelArtsPool"))
        );
    }
    let bad = File::of(br#"{"kind":"ModelArtsPool","metadata":"hunter"}"#);
    let error = mirrors(&bad.path()).expect_err("an error");
    assert!(
        error.contains("no Kubernetes object") && !error.contains("hunter"),
        "{error}"
    );
}
