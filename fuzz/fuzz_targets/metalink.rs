//! See `bits_client::fuzzing::metalink_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_client::fuzzing::metalink_file(bytes));
