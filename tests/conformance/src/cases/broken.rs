//! Broken input, while others are served.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
