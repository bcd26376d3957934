//! Channels: ids, reuse, late events.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
