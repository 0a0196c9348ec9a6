//! Calls and answers of controllers and servers, in their frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| controller_fuzz::bounded(input, controller_fuzz::calls));
