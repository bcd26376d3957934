//! What the tests of zerorpc share.

pub mod document;
#[cfg(target_os = "linux")]
pub mod flood;
pub mod fuzzing;
#[cfg(target_os = "linux")]
pub mod haproxy;
pub mod load;
#[cfg(target_os = "linux")]
pub mod namespace;
pub mod needed;
pub mod peers;
pub mod proxy;
pub mod raw_caller;
pub mod service;
pub mod site;
pub mod specification;
pub mod transports;
pub mod vectors;
pub mod world;
