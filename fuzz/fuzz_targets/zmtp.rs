//! Arbitrary bytes and operations on one ZMTP connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::zmtp(data));
