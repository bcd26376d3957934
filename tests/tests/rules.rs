//! Rules of the protocol, and the cases of the conformance kit that judge them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use zerorpc_conformance::{Case, cases::CASES, watch::CHECKS};
use zerorpc_tests::specification::{self, Rule};

const TABLE: &str = "tests/conformance/rules.md";

/// Set, it has the table written anew, with the reasons that it has.
const WRITE: &str = "ZERORPC_WRITE_RULES";

const HEAD: &str = "# Rules and cases

Which cases of `zerorpc-conformance` judge which rule of `docs/protocol.md`; a rule without a case says why behind a dash.
A test compares this table with both. It is written anew, with the reasons that stand here, by:

```sh
ZERORPC_WRITE_RULES=1 cargo test -p zerorpc-tests --test rules
```

| rule | cases |
| --- | --- |
";

const TRAFFIC: &str = "
## In traffic

What `proxy` and `decode` look for; rules that are not here cannot be seen by a bystander, or only with the help of a case.

| rule | checks |
| --- | --- |
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rules() -> Vec<Rule> {
    specification::rules(&specification::text())
}

fn cases() -> impl Iterator<Item = &'static Case> {
    CASES.iter().copied().flatten()
}

/// The reasons that the table has, by rule.
fn reasons(table: &str) -> BTreeMap<&str, &str> {
    table
        .lines()
        .filter_map(|line| {
            let (rule, reason) =
                line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | – ")?;
            Some((rule, reason))
        })
        .collect()
}

/// The table as it should be, and the rules for which it has neither a case nor a reason.
fn written(reasons: &BTreeMap<&str, &str>) -> (String, Vec<String>) {
    let (mut table, mut unexplained) = (HEAD.to_owned(), Vec::new());
    for Rule { name, .. } in rules() {
        let judging: BTreeSet<&str> =
            cases().filter(|case| case.rule == name).map(|case| case.name).collect();
        let cell = if !judging.is_empty() {
            judging.into_iter().map(|case| format!("`{case}`")).collect::<Vec<_>>().join(", ")
        } else if let Some(reason) = reasons.get(name.as_str()) {
            format!("– {reason}")
        } else {
            unexplained.push(name.clone());
            "– no reason yet".to_owned()
        };
        table.push_str(&format!("| {name} | {cell} |\n"));
    }
    table.push_str(TRAFFIC);
    for Rule { name, .. } in rules() {
        let looking: Vec<String> = CHECKS
            .iter()
            .filter(|check| check.rule == name)
            .map(|check| format!("`{}`", check.name))
            .collect();
        if !looking.is_empty() {
            table.push_str(&format!("| {name} | {} |\n", looking.join(", ")));
        }
    }
    (table, unexplained)
}

#[test]
fn every_rule_has_a_case_or_a_reason() {
    let path = root().join(TABLE);
    let table = fs::read_to_string(&path).unwrap_or_default();
    let reasons = reasons(&table);
    let (expected, unexplained) = written(&reasons);
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &expected).expect("the table can be written");
    } else {
        let differing = expected.lines().zip(table.lines()).find(|(new, old)| new != old);
        assert!(expected == table, "{TABLE} is not of today: set {WRITE}=1. {differing:?}");
    }
    let is_said = unexplained.is_empty() && !reasons.values().any(|why| why.contains("no reason"));
    assert!(is_said, "write into {TABLE} why there is no case for {unexplained:?}");
}

#[test]
fn cases_and_checks_cite_rules_that_ask_for_as_much_as_they_do() {
    let rules = rules();
    let mut wrong = Vec::new();
    let of_cases = cases().map(|case| (case.name, case.rule, case.level));
    let of_checks = CHECKS.iter().map(|check| (check.name, check.rule, check.level));
    for (name, cited, level) in of_cases.chain(of_checks) {
        match rules.iter().find(|rule| rule.name == cited) {
            None => wrong.push(format!("{name} cites {cited}, which is not there")),
            Some(rule) if !rule.text.contains(level.word()) => {
                wrong.push(format!("{name} is a {level}, and {cited} has none: {}", rule.text));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn names_of_cases_are_given_once() {
    let mut names = BTreeSet::new();
    for case in cases() {
        assert!(names.insert(case.name), "two cases are called {}", case.name);
    }
}

#[test]
fn whatever_cites_a_rule_cites_one_that_is_there() {
    let names: BTreeSet<String> = rules().into_iter().map(|rule| rule.name).collect();
    let mut files = Vec::new();
    sources(&root(), &mut files);
    assert!(files.len() > 300, "few files were found: {}", files.len());
    let (mut cited, mut wrong) = (0, Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        for number in text.split("ZRPC-").skip(1) {
            let end = number.find(|c: char| !c.is_ascii_digit() && c != '.');
            let number = number[..end.unwrap_or(number.len())].trim_end_matches('.');
            if number.contains('.') {
                cited += 1;
                let rule = format!("ZRPC-{number}");
                if !names.contains(&rule) {
                    wrong.push(format!("{}: {rule}", file.display()));
                }
            }
        }
    }
    assert!(cited > 200, "few citations were found: {cited}");
    assert!(wrong.is_empty(), "no such rules: {wrong:#?}");
}

/// All files of the project that are code or text.
fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let is_elsewhere = name.starts_with('.') || name == "target" || name == "node_modules";
        if path.is_dir() && !path.is_symlink() && !is_elsewhere {
            sources(&path, files);
        } else if [".rs", ".md", ".py", ".toml", ".txt", ".js"].iter().any(|e| name.ends_with(e)) {
            files.push(path);
        }
    }
}
