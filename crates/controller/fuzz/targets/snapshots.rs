//! Snapshots, with right checksums and without.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| controller_fuzz::bounded(input, controller_fuzz::snapshots));
