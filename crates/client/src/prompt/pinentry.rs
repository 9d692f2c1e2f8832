//! Pinentry, GnuPG's program for asking, as a place to ask. `credentials.md` §3.2.
//!
//! It has one field, and that one hides what is typed: the user name is asked on the terminal where
//! there is one. Each question is a pinentry of its own. It is never told to use a password cache
//! of its own.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::Instant;

use bits_core::secret::Secret;
use bits_platform::shown::shown;
use bits_platform::terminal::{Lent, NoAnswer, Terminal};
use zeroize::Zeroizing;

use super::answer::text_of;
use super::assuan::{self, ErrorCode, LINE_BYTES_MAX, Reply};
use super::dialogue::{NameQuestion, Place};
use super::explanation::{Explanation, cut};
use super::terminal::AtTerminal;
use bits_platform::program::{
    ANSWER_BYTES_MAX, ANSWER_TIME_MAX, Broken, CannotRun, Program, deadline_of_program, seconds_left,
};

pub(super) struct AtPinentry {
    program: OsString,
    /// What pinentry is told of its surroundings.
    options: Vec<(&'static str, String)>,
    terminal: Option<AtTerminal>,
    deadline: Option<Instant>,
    explanation: Explanation,
    fault: Option<String>,
}

impl AtPinentry {
    /// Whether the display can be used is for the flavour to know.
    pub(super) fn new(program: OsString, terminal: Option<Terminal>, deadline: Option<Instant>) -> Self {
        let options = options(terminal.is_some(), |name| std::env::var(name).ok());
        let terminal = terminal.map(|terminal| AtTerminal::new(terminal, deadline));
        Self { program, options, terminal, deadline, explanation: Explanation::default(), fault: None }
    }

    /// Has a pinentry ask by the command `verb`, after the commands that say what.
    fn ask(&mut self, commands: &[String], verb: &str) -> Result<Answer, NoAnswer> {
        let fault = self.fault.take();
        loop {
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Err(NoAnswer::TimedOut);
            }
            let time = format!("SETTIMEOUT {}\n", seconds_left(self.deadline, now, ANSWER_TIME_MAX));
            let fault = fault.as_deref().and_then(|fault| assuan::command("SETERROR", fault));
            let commands: Vec<&str> =
                commands.iter().map(String::as_str).chain([&*time]).chain(fault.as_deref()).collect();
            let lent = self.terminal.as_ref().map(|place| place.terminal().lend()).transpose()?;
            let answer = self.ask_once(&commands, verb, lent.as_ref());
            let has_to_end = lent.is_some_and(Lent::take_back);
            match answer {
                Err(_) if has_to_end => return Err(NoAnswer::Cancelled),
                // Stopped and continued: the terminal may have seen anything meanwhile.
                Err(Broken::Signal) => {}
                Err(broken) => return Err(broken.as_no_answer(NO_PINENTRY)),
                Ok(answer) => return Ok(answer),
            }
        }
    }

    /// What is said before the question. All of it, or none is asked: a question without its target
    /// is not to be answered.
    fn commands(
        &self,
        explanation: &Explanation,
        question: &str,
        labels: &[(&str, &str)],
    ) -> Result<Vec<String>, NoAnswer> {
        let description = explanation.within(assuan::room("SETDESC"), assuan::space);
        let description =
            description.ok_or(NoAnswer::Unavailable("the question is too long for pinentry"))?;
        let question = cut(shown(question).trim_end(), assuan::room("SETPROMPT"), assuan::space);
        let texts = [
            ("GETINFO", "flavor"),
            ("SETTITLE", "OpenBITS"),
            ("SETDESC", &description),
            ("SETPROMPT", &question),
        ];
        let texts = texts.into_iter().chain(labels.iter().copied());
        // An option that it does not know is no harm, and one that is too long is none it needs.
        let options = self.options.iter().map(|(name, value)| (*name, value.as_str()));
        Ok(options.chain(texts).filter_map(|(verb, text)| assuan::command(verb, text)).collect())
    }

