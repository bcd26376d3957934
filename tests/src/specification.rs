//! `docs/protocol.md` as a test reads it: its rules, and its examples of bytes.

use std::{fs, path::Path};

/// One numbered rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Such as `ZRPC-5.4`.
    pub name: String,
    /// The section that it stands in.
    pub section: u32,
    /// Its words, in one line.
    pub text: String,
}

/// Bytes that the document shows, with what it says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// What stands behind the back-ticks that open the block.
    pub label: String,
    /// The frames, which `--` separates.
    pub frames: Vec<Vec<u8>>,
    /// What they say, by the lines that begin with `=`; one that begins with `=` and two spaces goes on with the one above.
    pub says: Vec<String>,
}

/// The text of the document.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn text() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    fs::read_to_string(&path).expect("docs/protocol.md is there")
}

/// All rules in their order.
#[must_use]
pub fn rules(document: &str) -> Vec<Rule> {
    let (mut rules, mut section): (Vec<Rule>, u32) = (Vec::new(), 0);
    let mut is_open = false;
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0);
        }
        if let Some((name, text)) =
            line.strip_prefix("- **ZRPC-").and_then(|rest| rest.split_once("** "))
        {
            rules.push(Rule { name: format!("ZRPC-{name}"), section, text: text.to_owned() });
            is_open = true;
        } else if let (true, Some(more)) = (is_open, line.strip_prefix("  ")) {
            let rule = rules.last_mut().expect("a rule is open");
            rule.text = format!("{} {more}", rule.text);
        } else {
            is_open = false;
        }
    }
    rules
}

/// All fenced blocks that hold bytes.
///
/// # Panics
/// When a block has no end, or bytes that are none.
#[must_use]
pub fn examples(document: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let Some(label) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let is_hex = |line: &&str| line.chars().all(|c| c.is_ascii_hexdigit() || c == ' ');
        if block.first().is_some_and(is_hex) {
            found.push(example(label, &block));
        }
    }
    found
}

fn example(label: &str, block: &[&str]) -> Example {
    let (mut frames, mut says) = (vec![String::new()], Vec::<String>::new());
    for line in block {
        if let Some(more) = line.strip_prefix("=  ") {
            let last = says.last_mut().expect("a line to go on with");
            last.push(' ');
            last.push_str(more);
        } else if let Some(said) = line.strip_prefix("= ") {
            says.push(said.to_owned());
        } else if *line == "--" {
            frames.push(String::new());
        } else {
            frames.last_mut().expect("there is one").push_str(line);
        }
    }
    Example { label: label.to_owned(), frames: frames.iter().map(|hex| bytes(hex)).collect(), says }
}

/// The bytes of hexadecimal digits with blanks between.
///
/// # Panics
/// When there is anything else.
#[must_use]
pub fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("digits");
            assert_eq!(pair.len(), 2, "half a byte in {hex}");
            u8::from_str_radix(pair, 16).expect("hexadecimal digits")
        })
        .collect()
}
