//! Events that a client takes or drops.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
