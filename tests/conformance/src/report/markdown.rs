//! A table of who conforms to what.

use std::fmt::Write;

use super::summary;
use crate::{
    plan::Plan,
    subject::Role,
    verdict::{Judged, Verdict},
};

/// Why a case fails: a line for each, `implementation | glob of cases | reason`.
const REASONS: &str = include_str!("../../reasons.txt");

pub(super) fn render(judged: &[Judged], plan: &Plan) -> String {
    let mut text = HEAD.to_owned();
    for it in judged {
        let _ = writeln!(text, "- **{}**: {}", cell(&it.name), summary(it));
    }
    for role in [Role::Server, Role::Client] {
        table(&mut text, judged, plan, role);
    }
    failures(&mut text, judged);
    text
}

const HEAD: &str = "# Who conforms to what

<!-- Made by `zerorpc-conformance … --format markdown`; see tests/conformance/README.md. Reasons: tests/conformance/reasons.txt -->

Each case is a rule of [the protocol](protocol.md) that can be seen from outside. `–` stands for a case that could not be
played: the implementation lacks a method that it needs, or cannot be told to do what it is about.
`zerorpc-conformance --list` explains each case.

";

fn table(text: &mut String, judged: &[Judged], plan: &Plan, role: Role) {
    let played: Vec<&Judged> = judged
        .iter()
        .filter(|it| it.results.iter().any(|result| result.case.role == role))
        .collect();
    if played.is_empty() {
        return;
    }
    let names: Vec<String> = played.iter().map(|it| cell(&it.name)).collect();
    let _ = writeln!(
        text,
        "\n## As a {}\n\n| case | rule | level | {} |",
        role.word(),
        names.join(" | ")
    );
    let _ = writeln!(text, "|---|---|---|{}", "---|".repeat(names.len()));
    let mut cases = plan.cases(role);
    // What was run may be more than what is planned for now.
    for result in played.iter().flat_map(|it| &it.results) {
        if result.case.role == role && !cases.iter().any(|case| case.name == result.case.name) {
            cases.push(result.case);
        }
    }
    for case in cases {
        let words = played.iter().map(|it| {
            let result = it.results.iter().find(|result| result.case.name == case.name);
            match result.map(|result| &result.verdict) {
                Some(Verdict::Passed) => "passes",
                Some(Verdict::Failed { .. }) => "**fails**",
                Some(Verdict::Skipped(_)) | None => "–",
            }
        });
        let words: Vec<&str> = words.collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            case.name,
            case.rule,
            case.level,
            words.join(" | ")
        );
    }
}

fn failures(text: &mut String, judged: &[Judged]) {
    for it in judged {
        let failed = it.results.iter().filter_map(|result| match &result.verdict {
            Verdict::Failed { expected, seen } => Some((result.case, expected, seen)),
            _ => None,
        });
        let rows: Vec<String> = failed
            .map(|(case, expected, seen)| {
                let words = match reason(&it.name, case.name) {
                    Some(reason) => cell(reason),
                    None => format!("expected {}; seen: {}", cell(expected), cell(seen)),
                };
                format!("| `{}` | {} | {words} |\n", case.name, case.level)
            })
            .collect();
        if !rows.is_empty() {
            let _ = write!(
                text,
                "\n## Why {} fails\n\n| case | level | reason |\n|---|---|---|\n",
                cell(&it.name)
            );
            text.extend(rows);
        }
    }
}

/// Why this case fails with this implementation, where that is known.
#[must_use]
pub fn reason(implementation: &str, case: &str) -> Option<&'static str> {
    REASONS.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut parts = line.splitn(3, '|').map(str::trim);
        let (whose, glob, words) = (parts.next()?, parts.next()?, parts.next()?);
        let fits = implementation.contains(whose)
            && glob::Pattern::new(glob).is_ok_and(|glob| glob.matches(case));
        fits.then_some(words)
    })
}

/// Words that cannot end their cell of a table.
fn cell(words: &str) -> String {
    const LONGEST: usize = 300;
    let line = words.lines().collect::<Vec<_>>().join(" ");
    let line = match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    };
    line.replace('|', "\\|").replace('<', "&lt;")
}
