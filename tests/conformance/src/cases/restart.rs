//! Processes that die and come back.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
