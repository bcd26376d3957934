//! Why sockets and endpoints cannot be used.

use std::{error::Error, fmt, io, sync::Arc};

/// What stands in the way of something that was to be done with a socket: its kind, words for people that say what to do
/// about it, and the error of the system if there is one.
#[derive(Debug, Clone)]
pub struct Cause {
    kind: io::ErrorKind,
    words: Box<str>,
    source: Option<Arc<io::Error>>,
}

impl Cause {
    /// A cause that is no error of the system's.
    pub fn new(kind: io::ErrorKind, words: impl Into<Box<str>>) -> Self {
        Self { kind, words: words.into(), source: None }
    }

    /// An error of the system's, in words.
    pub fn explained(error: io::Error, explain: impl FnOnce(&io::Error) -> String) -> Self {
        Self { kind: error.kind(), words: explain(&error).into(), source: Some(Arc::new(error)) }
    }

    /// The error of the system's behind it.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|error| error as _)
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, &self.words) == (other.kind, &other.words)
    }
}

impl Eq for Cause {}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::explained(error, ToString::to_string)
    }
}

/// Something that only its words tell.
impl From<String> for Cause {
    fn from(words: String) -> Self {
        Self::new(io::ErrorKind::Other, words)
    }
}

impl From<&str> for Cause {
    fn from(words: &str) -> Self {
        Self::new(io::ErrorKind::Other, words)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What can be done with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointAction {
    /// Accept peers there.
    Bind,
    /// Connect to it.
    Connect,
    /// Accept nobody there any more.
    Unbind,
    /// End the connections to it.
    Disconnect,
}

impl fmt::Display for EndpointAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "bind",
            Self::Connect => "connect",
            Self::Unbind => "unbind",
            Self::Disconnect => "disconnect",
        })
    }
}

/// Why an endpoint could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointError {
    action: EndpointAction,
    endpoint: Box<str>,
    cause: Cause,
}

impl EndpointError {
    /// An action that failed, on an endpoint as it was given.
    pub fn new(action: EndpointAction, endpoint: &str, cause: impl Into<Cause>) -> Self {
        Self { action, endpoint: endpoint.into(), cause: cause.into() }
    }

    /// What was tried.
    #[must_use]
    pub fn action(&self) -> EndpointAction {
        self.action
    }

    /// The endpoint as it was given.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What kind of thing stood in the way: [`AddrInUse`](io::ErrorKind::AddrInUse) where somebody else is bound already,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) where it is no endpoint at all.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind
    }

    /// What stood in the way, and what to do about it, for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.cause.words
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {:?}: {}", self.action, self.endpoint, self.cause)
    }
}

impl Error for EndpointError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// A socket that can no longer be used, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportError(Cause);

impl TransportError {
    /// A failure for this cause.
    pub fn new(cause: impl Into<Cause>) -> Self {
        Self(cause.into())
    }

    /// What kind of thing has failed.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.0.kind
    }

    /// What has failed, for people.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.words
    }
}

impl From<io::Error> for TransportError {
    fn from(error: io::Error) -> Self {
        Self::new(error)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the socket failed: {}", self.0)
    }
}

impl Error for TransportError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
