//! Acknowledgements, announcements and statements from a hostile client.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| directive_fuzz::answers(input));
