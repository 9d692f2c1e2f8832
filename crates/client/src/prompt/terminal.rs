//! The terminal as a place to ask.

use std::time::Instant;

use bits_core::secret::Secret;
use bits_platform::terminal::{NoAnswer, Terminal};

use super::dialogue::{NameQuestion, Place};
use super::explanation::Explanation;

pub(super) struct AtTerminal {
    terminal: Terminal,
    deadline: Option<Instant>,
}

impl AtTerminal {
    /// The deadline is for the whole dialogue.
    pub(super) fn new(terminal: Terminal, deadline: Option<Instant>) -> Self {
        Self { terminal, deadline }
    }

    /// The terminal, to be lent to another program.
    pub(super) fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    fn tell(&mut self, line: &str) -> Result<(), NoAnswer> {
        self.terminal.tell(line).map_err(NoAnswer::Terminal)
    }
}

impl Place for AtTerminal {
    fn explain(&mut self, explanation: &Explanation) -> Result<(), NoAnswer> {
        explanation.lines().try_for_each(|line| self.tell(line))
    }

    fn correct(&mut self, reason: &str) -> Result<(), NoAnswer> {
        self.tell(reason)
    }

    fn ask_name(&mut self, question: &NameQuestion<'_>) -> Result<String, NoAnswer> {
        self.terminal.ask_line(&question.to_string(), self.deadline)
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer> {
        self.terminal.ask_secret(question, self.deadline)
    }

    fn ask_whether(&mut self, question: &str, preset: bool) -> Result<Option<bool>, NoAnswer> {
        let choice = if preset { "[Y/n]" } else { "[y/N]" };
        let answer = self.terminal.ask_line(&format!("{question} {choice} "), self.deadline)?;
        Ok(Some(means_yes(answer.trim(), preset)))
    }
}

/// What an answer means. What is neither is no: nothing is done for a slip of the keys.
fn means_yes(answer: &str, preset: bool) -> bool {
    if answer.is_empty() { preset } else { ["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_yes() {
        for (answer, preset, expected) in [
            ("y", false, true),
            ("YES", false, true),
            ("n", true, false),
            ("j", true, false),
            ("yy", false, false),
            ("", false, false),
            ("", true, true),
        ] {
            assert_eq!(means_yes(answer, preset), expected, "{answer:?}");
        }
    }
}
