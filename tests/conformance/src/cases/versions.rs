//! Versions 1, 2 and 3.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
