//! What the fuzz targets do, as ordinary functions: they panic when an invariant does not hold.
//!
//! The normal tests run them over a few seeds and random inputs; `fuzz/` runs them for as long as one likes.

mod event;
mod script;
mod session;

pub use event::event;
pub use session::session;
