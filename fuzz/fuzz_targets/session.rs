//! Arbitrary sequences of operations on sessions.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::session(data));
