//! Arbitrary bytes and operations on two ZeroMQ sockets that talk with each other.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::socket(data));
