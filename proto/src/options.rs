//! What can be chosen for one call.

use std::time::Duration;

use crate::event::Context;

/// The default time to wait for the first answer to a call (reference behaviour).
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// The number of stream items that a caller lets its server send ahead at first (reference behaviour).
pub const DEFAULT_SLOTS: u32 = 100;

/// What can be chosen for each call; what is not set is as by default, or [as for others](Self::over).
///
/// ```
/// use std::time::Duration;
/// use zerorpc_proto::CallOptions;
///
/// let patient = CallOptions::new().timeout(Duration::from_secs(300)).slots(10);
/// let endless = CallOptions::new().timeout(None);
/// assert_eq!(endless.over(&patient), CallOptions::new().timeout(None).slots(10));
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallOptions {
    timeout: Option<Option<Duration>>,
    slots: Option<u32>,
    context: Context,
}

impl CallOptions {
    /// Nothing set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the first answer, [30 s](DEFAULT_TIMEOUT) by default; later items of a stream have no limit.
    /// `None` waits as long as the remote lives.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.timeout = Some(timeout.into());
        self
    }

    /// How many items of a stream the server may send ahead, whatever its reader does: a small number where each item is
    /// dear, so that none is made that nobody reads.
    ///
    /// By default it is [100](DEFAULT_SLOTS) at first. It grows as long as the reader has to wait because its server has
    /// no credit, and shrinks when items wait for the reader, within [`Limits::stream_items`](crate::Limits) and
    /// [`Limits::stream_bytes`](crate::Limits).
    #[must_use]
    pub fn slots(mut self, slots: u32) -> Self {
        self.slots = Some(slots);
        self
    }

    /// Header keys for the request, such as a trace id; none by default. A method that calls on hands its own over here.
    #[must_use]
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// These options, and what is not set among them from others.
    #[must_use]
    pub fn over(self, others: &Self) -> Self {
        Self {
            timeout: self.timeout.or(others.timeout),
            slots: self.slots.or(others.slots),
            context: if self.context.is_empty() { others.context.clone() } else { self.context },
        }
    }

    pub(crate) fn chosen_timeout(&self) -> Option<Duration> {
        self.timeout.unwrap_or(Some(DEFAULT_TIMEOUT))
    }

    /// A fixed number, if there is one.
    pub(crate) fn chosen_slots(&self) -> Option<u32> {
        self.slots
    }

    pub(crate) fn chosen_context(&self) -> &Context {
        &self.context
    }
}
