//! What a method answers when it does not succeed.

use std::fmt;

use zerorpc_proto::RemoteError;

/// The content of an `ERR` event: what a method answers when it does not succeed.
///
/// Made from any error with `?`, or with [`Failure::new`] when the class name matters to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The class of the error, such as `ValueError`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Where it happened, for people. Callers in Python are shown this alone, so an empty one is sent as
    /// `NAME: MESSAGE`.
    pub traceback: String,
}

impl Failure {
    /// A failure with the class name that callers see, and a message.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), traceback: String::new() }
    }

    /// Adds text that shows where the error happened. Let it end with what happened, as Python's tracebacks do: it is
    /// all that callers in Python are shown.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.traceback = traceback.into();
        self
    }

    /// The answer to a call of a method that does not exist, as the reference gives it; of a long name, the first 100
    /// characters.
    #[must_use]
    pub fn unknown_method(method: &str) -> Self {
        Self::new("NameError", shown(method))
    }
}

/// A name as far as it is sent back to whoever has made it up.
pub(crate) fn shown(name: &str) -> &str {
    const LONGEST: usize = 100;
    name.char_indices().nth(LONGEST).map_or(name, |(end, _)| &name[..end])
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl From<Failure> for RemoteError {
    /// What callers see of it.
    fn from(failure: Failure) -> Self {
        let Failure { name, message, traceback } = failure;
        Self::new(name, message).with_traceback(traceback)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// The class name is the last part of the type's name; the traceback says what happened, and lists the causes below.
    fn from(error: E) -> Self {
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        let failure = Self::new(path.rsplit("::").next().unwrap_or(path), error.to_string());
        let mut traceback = failure.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            traceback.push_str(&format!("\ncaused by: {cause}"));
            source = cause.source();
        }
        failure.with_traceback(traceback)
    }
}

#[cfg(test)]
mod tests {
    use super::Failure;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read the settings")]
    struct Unreadable(#[source] std::num::ParseIntError);

    #[test]
    fn an_error_keeps_its_message_before_its_causes() {
        let cause = "x".parse::<u8>().expect_err("no number");
        let alone = Failure::from(cause.clone());
        assert_eq!(alone.traceback, "ParseIntError: invalid digit found in string");
        let failure = Failure::from(Unreadable(cause));
        assert_eq!(failure.to_string(), "Unreadable: cannot read the settings");
        let told = "Unreadable: cannot read the settings\ncaused by: invalid digit found in string";
        assert_eq!(failure.traceback, told);
    }
}
