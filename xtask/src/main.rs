//! What cargo cannot do by itself: `cargo xtask openapi` and the like.
//!
//! The rules of the house are tests, in `xtask/tests`; nothing here checks anything.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["openapi"] => write_openapi(),
        _ => {
            eprintln!("usage: cargo xtask openapi    writes crates/api/openapi.json");
            ExitCode::from(2)
        }
    }
}

fn write_openapi() -> ExitCode {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/api/openapi.json");
    let text = serde_json::to_string_pretty(&bits_api::openapi::document()).expect("a JSON value is written");
    match std::fs::write(path, text + "\n") {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}
