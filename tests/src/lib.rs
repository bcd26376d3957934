//! What the tests of zerorpc share.

pub mod fuzzing;
pub mod peers;
pub mod service;
pub mod site;
pub mod transports;
pub mod vectors;
pub mod world;
