//! Text and values, as the command reads and prints them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::json(data));
