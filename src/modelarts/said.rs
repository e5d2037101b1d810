//! The cloud's words, and how much of them is repeated.

use serde_json::Value;

/// Bytes of a code or a request id that are repeated, at most: theirs have some 40.
pub(super) const MAX_WORD: usize = 100;

/// What the body of an error says, in any of the shapes that gateway, ModelArts and IAM use.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) request_id: String,
}

impl Said {
    pub(super) fn parse(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(value) => Self::of(&value, 0),
            Err(_) => Self {
                message: String::from_utf8_lossy(body).into_owned(),
                ..Self::default()
            },
        }
    }

    fn of(value: &Value, depth: usize) -> Self {
        let text = |names: &[&str]| {
            names.iter().find_map(|name| match value.get(*name)? {
                Value::String(s) => Some(s.clone()),
                Value::Number(n) => Some(n.to_string()),
                _ => None,
            })
        };
        let said = Self {
            code: text(&["error_code", "errorCode", "code"]).unwrap_or_default(),
            message: text(&["error_msg", "errorMsg", "message"]).unwrap_or_default(),
            request_id: text(&["request_id"]).unwrap_or_default(),
        };
        let inner = value
            .get("error")
            .filter(|e| e.is_object() && said == Self::default() && depth == 0);
        inner.map_or(said, |inner| Self::of(inner, depth + 1))
    }
}

/// The code of the error that `body` is; nothing where it says none.
pub(super) fn said_code(body: &[u8]) -> Option<String> {
    let code = Said::of(&serde_json::from_slice(body).ok()?, 0).code;
    (!code.is_empty()).then(|| readable(&code, MAX_WORD))
}

/// At most `max` bytes of the cloud's words, without what could break a line or turn it around.
pub(super) fn readable(text: &str, max: usize) -> String {
    let beginning = &text[..text.floor_char_boundary(max)];
    let mut clean: String = beginning
        .chars()
        .map(|c| if breaks_lines(c) { ' ' } else { c })
        .collect();
    if beginning.len() < text.len() {
        clean.push('…');
    }
    clean
}

/// Control characters, and those of Unicode that end a line or change its direction.
pub(super) fn breaks_lines(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What is wrong with JSON, without a word of it: it may hold secrets.
pub(super) fn json_problem(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        // The only kind of message that repeats what was read.
        Category::Data => format!(
            "another shape than expected at line {} column {}",
            error.line(),
            error.column()
        ),
        Category::Io | Category::Syntax | Category::Eof => error.to_string(),
    }
}
