//! Where words go: results to standard output, everything else to standard error.
//!
//! Texts of others are in nearly every line, so every line passes through [`shown`] here, once.
//! A reader that has gone away ends the command quietly; it never ends in a panic.

pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod units;
pub(crate) mod words;

use std::io::{self, IsTerminal, Write};

use bits_platform::shown::shown;
use serde::Serialize;

use crate::arguments::{ColorWhen, Everywhere};
use crate::exit::Failure;

/// How this command speaks.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    colours: bool,
    progress: ProgressForm,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProgressForm {
    /// Redrawn in place.
    Bars,
    /// A line now and then.
    Lines,
    None,
}

impl Output {
    pub(crate) fn new(everywhere: &Everywhere) -> Self {
        let at_terminal = io::stderr().is_terminal();
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            json: everywhere.json,
            quiet: everywhere.quiet,
            verbose: everywhere.verbose,
            colours: match everywhere.color {
                ColorWhen::Auto => at_terminal && !unwanted && !is_dumb,
                ColorWhen::Always => true,
                ColorWhen::Never => false,
            },
            progress: match () {
                () if everywhere.quiet || everywhere.no_progress => ProgressForm::None,
                () if at_terminal && !is_dumb => ProgressForm::Bars,
                () => ProgressForm::Lines,
            },
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(crate) fn progress_form(&self) -> ProgressForm {
        self.progress
    }

    /// A line of the result.
    pub(crate) fn result(&self, line: &str) -> Result<(), Failure> {
        self.result_bytes(format!("{}\n", shown(line)).as_bytes())
    }

    /// A result, or a part of one, as it is.
    pub(crate) fn result_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::from_output)
    }

    /// A result as JSON, on a line of its own.
    pub(crate) fn result_json<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut text = serde_json::to_vec(value).expect("results are plain structures");
        text.push(b'\n');
        self.result_bytes(&text)
    }

    /// Something the person should know.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            self.write("", Colour::None, line);
        }
    }

    /// Something a curious person may want to know.
    pub(crate) fn detail(&self, line: &str) {
        if self.verbose {
            self.write("", Colour::Dim, line);
        }
    }

    pub(crate) fn warn(&self, line: &str) {
        if !self.quiet {
            self.write("warning: ", Colour::Yellow, line);
        }
    }

    pub(crate) fn error(&self, line: &str) {
        self.write("error: ", Colour::Red, line);
    }

    /// What to do about an error.
    pub(crate) fn hint(&self, line: &str) {
        self.write("hint: ", Colour::Blue, line);
    }

    fn write(&self, label: &str, colour: Colour, line: &str) {
        let line = shown(line);
        let text = match (self.colours, colour, label) {
            (false, ..) | (_, Colour::None, _) => format!("{label}{line}\n"),
            // Without a label the colour is the whole line's.
            (true, _, "") => format!("{}{line}{RESET}\n", colour.sequence()),
            (true, ..) => format!("{}{label}{RESET}{line}\n", colour.sequence()),
        };
        // With standard error closed there is nobody left to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

#[derive(Debug, Clone, Copy)]
enum Colour {
    None,
    Dim,
    Red,
    Yellow,
    Blue,
}

impl Colour {
    fn sequence(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Dim => "\x1b[2m",
            Self::Red => "\x1b[1;31m",
            Self::Yellow => "\x1b[1;33m",
            Self::Blue => "\x1b[1;34m",
        }
    }
}

const RESET: &str = "\x1b[0m";
