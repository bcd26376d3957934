//! The bodies of fuzz targets for what the command reads and prints: they panic when something does not hold that should.

mod inspect;
mod json;

pub use inspect::inspect;
pub use json::json;
