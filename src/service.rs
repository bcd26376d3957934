//! What a server exposes: a name, methods with their documentation, and something that answers calls.

use rmpv::Value;

use crate::{failure::Failure, request::Request, responder::Responder};
use zerorpc_proto::Args;

/// Something that answers calls: a set of registered closures, or a bridge to another world.
///
/// Calls come from several threads at once.
pub trait Service: Send + Sync + 'static {
    /// The name that `_zerorpc_name` reports.
    fn name(&self) -> String;

    /// All methods, for introspection and for deciding what is callable.
    ///
    /// # Errors
    /// When the methods cannot be told, for example because a default value has no msgpack form; the
    /// introspecting call is then answered with that failure.
    fn methods(&self) -> Result<Vec<Method>, Failure>;

    /// Runs one method; blocks the calling worker thread, never heartbeats or other calls.
    ///
    /// # Errors
    /// What the caller gets as `ERR`. For an unknown method that is [`Failure::unknown_method`].
    fn call(&self, request: &Request) -> Result<Reply, Failure>;
}

/// A service that somebody else uses as well, or ends in the end.
impl<S: Service + ?Sized> Service for std::sync::Arc<S> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn methods(&self) -> Result<Vec<Method>, Failure> {
        (**self).methods()
    }

    fn call(&self, request: &Request) -> Result<Reply, Failure> {
        (**self).call(request)
    }
}

/// What a method gives back.
#[non_exhaustive]
pub enum Reply {
    /// One value: `OK`.
    Value(Args),
    /// Any number of values: `STREAM`…, then `STREAM_DONE`; a failure ends the stream with `ERR`.
    ///
    /// The iterator is asked for an item only when the caller has granted credit for it, and it is dropped as
    /// soon as the caller is gone.
    Stream(Items),
    /// Anything, later: the [`Responder`] that the closure is given answers from any thread. The closure runs at once,
    /// on the thread of the call, which is free for other calls then.
    Later(Box<dyn FnOnce(Responder) + Send>),
}

/// The items of a stream, each already encoded.
pub type Items = Box<dyn Iterator<Item = Result<Args, Failure>> + Send>;

/// A method as introspection shows it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Method {
    /// The name under which it is called.
    pub name: String,
    /// Its documentation, if it has any; the first line is shown in lists.
    pub doc: Option<String>,
    /// Its arguments, if they are known.
    pub signature: Option<Signature>,
}

/// The arguments of a method.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Signature {
    /// Positional arguments in order.
    pub arguments: Vec<Argument>,
    /// The name of the parameter that takes further positional arguments (`*args`).
    pub varargs: Option<String>,
    /// The name of the parameter that takes keyword arguments (`**kwargs`); zerorpc never passes any.
    pub keywords: Option<String>,
    /// Arguments that can be given by name only; zerorpc never does, so they keep their defaults.
    pub keyword_only: Vec<Argument>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The value it has when it is left out.
    pub default: Option<Value>,
}

impl Method {
    /// A method of which only the name is known.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), doc: None, signature: None }
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, doc: impl Into<String>) -> Self {
        self.doc = Some(doc.into());
        self
    }

    /// Names the arguments.
    #[must_use]
    pub fn arguments<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.signature(Signature::new(names.into_iter().map(Argument::new)))
    }

    /// Sets the signature, for more than [names](Self::arguments).
    #[must_use]
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = Some(signature);
        self
    }
}

impl From<&str> for Method {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl Signature {
    /// Positional arguments in order.
    pub fn new(arguments: impl IntoIterator<Item = Argument>) -> Self {
        Self { arguments: arguments.into_iter().collect(), ..Self::default() }
    }

    /// Names the parameter that takes further positional arguments.
    #[must_use]
    pub fn varargs(mut self, name: impl Into<String>) -> Self {
        self.varargs = Some(name.into());
        self
    }

    /// Names the parameter that takes keyword arguments.
    #[must_use]
    pub fn keywords(mut self, name: impl Into<String>) -> Self {
        self.keywords = Some(name.into());
        self
    }

    /// Sets the arguments that can be given by name only.
    #[must_use]
    pub fn keyword_only(mut self, arguments: impl IntoIterator<Item = Argument>) -> Self {
        self.keyword_only = arguments.into_iter().collect();
        self
    }
}

impl Argument {
    /// An argument that cannot be left out.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), default: None }
    }

    /// Sets the value it has when it is left out.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }
}
