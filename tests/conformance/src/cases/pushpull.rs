//! Push/pull and publish/subscribe.

use crate::case::Case;

pub(super) const CASES: &[Case] = &[];
