//! Arbitrary bytes as msgpack.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::msgpack(data));
