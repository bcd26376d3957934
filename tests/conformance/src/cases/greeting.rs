//! The first 64 bytes.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
