//! A scripted person at a pseudo terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bits_platform::terminal::{NoAnswer, Terminal};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, Termios};

/// A pseudo terminal, seen by the person and by the program.
struct Desk {
    person: File,
    program: File,
    seen: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&person).unwrap();
        let program = rustix::pty::ioctl_tiocgptpeer(&person, flags).unwrap();
        Self { person: person.into(), program: program.into(), seen: Vec::new() }
    }

    fn terminal(&self) -> Terminal {
        Terminal::on(self.program.try_clone().unwrap()).unwrap()
    }

    fn settings(&self) -> Termios {
        rustix::termios::tcgetattr(&self.program).unwrap()
    }

    /// Reads what the terminal shows until it has shown `text` once more; returns what was before it.
    fn see(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(place) = self.seen.windows(text.len()).position(|window| window == text.as_bytes()) {
                let rest = self.seen.split_off(place + text.len());
                let before = std::mem::replace(&mut self.seen, rest);
                return String::from_utf8_lossy(&before[..place]).into_owned();
            }
            let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).unwrap();
            let ready =
                rustix::event::poll(&mut [PollFd::new(&self.person, PollFlags::IN)], Some(&left)).unwrap();
            assert!(ready == 1, "{text:?} is not shown, but {:?}", String::from_utf8_lossy(&self.seen));
            let mut piece = [0; 4096];
            let length = (&self.person).read(&mut piece).unwrap();
            self.seen.extend_from_slice(&piece[..length]);
        }
    }

    fn type_keys(&self, keys: &[u8]) {
        (&self.person).write_all(keys).unwrap();
    }

    /// Answers the question `ask` with `keys`, once its prompt is seen. Returns the outcome and what
    /// was shown after the prompt.
    fn answer<T: Send>(
        &mut self,
        keys: &[u8],
        ask: impl FnOnce(&mut Terminal) -> Result<T, NoAnswer> + Send,
    ) -> (Result<T, NoAnswer>, String) {
        let mut terminal = self.terminal();
        let before = format!("{:?}", self.settings());
        let outcome = std::thread::scope(|scope| {
            let asking = scope.spawn(move || {
                let outcome = ask(&mut terminal);
                terminal.tell("END").unwrap();
                outcome
            });
            self.see(PROMPT);
            self.type_keys(keys);
            asking.join().unwrap()
        });
        assert_eq!(format!("{:?}", self.settings()), before, "the terminal is as it was");
        (outcome, self.see("END\r\n"))
    }
}

const PROMPT: &str = "Question: ";

#[test]
fn a_line_is_seen_and_edited_as_it_is_typed() {
    let mut desk = Desk::new();
    let (answer, shown) =
        desk.answer("annä\u{7f}a\n".as_bytes(), |terminal| terminal.ask_line(PROMPT, None));
    assert_eq!(answer.unwrap(), "anna");
    assert_eq!(shown, "annä\u{8} \u{8}a\r\n");
}

#[test]
fn of_a_secret_nothing_is_seen_but_the_line_end() {
    let mut desk = Desk::new();
    let (answer, shown) =
        desk.answer("hunterx\u{7f}2ä\r".as_bytes(), |terminal| terminal.ask_secret(PROMPT, None));
    assert_eq!(answer.unwrap().expose(), "hunter2ä");
    assert_eq!(shown, "\r\n");
}

#[test]
fn a_secret_may_be_longer_than_a_line_of_the_terminal() {
    let mut desk = Desk::new();
    let keys = [&[b'x'; 10_000][..], b"\n"].concat();
    let (answer, _) = desk.answer(&keys, |terminal| terminal.ask_secret(PROMPT, None));
    assert_eq!(answer.unwrap().expose().len(), 10_000);
}

#[test]
fn a_line_that_the_terminal_may_have_cut_is_refused() {
    let mut desk = Desk::new();
    let keys = [&[b'x'; 5000][..], b"\n"].concat();
    let (answer, _) = desk.answer(&keys, |terminal| terminal.ask_line(PROMPT, None));
    assert!(matches!(answer, Err(NoAnswer::TooLong { .. })), "{answer:?}");
}

#[test]
fn ctrl_c_and_the_end_of_input_cancel_and_no_signal_is_sent() {
    for keys in [&b"\x03"[..], b"half\x03", b"\x04"] {
        let mut desk = Desk::new();
        let (line, _) = desk.answer(keys, |terminal| terminal.ask_line(PROMPT, None));
        assert!(matches!(line, Err(NoAnswer::Cancelled)), "{keys:?}: {line:?}");
        let (secret, shown) = desk.answer(keys, |terminal| terminal.ask_secret(PROMPT, None));
        assert!(matches!(secret, Err(NoAnswer::Cancelled)), "{keys:?}: {secret:?}");
        assert_eq!(shown, "\r\n");
    }
}

#[test]
fn a_terminal_that_hangs_up_cancels() {
    let Desk { person, program, .. } = Desk::new();
    let mut terminal = Terminal::on(program).unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(move || terminal.ask_secret(PROMPT, None).map(drop));
        let mut prompt = [0; PROMPT.len()];
        (&person).read_exact(&mut prompt).unwrap();
        drop(person);
        let outcome = asking.join().unwrap();
        assert!(matches!(outcome, Err(NoAnswer::Cancelled | NoAnswer::Terminal(_))), "{outcome:?}");
    });
}

