//! The terminal as a place to ask.

use std::time::{Duration, Instant};

use bits_core::secret::Secret;
use bits_platform::terminal::{NoAnswer, Terminal};

use super::dialogue::Channel;

pub(super) struct TerminalChannel {
    terminal: Terminal,
    deadline: Option<Instant>,
}

impl TerminalChannel {
    /// The time limit begins now, and is for the whole dialogue.
    pub(super) fn new(terminal: Terminal, time_limit: Option<Duration>) -> Self {
        // A limit beyond what the clock can count is none.
        let deadline = time_limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { terminal, deadline }
    }
}

impl Channel for TerminalChannel {
    fn tell(&mut self, line: &str) -> Result<(), NoAnswer> {
        self.terminal.tell(line).map_err(NoAnswer::Terminal)
    }

    fn ask_line(&mut self, question: &str) -> Result<String, NoAnswer> {
        self.terminal.ask_line(question, self.deadline)
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer> {
        self.terminal.ask_secret(question, self.deadline)
    }
}
