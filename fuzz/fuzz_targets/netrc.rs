//! See `bits_client::fuzzing::netrc`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_client::fuzzing::netrc(bytes));
