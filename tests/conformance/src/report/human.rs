//! For people: by group, with the exchange of what fails.

use std::{borrow::Cow, fmt::Write};

use anstyle::{AnsiColor, Style};

use super::{group, summary};
use crate::verdict::{CaseResult, Judged, Obstacle, Verdict};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = AnsiColor::BrightBlack.on_default();
const TITLE: Style = Style::new().bold();

/// With colours; who prints it takes them away where they are of no use.
pub(super) fn render(judged: &[Judged]) -> String {
    let mut text = String::new();
    for it in judged {
        for obstacle in &it.obstacles {
            stands_in_the_way(&mut text, &it.name, obstacle);
        }
        let mut last = "";
        for result in it.played() {
            let group = group(result.case.name);
            if group != last {
                let _ = writeln!(text, "\n{TITLE}{group}{TITLE:#} ({})", result.case.role.word());
                last = group;
            }
            one(&mut text, result);
        }
        text.push('\n');
    }
    for it in judged {
        let _ = writeln!(text, "{TITLE}{}{TITLE:#}: {}", it.name, summary(it));
    }
    text
}

fn stands_in_the_way(text: &mut String, name: &str, obstacle: &Obstacle) {
    let Obstacle { role, words, failure, .. } = obstacle;
    // Writing to a String does not fail.
    let _ = writeln!(text, "\n{TITLE}{name}, as a {}{TITLE:#}: {BAD}{words}{BAD:#}", role.word());
    if !failure.expected.is_empty() {
        let _ = writeln!(text, "  expected: {}", failure.expected.replace('\n', "\n            "));
    }
    let _ = writeln!(text, "  seen:     {}", failure.seen.replace('\n', "\n            "));
}

fn one(text: &mut String, result: &CaseResult) {
    let case = result.case;
    let repeated = if result.repeated { ", alone" } else { "" };
    // Writing to a String does not fail.
    let _ = match &result.verdict {
        Verdict::Passed => {
            writeln!(
                text,
                "  {GOOD}ok{GOOD:#}      {} {DIM}{:.1} s{repeated}{DIM:#}",
                case.name, result.seconds
            )
        }
        Verdict::Skipped(reason) => writeln!(text, "  {DIM}skipped {}: {reason}{DIM:#}", case.name),
        Verdict::Failed { expected, seen } => {
            let _ = writeln!(
                text,
                "  {BAD}FAILED{BAD:#}  {} ({}, {})",
                case.name, case.level, case.rule
            );
            let _ = writeln!(text, "          {}", case.explain);
            let _ = writeln!(text, "          expected: {}", indented(expected));
            let _ = writeln!(text, "          seen:     {}", indented(seen));
            shown(&result.transcript)
                .iter()
                .try_for_each(|line| writeln!(text, "        {DIM}{line}{DIM:#}"))
        }
    };
}

/// The lines of an exchange; of a long one how it began and how it ended, which says the most.
fn shown(exchange: &str) -> Vec<Cow<'_, str>> {
    const FIRST: usize = 16;
    const LAST: usize = 24;
    let lines: Vec<&str> = exchange.lines().collect();
    let left_out = lines.len().saturating_sub(FIRST + LAST);
    if left_out < 2 {
        return lines.into_iter().map(Cow::from).collect();
    }
    let words = format!("          … {left_out} more, which --format json shows …");
    let mut shown: Vec<_> = lines[..FIRST].iter().copied().map(Cow::from).collect();
    shown.push(words.into());
    shown.extend(lines[lines.len() - LAST..].iter().copied().map(Cow::from));
    shown
}

fn indented(words: &str) -> String {
    words.replace('\n', "\n                    ")
}
