//! A listing that somebody saved: held to be as whole as one that the cloud answers.

use super::answer::Unfit;
use super::page::PageReader;
use super::pool::InvalidItem;
use super::said::said_code;

/// Takes the pools of `body`, the answer of ListPools as it was saved; each goes to `sink` as it stands
/// there.
///
/// # Errors
/// Why it is no complete listing: nothing that went to the sink may then be used.
pub fn read_saved(
    body: &[u8],
    sink: impl FnMut(&str) -> Result<(), InvalidItem>,
) -> Result<(), String> {
    if let Some(code) = said_code(body) {
        return Err(format!("it is an error of the cloud ({code}), no listing"));
    }
    let mut reader = PageReader::default();
    reader.feed(body, sink).map_err(|unfit| match unfit {
        Unfit::Incomplete(problem) | Unfit::TooLarge(problem) => problem,
    })?;
    match reader.end()?.next {
        None => Ok(()),
        Some(_) => Err(
            "it is one page of several (metadata.continue): save the items of all pages in one PoolList"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<String>, String> {
        let mut items = Vec::new();
        read_saved(body.as_bytes(), |item| {
            items.push(item.to_owned());
            Ok(())
        })
        .map(|()| items)
    }

    #[test]
    fn whole_listings() {
        let items = [r#"{"metadata":{"name":"a"}}"#, r#"{"x": 1.0}"#];
        let body = format!(
            r#"{{"kind":"PoolList","items":[{}, {}]}}"#,
            items[0], items[1]
        );
        assert_eq!(read(&body), Ok(items.map(str::to_owned).into()));
        assert_eq!(read(r#" {"items": []} "#), Ok(vec![]));
    }

    #[test]
    fn what_is_not_whole_is_refused_and_says_why() {
        for (body, words) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{}", "no list of pools"),
            (r#"{"items":null}"#, "no list of pools"),
            (r#"{"items":[1]}"#, "no object"),
            (r#"{"items":[{}]"#, "EOF"),
            (r#"{"items":[],"kind":"NodeList"}"#, "NodeList"),
            (
                r#"{"items":[{}],"metadata":{"continue":"x"}}"#,
                "metadata.continue",
            ),
            (
                r#"{"items":[{}],"metadata":{"remainingItemCount":1}}"#,
                "items remain",
            ),
            (
                r#"{"error_code":"APIGW.0301","error_msg":"hunter"}"#,
                "(APIGW.0301)",
            ),
            (r#"{"error":{"code":401,"message":"hunter"}}"#, "(401)"),
            (
                r#"{"items":[],"error_code":"ModelArts.50004000"}"#,
                "(ModelArts.50004000)",
            ),
        ] {
            let problem = read(body).expect_err(body);
            assert!(problem.contains(words), "{body}: {problem}");
            assert!(!problem.contains("hunter"), "{problem}");
        }
    }
}
