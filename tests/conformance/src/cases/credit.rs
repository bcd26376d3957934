//! Credit that a server obeys.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
