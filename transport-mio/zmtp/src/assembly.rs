//! Frames become messages, whole or not at all.

use bytes::Bytes;

use super::{Frames, Violation, WireLimits, frame::Frame};

/// The frames of a message whose last one has not come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    frames: Frames,
    /// Bytes of the frames, admitted ones included, with what each frame costs.
    cost: u64,
    /// So many frames are known to hold on to no chunk.
    detached: usize,
}

impl Assembly {
    /// Lets the message go on with a frame of this size, or not.
    pub(super) fn admit(&mut self, size: u64, limits: &WireLimits) -> Result<(), Violation> {
        let Some(cost) = self.cost_with(size, limits) else {
            return Err(self.violation(size, limits));
        };
        self.cost = cost;
        Ok(())
    }

    /// Whether the message may go on with a frame of this size.
    pub(super) fn check(&self, size: u64, limits: &WireLimits) -> Result<(), Violation> {
        match self.cost_with(size, limits) {
            Some(_) => Ok(()),
            None => Err(self.violation(size, limits)),
        }
    }

    /// What the message would cost with a frame of this size, if it may go on with it.
    fn cost_with(&self, size: u64, limits: &WireLimits) -> Option<u64> {
        let cost = self.cost.saturating_add(size.saturating_add(WireLimits::FRAME_COST as u64));
        let fits = size <= limits.frame_bytes
            && self.frames.len() < limits.frames
            && cost <= limits.message_bytes;
        fits.then_some(cost)
    }

    /// Which limit a frame of this size goes beyond.
    #[cold]
    fn violation(&self, size: u64, limits: &WireLimits) -> Violation {
        if size > limits.frame_bytes {
            Violation::FrameTooLarge { size, limit: limits.frame_bytes }
        } else if self.frames.len() >= limits.frames {
            Violation::TooManyFrames { limit: limits.frames }
        } else {
            Violation::MessageTooLarge { limit: limits.message_bytes }
        }
    }

    /// Adds an admitted frame; the message, when that was its last.
    pub(super) fn push(&mut self, frame: Frame) -> Option<Frames> {
        self.frames.push(frame.body);
        if frame.more {
            return None;
        }
        self.cost = 0;
        self.detached = 0;
        Some(std::mem::take(&mut self.frames))
    }

    /// Lets go of a chunk of `chunk` bytes: frames that are small beside it are copied, so that a message
    /// which never ends pins no buffers.
    pub(super) fn detach(&mut self, chunk: usize) {
        for frame in self.frames.iter_mut().skip(self.detached) {
            if frame.len() < chunk / 2 {
                *frame = Bytes::copy_from_slice(frame);
            }
        }
        self.detached = self.frames.len();
    }

    /// Bytes that the unfinished message holds, with the cost of its frames.
    pub(super) fn partial_bytes(&self) -> usize {
        self.frames.iter().map(|frame| frame.len() + WireLimits::FRAME_COST).sum()
    }
}
