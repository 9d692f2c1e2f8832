//! What asks the API for anything: Schemathesis, in a Python environment of its own.

use std::sync::OnceLock;
use std::time::Duration;

use super::set::{Absence, or_skip, require};
use crate::ground::scripts;
use crate::run::Run;

/// How long it may take to bring some twenty packages.
const PATIENCE: Duration = Duration::from_secs(400);

/// What decides where Python packages come from, and where they go.
const OF_THE_PERSON: [&str; 8] = [
    "HOME",
    "XDG_CONFIG_HOME",
    "CARGO_TARGET_DIR",
    "PIP_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_CERT",
    "http_proxy",
    "https_proxy",
];

/// Whether there is what `tests/api/ask` needs, brought if need be; if not, the test is to be skipped,
/// which it says.
///
/// # Panics
/// When it cannot be had where `OPENBITS_REQUIRE_PEERS=1` forbids that.
#[track_caller]
pub fn asker() -> bool {
    static ASKER: OnceLock<Result<(), Absence>> = OnceLock::new();
    or_skip("what asks the API", ASKER.get_or_init(bring)).is_some()
}

fn bring() -> Result<(), Absence> {
    require("api")?;
    let mut bring = Run::new(scripts().join("../api/bring")).within(PATIENCE);
    for name in OF_THE_PERSON {
        if let Some(value) = std::env::var_os(name) {
            bring = bring.env(name, value);
        }
    }
    let brought = bring.finish();
    if brought.code == Some(0) { Ok(()) } else { Err(Absence::NotBrought(brought.stderr)) }
}
