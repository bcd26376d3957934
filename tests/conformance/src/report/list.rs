//! All cases, explained.

use std::fmt::Write;

use super::group;
use crate::{case::Role, plan::Plan};

/// What the plan would run, by group.
#[must_use]
pub fn list(plan: &Plan, roles: &[Role]) -> String {
    let mut text = String::new();
    let mut count = 0;
    for role in roles {
        let mut last = "";
        for case in plan.cases(*role) {
            let group = group(case.name);
            if group != last {
                let _ = writeln!(text, "{group} ({})", role.word());
                last = group;
            }
            let _ = writeln!(
                text,
                "  {} ({}, {})\n      {}",
                case.name, case.level, case.rule, case.explain
            );
            if !case.needs.is_empty() {
                let _ = writeln!(text, "      needs: {}", case.needs.join(", "));
            }
            count += 1;
        }
    }
    let _ = writeln!(text, "{count} cases");
    text
}
