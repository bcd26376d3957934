//! Frames of traffic: flags, sizes, splits.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
