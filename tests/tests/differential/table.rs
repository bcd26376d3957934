//! The table of differences that are meant: `docs/differences.md`.

use std::{collections::BTreeMap, fs, path::Path};

use zerorpc_tests::specification;

/// A difference that is meant.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// Patterns of what is sent, of what the other side makes of it, and of what ours does: one of each has to match.
    patterns: [Vec<String>; 3],
}

/// The rows below one heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// How often each was seen.
    seen: BTreeMap<String, u64>,
}

impl Table {
    /// The rows below the heading that begins so.
    pub(crate) fn below(heading: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/differences.md");
        let document = fs::read_to_string(path).expect("docs/differences.md is there");
        let rules = specification::rules(&specification::text());
        let mut rows = Vec::new();
        let mut is_below = false;
        for line in document.lines() {
            if let Some(title) = line.strip_prefix("## ") {
                is_below = title.starts_with(heading);
            } else if is_below && line.starts_with("| `") {
                let row = Row::read(line);
                let reason = line.rsplit(" | ").next().unwrap_or_default();
                let words =
                    reason.split(|sign: char| !(sign.is_alphanumeric() || "-.".contains(sign)));
                let cited: Vec<_> = words
                    .filter(|word| word.starts_with("ZRPC-"))
                    .map(|word| word.trim_end_matches('.'))
                    .collect();
                assert!(!cited.is_empty(), "the reason of `{}` cites no rule", row.name);
                for rule in cited {
                    let is_known = rules.iter().any(|known| known.name == rule);
                    assert!(is_known, "`{}` cites {rule}, which is none", row.name);
                }
                rows.push(row);
            }
        }
        assert!(!rows.is_empty(), "docs/differences.md has rows below {heading:?}");
        Self { rows, seen: BTreeMap::new() }
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| &*row.name)
    }

    /// The row of a difference.
    pub(crate) fn find(&self, told: [&str; 3]) -> Option<&str> {
        self.rows.iter().find(|row| row.matches(told)).map(|row| &*row.name)
    }

    /// Whether a difference is that of this row.
    pub(crate) fn is(&self, name: &str, told: [&str; 3]) -> bool {
        self.rows.iter().any(|row| row.name == name && row.matches(told))
    }

    pub(crate) fn count(&mut self, name: &str) {
        *self.seen.entry(name.to_owned()).or_default() += 1;
    }

    /// How often each row was seen.
    pub(crate) fn told(&self) -> String {
        let rows = self.names().map(|name| {
            let count = self.seen.get(name).copied().unwrap_or_default();
            format!("{name} {count}")
        });
        rows.collect::<Vec<_>>().join(", ")
    }
}

impl Row {
    fn read(line: &str) -> Self {
        let columns: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, sent, theirs, ours, _] = columns[..] else {
            panic!("five columns: {line}");
        };
        let patterns = [sent, theirs, ours].map(|column| {
            let patterns: Vec<_> =
                column.split('`').skip(1).step_by(2).map(str::to_owned).collect();
            assert!(!patterns.is_empty(), "a pattern in each column: {line}");
            patterns
        });
        Self { name: name.trim_matches('`').to_owned(), patterns }
    }

    fn matches(&self, told: [&str; 3]) -> bool {
        self.patterns
            .iter()
            .zip(told)
            .all(|(patterns, text)| patterns.iter().any(|pattern| is_like(pattern, text)))
    }
}

/// Whether a text is like a pattern, in which `*` stands for anything within a step, and `**` for anything.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let (rest, end) = match rest.strip_prefix('*') {
        Some(rest) => (rest, text.len()),
        None => {
            let ends = [" / ", " + "].into_iter().filter_map(|joint| text.find(joint));
            (rest, ends.min().unwrap_or(text.len()))
        }
    };
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.take_while(|at| *at <= end).any(|at| is_like(rest, &text[at..]))
}

#[test]
fn stars_stand_for_anything() {
    for (pattern, text, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "ab", true),
        ("*b", "ab", true),
        ("*a*", "bab", true),
        ("a*a", "a", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "a-c-b", false),
        ("*b*b", "ab", false),
        ("a*b", "a / b", false),
        ("a* / b", "a1 / b", true),
        ("a**b", "a / b", true),
        ("**b*", "a / b", true),
        ("**a", "a / b", false),
    ] {
        assert_eq!(is_like(pattern, text), expected, "{pattern} {text}");
    }
}
