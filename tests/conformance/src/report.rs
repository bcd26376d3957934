//! What a run says, for people and for programs.

mod human;
mod json;
mod junit;
mod list;
mod markdown;
mod tap;

use crate::{
    case::Level,
    plan::Plan,
    verdict::{CaseResult, Judged, Verdict},
};

pub use list::{list, list_checks};
pub use markdown::reason;

/// A form of the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Format {
    /// By group, with the exchange of each case that fails.
    Human,
    /// One object with all that is known.
    Json,
    /// As continuous integration reads it.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// A table of all implementations, with the reason for each case that fails.
    Markdown,
}

impl Format {
    /// The whole output.
    #[must_use]
    pub fn render(self, judged: &[Judged], plan: &Plan) -> String {
        match self {
            Self::Human => human::render(judged),
            Self::Json => json::render(judged),
            Self::Junit => junit::render(judged),
            Self::Tap => tap::render(judged),
            Self::Markdown => markdown::render(judged, plan),
        }
    }
}

/// `17 passed, 1 failed (1 MUST, 0 SHOULD, 0 MAY), 2 skipped`, or what stood in the way.
fn summary(judged: &Judged) -> String {
    let played = || judged.played();
    let count = |wanted: fn(&Verdict) -> bool| played().filter(|it| wanted(&it.verdict)).count();
    let passed = count(|verdict| *verdict == Verdict::Passed);
    let skipped = count(|verdict| matches!(verdict, Verdict::Skipped(_)));
    let failed = |level| {
        let is_failed = |it: &&CaseResult| matches!(it.verdict, Verdict::Failed { .. });
        played().filter(is_failed).filter(|it| it.case.level == level).count()
    };
    let [must, should, may] = [Level::Must, Level::Should, Level::May].map(failed);
    let counts = format!(
        "{passed} passed, {} failed ({must} MUST, {should} SHOULD, {may} MAY), {skipped} skipped",
        must + should + may
    );
    let is_played = played().next().is_some();
    let mut words: Vec<String> = judged
        .obstacles
        .iter()
        .map(|it| match judged.results.iter().all(|result| result.case.role == it.role) {
            true => it.words.clone(),
            false => format!("as a {}, {}", it.role.word(), it.words),
        })
        .collect();
    if is_played || words.is_empty() {
        words.push(counts);
    }
    words.join("; ")
}

