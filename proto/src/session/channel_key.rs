//! What names channels.

use std::num::NonZeroU32;

use crate::transmit::Token;

/// Names one channel for ever: slots are used again, serials are not, and other sessions have others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ChannelKey {
    pub(super) serial: u64,
    /// Where the store has it.
    pub(super) slot: u32,
}

impl ChannelKey {
    /// What names the request of a call that is sent for the `attempt`th time.
    pub(crate) fn token(self, attempt: u32) -> Option<Token> {
        let attempt = NonZeroU32::new(attempt)?;
        Some(Token { serial: self.serial, slot: self.slot, attempt })
    }

    /// Where the request was sent that this names.
    pub(crate) fn named_by(token: Token) -> Self {
        Self { serial: token.serial, slot: token.slot }
    }
}
