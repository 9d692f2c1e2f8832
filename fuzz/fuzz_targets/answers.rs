//! See `bits_worker::fuzzing::answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_worker::fuzzing::answers(bytes));
