//! What one peer is called and may call.

use std::sync::Arc;

use super::pattern::Pattern;

/// A name, and what its bearer may call.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    /// `None`: everything.
    pub(super) allow: Option<Vec<Pattern>>,
    /// Counts more than what is allowed.
    pub(super) deny: Vec<Pattern>,
}

impl Entry {
    /// Somebody who may call everything.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.into(), allow: None, deny: Vec::new() }
    }

    /// Whether it may call this method.
    pub(crate) fn may_call(&self, method: &str) -> bool {
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(method));
        self.allow.as_deref().is_none_or(matches) && !matches(&self.deny)
    }
}
