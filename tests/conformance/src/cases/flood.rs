//! Floods and slow peers.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
