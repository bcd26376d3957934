//! What a method answers when it does not succeed.

use std::fmt;

/// The content of an `ERR` event: what a method answers when it does not succeed.
///
/// Made from any error with `?`, or with [`Failure::new`] when the class name matters to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class of the error, such as `ValueError`.
    pub name: String,
    /// What happened.
    pub message: String,
    /// Where it happened, for people; may be empty.
    pub traceback: String,
}

impl Failure {
    /// A failure with the class name that callers see, and a message.
    pub fn new(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), traceback: String::new() }
    }

    /// Adds text that shows where the error happened.
    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.traceback = traceback.into();
        self
    }

    /// The answer to a call of a method that does not exist, as the reference gives it.
    #[must_use]
    pub fn unknown_method(method: &str) -> Self {
        Self::new("NameError", method)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    /// The class name is the last part of the type's name; the traceback lists the sources.
    fn from(error: E) -> Self {
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        let name = path.rsplit("::").next().unwrap_or(path);
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(format!("caused by: {cause}"));
            source = cause.source();
        }
        Self::new(name, error.to_string()).with_traceback(causes.join("\n"))
    }
}
