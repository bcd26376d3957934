//! For continuous integration.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::verdict::{CaseResult, Judged, Verdict};

pub(super) fn render(judged: &[Judged]) -> String {
    let mut report = Report::new("zerorpc-conformance");
    for it in judged {
        let mut suite = TestSuite::new(it.name.as_str());
        suite.add_test_cases(it.results.iter().map(test_case));
        report.add_test_suite(suite);
    }
    let mut text = report.to_string().unwrap_or_default();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn test_case(result: &CaseResult) -> TestCase {
    let status = match &result.verdict {
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped(reason) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(reason.as_str());
            status
        }
        Verdict::Failed { expected, seen } => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(format!("{} {}", result.case.level, result.case.rule));
            status.set_message(format!("expected {expected}; seen: {seen}"));
            status.set_description(result.transcript.as_str());
            status
        }
    };
    let mut test = TestCase::new(result.case.name, status);
    test.set_classname(result.case.role.word());
    test.set_time(Duration::try_from_secs_f64(result.seconds).unwrap_or_default());
    test
}
