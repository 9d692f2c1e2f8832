//! A program that does something in our place, such as asking the person: started, listened to with
//! limits, and ended with us.
//!
//! What it is told and what its answer means is for the places that use it. Secrets come by pipe
//! only, into buffers that do not move and are wiped.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::Access;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};
use zeroize::Zeroizing;

use crate::process::end_with_its_starter;
use crate::terminal::{Lent, NoAnswer};

/// The longest answer, as BITS has it in characters (`credentials.md` §3.3).
pub const ANSWER_BYTES_MAX: usize = 64 << 10;

/// A program that runs. Dropping it ends it, and waits until it has ended.
pub struct Program<'a> {
    child: Child,
    /// Readable when it has ended.
    end: OwnedFd,
    input: Option<ChildStdin>,
    output: ChildStdout,
    complaints: Option<ChildStderr>,
    unread: Zeroizing<Vec<u8>>,
    deadline: Instant,
    /// The terminal that it has meanwhile, if it has one.
    terminal: Option<&'a Lent<'a>>,
}

/// How a program ended, and what it has written.
pub struct Finished {
    pub status: ExitStatus,
    pub output: Zeroizing<Vec<u8>>,
    /// The beginning of its standard error, unless that goes where ours goes.
    pub complaint: String,
}

impl std::fmt::Debug for Finished {
    /// Without the output: it may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Finished").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why nothing more comes of a program.
#[derive(Debug)]
pub enum Broken {
    TimedOut,
    /// A signal came that was held back, see [`Lent`].
    Signal,
    TooMuch,
    /// It closed its output or cannot be talked to.
    Gone,
}

impl<'a> Program<'a> {
    /// Starts what `command` names. It is killed when `deadline` is over, and with this thread.
    pub fn start(
        mut command: Command,
        deadline: Instant,
        terminal: Option<&'a Lent<'a>>,
    ) -> Result<Self, CannotRun> {
        end_with_its_starter(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|_| CannotRun)?;
        let output = child.stdout.take().expect("it is a pipe, as set above");
        let (input, complaints) = (child.stdin.take(), child.stderr.take());
        let watched = rustix::process::pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let streams = [Some(output.as_fd()), complaints.as_ref().map(AsFd::as_fd)];
        let ready =
            streams.into_iter().flatten().try_for_each(|stream| rustix::io::ioctl_fionbio(stream, true));
        let (Ok(end), Ok(())) = (watched, ready) else {
            // It has done nothing yet that would have to be undone in order.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CannotRun);
        };
        // Never more at once, so that it never moves.
        let unread = Zeroizing::new(Vec::with_capacity(UNREAD_BYTES_MAX));
        Ok(Self { child, end, input, output, complaints, unread, deadline, terminal })
    }

    /// Sends `line`, which ends with its line end.
    pub fn send(&mut self, line: &str) -> Result<(), Broken> {
        self.send_bytes(line.as_bytes())
    }

    /// Sends `bytes`, which it has to read for this to return.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let input = self.input.as_mut().ok_or(Broken::Gone)?;
        input.write_all(bytes).map_err(|_| Broken::Gone)
    }

