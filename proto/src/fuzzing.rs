//! The bodies of fuzz targets for the parsers of this crate: they panic when something does not hold that should.
//!
//! Those for whole events and for sessions are in `tests/src/fuzzing` of the repository, where there is a world for them.

mod endpoint;
mod msgpack;

pub use endpoint::endpoint;
pub use msgpack::msgpack;
