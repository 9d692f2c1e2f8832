//! The terminal that standard output leads to: how wide it is. Nothing is asked there.

use std::io;

/// Characters of a line of the terminal that standard output leads to; none where it leads elsewhere,
/// or where the terminal does not know.
pub fn stdout_columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(size.ws_col.into()).filter(|columns| *columns > 0)
}
