//! Mechanisms, READY and its properties, identities.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
