//! See `bits_core::transfer::fuzzing::ranges`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_core::transfer::fuzzing::ranges(bytes));
