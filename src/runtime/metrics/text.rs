//! The text format of Prometheus, of what is encoded in that of `OpenMetrics`: people, `promtool check metrics` and
//! agents that do not ask for `OpenMetrics` read this one.

use std::fmt::Write as _;

/// The content type of `OpenMetrics`.
pub(in crate::runtime) const OPENMETRICS: &str =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// That of the text format of Prometheus.
pub(in crate::runtime) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `openmetrics` in the text format of Prometheus: the same series, described by the names that they have.
pub(super) fn prometheus_text(openmetrics: &str) -> String {
    // Writing to a string does not fail.
    let mut text = String::with_capacity(openmetrics.len());
    // In OpenMetrics the description of a family precedes its type, which changes the name that Prometheus describes.
    let mut help = None;
    for line in openmetrics.lines() {
        match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", "HELP", _, words] => help = Some(words),
            ["#", "TYPE", name, type_] => {
                let (suffix, type_) = match type_ {
                    "counter" => ("_total", type_),
                    "info" => ("_info", "gauge"),
                    _ => ("", type_),
                };
                if let Some(words) = help.take() {
                    let _ = writeln!(text, "# HELP {name}{suffix} {words}");
                }
                let _ = writeln!(text, "# TYPE {name}{suffix} {type_}");
            }
            ["#", ..] => {}
            _ => {
                text += line;
                text.push('\n');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_described_by_the_names_of_their_series() {
        let openmetrics = "\
# HELP a_syncs Passes.
# TYPE a_syncs counter
a_syncs_total{source=\"# HELP x\"} 1
# HELP a_time_seconds When.
# TYPE a_time_seconds gauge
# UNIT a_time_seconds seconds
a_time_seconds 1.5
# HELP a_build Version.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# EOF
";
        let prometheus = "\
# HELP a_syncs_total Passes.
# TYPE a_syncs_total counter
a_syncs_total{source=\"# HELP x\"} 1
# HELP a_time_seconds When.
# TYPE a_time_seconds gauge
a_time_seconds 1.5
# HELP a_build_info Version.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
";
        assert_eq!(prometheus_text(openmetrics), prometheus);
    }
}
