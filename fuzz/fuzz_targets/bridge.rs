//! What a Python child says to the process that supervises it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::bridge(data));
