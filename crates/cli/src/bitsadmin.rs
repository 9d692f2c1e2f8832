//! `bitsadmin`: this program under that name, and `bits admin`. It understands that tool's switches, prints
//! in its layout, and deals with the service as the other commands do.
//!
//! `switches` reads what was typed and `layout` makes what is printed; neither asks anybody. What comes in
//! between is in `calls`, `transfer` and `monitor`. A job made here has BITS's own defaults (`bits.md` §1.3):
//! priority NORMAL, 600 s between retries, and no completion by itself.

mod absent;
mod asked;
mod calls;
mod command_line;
mod help;
mod layout;
mod monitor;
mod paper;
mod switches;
mod transfer;
mod trouble;
mod words;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::commands::Context;
use crate::exit::Failure;

use paper::Paper;
use switches::Typed;

/// The name under which this program is that tool.
const NAME: &str = "bitsadmin";

/// What was typed, by the name under which this program was called.
pub(crate) fn typed(words: impl IntoIterator<Item = OsString>) -> Arguments {
    let mut words = words.into_iter().peekable();
    if !words.peek().is_some_and(|program| is_meant_by(program)) {
        return Arguments::parse_from(words);
    }
    // Everything after the name is that tool's.
    let as_command = ["bits", "admin", "--"].map(OsString::from).into_iter().chain(words.skip(1));
    Arguments::parse_from(as_command)
}

/// Whether this program was called, by its first word, as that tool.
pub(crate) fn is_meant_by(program: &OsStr) -> bool {
    Path::new(program).file_stem().is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

/// Carries out what was typed after the name.
pub(crate) async fn run(words: &[OsString], context: &Context<'_>) -> Result<(), Failure> {
    let Typed { manner, asked } = switches::read(words);
    let paper = Paper::new(manner, context.output);
    paper.banner()?;
    let outcome = match asked {
        Ok(asked) => calls::carry_out(asked, &paper, context).await,
        Err(fault) => Err(fault),
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(trouble) => trouble.end(&paper),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_tool_under_its_name_alone() {
        for (program, expected) in [
            ("bitsadmin", true),
            ("/usr/local/bin/bitsadmin", true),
            ("./BITSADMIN.EXE", true),
            ("bits", false),
            ("/opt/bitsadmin/bits", false),
            ("", false),
        ] {
            assert_eq!(is_meant_by(OsStr::new(program)), expected, "{program}");
        }
    }
}
