//! The Test Anything Protocol, version 14.

use std::fmt::Write;

use crate::verdict::{CaseResult, Judged, Verdict};

pub(super) fn render(judged: &[Judged]) -> String {
    let count: usize = judged.iter().map(|it| it.results.len()).sum();
    let mut text = format!("TAP version 14\n1..{count}\n");
    let all =
        judged.iter().flat_map(|it| it.results.iter().map(|result| (it.name.as_str(), result)));
    for (index, (name, result)) in all.enumerate() {
        one(&mut text, index + 1, name, result);
    }
    text
}

fn one(text: &mut String, number: usize, name: &str, result: &CaseResult) {
    let title = format!("{number} - {}: {}", escaped(name), result.case.name);
    // Writing to a String does not fail.
    let _ = match &result.verdict {
        Verdict::Passed => writeln!(text, "ok {title}"),
        Verdict::Skipped(reason) => writeln!(text, "ok {title} # SKIP {}", one_line(reason)),
        Verdict::Failed { expected, seen } => writeln!(
            text,
            "not ok {title}\n  ---\n  rule: {}\n  level: {}\n  expected: {}\n  seen: {}\n  ...",
            result.case.rule,
            result.case.level,
            quoted(expected),
            quoted(seen),
        ),
    };
}

/// A string of JSON is one of YAML, too.
fn quoted(words: &str) -> String {
    serde_json::Value::from(words).to_string()
}

fn escaped(words: &str) -> String {
    one_line(words).replace('\\', "\\\\").replace('#', "\\#")
}

fn one_line(words: &str) -> String {
    words.lines().collect::<Vec<_>>().join(" ")
}