    /// One pinentry, which has ended when this returns.
    fn ask_once(&self, commands: &[&str], verb: &str, lent: Option<&Lent<'_>>) -> Result<Answer, Broken> {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::piped()).stderr(Stdio::null());
        let deadline = deadline_of_program(self.deadline, Instant::now());
        let program = Program::start(command, deadline, lent);
        let mut pinentry = program.map_err(|CannotRun| Broken::Gone)?;
        // Its greeting comes first.
        let Answer::Given(_) = read_answer(&mut pinentry)? else { return Err(Broken::Gone) };
        for command in commands {
            let answer = command_once(&mut pinentry, command)?;
            if lent.is_none() && *command == ASK_FLAVOUR && is_for_terminals_only(&answer) {
                return Ok(Answer::Refused(ErrorCode::NO_TERMINAL));
            }
        }
        let answer = command_once(&mut pinentry, &format!("{verb}\n"))?;
        // With this it closes what it has open and ends by itself; it is ended if not.
        let _ = command_once(&mut pinentry, "BYE\n");
        Ok(answer)
    }

    fn ask_text(&mut self, question: &str) -> Result<Zeroizing<String>, NoAnswer> {
        let commands = self.commands(&self.explanation, question, &[])?;
        match self.ask(&commands, "GETPIN")? {
            Answer::Given(bytes) => text_of(&bytes),
            Answer::Refused(code) => Err(why_not(code)),
        }
    }
}

impl Place for AtPinentry {
    fn explain(&mut self, explanation: &Explanation) -> Result<(), NoAnswer> {
        self.explanation = explanation.clone();
        self.terminal.as_mut().map_or(Ok(()), |terminal| terminal.explain(explanation))
    }

    fn correct(&mut self, reason: &str) -> Result<(), NoAnswer> {
        self.fault = Some(cut(&shown(reason), assuan::room("SETERROR"), assuan::space));
        self.terminal.as_mut().map_or(Ok(()), |terminal| terminal.correct(reason))
    }

    fn ask_name(&mut self, question: &NameQuestion<'_>) -> Result<String, NoAnswer> {
        match &mut self.terminal {
            Some(terminal) => {
                self.fault = None;
                terminal.ask_name(question)
            }
            None => Ok(self.ask_text(&question.to_string())?.as_str().to_owned()),
        }
    }

    fn ask_secret(&mut self, question: &str) -> Result<Secret, NoAnswer> {
        Ok(Secret::new(std::mem::take(&mut *self.ask_text(question)?)))
    }

    /// It has no preset: there are two buttons, and neither is pressed.
    fn ask_whether(&mut self, question: &str, _preset: bool) -> Result<Option<bool>, NoAnswer> {
        // In the description, as some flavours show nothing else of a yes-or-no question.
        let explanation = self.explanation.with(question);
        let labels = [("SETOK", "Yes"), ("SETCANCEL", "No")];
        let commands = self.commands(&explanation, question, &labels)?;
        match self.ask(&commands, "CONFIRM")? {
            Answer::Given(_) => Ok(Some(true)),
            // The button that says No is called a cancel by some flavours.
            Answer::Refused(ErrorCode::NOT_CONFIRMED | ErrorCode::CANCELED) => Ok(Some(false)),
            Answer::Refused(code) => Err(why_not(code)),
        }
    }
}

/// What a command came to.
enum Answer {
    Given(Zeroizing<Vec<u8>>),
    Refused(ErrorCode),
}

fn command_once(pinentry: &mut Program<'_>, line: &str) -> Result<Answer, Broken> {
    pinentry.send(line)?;
    read_answer(pinentry)
}

/// Whether the answer to [`ASK_FLAVOUR`] names pinentry-tty. Without a terminal that one takes our
/// next command for what the person types, while others say that they cannot ask.
fn is_for_terminals_only(answer: &Answer) -> bool {
    matches!(answer, Answer::Given(flavour) if flavour.as_slice() == b"tty")
}

/// Reads replies up to the one that ends a command.
fn read_answer(pinentry: &mut Program<'_>) -> Result<Answer, Broken> {
    let mut answer = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
    for _ in 0..REPLIES_MAX {
        let line = pinentry.read_line(LINE_BYTES_MAX).map_err(|broken| match broken {
            // A line that is too long is none of a pinentry's.
            Broken::TooMuch => Broken::Gone,
            other => other,
        })?;
        match assuan::parse(&line).map_err(|_| Broken::Gone)? {
            Reply::Done => return Ok(Answer::Given(answer)),
            Reply::Failed(code) => return Ok(Answer::Refused(code)),
            Reply::Data(data) if answer.len() + data.len() > ANSWER_BYTES_MAX => return Err(Broken::TooMuch),
            Reply::Data(data) => assuan::decode_onto(&mut answer, data).map_err(|_| Broken::Gone)?,
            Reply::Aside => {}
        }
    }
    Err(Broken::Gone)
}

