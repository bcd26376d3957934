//! Heartbeats of a server.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
