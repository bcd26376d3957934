//! Credit that a client grants.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
