//! A server's messages.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wire_fuzz::inputs::backend(input));
