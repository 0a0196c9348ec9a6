//! Log entries, alone and as a history.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| controller_fuzz::bounded(input, controller_fuzz::entries));
