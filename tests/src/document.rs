//! What the documents of the project show, so that tests can run it.

use std::{fs, path::Path};

/// The fenced blocks of this language in `docs/deployment.md`, in order.
///
/// # Panics
/// When the document cannot be read, has no such block, or one without an end.
#[must_use]
pub fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deployment.md");
    let text = fs::read_to_string(&path).expect("docs/deployment.md is there");
    let found = find(&text, language);
    assert!(!found.is_empty(), "docs/deployment.md shows no {language}");
    found
}

fn find(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(opened) = line.strip_prefix("```") else { continue };
        let mut block = String::new();
        loop {
            match lines.next().expect("a block has an end") {
                "```" => break,
                line => {
                    block.push_str(line);
                    block.push('\n');
                }
            }
        }
        if opened == language {
            found.push(block);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn only_blocks_of_the_language_are_found() {
        let text = "```sh\none\n```\ntext\n```conf\ntwo\n\nthree\n```\n```conf\n```\n";
        assert_eq!(find(text, "conf"), ["two\n\nthree\n", ""]);
        assert_eq!(find(text, "text"), [""; 0]);
    }
}
