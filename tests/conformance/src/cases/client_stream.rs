//! Streams that a client reads.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
