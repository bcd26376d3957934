//! The kit judges our own library over both transports, our command, zerorpc-python and zerorpc-node.

use std::io::Write;

use zerorpc_conformance::{
    Level,
    peers::ready_made,
    plan::Plan,
    report::{Format, reason},
    run::judge,
    verdict::{Judged, Verdict},
};

/// All that fails of these levels and has no reason in `reasons.txt`, for people.
fn unexplained(judged: &Judged, level: Level) -> Vec<String> {
    let unexplained = judged.results.iter().filter_map(|result| match &result.verdict {
        Verdict::Failed { expected, seen }
            if result.case.level <= level && reason(&judged.name, result.case.name).is_none() =>
        {
            let words = format!(
                "{}: expected {expected}; seen: {seen}\n{}",
                result.case.name, result.transcript
            );
            Some(words)
        }
        _ => None,
    });
    unexplained.collect()
}

/// Judges a ready-made peer. Where its packages cannot be had, that is a failure with `CI=true` and a note otherwise.
fn judged(name: &str, level: Level) -> Option<Judged> {
    let candidate = match ready_made(name) {
        Ok(candidate) => candidate,
        Err(why) if std::env::var("CI").is_ok_and(|ci| ci == "true") => {
            panic!("@{name} is missing: {why}")
        }
        Err(why) => {
            // Not `eprintln!`, whose output is hidden when the test passes.
            let _ = writeln!(std::io::stderr(), "SKIPPED, for want of @{name}: {why}");
            return None;
        }
    };
    let plan = Plan { level, jobs: 24, ..Plan::default() };
    let judged = judge(&candidate, &plan, &|_| {});
    let passed = judged.count(|result| result.verdict == Verdict::Passed);
    assert!(passed > judged.results.len() / 2, "{}", Format::Human.render(&[judged], &plan));
    Some(judged)
}

/// Ours keeps every rule: there is no reason that would excuse it.
fn keeps_every_rule(name: &str) {
    if let Some(judged) = judged(name, Level::Should) {
        let failed = unexplained(&judged, Level::Should);
        assert!(failed.is_empty(), "{name}:\n{}", failed.join("\n"));
    }
}

#[test]
fn our_library_keeps_every_rule() {
    keeps_every_rule("ours");
}

#[test]
fn our_library_keeps_every_rule_over_libzmq() {
    keeps_every_rule("ours-zmq");
}

#[test]
fn our_command_keeps_every_rule() {
    keeps_every_rule("ours-command");
}

/// Where others break a rule, the reason is known.
fn breaks_no_rule_without_a_reason(name: &str) {
    if let Some(judged) = judged(name, Level::Must) {
        let failed = unexplained(&judged, Level::Must);
        assert!(
            failed.is_empty(),
            "{name} breaks rules for reasons that are not in reasons.txt:\n{}",
            failed.join("\n")
        );
    }
}

#[test]
fn where_python_breaks_a_rule_the_reason_is_known() {
    breaks_no_rule_without_a_reason("python");
}

#[test]
fn where_node_breaks_a_rule_the_reason_is_known() {
    breaks_no_rule_without_a_reason("node");
}
