//! Arbitrary operations on two sockets with sessions, and strangers that send them events.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zerorpc_fuzz::rpc(data));
