//! Both sides of CURVE's handshake, and the traffic behind it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::curve(data));
