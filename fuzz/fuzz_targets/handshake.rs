//! Handshakes of one ZMTP connection with peers of every version and mechanism.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::handshake(data));
