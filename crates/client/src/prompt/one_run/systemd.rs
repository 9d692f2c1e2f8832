//! systemd's password agents, through `systemd-ask-password`: whoever watches the machine's console,
//! boot screen or desktop answers. There are only texts to be asked for.
//!
//! The question reaches agents as one line of a file, so there is one line. Only the machine's
//! administrator can ask.

use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use bits_platform::terminal::NoAnswer;

use super::{Asked, Asker, What};

pub(in crate::prompt) struct SystemdAskPassword {
    pub(in crate::prompt) program: OsString,
}

impl Asker for SystemdAskPassword {
    const CANNOT_RUN: &'static str = "systemd-ask-password cannot be run";
    /// Its own default: there may be no agent at all, and nothing says so.
    const TIME_MAX: Duration = Duration::from_secs(90);

    fn command(&self, asked: &Asked<'_>) -> Command {
        let mut command = Command::new(&self.program);
        // In words that are known, see below; the question goes to others as it is.
        command.env("LC_ALL", "C").stderr(Stdio::piped());
        command.args(["--no-tty", "--id=bits:credentials", "--icon=dialog-password"]);
        command.arg(format!("--timeout={}", asked.seconds));
        if matches!(asked.what, What::Name(_)) {
            command.arg("--echo=yes");
        }
        command.arg("--").arg(asked.in_one_line());
        command
    }

    /// Its status is 1 whatever went wrong; what did is in its complaint.
    fn verdict(&self, status: ExitStatus, complaint: &str) -> Result<bool, NoAnswer> {
        match complaint {
            _ if status.success() => Ok(true),
            _ if complaint.contains("Timer expired") => Err(NoAnswer::TimedOut),
            _ if complaint.contains("Operation canceled") => Ok(false),
            _ => Err(NoAnswer::Unavailable("systemd-ask-password cannot ask here")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn what_systemd_ask_password_complains_of_is_a_verdict() {
        let failed = ExitStatus::from_raw(1 << 8);
        for (status, complaint, expected) in [
            (ExitStatus::from_raw(0), "", "Ok(true)"),
            (failed, "Failed to query password: Operation canceled\n", "Ok(false)"),
            (failed, "Failed to query password: Timer expired\n", "Err(TimedOut)"),
            (failed, "Failed to query password: Permission denied\n", "Err(Unavailable"),
            (failed, "", "Err(Unavailable"),
        ] {
            let asker = SystemdAskPassword { program: "systemd-ask-password".into() };
            let verdict = format!("{:?}", asker.verdict(status, complaint));
            assert!(verdict.starts_with(expected), "{complaint}: {verdict}");
        }
    }
}
