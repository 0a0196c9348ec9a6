//! Expressions of rules.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| directive_fuzz::rules(input));
