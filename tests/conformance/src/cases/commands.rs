//! Commands in traffic: PING, PONG, ERROR and unknown ones.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
