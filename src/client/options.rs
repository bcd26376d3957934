//! What can be chosen for one call.

use std::time::Duration;

use zerorpc_proto::Context;

/// Options of one call; what is not set is as the client was built.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallOptions {
    timeout: Option<Option<Duration>>,
    slots: Option<u32>,
    context: Context,
}

impl CallOptions {
    /// Everything as the client was built.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the first answer; `None` waits as long as the server lives.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// How many items of a stream the server may send ahead.
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Header keys for the request, such as a trace id. A method that calls on hands its own
    /// [`Request::context`](crate::Request::context) over here.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    pub(super) fn over(&self, defaults: &zerorpc_proto::CallOptions) -> zerorpc_proto::CallOptions {
        zerorpc_proto::CallOptions {
            timeout: self.timeout.unwrap_or(defaults.timeout),
            slots: self.slots.unwrap_or(defaults.slots),
            context: if self.context.is_empty() {
                defaults.context.clone()
            } else {
                self.context.clone()
            },
        }
    }
}
