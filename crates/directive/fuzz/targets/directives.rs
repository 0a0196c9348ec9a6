//! Directives from a hostile server, for one client.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| directive_fuzz::directives(input));
