//! What may stand where the arguments of a call are wanted.

use serde::Serialize;

use super::Args;
use crate::error::EncodeError;

/// The arguments of a call: a tuple, an array or a list of what serde can serialise, `()` for none; or [`Args`] that are
/// encoded already.
pub trait IntoArgs: sealed::Sealed {
    /// Encodes them.
    ///
    /// # Errors
    /// When they are no list, or cannot be encoded.
    fn into_args(self) -> Result<Args, EncodeError>;
}

mod sealed {
    /// Nobody else says what arguments are.
    pub trait Sealed {}
}

impl<T: Serialize> sealed::Sealed for T {}

impl<T: Serialize> IntoArgs for T {
    fn into_args(self) -> Result<Args, EncodeError> {
        Args::encode_params(&self)
    }
}

impl sealed::Sealed for Args {}

impl IntoArgs for Args {
    fn into_args(self) -> Result<Args, EncodeError> {
        Ok(self)
    }
}
