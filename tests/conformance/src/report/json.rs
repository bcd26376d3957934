//! For programs: one object with all that is known.

use serde_json::{Value, json};

use crate::{
    case::Level,
    verdict::{CaseResult, Judged, Obstacle, Verdict},
};

pub(super) fn render(judged: &[Judged]) -> String {
    let implementations: Vec<Value> = judged.iter().map(implementation).collect();
    let mut text = format!("{:#}", json!({ "implementations": implementations }));
    text.push('\n');
    text
}

fn implementation(judged: &Judged) -> Value {
    json!({
        "name": judged.name,
        "obstacles": judged.obstacles.iter().map(obstacle).collect::<Vec<_>>(),
        "failed": {
            "must": judged.failed(Level::Must),
            "should": judged.failed(Level::Should),
            "may": judged.failed(Level::May),
        },
        "results": judged.results.iter().map(result).collect::<Vec<_>>(),
    })
}

fn obstacle(obstacle: &Obstacle) -> Value {
    json!({
        "role": obstacle.role.word(),
        "words": obstacle.words,
        "expected": obstacle.failure.expected,
        "seen": obstacle.failure.seen,
    })
}

fn result(result: &CaseResult) -> Value {
    let case = result.case;
    let mut object = json!({
        "case": case.name,
        "rule": case.rule,
        "level": case.level.word(),
        "role": case.role.word(),
        "explain": case.explain,
        "seconds": (result.seconds * 1000.0).round() / 1000.0,
    });
    match &result.verdict {
        Verdict::Passed => object["verdict"] = "passed".into(),
        Verdict::Skipped(reason) => {
            object["verdict"] = "skipped".into();
            object["reason"] = reason.as_str().into();
        }
        Verdict::Failed { expected, seen } => {
            object["verdict"] = "failed".into();
            object["expected"] = expected.as_str().into();
            object["seen"] = seen.as_str().into();
            object["exchange"] = result.transcript.lines().collect::<Vec<_>>().into();
        }
    }
    object
}
