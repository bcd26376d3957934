//! The event array and its header.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
