//! Raft between controllers: frames, and the shapes in them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| controller_fuzz::bounded(input, controller_fuzz::raft));
