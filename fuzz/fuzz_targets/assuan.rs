//! See `bits_client::fuzzing::assuan_lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bits_client::fuzzing::assuan_lines(bytes));
