//! See `bits_worker::fuzzing::certificates`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_worker::fuzzing::certificates(bytes));
