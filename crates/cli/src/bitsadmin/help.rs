//! The help: the table of switches, in words.

use super::switches::rows;

/// What is said on the console, line by line.
pub(super) fn lines() -> Vec<String> {
    let mut lines: Vec<String> = [
        "USAGE: bitsadmin [/rawreturn] [/wrap|/nowrap] <switch> [<argument>...]",
        "",
        "Switches are written in any letter case, with / or - before them. <job> is a GUID in braces, or a",
        "name that one job alone has. /rawreturn prints values alone; /wrap and /nowrap say whether lines",
        "are broken at the width of the console.",
        "",
    ]
    .map(str::to_owned)
    .into();
    for row in rows() {
        lines.push(format!("{} {}", row.name, row.takes).trim_end().to_owned());
        lines.push(format!("\t{}", row.about));
    }
    lines
}
