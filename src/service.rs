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
pub struct Argument {
    /// Its name.
    pub name: String,
    /// The value it has when it is left out.
    pub default: Option<Value>,
}