    /// The next `length` bytes of its output. How many there may be is for the caller to limit.
    pub fn read_exact(&mut self, length: usize) -> Result<Zeroizing<Vec<u8>>, Broken> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(length));
        let at_hand = self.unread.len().min(length);
        bytes.extend(self.unread.drain(..at_hand));
        while bytes.len() < length {
            let missing = length - bytes.len();
            match read_some(&mut self.output, &mut bytes, missing) {
                Some(0) => return Err(self.gone()),
                Some(_) => {}
                None => self.wait(&[self.output.as_fd()])?,
            }
        }
        Ok(bytes)
    }

    /// Gives it time until `deadline`, for something new.
    pub fn extend(&mut self, deadline: Instant) {
        self.deadline = deadline;
    }

    /// The next line of its output, of `bytes_max` at most, without its line end.
    pub fn read_line(&mut self, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, Broken> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line = Zeroizing::new(self.unread[..end].to_vec());
                self.unread.drain(..=end);
                return if line.len() > bytes_max { Err(Broken::TooMuch) } else { Ok(line) };
            }
            let room = UNREAD_BYTES_MAX - self.unread.len();
            if room == 0 {
                return Err(Broken::TooMuch);
            }
            match read_some(&mut self.output, &mut self.unread, room) {
                Some(0) => return Err(self.gone()),
                Some(_) => {}
                None => self.wait(&[self.output.as_fd()])?,
            }
        }
    }

    /// Why it says nothing more. Ctrl-C at the terminal is for us both, and may have ended it
    /// before it has come to us.
    fn gone(&self) -> Broken {
        let Some(terminal) = self.terminal else { return Broken::Gone };
        let end = Instant::now() + SIGNAL_GRACE;
        let mut watched = [PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::IN)];
        while !terminal.has_signal() && matches!(poll(&mut watched, end), Err(Errno::INTR)) {}
        if terminal.has_signal() { Broken::Signal } else { Broken::Gone }
    }

    /// Waits for its end, and reads what it writes until then.
    pub fn finish(mut self) -> Result<Finished, Broken> {
        // One more than there may be, to see that there is more.
        let mut output = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX + 1));
        let mut complaint = Zeroizing::new(Vec::with_capacity(COMPLAINT_BYTES_MAX));
        let (mut has_output, mut has_complaints) = (true, self.complaints.is_some());
        loop {
            // Asked first: what it wrote before its end is in the pipes by then.
            let status = self.child.try_wait().map_err(|_| Broken::Gone)?;
            has_output &= drain(&mut self.output, &mut output, ANSWER_BYTES_MAX + 1);
            if let Some(complaints) = &mut self.complaints {
                has_complaints &= drain(complaints, &mut complaint, COMPLAINT_BYTES_MAX);
            }
            if output.len() > ANSWER_BYTES_MAX {
                return Err(Broken::TooMuch);
            }
            if let Some(status) = status {
                let complaint = String::from_utf8_lossy(&complaint).into_owned();
                return Ok(Finished { status, output, complaint });
            }
            // Not for the ends of its pipes: what it has started may keep them open.
            let streams = [
                Some(self.end.as_fd()),
                has_output.then(|| self.output.as_fd()),
                self.complaints.as_ref().filter(|_| has_complaints).map(AsFd::as_fd),
            ];
            self.wait(&streams.into_iter().flatten().collect::<Vec<_>>())?;
        }
    }

    /// Waits until there is something to be read from one of `streams`.
    fn wait(&self, streams: &[BorrowedFd<'_>]) -> Result<(), Broken> {
        loop {
            if self.terminal.is_some_and(Lent::has_signal) {
                return Err(Broken::Signal);
            }
            let signals = self.terminal.map(AsFd::as_fd);
            let mut watched: Vec<PollFd<'_>> = streams
                .iter()
                .copied()
                .chain(signals)
                .map(|stream| PollFd::from_borrowed_fd(stream, PollFlags::IN))
                .collect();
            match poll(&mut watched, self.deadline) {
                Ok(0) => return Err(Broken::TimedOut),
                Ok(_) if watched[..streams.len()].iter().any(|stream| !stream.revents().is_empty()) => {
                    return Ok(());
                }
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return Err(Broken::Gone),
            }
        }
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        // Asked first, so that it can leave the screen as it was. It may be stopped, too.
        let pid = Pid::from_child(&self.child);
        for signal in [Signal::TERM, Signal::CONT] {
            let _ = rustix::process::kill_process(pid, signal);
        }
        let grace = Instant::now() + END_GRACE;
        while let Err(Errno::INTR) = poll(&mut [PollFd::new(&self.end, PollFlags::IN)], grace) {}
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl std::fmt::Debug for Program<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("child", &self.child).finish_non_exhaustive()
    }
}