#[test]
fn a_question_whose_time_is_over_is_timed_out() {
    let mut desk = Desk::new();
    let past = Some(Instant::now());
    let (line, _) = desk.answer(b"", |terminal| terminal.ask_line(PROMPT, past));
    assert!(matches!(line, Err(NoAnswer::TimedOut)), "{line:?}");
    let (secret, _) = desk.answer(b"", |terminal| terminal.ask_secret(PROMPT, past));
    assert!(matches!(secret, Err(NoAnswer::TimedOut)), "{secret:?}");
}

#[test]
fn an_answer_that_is_no_text_is_refused() {
    for (keys, expected) in [(&b"a\xff\n"[..], "NotText"), (b"a\x1b[D\n", "HasControlCharacters")] {
        let mut desk = Desk::new();
        let (line, _) = desk.answer(keys, |terminal| terminal.ask_line(PROMPT, None));
        assert_eq!(format!("{:?}", line.unwrap_err()), expected);
        let (secret, _) = desk.answer(keys, |terminal| terminal.ask_secret(PROMPT, None));
        assert_eq!(format!("{:?}", secret.unwrap_err()), expected);
    }
}

#[test]
fn prompts_cannot_act_on_the_terminal() {
    let mut desk = Desk::new();
    let prompt = PROMPT.replace('u', "\u{1B}[2J\u{202E}u");
    let (answer, _) = desk.answer(b"x\n", |terminal| terminal.ask_line(&prompt, None));
    assert_eq!(answer.unwrap(), "x");
}

#[test]
fn what_is_not_a_terminal_cannot_be_asked() {
    let outcome = Terminal::on(File::open("/dev/null").unwrap());
    assert!(matches!(outcome, Err(NoAnswer::Unavailable(_))));
}

/// Set for the child that plays the program of one of the tests below.
const IN_CHILD: &str = "BITS_PLATFORM_TEST_CHILD";

/// Runs the test `name` in a session of its own, on the terminal of `desk` if there is one.
fn in_child(name: &str, desk: Option<&Desk>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(IN_CHILD, "1").stderr(Stdio::null());
    let tty = desk.map(|desk| desk.program.try_clone().unwrap());
    // SAFETY: between fork and exec it makes two system calls and nothing else.
    unsafe {
        command.pre_exec(move || {
            rustix::process::setsid()?;
            match &tty {
                Some(tty) => Ok(rustix::process::ioctl_tiocsctty(tty)?),
                None => Ok(()),
            }
        })
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn a_signal_ends_the_program_only_when_the_terminal_is_as_it_was() {
    if std::env::var_os(IN_CHILD).is_some() {
        let _ = Terminal::open().unwrap().ask_secret(PROMPT, None);
        // Not reached: the signal acts as soon as the terminal is restored.
        std::process::exit(99);
    }
    use std::os::unix::process::ExitStatusExt;
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let mut desk = Desk::new();
        let before = format!("{:?}", desk.settings());
        let mut child =
            in_child("terminal::a_signal_ends_the_program_only_when_the_terminal_is_as_it_was", Some(&desk));
        desk.see(PROMPT);
        assert!(!desk.settings().local_modes.contains(LocalModes::ECHO));
        rustix::process::kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(format!("{:?}", desk.settings()), before);
    }
}

#[test]
fn a_program_that_was_stopped_asks_again() {
    if std::env::var_os(IN_CHILD).is_some() {
        let secret = Terminal::open().unwrap().ask_secret(PROMPT, None).unwrap();
        std::process::exit(if secret.expose() == "hunter2" { 42 } else { 99 });
    }
    for signal in [Signal::TSTP, Signal::CONT] {
        let mut desk = Desk::new();
        let mut child = in_child("terminal::a_program_that_was_stopped_asks_again", Some(&desk));
        desk.see(PROMPT);
        desk.type_keys(b"forgotten");
        rustix::process::kill_process(Pid::from_child(&child), signal).unwrap();
        desk.see(PROMPT);
        desk.type_keys(b"hunter2\n");
        assert_eq!(child.wait().unwrap().code(), Some(42));
    }
}

#[test]
fn a_program_without_a_terminal_cannot_ask() {
    if std::env::var_os(IN_CHILD).is_some() {
        let outcome = Terminal::open();
        std::process::exit(if matches!(outcome, Err(NoAnswer::Unavailable(_))) { 42 } else { 99 });
    }
    let mut child = in_child("terminal::a_program_without_a_terminal_cannot_ask", None);
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn a_terminal_that_was_lent_comes_back_as_it_was() {
    let desk = Desk::new();
    let terminal = desk.terminal();
    let before = format!("{:?}", desk.settings());
    for is_dropped in [false, true] {
        let lent = terminal.lend().unwrap();
        let mut settings = desk.settings();
        settings.make_raw();
        rustix::termios::tcsetattr(&desk.program, rustix::termios::OptionalActions::Now, &settings).unwrap();
        assert_ne!(format!("{:?}", desk.settings()), before);
        assert!(!lent.has_signal());
        if is_dropped {
            // As when a panic unwinds.
            drop(lent);
        } else {
            assert!(!lent.take_back(), "no signal has come");
        }
        assert_eq!(format!("{:?}", desk.settings()), before);
    }
}
