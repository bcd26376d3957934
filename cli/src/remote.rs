//! Text that comes from the other side and is meant for people: errors, documentation.

use std::borrow::Cow;

/// A remote error as several lines without a newline at the end; the last one tells what happened.
///
/// The traceback is shown if there is one. Python ends it with the line that names the error; Node and others
/// do not, so that line is added where it is missing. Servers in Rust begin with it, and tell nothing but the causes
/// after it.
pub(crate) fn describe(name: &str, message: &str, traceback: &str) -> String {
    let headline = match message {
        "" => name.to_owned(),
        _ => format!("{name}: {message}"),
    };
    let traceback = traceback.trim_end();
    let text = if traceback.is_empty() {
        headline
    } else if traceback.ends_with(headline.trim_end()) || tells_causes(traceback, &headline) {
        traceback.to_owned()
    } else {
        format!("{traceback}\n{headline}")
    };
    printable(text.trim_end()).into_owned()
}

/// Whether a traceback is the headline with its causes.
fn tells_causes(traceback: &str, headline: &str) -> bool {
    traceback.strip_prefix(headline).is_some_and(|causes| causes.starts_with("\ncaused by: "))
}

/// Makes control characters visible, except newlines and tabs: a service must not steer the terminal.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut visible = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) { visible.extend(c.escape_default()) } else { visible.push(c) }
    }
    Cow::Owned(visible)
}

#[cfg(test)]
mod tests {
    use super::{describe, printable};

    #[test]
    fn the_last_line_tells_what_happened() {
        let python =
            "Traceback (most recent call last):\n  File \"t.py\", line 1\nTypeError: a float\n";
        let node = "Error: no\n    at f (t.js:1:2)";
        for (name, message, traceback, text) in [
            ("ValueError", "bad", "", "ValueError: bad"),
            ("StopIteration", "", "", "StopIteration"),
            ("RemoteError", "ValueError('old')", "", "RemoteError: ValueError('old')"),
            ("TypeError", "a float", python, python.trim_end()),
            ("Error", "no", node, "Error: no\n    at f (t.js:1:2)\nError: no"),
            (
                "Gone",
                "far",
                "Traceback:\nlib.errors.Gone: far\n",
                "Traceback:\nlib.errors.Gone: far",
            ),
            ("NameError", "clock_", "NameError: clock_", "NameError: clock_"),
            ("E", "no", "E: no\ncaused by: a\ncaused by: b", "E: no\ncaused by: a\ncaused by: b"),
            ("E", "two\nlines\n", "x\nE: two\nlines\n\n", "x\nE: two\nlines"),
            ("E", "\u{1b}[2J", " \n", "E: \\u{1b}[2J"),
        ] {
            assert_eq!(describe(name, message, traceback), text);
        }
    }

    #[test]
    fn harmless_text_is_left_alone() {
        for (text, shown) in [("a\tb\nc é 世", "a\tb\nc é 世"), ("a\rb\u{7}", "a\\rb\\u{7}")] {
            assert_eq!(printable(text), shown);
        }
    }
}
