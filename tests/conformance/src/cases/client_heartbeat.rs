//! Heartbeats of a client.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
