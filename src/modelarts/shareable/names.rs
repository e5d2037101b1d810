//! Replacements of words: the same word always by the same, different ones by different ones, each of
//! the same form. `pool-a1b` becomes `aaaa-a0a`: a name that Kubernetes takes stays one, and one that it
//! refuses is refused for the same reason.
//!
//! The replacements of one form are counted through in the order in which words are seen. So nothing of
//! a word is left but its form, and what was replaced once is replaced by itself.

use std::collections::HashMap;

use super::words::is_public_word;

/// The first letters of each class, by which words of it are counted.
const CLASSES: [(char, u32); 6] = [
    ('0', 10),
    ('a', 26),
    ('A', 26),
    // Letters of two, three and four bytes.
    ('à', 23),
    ('一', 1000),
    ('\u{20000}', 1000),
];
/// Stands for a digit that is not 0, at the begin of a number.
const FIRST_DIGIT: (char, u32) = ('1', 9);

/// The words seen so far, and what stands for them.
#[derive(Default)]
pub(super) struct Names {
    replaced: HashMap<String, String>,
    /// How many words of a form were seen.
    counts: HashMap<String, u32>,
}

impl Names {
    /// `text` with each of its words replaced. A word is a run of letters and digits; spaces and signs
    /// stay.
    pub(super) fn text(&mut self, text: &str) -> String {
        let mut result = String::with_capacity(text.len());
        let mut word = String::new();
        for c in text.chars() {
            if class(c).is_some() {
                word.push(c);
            } else {
                result.push_str(&self.word(std::mem::take(&mut word)));
                result.push(c);
            }
        }
        result.push_str(&self.word(word));
        result
    }

    fn word(&mut self, word: String) -> String {
        if word.is_empty() {
            return word;
        }
        let places: Vec<_> = word.chars().filter_map(class).collect();
        self.replacement(word, "", &places)
    }

    /// The digits of a JSON number replaced. Sign, point and exponent stay, and so do zeros behind the
    /// point: whether a number is whole matters.
    pub(super) fn number(&mut self, spelled: &str) -> String {
        let mantissa = spelled.find(['e', 'E']).unwrap_or(spelled.len());
        let point = spelled.find('.').unwrap_or(mantissa).min(mantissa);
        let whole = spelled[point..mantissa]
            .chars()
            .all(|c| matches!(c, '.' | '0'));
        let begin = spelled.find(|c: char| c.is_ascii_digit());
        let place = |(at, c): (usize, char)| match c {
            '1'..='9' if Some(at) == begin => FIRST_DIGIT,
            _ if Some(at) == begin || at >= mantissa || whole && at >= point => (c, 1),
            '0'..='9' => CLASSES[0],
            _ => (c, 1),
        };
        let places: Vec<_> = spelled.char_indices().map(place).collect();
        self.replacement(format!("number {spelled}"), "number ", &places)
    }

    /// What stands for `word`, whose characters are of `places`.
    fn replacement(&mut self, word: String, kind: &str, places: &[(char, u32)]) -> String {
        if let Some(known) = self.replaced.get(&word) {
            return known.clone();
        }
        let form = places.iter().map(|(first, _)| first);
        let form: String = kind.chars().chain(form.copied()).collect();
        let count = self.counts.entry(form).or_default();
        let replacement = loop {
            let candidate = counted(*count, places);
            *count += 1;
            if !is_public_word(&candidate) {
                break candidate;
            }
        };
        self.replaced.insert(word, replacement.clone());
        replacement
    }
}

/// The word number `count` of those whose characters are of `places`.
fn counted(mut count: u32, places: &[(char, u32)]) -> String {
    let mut reversed: Vec<char> = Vec::with_capacity(places.len());
    for (first, size) in places.iter().rev() {
        let letter = u32::from(*first) + count % size;
        reversed.push(char::from_u32(letter).unwrap_or(*first));
        count /= size;
    }
    reversed.iter().rev().collect()
}

/// The class of a letter or digit; nothing for what separates words.
fn class(c: char) -> Option<(char, u32)> {
    let index = match c {
        '0'..='9' => 0,
        'a'..='z' => 1,
        'A'..='Z' => 2,
        _ if c.is_ascii() || separates(c) => return None,
        _ => c.len_utf8() + 1,
    };
    CLASSES.get(index).copied()
}

/// Whether a character beyond ASCII says nothing by itself: spaces, punctuation, and what YAML or a
/// terminal reads in its own way.
fn separates(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{feff}' | '\u{ff00}'..='\u{ff0f}' | '\u{fff0}'..='\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_form_and_their_identity() {
        let mut names = Names::default();
        for (text, expected) in [
            ("pool-x1y", "aaaa-a0a"),
            ("Pool_x1y", "Aaaa_a0a"),
            ("pool", "aaaa"),
            ("loop.pool", "aaab.aaaa"),
            ("x1y z9w", "a0a a0b"),
            ("训练 池，ü😀", "一一 一，à\u{20000}"),
            ("练训", "一丁"),
            ("ops@example.com: 10.0.0.1", "aaa@aaaaaaa.aab: 00.0.0.1"),
            ("", ""),
            ("-{\u{85}\u{202e}}", "-{\u{85}\u{202e}}"),
        ] {
            assert_eq!(names.text(text), expected, "{text}");
            assert_eq!(names.text(text), expected, "{text} again");
            assert_eq!(expected.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn different_words_stay_different() {
        let mut names = Names::default();
        let words: Vec<String> = (0..26 * 26)
            .map(|n| counted(n, &[CLASSES[1]; 2]))
            .filter(|w| !is_public_word(w))
            .rev()
            .collect();
        let replaced: std::collections::BTreeSet<_> = words.iter().map(|w| names.text(w)).collect();
        assert_eq!(replaced.len(), words.len());
        assert!(replaced.iter().all(|w| !is_public_word(w)));
    }

    #[test]
    fn numbers_keep_their_spelling() {
        let mut names = Names::default();
        for (number, expected) in [
            ("13800138000", "10000000000"),
            ("13800138001", "10000000001"),
            ("-13800138000", "-10000000000"),
            ("86213.0", "10000.0"),
            ("86213.25", "10000.00"),
            ("0.86213", "0.00000"),
            ("86213e+12", "10000e+12"),
            ("8.6213E2", "1.0000E2"),
        ] {
            assert_eq!(names.number(number), expected, "{number}");
            let parsed: serde_json::Result<f64> = serde_json::from_str(expected);
            assert!(parsed.is_ok(), "{expected}");
        }
    }
}
