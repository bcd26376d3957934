//! Services that describe themselves, as the command shows them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::inspect(data));
