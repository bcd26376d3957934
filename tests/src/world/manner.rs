//! How calls are made and read.

use std::time::Duration;

use zerorpc_proto::{CallOptions, DEFAULT_TIMEOUT};

/// How a call is made and read.
#[derive(Debug, Clone)]
pub struct Manner {
    /// How many items the server may send ahead, where that is fixed.
    pub slots: Option<u32>,
    /// How long the first answer may take.
    pub timeout: Option<Duration>,
    /// The time between two answers that are read.
    pub pace: Duration,
    /// From how many answers on that is so: those before are read at once.
    pub paced_from: usize,
    /// Items are taken ahead of their reader.
    pub ahead: bool,
    /// The call is forgotten after this many answers.
    pub quit_after: Option<usize>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            slots: None,
            timeout: Some(DEFAULT_TIMEOUT),
            pace: Duration::ZERO,
            paced_from: 0,
            ahead: false,
            quit_after: None,
        }
    }
}

impl Manner {
    pub(super) fn options(&self) -> CallOptions {
        let options = CallOptions::new().timeout(self.timeout);
        match self.slots {
            Some(slots) => options.slots(slots),
            None => options,
        }
    }
}
