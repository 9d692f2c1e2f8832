//! Places where each question is one run of a program: the question goes in as arguments, the
//! answer comes out on standard output, and the exit status says how it went.
//!
//! Which arguments, and which status means what, is each program's own file.

pub(super) mod askpass;
pub(super) mod dialog;
pub(super) mod systemd;

use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use bits_core::secret::Secret;
use bits_platform::shown::shown;
use bits_platform::terminal::NoAnswer;
use zeroize::Zeroizing;

use super::answer::first_line_of;
use super::dialogue::{NameQuestion, Place};
use super::explanation::Explanation;
use bits_platform::program::{CannotRun, Finished, Program, deadline_of_program, seconds_left};

/// A program of this kind.
pub(super) trait Asker {
    /// Said where the program cannot be run.
    const CANNOT_RUN: &'static str;
    /// What the person has where there is no time limit.
    const TIME_MAX: Duration;

    fn command(&self, asked: &Asked<'_>) -> Command;
    /// Whether the person accepted, or said no to a question that can be answered so. `complaint` is
    /// what the program wrote to its standard error, if `command` makes that a pipe.
    fn verdict(&self, status: ExitStatus, complaint: &str) -> Result<bool, NoAnswer>;
    /// Whether a verdict can be no: it has buttons for that.
    fn can_ask_whether(&self) -> bool {
        false
    }
    /// Whether a user name that is offered is taken without a question.
    fn takes_offered_name(&self) -> bool {
        false
    }
}

/// One question.
pub(super) struct Asked<'a> {
    explanation: &'a Explanation,
    /// Why it is asked again.
    fault: Option<&'a str>,
    what: What<'a>,
    /// How long the person has.
    seconds: u64,
}

#[derive(Clone, Copy)]
enum What<'a> {
    Name(&'a NameQuestion<'a>),
    Secret(&'a str),
    Whether { question: &'a str, preset: bool },
}

impl Asked<'_> {
    /// All that is to be shown, in lines, without control characters, where an offered name stands in
    /// the field already.
    fn in_lines(&self) -> String {
        let question = match self.what {
            What::Name(NameQuestion { offered: Some(_), .. }) => "User name:".to_owned(),
            _ => self.question(),
        };
        let lines = self.explanation.lines().chain(self.fault).chain([question.as_str()]);
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The same for programs that have one line, without the caller's texts.
    fn in_one_line(&self) -> String {
        let (explanation, question) = (self.explanation.in_one_line(), self.question());
        let parts = [explanation.as_str()].into_iter().chain(self.fault).chain([question.as_str()]);
        parts.collect::<Vec<_>>().join(" ")
    }

    fn question(&self) -> String {
        let question = match self.what {
            What::Name(question) => question.to_string(),
            What::Secret(question) | What::Whether { question, .. } => question.to_owned(),
        };
        shown(question.trim_end())
    }
}

/// A place of this kind.
pub(super) struct AtAsker<A> {
    asker: A,
    deadline: Option<Instant>,
    explanation: Explanation,
    fault: Option<String>,
}

impl<A: Asker> AtAsker<A> {
    pub(super) fn new(asker: A, deadline: Option<Instant>) -> Self {
        Self { asker, deadline, explanation: Explanation::default(), fault: None }
    }

    /// The answer, or `None` where the person said no.
    fn ask(&mut self, what: What<'_>) -> Result<Option<Zeroizing<String>>, NoAnswer> {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(NoAnswer::TimedOut);
        }
        let fault = self.fault.take();
        let mut command = self.asker.command(&Asked {
            explanation: &self.explanation,
            fault: fault.as_deref(),
            what,
            seconds: seconds_left(self.deadline, now, A::TIME_MAX),
        });
        command.stdin(Stdio::null());
        let deadline = deadline_of_program(self.deadline, now);
        let program = Program::start(command, deadline, None)
            .map_err(|CannotRun| NoAnswer::Unavailable(A::CANNOT_RUN))?;
        let Finished { status, output, complaint } =
            program.finish().map_err(|broken| broken.as_no_answer(A::CANNOT_RUN))?;
        match self.asker.verdict(status, &complaint)? {
            true => first_line_of(&output).map(Some),
            false => Ok(None),
        }
    }

    fn ask_text(&mut self, what: What<'_>) -> Result<Zeroizing<String>, NoAnswer> {
        self.ask(what)?.ok_or(NoAnswer::Cancelled)
    }
}

impl<A: Asker> Place for AtAsker<A> {
    fn explain(&mut self, explanation: &Explanation) -> Result<(), NoAnswer> {
        self.explanation = explanation.clone();
        Ok(())
    }

    fn correct(&mut self, reason: &str) -> Result<(), NoAnswer> {
        self.fault = Some(shown(reason));
        Ok(())
    }

    fn ask_name(&mut self, question: &NameQuestion<'_>) -> Result<String, NoAnswer> {
        Ok(self.ask_text(What::Name(question))?.as_str().to_owned())
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer> {
        Ok(Secret::new(std::mem::take(&mut *self.ask_text(What::Secret(question))?)))
    }

    fn ask_whether(&mut self, question: &str, preset: bool) -> Result<Option<bool>, NoAnswer> {
        if !self.asker.can_ask_whether() {
            return Ok(None);
        }
        Ok(Some(self.ask(What::Whether { question, preset })?.is_some()))
    }

    fn takes_offered_name(&self) -> bool {
        self.asker.takes_offered_name()
    }
}
