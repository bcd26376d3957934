//! Arbitrary text as an endpoint.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::endpoint(data));