/// Whether `file` is one that this process may run.
pub fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, Access::EXEC_OK).is_ok()
}

/// Whether this process may write to `path`, a file or a folder.
pub fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, Access::WRITE_OK).is_ok()
}

/// The program cannot be run at all.
#[derive(Debug)]
pub struct CannotRun;

impl Broken {
    /// What it means for a question, where a program that breaks off has `reason` said of it.
    pub fn as_no_answer(&self, reason: &'static str) -> NoAnswer {
        match self {
            Self::TimedOut => NoAnswer::TimedOut,
            Self::Signal => NoAnswer::Cancelled,
            Self::TooMuch => NoAnswer::TooLong { bytes_max: ANSWER_BYTES_MAX },
            Self::Gone => NoAnswer::Unavailable(reason),
        }
    }
}

/// Until when a program may run: a moment after the person's time is over, as it measures the time
/// too and knows better how to end; and not for ever where the person has no limit, as its window
/// may have got lost.
pub fn deadline_of_program(deadline: Option<Instant>, now: Instant) -> Instant {
    deadline.unwrap_or(now + ANSWER_TIME_MAX) + OVERTIME
}

/// The time that is left to the person, in the whole seconds that programs take, none of them 0.
pub fn seconds_left(deadline: Option<Instant>, now: Instant, at_most: Duration) -> u64 {
    let left = deadline.map_or(at_most, |deadline| deadline.saturating_duration_since(now).min(at_most));
    left.as_secs().max(1)
}

/// How long a person can take where there is no time limit.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(600);
/// How long after its time a program is killed.
const OVERTIME: Duration = Duration::from_secs(2);
/// How long a program may take to end when it is asked to.
const END_GRACE: Duration = Duration::from_secs(1);
/// How much later than another process of the terminal this one may hear of a key.
const SIGNAL_GRACE: Duration = Duration::from_millis(500);
/// More than the longest line of any program that is listened to line by line.
const UNREAD_BYTES_MAX: usize = 4096;
/// How much of what a program complains about is looked at.
const COMPLAINT_BYTES_MAX: usize = 4096;

