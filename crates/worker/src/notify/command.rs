//! Runs a command of the owner: as the owner, without a shell, without a terminal, with an environment
//! that is the same each time.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use bits_core::job::JobId;
use bits_core::notify::NotifyCommand;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::CommandSettings;

/// Bytes of what a command writes that come into the log.
const OUTPUT_BYTES_MAX: usize = 8 * 1024;

/// Runs `command`, which learns of the job by the variables `about`. None when it was stopped.
///
/// Its working folder is `/` and its input is empty. It is in a process group of its own, which is
/// killed when it takes too long or the service stops; what it leaves running after its own end stays.
pub(super) async fn run(
    job: JobId,
    command: &NotifyCommand,
    about: &[(&'static str, String)],
    settings: &CommandSettings,
    stop: &CancellationToken,
) -> Option<Result<(), String>> {
    let program = &command.program;
    let (mut child, mut output) = match start(command, about, settings) {
        Ok(started) => started,
        Err(error) => return Some(Err(format!("`{program}` cannot be started: {error}"))),
    };
    let mut group = Group::of(&child);
    let deadline = Instant::now() + settings.time_limit;
    let mut written = Output::default();
    let mut piece = [0; 4096];
    let mut has_more = true;
    let outcome = loop {
        tokio::select! {
            // One that writes without end is ended all the same; what another wrote before its end is read
            // before the end is seen.
            biased;
            () = sleep_until(deadline) => {
                kill(&mut child, group).await;
                break Err(format!(
                    "it was killed after {} s (notify_command_timeout)",
                    settings.time_limit.as_secs()
                ));
            }
            () = stop.cancelled() => {
                kill(&mut child, group).await;
                return None;
            }
            read = output.read(&mut piece), if has_more => match read {
                Ok(0) | Err(_) => has_more = false,
                Ok(length) => written.take(&piece[..length]),
            },
            status = child.wait() => {
                // Its number may be another's from now on.
                group.0 = None;
                break match status {
                    Ok(status) => ended(status),
                    Err(error) => Err(format!("nobody can say how it ended: {error}")),
                };
            }
        }
    };
    written.log(job, program);
    Some(outcome)
}

fn start(
    command: &NotifyCommand,
    about: &[(&'static str, String)],
    settings: &CommandSettings,
) -> std::io::Result<(Child, Receiver)> {
    let (reader, writer) = std::io::pipe()?;
    let child = Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(settings.environment.iter().map(|(name, value)| (name, value)))
        .envs(about.iter().map(|(name, value)| (name, value.replace('\0', " "))))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, Receiver::from_owned_fd(OwnedFd::from(reader))?))
}

/// A command and what it has started, as far as that has stayed in its group: killed when this is dropped,
/// also where whoever waits for it is given up as a whole.
struct Group(Option<Pid>);

impl Group {
    /// Of a command that was not waited for yet, so that the number is its own.
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // It may have ended by itself.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Kills it and all of its group.
async fn kill(child: &mut Child, group: Group) {
    drop(group);
    let _ = child.kill().await;
}

fn ended(status: ExitStatus) -> Result<(), String> {
    match (status.success(), status.code(), status.signal()) {
        (true, ..) => Ok(()),
        (_, Some(code), _) => Err(format!("it ended with exit code {code}")),
        (_, None, Some(signal)) => Err(format!("it was killed by signal {signal}")),
        (_, None, None) => Err("it ended in a way that has no name".to_owned()),
    }
}

/// The beginning of what a command has written.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Output {
    fn take(&mut self, piece: &[u8]) {
        let room = OUTPUT_BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.is_cut |= piece.len() > room;
    }

    fn log(&self, job: JobId, program: &str) {
        if self.bytes.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.bytes);
        let cut = if self.is_cut { " (and more)" } else { "" };
        // Each control character is shown, so that no line of the log can be made up.
        tracing::info!(%job, program, "the notification command wrote {:?}{cut}", text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn command(program: &str, arguments: &[&str]) -> NotifyCommand {
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        NotifyCommand { program: program.to_owned(), arguments }
    }

    async fn outcome_of(command: &NotifyCommand, time_limit: Duration) -> Result<(), String> {
        let settings = CommandSettings { time_limit, environment: vec![("LANG".into(), "C".into())] };
        let (job, about) = (JobId([1; 16]), [("BITS_JOB_ID", "the id".to_owned())]);
        run(job, command, &about, &settings, &CancellationToken::new()).await.expect("nobody stops it")
    }

    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn how_a_command_ends_is_told() {
        for (command, expected) in [
            (command("/bin/sh", &["-c", "exit 0"]), Ok(())),
            (command("/bin/sh", &["-c", "exit 3"]), Err("it ended with exit code 3")),
            (command("/bin/sh", &["-c", "kill -9 $$"]), Err("it was killed by signal 9")),
            (command("/nowhere/to be found", &[]), Err("`/nowhere/to be found` cannot be started: No such")),
            (command("/", &[]), Err("`/` cannot be started: Permission denied")),
        ] {
            let outcome = outcome_of(&command, LONG).await;
            match expected {
                Ok(()) => assert_eq!(outcome, Ok(())),
                Err(beginning) => {
                    let reason = outcome.expect_err("it fails");
                    assert!(reason.starts_with(beginning), "{reason}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_command_finds_its_arguments_a_small_environment_and_no_descriptor_of_ours() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("seen");
        let _ours = std::fs::File::create(folder.path().join("ours")).expect("a file");
        let script = format!(
            "exec >{}; printf '%s\\0' \"$@\" \"$PWD\" \"$(env | grep -v '^\\(PWD\\|SHLVL\\|_\\|OLDPWD\\)=' | sort)\"; \
             for fd in /proc/$$/fd/*; do case ${{fd##*/}} in 0|1|2) ;; *) readlink $fd;; esac; done; cat",
            file.display()
        );
        let hostile = ["a b", "$(touch /tmp/x)", "'\"`", "two\nlines", "", "*"];
        let mut arguments = vec!["-c", &script, "name"];
        arguments.extend(hostile);
        assert_eq!(outcome_of(&command("/bin/sh", &arguments), LONG).await, Ok(()));
        let seen = std::fs::read_to_string(&file).expect("it was written");
        let mut seen: Vec<&str> = seen.split('\0').collect();
        let descriptors = seen.pop().expect("the last part");
        assert!(!descriptors.contains("ours"), "{descriptors}");
        let environment = seen.pop().expect("the part before");
        assert_eq!(environment, "BITS_JOB_ID=the id\nLANG=C");
        assert_eq!(seen.pop(), Some("/"));
        assert_eq!(seen, hostile);
    }

    #[tokio::test]
    async fn what_takes_too_long_is_killed_with_what_it_has_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let script = format!("mkfifo {0}; (exec 3<>{0}; read line <&3) & cat {0}", fifo.display());
        let reason = outcome_of(&command("/bin/sh", &["-c", &script]), Duration::from_millis(300)).await;
        assert_eq!(reason, Err("it was killed after 0 s (notify_command_timeout)".to_owned()));
        // Whoever opens the other end without waiting finds that nobody reads any more.
        let open = || {
            use std::os::unix::fs::OpenOptionsExt;
            let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).expect("small");
            std::fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(&fifo)
        };
        let deadline = std::time::Instant::now() + LONG;
        while open().is_ok() {
            assert!(std::time::Instant::now() < deadline, "what it has started still reads");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_command_is_stopped_with_the_service_and_nothing_is_said_of_it() {
        let (stop, settings) = (CancellationToken::new(), CommandSettings::default());
        stop.cancel();
        let command = command("/bin/sleep", &["1000"]);
        assert_eq!(run(JobId([1; 16]), &command, &[], &settings, &stop).await, None);
    }

    #[test]
    fn only_the_beginning_of_what_a_command_writes_is_kept() {
        let mut output = Output::default();
        output.take(&[b'a'; 5000]);
        assert!(!output.is_cut);
        output.take(&[b'b'; 5000]);
        output.take(b"c");
        assert_eq!((output.bytes.len(), output.is_cut), (OUTPUT_BYTES_MAX, true));
    }
}
