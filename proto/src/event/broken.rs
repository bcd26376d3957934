//! What is left of an event that cannot be read.

use std::{error::Error, fmt};

use super::Header;
use crate::error::Malformed;

/// A payload that is no event, with as much of its header as could be read.
// Exhaustive: nothing else can be known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokenEvent {
    /// What is wrong with it.
    pub reason: Malformed,
    /// The header, when that part was sound: its sender can then be told.
    pub header: Option<Box<Header>>,
}

impl fmt::Display for BrokenEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl Error for BrokenEvent {}
