//! All cases, and all that a bystander looks for, explained.

use std::fmt::Write;

use super::group;
use crate::{plan::Plan, subject::Role, watch::CHECKS};

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

/// What a bystander looks for, by group.
#[must_use]
pub fn list_checks(plan: &Plan) -> String {
    let mut text = String::new();
    let (mut count, mut last) = (0, "");
    for check in CHECKS {
        let is_named =
            plan.only.is_empty() || plan.only.iter().any(|glob| glob.matches(check.name));
        if check.level > plan.level || !is_named {
            continue;
        }
        let group = group(check.name);
        if group != last {
            let _ = writeln!(text, "{group}");
            last = group;
        }
        let _ = writeln!(
            text,
            "  {} ({}, {})\n      {}",
            check.name, check.level, check.rule, check.explain
        );
        count += 1;
    }
    let _ = writeln!(text, "{count} checks");
    text
}