fn why_not(code: ErrorCode) -> NoAnswer {
    match code {
        ErrorCode::TIMEOUT => NoAnswer::TimedOut,
        ErrorCode::CANCELED | ErrorCode::FULLY_CANCELED => NoAnswer::Cancelled,
        // No terminal, no display, no agreement with its toolkit.
        _ => NoAnswer::Unavailable("pinentry cannot ask here"),
    }
}

/// What pinentry is told of its surroundings, with the environment read by `variable`.
fn options(has_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let set = |name| variable(name).filter(|value| !value.is_empty());
    let mut options = Vec::new();
    if has_terminal {
        // It is a child of ours and has the same terminal under this name.
        options.push(("OPTION", "ttyname=/dev/tty".to_owned()));
        options.extend(set("TERM").map(|value| ("OPTION", format!("ttytype={value}"))));
    }
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    options.extend(locale.map(|value| ("OPTION", format!("lc-ctype={value}"))));
    options.extend(set("DISPLAY").map(|value| ("OPTION", format!("display={value}"))));
    options
}

/// Lines of one reply: more than an answer of the longest length takes in pieces.
const REPLIES_MAX: usize = 1000;
const ASK_FLAVOUR: &str = "GETINFO flavor\n";
const NO_PINENTRY: &str = "pinentry cannot be run, or does not speak as a pinentry does";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pinentry_is_told_its_surroundings() {
        let all = |name: &str| match name {
            "LC_ALL" => Some(String::new()),
            "LANG" => Some("de_DE.UTF-8".to_owned()),
            "TERM" => Some("xterm".to_owned()),
            "DISPLAY" => Some(":0".to_owned()),
            _ => None,
        };
        let values = |has_terminal| {
            let options = options(has_terminal, all);
            options.into_iter().map(|(verb, value)| format!("{verb} {value}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(
            values(true),
            "OPTION ttyname=/dev/tty, OPTION ttytype=xterm, OPTION lc-ctype=de_DE.UTF-8, OPTION display=:0"
        );
        assert_eq!(values(false), "OPTION lc-ctype=de_DE.UTF-8, OPTION display=:0");
        assert_eq!(options(false, |_| None), []);
    }

    /// How a question ends that is asked by a pinentry which answers everything by `replies`.
    fn asked_of(replies: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("pinentry");
        let script = format!(
            "#!/bin/sh\necho OK hello\nwhile read -r line; do case $line in GETPIN|CONFIRM) {replies};; \
             *) echo 'ERR 1 unknown';; esac; done\n"
        );
        std::fs::write(&program, script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&program, mode).unwrap();
        let mut place = AtPinentry::new(program.into(), None, None);
        let answer = place.ask_secret("Password: ");
        answer.map(|secret| secret.expose().to_owned()).map_err(|reason| format!("{reason:?}"))
    }

    #[test]
    fn whatever_a_pinentry_replies_there_is_an_answer_or_a_reason() {
        let unavailable = |reason| format!("{:?}", NoAnswer::Unavailable(reason));
        let too_long = format!("{:?}", NoAnswer::TooLong { bytes_max: ANSWER_BYTES_MAX });
        for (replies, expected) in [
            ("echo OK", Ok("")),
            ("echo '# x'; echo 'S x'; echo 'D h%C3%A4%25'; echo 'D  x'; echo OK", Ok("hä% x")),
            ("echo 'ERR 83886179 cancelled'", Err("Cancelled".to_owned())),
            ("echo 'ERR 83886278 fully cancelled'", Err("Cancelled".to_owned())),
            ("echo 'ERR 83886142 timeout'", Err("TimedOut".to_owned())),
            (
                "echo 'S ERROR x'; echo 'ERR 83918950 no terminal'",
                Err(unavailable("pinentry cannot ask here")),
            ),
            ("exit 0", Err(unavailable(NO_PINENTRY))),
            ("echo 'D secret'; exit 0", Err(unavailable(NO_PINENTRY))),
            ("echo nonsense", Err(unavailable(NO_PINENTRY))),
            ("echo 'D %zz'; echo OK", Err(unavailable(NO_PINENTRY))),
            ("while :; do echo 'S x'; done", Err(unavailable(NO_PINENTRY))),
            ("head -c 100000 /dev/zero", Err(unavailable(NO_PINENTRY))),
            ("while :; do printf 'D %0900d\\n' 0; done", Err(too_long)),
            ("echo 'D %FF'; echo OK", Err("NotText".to_owned())),
            ("echo 'D %1B[2J'; echo OK", Err("HasControlCharacters".to_owned())),
        ] {
            assert_eq!(asked_of(replies), expected.map(str::to_owned), "{replies}");
        }
    }
}
