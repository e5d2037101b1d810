//! What is kept of a listing that strangers read. Everything that is not named here is replaced.

use jiff::Timestamp;

use super::words::is_public_word;

/// Fields of numbers: of nodes, disks, percents and bits.
const INTEGERS: [&str; 6] = [
    "controlMode",
    "count",
    "dockerThinPool",
    "maxCount",
    "step",
    "replicas",
];
/// Fields whose values are words of a list that the cloud makes longer.
const ENUMERATIONS: [&str; 5] = ["phase", "scope", "scopeType", "state", "type"];
const FLAVORS: [&str; 3] = ["flavor", "jobFlavors", "nodePool"];
const VERSIONS: [&str; 3] = ["gpuVersion", "npuVersion", "version"];
const SIZES: [&str; 2] = ["dockerBaseSize", "size"];

/// Digits that identify nothing: of a count, a port, a mode.
const FEW_DIGITS: usize = 4;
/// Characters of a word, a flavor or a time, at most.
const MAX_WORD: usize = 32;
const MAX_FLAVOR: usize = 100;

/// Whether a text is kept wherever it stands: it is a word of the documentation, a small number or a
/// time.
pub(super) fn keeps_anywhere(text: &str) -> bool {
    text.is_empty() || is_public_word(text) || is_few_digits(text) || is_time(text)
}

/// Whether a text is kept as the value of the documented field `key`.
// What decides beside lists is form, which a replacement shares, or a word that none is like: so nothing
// that was replaced is kept the next time.
pub(super) fn keeps_in_field(key: &str, text: &str) -> bool {
    let is = |keys: &[&str]| keys.contains(&key);
    is(&ENUMERATIONS) && is_camel_case(text)
        || is(&FLAVORS) && is_flavor(text)
        || is(&VERSIONS) && is_version(text)
        || is(&SIZES) && is_size(text)
        || is(&INTEGERS) && text.trim().parse::<i64>().is_ok()
        || key == "apiVersion" && is_api_version(text)
        || key == "creationTimestamp" && is_nearly_a_time(text)
}

/// Whether a number is kept as the value of the field `key`, where it is a documented one.
pub(super) fn keeps_number(key: Option<&str>, spelled: &str) -> bool {
    key.is_some_and(|key| INTEGERS.contains(&key))
        || spelled.chars().filter(char::is_ascii_digit).count() <= FEW_DIGITS
}

fn is_few_digits(text: &str) -> bool {
    text.len() <= FEW_DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_time(text: &str) -> bool {
    is_nearly_a_time(text) && text.parse::<Timestamp>().is_ok()
}

/// Made of what times are made of, such as `2022-09-16T03:10:40 CST`.
fn is_nearly_a_time(text: &str) -> bool {
    text.len() <= MAX_WORD
        && text.bytes().filter(u8::is_ascii_uppercase).count() <= 4
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase() || b" :.+-".contains(&b))
}

/// Such as `ScalingFailed`.
fn is_camel_case(text: &str) -> bool {
    text.len() <= MAX_WORD
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.bytes().all(|b| b.is_ascii_alphabetic())
        && text.bytes().any(|b| b.is_ascii_lowercase())
}

/// Such as `modelarts.vm.cpu.4ud`, also with `-default` behind it.
fn is_flavor(text: &str) -> bool {
    let rest = text.strip_prefix("modelarts.").unwrap_or_default();
    let rest = rest.strip_suffix("-default").unwrap_or(rest);
    !rest.is_empty()
        && text.len() <= MAX_FLAVOR
        && rest
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.')
}

/// Such as `440.33`, `C78` or `v1.28`.
fn is_version(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_alphabetic());
    rest.unwrap_or(text).split('.').all(is_part_of_a_version)
}

fn is_part_of_a_version(part: &str) -> bool {
    !part.is_empty() && is_few_digits(part)
}

/// Such as `v2` or `v1beta1`.
fn is_api_version(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && is_few_digits(text);
    text.strip_prefix('v').is_some_and(|rest| {
        let parts = rest.split_once("alpha").or_else(|| rest.split_once("beta"));
        parts.map_or(number(rest), |(major, minor)| {
            number(major) && number(minor)
        })
    })
}

/// Such as `100` or `100Gi`.
fn is_size(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.len() - unit.len();
    let mut letters = unit.chars();
    (1..=6).contains(&digits)
        && letters.next().is_none_or(|c| c.is_ascii_uppercase())
        && letters.next().is_none_or(|c| c.is_ascii_lowercase())
        && letters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_fields() {
        for (key, text, kept) in [
            ("phase", "SomethingNew", true),
            ("phase", "Something new", false),
            ("phase", "hunter", false),
            ("message", "Hunter", false),
            ("flavor", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004", true),
            ("flavor", "hunter.vm", false),
            ("flavor", "modelarts.", false),
            ("nodePool", "modelarts.vm.cpu.4ud-default", true),
            ("nodePool", "modelarts.vm.cpu.4ud-hunter", false),
            ("npuVersion", "C78", true),
            ("version", "v1.28.3", true),
            ("version", "hunter", false),
            ("version", "", false),
            ("size", "500Gi", true),
            ("size", "500 hunter", false),
            ("count", " 12345 ", true),
            ("count", "hunter", false),
            ("apiVersion", "v1beta1", true),
            ("apiVersion", "hunter2", false),
            ("apiVersion", "v1hunter1", false),
            ("creationTimestamp", "2022-09-16 03:10:40 CST", true),
            ("creationTimestamp", "hunter", false),
            ("creationTimestamp", "2022 HUNTER", false),
        ] {
            assert_eq!(keeps_in_field(key, text), kept, "{key}: {text}");
        }
        for (text, kept) in [
            ("", true),
            ("0", true),
            ("4711", true),
            ("47110", false),
            ("Train", true),
            ("2022-09-16T03:10:40.5+08:00", true),
            ("2022-09-16", false),
            ("Hunter", false),
        ] {
            assert_eq!(keeps_anywhere(text), kept, "{text}");
        }
        assert!(keeps_number(Some("count"), "123456") && !keeps_number(Some("hunter"), "123456"));
        assert!(keeps_number(None, "1e20") && !keeps_number(None, "-0.12345"));
    }
}
