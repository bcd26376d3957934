//! Names of methods in which `*` stands for anything.

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether it is the name of this method. Takes no longer than the product of both lengths.
    pub(super) fn matches(&self, method: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = method.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        // The leftmost place for each part leaves most room for those behind it.
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, method, expected) in [
            ("strftime", "strftime", true),
            ("strftime", "strftime2", false),
            ("strftime", "Strftime", false),
            ("", "", true),
            ("", "x", false),
            ("*", "", true),
            ("*", "anything.at all", true),
            ("time.*", "time.sleep", true),
            ("time.*", "time.", true),
            ("time.*", "time", false),
            ("time.*", "timeXsleep", false),
            ("*.sleep", "time.sleep", true),
            ("*.sleep", "sleep", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*ab*ab", "ab", false),
            ("*ab*ab", "abab", true),
            ("**", "x", true),
            ("s?eep", "sleep", false),
            ("[s]leep", "sleep", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(method), expected, "{pattern:?} {method:?}");
        }
    }

    /// By definition, and slowly.
    fn by_definition(pattern: &[u8], method: &[u8]) -> bool {
        match pattern {
            [] => method.is_empty(),
            [b'*', pattern @ ..] => {
                (0..=method.len()).any(|skipped| by_definition(pattern, &method[skipped..]))
            }
            [byte, pattern @ ..] => {
                method.first() == Some(byte) && by_definition(pattern, &method[1..])
            }
        }
    }

    proptest! {
        #[test]
        fn as_by_definition(pattern in "[ab*]{0,6}", method in "[ab]{0,8}") {
            prop_assert_eq!(
                Pattern::new(&pattern).matches(&method),
                by_definition(pattern.as_bytes(), method.as_bytes())
            );
        }
    }
}
