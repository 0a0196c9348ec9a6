//! The first bytes of a connection, from either end.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| controller_fuzz::bounded(input, controller_fuzz::handshake));
