//! A request as a service sees it.

use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicBool, Ordering},
};

use bytestring::ByteString;
use parking_lot::Mutex;
use zerorpc_proto::{Args, Context, transport::Principal};

/// One call of a method.
#[derive(Debug, Clone)]
pub struct Request {
    method: ByteString,
    args: Args,
    context: Context,
    peer: Arc<Principal>,
    caller: Arc<Caller>,
}

/// Whoever calls where peers are not known apart.
pub(crate) fn anonymous() -> Arc<Principal> {
    static ANONYMOUS: LazyLock<Arc<Principal>> =
        LazyLock::new(|| Arc::new(Principal::anonymous("")));
    Arc::clone(&ANONYMOUS)
}

impl Request {
    pub(crate) fn new(
        method: ByteString,
        args: Args,
        context: Context,
        peer: Arc<Principal>,
        caller: Arc<Caller>,
    ) -> Self {
        Self { method, args, context, peer, caller }
    }

    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    #[cfg(any(feature = "mio", feature = "zmq"))]
    pub(crate) fn into_method_name(self) -> ByteString {
        self.method
    }

    /// The arguments: an array, unless the peer sent something else.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.args
    }

    /// The header keys that the caller sent along, such as a trace id.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Who calls, as far as this side made sure of it: the name that the [`Authenticator`](crate::Authenticator) of the
    /// socket gave, the key or the user, the address. Anonymous, without even an address, where peers cannot be told apart:
    /// over libzmq without an authenticator, and in a [`Dispatcher`](crate::Dispatcher) that is not told.
    #[must_use]
    pub fn peer(&self) -> &Principal {
        &self.peer
    }

    /// Whether nobody waits for the answer any more.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.caller.lost.load(Ordering::Acquire)
    }

    /// Runs `callback` when the caller is gone, or at once if it is gone already; never after the answer was
    /// given. It runs on a thread that others wait for: let it signal something, not work.
    pub fn on_lost(&self, callback: impl FnOnce() + Send + 'static) {
        let mut callbacks = self.caller.callbacks.lock();
        if self.is_lost() {
            drop(callbacks);
            callback();
        } else {
            callbacks.push(Box::new(callback));
        }
    }
}

/// Whether the other end of a request is still there, and whom to tell what becomes of it.
#[derive(Default)]
pub(crate) struct Caller {
    lost: AtomicBool,
    /// To be run when it is gone.
    callbacks: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    /// To be run when it takes items again.
    writable: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

impl Caller {
    #[cfg(any(feature = "mio", feature = "zmq"))]
    /// Makes it fit for another request; false if it has served too well for that.
    pub(crate) fn renew(&mut self) -> bool {
        // Callbacks are dropped by whoever drops the request: not here, under a lock.
        !*self.lost.get_mut()
            && self.callbacks.get_mut().is_empty()
            && self.writable.get_mut().is_none()
    }

    /// Sets what is run when it takes items again.
    pub(crate) fn on_writable(&self, callback: Arc<dyn Fn() + Send + Sync>) {
        *self.writable.lock() = Some(callback);
    }

    /// It takes items again. Runs the callback: not under a lock.
    pub(crate) fn resume(&self) {
        let callback = self.writable.lock().clone();
        if let Some(callback) = callback {
            callback();
        }
    }

    /// The caller is gone. Runs the callbacks: not under a lock.
    pub(crate) fn lose(&self) {
        let callbacks = {
            let mut callbacks = self.callbacks.lock();
            self.lost.store(true, Ordering::Release);
            std::mem::take(&mut *callbacks)
        };
        for callback in callbacks {
            callback();
        }
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("lost", &self.lost).finish_non_exhaustive()
    }
}