/// The part of a case's name before its first dot.
fn group(name: &str) -> &str {
    name.split_once('.').map_or(name, |(group, _)| group)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        case::{Case, Sharing},
        subject::Role,
        verdict::{Leaves, Obstacle},
    };

    const CASES: [Case; 3] =
        [case("a.one", Level::Must), case("a.two", Level::Should), case("b.three", Level::May)];

    const fn case(name: &'static str, level: Level) -> Case {
        Case {
            name,
            rule: "ZRPC-1.2",
            level,
            role: Role::Server,
            needs: &[],
            sharing: Sharing::Shared,
            explain: "A <thing> is done.",
            run: |_| Ok(()),
        }
    }

    fn judged() -> Vec<Judged> {
        static STATIC: [Case; 3] = CASES;
        let failed =
            Verdict::Failed { expected: "x | y".to_owned(), seen: "\"z\" & more".to_owned() };
        let verdicts = [failed, Verdict::Passed, Verdict::Skipped("no `burn`".to_owned())];
        let result = |(case, verdict): (&'static Case, Verdict)| CaseResult {
            case,
            verdict,
            transcript: "    0.001 #1 >> b\"\"\n".to_owned(),
            seconds: Duration::from_millis(1500).as_secs_f64(),
            repeated: false,
        };
        vec![Judged {
            name: "it".to_owned(),
            obstacles: Vec::new(),
            results: STATIC.iter().zip(verdicts).map(result).collect(),
        }]
    }

    fn rendered(format: Format) -> String {
        format.render(&judged(), &Plan::default())
    }

    #[test]
    fn people_see_what_was_expected_and_the_exchange() {
        let text = anstream::adapter::strip_str(&rendered(Format::Human)).to_string();
        for part in [
            "FAILED  a.one",
            "MUST, ZRPC-1.2",
            "expected: x | y",
            "seen:     \"z\" & more",
            "0.001 #1 >> b\"\"",
            "ok      a.two",
            "skipped b.three: no `burn`",
            "it: 1 passed, 1 failed (1 MUST, 0 SHOULD, 0 MAY), 1 skipped",
        ] {
            assert!(text.contains(part), "{part:?} is not in:\n{text}");
        }
        let exchanges = text.matches("0.001").count();
        assert_eq!(exchanges, 1, "only what fails shows its exchange:\n{text}");
    }

    #[test]
    fn people_see_how_a_long_exchange_began_and_ended() {
        let mut judged = judged();
        judged[0].results[0].transcript =
            (0..100).map(|number| format!("line {number}\n")).collect();
        let text = Format::Human.render(&judged, &Plan::default());
        for line in [0, 15, 76, 99] {
            assert!(text.contains(&format!("line {line}")), "{line} is not in:\n{text}");
        }
        assert!(text.contains("… 60 more") && !text.contains("line 16"), "{text}");
    }

    #[test]
    fn what_stands_in_the_way_is_told_instead_of_cases() {
        let mut judged = judged();
        let failure = crate::Failure::new("`serve` to start", "it ended (exit status: 127)");
        let words = "it did not start".to_owned();
        judged[0].obstacles.push(Obstacle {
            role: Role::Server,
            words,
            failure,
            leaves: Leaves::Nothing,
        });
        let text = Format::Human.render(&judged, &Plan::default());
        let text = anstream::adapter::strip_str(&text).to_string();
        let lines: Vec<&str> = text.lines().collect();
        let expected = [
            "",
            "it, as a server: it did not start",
            "  expected: `serve` to start",
            "  seen:     it ended (exit status: 127)",
            "",
            "it: it did not start",
        ];
        assert_eq!(lines, expected, "{text}");
        judged[0].obstacles[0].leaves = Leaves::WithoutMethods;
        let text = summary(&judged[0]);
        assert!(text.starts_with("it did not start; 1 passed, 1 failed"), "{text}");
        judged[0].obstacles[0].role = Role::Client;
        let text = summary(&judged[0]);
        assert!(text.starts_with("as a client, it did not start; 1 passed"), "{text}");
    }

    #[test]
    fn json_has_all_that_is_known() {
        let value: serde_json::Value = serde_json::from_str(&rendered(Format::Json)).expect("JSON");
        let it = &value["implementations"][0];
        assert_eq!(it["name"], "it");
        assert_eq!(it["results"][0]["verdict"], "failed");
        assert_eq!(it["results"][0]["seen"], "\"z\" & more");
        assert_eq!(it["results"][1]["verdict"], "passed");
        assert_eq!(it["results"][2]["reason"], "no `burn`");
        assert_eq!(it["results"][1]["level"], "SHOULD");
        assert_eq!(it["results"][1]["seconds"], 1.5);
    }

    #[test]
    fn tap_counts_and_skips() {
        let text = rendered(Format::Tap);
        assert!(text.starts_with("TAP version 14\n1..3\nnot ok 1 - it: a.one"), "{text}");
        assert!(text.contains("\nok 2 - it: a.two\n"), "{text}");
        assert!(text.contains("\nok 3 - it: b.three # SKIP no `burn`\n"), "{text}");
        assert!(text.contains("\n  expected: \"x | y\"\n"), "{text}");
    }

    #[test]
    fn junit_escapes_what_xml_reserves() {
        let text = rendered(Format::Junit);
        assert!(text.contains("tests=\"3\"") && text.contains("failures=\"1\""), "{text}");
        assert!(text.contains("&amp; more"), "{text}");
        assert!(text.contains("<skipped"), "{text}");
    }

    #[test]
    fn markdown_has_as_many_columns_whatever_a_command_is_called() {
        let mut judged = judged();
        judged[0].name = "serve {endpoint} | tee log".to_owned();
        let text = Format::Markdown.render(&judged, &Plan::default());
        assert!(
            text.contains("| case | rule | level | serve {endpoint} \\| tee log |\n"),
            "{text}"
        );
    }

    #[test]
    fn markdown_has_a_row_for_each_case_and_a_reason_for_each_failure() {
        let text = rendered(Format::Markdown);
        assert!(text.contains("| `a.one` | ZRPC-1.2 | MUST | **fails** |"), "{text}");
        assert!(text.contains("| `a.two` | ZRPC-1.2 | SHOULD | passes |"), "{text}");
        assert!(text.contains("| `b.three` | ZRPC-1.2 | MAY | – |"), "{text}");
        assert!(text.contains("x \\| y"), "{text}");
    }
}
