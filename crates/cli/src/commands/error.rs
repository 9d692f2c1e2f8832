//! `bits error`: what a code means and what to do. Asks nobody.

use bits_core::error::codes::{self, Heals};
use serde_json::json;

use crate::arguments::ErrorCode;
use crate::exit::Failure;
use crate::output::Output;

pub(super) fn run(asked: &ErrorCode, output: &Output) -> Result<(), Failure> {
    let code = codes::parse(&asked.code).ok_or_else(|| {
        Failure::Usage(format!(
            "`{}` is no code; write one such as 0x80190194, 404, 1223 or BG_E_EMPTY",
            asked.code
        ))
    })?;
    let Some(description) = codes::describe(code) else {
        return Err(Failure::Usage(format!("nothing is known about the code {code}")));
    };
    if output.is_json() {
        return output.result_json(&json!({
            "code": description.code.to_string(),
            "name": description.name,
            "meaning": description.meaning,
            "advice": description.advice,
            "heals": description.heals.name(),
        }));
    }
    output.result(&format!("{} {}", description.code, description.name))?;
    output.result(&format!("  {}", description.meaning))?;
    output.result(&format!("  {}", description.advice))?;
    match description.heals {
        Heals::ByTime => output.result("  It may pass by itself: jobs that meet it are tried again."),
        Heals::Never | Heals::NotAnError => Ok(()),
    }
}
