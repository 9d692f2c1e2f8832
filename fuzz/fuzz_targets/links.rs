//! See `bits_core::transfer::fuzzing::links`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_core::transfer::fuzzing::links(bytes));
