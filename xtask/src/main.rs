//! What cargo cannot do by itself: `cargo xtask openapi` and the like.
//!
//! The rules of the house are tests, in `xtask/tests`; nothing here checks anything.

mod night;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xtask::{command_page, http_page, settings_page};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  openapi    writes crates/api/openapi.json from the table of operations and the types
  settings   writes docs/settings.md from the service's table of settings
  manual     writes docs/commands.md and docs/http-api.md from the command line and the API
  night      runs what takes too long for every change; `cargo xtask night --help` says what
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["openapi"] => {
            let text = serde_json::to_string_pretty(&bits_api::openapi::document());
            write("crates/api/openapi.json", &(text.expect("a JSON value is written") + "\n"))
        }
        ["settings"] => write(settings_page::PATH, &settings_page::page()),
        ["manual"] => {
            let pages = [(command_page::PATH, command_page::page()), (http_page::PATH, http_page::page())];
            let written = pages.map(|(path, page)| write(path, &page));
            written.into_iter().find(|code| *code != ExitCode::SUCCESS).unwrap_or(ExitCode::SUCCESS)
        }
        ["night", rest @ ..] => night::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn write(path: &str, text: &str) -> ExitCode {
    match std::fs::write(root().join(path), text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{path}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}
