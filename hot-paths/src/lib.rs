//! What zerorpc does most often, in memory, step by step, for whoever wants to measure it.
//!
//! A [`Scene`] is one such thing: a call, an item of a stream, a heartbeat among many, a message through ZMTP. Each
//! [`step`](Scene::step) does it once, and tells a [`Meter`] which side does what, so that one side can be
//! looked at alone. There are three who look: the program of this crate counts instructions, a test of the
//! workspace counts allocations, and the benchmarks take the time.
//!
//! Only public interfaces are used, and no clock: time is what the scene says.

#![forbid(unsafe_code)]

mod meter;
mod node;
mod pair;
mod path;
mod scene;
pub mod wire;

pub use meter::{Counted, Meter, Side, Unwatched, counted};
pub use pair::{Pair, Stream};
pub use path::Path;
pub use scene::Scene;

/// What can go wrong in a scene: nothing, as long as the code is sound.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
