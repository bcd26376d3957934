//! Arguments and results: legal but unusual msgpack.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
