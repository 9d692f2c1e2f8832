//! See `bits_store::fuzzing::queue`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_store::fuzzing::queue(bytes));
