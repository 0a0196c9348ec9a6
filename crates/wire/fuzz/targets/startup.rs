//! Start-up packets.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| wire_fuzz::inputs::startup(input));
