//! See `bits_worker::auth::fuzzing::gss`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_worker::auth::fuzzing::gss(bytes));