fn poll(watched: &mut [PollFd<'_>], deadline: Instant) -> Result<usize, Errno> {
    let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok();
    rustix::event::poll(watched, left.as_ref())
}

/// Reads once, `bytes_max` at most, to the end of `to`. `None` if nothing is there yet, 0 if nothing
/// comes any more.
fn read_some(from: &mut impl Read, to: &mut Vec<u8>, bytes_max: usize) -> Option<usize> {
    let mut piece = Zeroizing::new([0_u8; PIECE_BYTES]);
    let room = bytes_max.min(PIECE_BYTES);
    match from.read(&mut piece[..room]) {
        Ok(length) => {
            to.extend_from_slice(&piece[..length]);
            Some(length)
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => None,
        Err(_) => Some(0),
    }
}

/// Bytes read at once; more are read the next time.
const PIECE_BYTES: usize = 1024;

/// Reads what is there, to `bytes_max` in all; what is beyond is thrown away. Returns whether more
/// can come.
fn drain(from: &mut impl Read, to: &mut Vec<u8>, bytes_max: usize) -> bool {
    loop {
        match read_some(from, to, PIECE_BYTES) {
            None => return true,
            Some(0) => return false,
            Some(_) if to.len() > bytes_max => to.truncate(bytes_max),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    fn finish(script: &str, deadline: Instant) -> Result<Finished, Broken> {
        Program::start(shell(script), deadline, None).unwrap().finish()
    }

    #[test]
    fn a_program_is_heard_until_its_end_even_if_another_keeps_its_pipes_open() {
        for script in
            ["echo out; echo err >&2; exit 3", "exec 3<&0; echo out; echo err >&2; read x <&3 & exit 3"]
        {
            let finished = finish(script, soon()).unwrap();
            assert_eq!(finished.status.code(), Some(3));
            assert_eq!((finished.output.as_slice(), &*finished.complaint), (&b"out\n"[..], "err\n"));
        }
    }

    #[test]
    fn an_answer_has_a_limit_and_complaints_are_cut() {
        let finished = finish("head -c 65536 /dev/zero; head -c 99999 /dev/zero >&2", soon()).unwrap();
        assert_eq!(
            (finished.output.len(), finished.complaint.len()),
            (ANSWER_BYTES_MAX, COMPLAINT_BYTES_MAX)
        );
        assert!(matches!(finish("head -c 65537 /dev/zero", soon()), Err(Broken::TooMuch)));
        assert!(matches!(finish("exec cat /dev/zero", soon()), Err(Broken::TooMuch)));
    }

    #[test]
    fn a_program_beyond_its_time_is_ended() {
        assert!(matches!(finish("exec sleep 600", Instant::now()), Err(Broken::TimedOut)));
    }

    #[test]
    fn a_dropped_program_has_ended_and_is_no_zombie_even_if_it_would_not_listen() {
        for script in ["echo ready; read x", "trap '' TERM; echo ready; read x", "echo ready; kill -STOP $$"]
        {
            let mut program = Program::start(shell(script), soon(), None).unwrap();
            assert_eq!(program.read_line(100).unwrap().as_slice(), b"ready");
            let process = format!("/proc/{}", program.child.id());
            assert!(std::path::Path::new(&process).exists());
            drop(program);
            assert!(!std::path::Path::new(&process).exists(), "{script}");
        }
    }

    #[test]
    fn a_program_is_listened_to_line_by_line() {
        let script = "while read -r line; do echo \"you said $line\"; done; printf 'no line end'";
        let mut program = Program::start(shell(script), soon(), None).unwrap();
        for word in ["one", "two"] {
            program.send(&format!("{word}\n")).unwrap();
            assert_eq!(program.read_line(100).unwrap().as_slice(), format!("you said {word}").as_bytes());
        }
        program.send("three\n").unwrap();
        assert!(matches!(program.read_line(10), Err(Broken::TooMuch)));
        program.input = None;
        assert!(matches!(program.read_line(100), Err(Broken::Gone)));
    }

    #[test]
    fn a_program_is_listened_to_byte_by_byte_and_has_its_time_for_each_answer() {
        let mut program = Program::start(shell("cat; exec sleep 600"), soon(), None).unwrap();
        let sent = vec![7; 3 * PIECE_BYTES];
        program.send_bytes(&sent).unwrap();
        let (first, rest) = sent.split_at(10);
        assert_eq!(program.read_exact(first.len()).unwrap().as_slice(), first);
        assert_eq!(program.read_exact(rest.len()).unwrap().as_slice(), rest);
        program.send("a line\nand more").unwrap();
        assert_eq!(program.read_line(100).unwrap().as_slice(), b"a line");
        assert_eq!(program.read_exact(8).unwrap().as_slice(), b"and more");
        program.extend(Instant::now());
        assert!(matches!(program.read_exact(1), Err(Broken::TimedOut)));
    }

    #[test]
    fn what_is_no_program_cannot_be_run() {
        for path in ["/nonexistent/askpass", "/etc/passwd", "/"] {
            assert!(Program::start(Command::new(path), soon(), None).is_err(), "{path}");
        }
    }

    #[test]
    fn programs_are_given_whole_seconds() {
        let now = Instant::now();
        for (left, expected) in [(0, 1), (900, 1), (1999, 1), (2000, 2), (999_000, 600)] {
            let deadline = Some(now + Duration::from_millis(left));
            assert_eq!(seconds_left(deadline, now, ANSWER_TIME_MAX), expected);
        }
        assert_eq!(seconds_left(None, now, ANSWER_TIME_MAX), 600);
    }
}
