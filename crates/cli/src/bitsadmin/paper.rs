//! Where this tool's lines go: standard output, as programs that read them expect, also what went wrong.
//! Only with `/rawreturn` that goes to standard error, as a value is all that is read then.

use std::io::{self, IsTerminal};

use bits_platform::shown::shown;
use bits_platform::terminal::stdout_columns;

use crate::exit::Failure;
use crate::output::Output;

use super::asked::Manner;

/// The console, or what stands for it.
pub(super) struct Paper<'a> {
    pub(super) output: &'a Output,
    is_raw: bool,
    /// Characters of a line, where lines are broken.
    wraps_at: Option<usize>,
    /// Characters of a line of the terminal, where there is one.
    columns: Option<usize>,
}

/// Characters of a line where nothing says how wide the console is.
const COLUMNS: usize = 80;

impl<'a> Paper<'a> {
    pub(super) fn new(manner: Manner, output: &'a Output) -> Self {
        // A terminal that does not know how wide it is, is one all the same.
        let columns = io::stdout().is_terminal().then(|| stdout_columns().unwrap_or(COLUMNS));
        let wraps_at = match manner.wraps {
            Some(false) => None,
            Some(true) => Some(columns.unwrap_or(COLUMNS)),
            None => columns,
        };
        Self { output, is_raw: manner.is_raw, wraps_at, columns }
    }

    /// Characters of a line of the terminal, where standard output is one.
    pub(super) fn columns(&self) -> Option<usize> {
        self.columns
    }

    /// Lines of this tool, below each other and never broken.
    pub(super) fn unwrapped(&self) -> Self {
        Self { wraps_at: None, ..*self }
    }

    /// What this is.
    pub(super) fn banner(&self) -> Result<(), Failure> {
        if self.is_raw {
            return Ok(());
        }
        let version = format!("BITSADMIN version 3.0 [ OpenBITS {} ]", env!("CARGO_PKG_VERSION"));
        for line in [
            "",
            &version,
            "Administration of background transfers; `bits --help` has the newer commands.",
            "",
        ] {
            self.line(line)?;
        }
        Ok(())
    }

    /// A value: alone, where that is asked for.
    pub(super) fn value(&self, value: &str) -> Result<(), Failure> {
        match self.is_raw {
            true => self.output.result_bytes(shown(value).as_bytes()),
            false => self.line(value),
        }
    }

    /// A value, with words around it where they are wanted.
    pub(super) fn told(&self, value: &str, sentence: &str) -> Result<(), Failure> {
        self.value(if self.is_raw { value } else { sentence })
    }

    pub(super) fn lines<'t>(&self, lines: impl IntoIterator<Item = &'t String>) -> Result<(), Failure> {
        lines.into_iter().try_for_each(|line| self.line(line))
    }

    pub(super) fn line(&self, line: &str) -> Result<(), Failure> {
        let text = tabbed(line);
        let broken = match self.wraps_at {
            Some(width) => wrapped(&text, width),
            None => text,
        };
        self.output.result_bytes(format!("{broken}\n").as_bytes())
    }

    /// Text for the terminal itself, which is fit to be shown.
    pub(super) fn terminal(&self, text: &str) -> Result<(), Failure> {
        self.output.result_bytes(text.as_bytes())
    }

    /// What went wrong.
    pub(super) fn wrong(&self, lines: &[String]) -> Result<(), Failure> {
        if self.is_raw {
            self.output.error(&lines.join(": "));
            return Ok(());
        }
        self.lines(lines)
    }
}

/// `line` fit to be shown; the tabs in it are this tool's.
pub(super) fn tabbed(line: &str) -> String {
    line.split('\t').map(shown).collect::<Vec<_>>().join("\t")
}

/// `line` with line ends in it, so that no part is longer than `width` characters; between words where
/// there are any.
fn wrapped(line: &str, width: usize) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut rest: Vec<char> = line.chars().collect();
    while rest.len() > width {
        let gap = rest[..=width].iter().rposition(|character| *character == ' ').filter(|at| *at > 0);
        let end = gap.unwrap_or(width);
        parts.push(rest[..end].iter().collect());
        rest.drain(..if gap.is_some() { end + 1 } else { end });
    }
    parts.push(rest.into_iter().collect());
    parts.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_within_what_is_too_long() {
        for (line, width, expected) in [
            ("", 4, ""),
            ("four", 4, "four"),
            ("one two three", 7, "one two\nthree"),
            ("abcdefghij", 4, "abcd\nefgh\nij"),
            ("ab abcdefgh", 4, "ab\nabcd\nefgh"),
        ] {
            assert_eq!(wrapped(line, width), expected, "{line} {width}");
        }
    }

    #[test]
    fn a_name_moves_no_cursor_and_tabs_of_ours_stay() {
        assert_eq!(tabbed("\tx\u{1b}[2Jy"), "\txy");
    }
}
