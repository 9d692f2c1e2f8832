//! Lines on their way into the log: each is one, and has no control character in it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use super::rotated::RotatedFile;

/// Where lines go.
#[derive(Debug)]
pub(super) struct Lines(Place);

#[derive(Debug)]
enum Place {
    File(Mutex<RotatedFile>),
    Stderr,
}

impl Lines {
    pub(super) fn file(file: RotatedFile) -> Self {
        Self(Place::File(Mutex::new(file)))
    }

    pub(super) fn stderr() -> Self {
        Self(Place::Stderr)
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        match &self.0 {
            Place::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_line(line),
            Place::Stderr => io::stderr().lock().write_all(line),
        }
    }
}

/// One line that is being written.
#[derive(Debug)]
pub(super) struct Line<'a> {
    lines: &'a Lines,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, text: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // A log that cannot be written (a full disk) must not stop a transfer that can.
        let _ = self.lines.write(one_line(&String::from_utf8_lossy(&self.text)).as_bytes());
    }
}

/// `text` as one line. What would end it, move the cursor or turn the direction of reading is
/// written out, in a way that JSON has too.
fn one_line(text: &str) -> String {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let mut line = String::with_capacity(text.len() + 1);
    // Nearly all of them.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let (plain, rest) = if is_plain { (text, "") } else { ("", text) };
    line.push_str(plain);
    for character in rest.chars() {
        let is_direction = matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || is_direction {
            line.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    line
}
