//! A desktop's dialogs, through `zenity` (GTK) or `kdialog` (Qt).
//!
//! Their texts are more than text to them: escapes, shortcuts, markup. What is shown here is only
//! ever text.

use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use bits_platform::shown::shown;
use bits_platform::terminal::NoAnswer;

use super::{Asked, Asker, What};
use bits_platform::program::ANSWER_TIME_MAX;

pub(in crate::prompt) struct Dialog {
    pub(in crate::prompt) toolkit: Toolkit,
    pub(in crate::prompt) program: OsString,
}

/// Whose dialogs they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::prompt) enum Toolkit {
    Zenity,
    Kdialog,
}

impl Asker for Dialog {
    const CANNOT_RUN: &'static str = "the program for dialogs cannot be run";
    const TIME_MAX: Duration = ANSWER_TIME_MAX;

    fn command(&self, asked: &Asked<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.stderr(Stdio::piped());
        command.args(match self.toolkit {
            Toolkit::Zenity => zenity(asked),
            Toolkit::Kdialog => kdialog(asked),
        });
        // What zenity's exit status says can be set from outside.
        ZENITY_STATUSES.iter().for_each(|name| {
            command.env_remove(name);
        });
        command
    }

    fn verdict(&self, status: ExitStatus, complaint: &str) -> Result<bool, NoAnswer> {
        match (self.toolkit, status.code()) {
            (_, Some(0)) => Ok(true),
            // Of a display that is named and not there, GTK's status is the same as of a cancel.
            (_, Some(1)) if complaint.contains("cannot open display") => Err(NO_DISPLAY),
            (_, Some(1)) => Ok(false),
            (Toolkit::Kdialog, Some(2)) => Err(NoAnswer::Cancelled),
            (Toolkit::Zenity, Some(5)) => Err(NoAnswer::TimedOut),
            _ => Err(NO_DISPLAY),
        }
    }

    fn can_ask_whether(&self) -> bool {
        true
    }
}

const NO_DISPLAY: NoAnswer = NoAnswer::Unavailable("no dialog can be shown on the display");
const TITLE: &str = "--title=OpenBITS";
const ZENITY_STATUSES: [&str; 6] =
    ["ZENITY_OK", "ZENITY_CANCEL", "ZENITY_ESC", "ZENITY_EXTRA", "ZENITY_ERROR", "ZENITY_TIMEOUT"];

fn zenity(asked: &Asked<'_>) -> Vec<String> {
    let text = asked.in_lines();
    let mut arguments = vec![TITLE.to_owned(), format!("--timeout={}", asked.seconds)];
    match asked.what {
        What::Name(question) => {
            let offered = shown(question.offered.unwrap_or_default());
            arguments.extend(["--entry".into(), format!("--entry-text={offered}")]);
            arguments.push(format!("--text={}", plain_label(&text)));
        }
        What::Secret(_) => {
            arguments.extend(["--entry".into(), "--hide-text".into()]);
            arguments.push(format!("--text={}", plain_label(&text)));
        }
        What::Whether { preset, .. } => {
            // Without markup the text is not looked into at all.
            arguments.extend(["--question".into(), "--no-markup".into(), format!("--text={text}")]);
            arguments.extend(["--ok-label=Yes".into(), "--cancel-label=No".into()]);
            if !preset {
                arguments.push("--default-cancel".into());
            }
        }
    }
    arguments
}

/// `text` for a label of zenity's, in which a backslash is an escape and an underline marks a key.
fn plain_label(text: &str) -> String {
    text.replace('\\', r"\\").replace('_', "__")
}

fn kdialog(asked: &Asked<'_>) -> Vec<String> {
    let mut arguments = vec![TITLE.to_owned()];
    match asked.what {
        What::Name(question) => {
            let offered = shown(question.offered.unwrap_or_default());
            // In this one an ampersand marks a key.
            let text = plain_qt(&asked.in_lines()).replace('&', "&&");
            arguments.extend([format!("--inputbox={text}"), "--".into(), offered]);
        }
        // This one loses line ends, and with them what keeps foreign lines apart from ours.
        What::Secret(_) => arguments.push(format!("--password={}", plain_qt(&asked.in_one_line()))),
        What::Whether { .. } => arguments.push(format!("--yesno={}", plain_qt(&asked.in_lines()))),
    }
    arguments
}

/// `text` for kdialog, in which a backslash is an escape. What looks like markup is taken for it in
/// some of its dialogs, so it becomes what looks nearly the same.
fn plain_qt(text: &str) -> String {
    text.replace('\\', r"\\").replace('<', "‹").replace('>', "›")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_dialog_s_end_is_a_verdict() {
        use Toolkit::{Kdialog, Zenity};
        const SIGABRT: i32 = 6;
        for (toolkit, status, complaint, expected) in [
            (Zenity, 0, "a warning of GTK's", "Ok(true)"),
            (Zenity, 1 << 8, "a warning of GTK's", "Ok(false)"),
            (Zenity, 1 << 8, "Gtk-WARNING: cannot open display: :7", &format!("Err({NO_DISPLAY:?})")),
            (Zenity, 5 << 8, "", "Err(TimedOut)"),
            (Zenity, 255 << 8, "", &format!("Err({NO_DISPLAY:?})")),
            (Kdialog, 0, "", "Ok(true)"),
            (Kdialog, 1 << 8, "", "Ok(false)"),
            (Kdialog, 2 << 8, "", "Err(Cancelled)"),
            (Kdialog, 5 << 8, "", &format!("Err({NO_DISPLAY:?})")),
            (Kdialog, SIGABRT, "could not connect to display", &format!("Err({NO_DISPLAY:?})")),
        ] {
            let dialog = Dialog { toolkit, program: "dialog".into() };
            let verdict = dialog.verdict(ExitStatus::from_raw(status), complaint);
            assert_eq!(format!("{verdict:?}"), expected, "{toolkit:?} {status}");
        }
    }

    #[test]
    fn texts_are_only_ever_text() {
        let text = r"--a_b <b>bold</b> CORP\nina &amp; \";
        assert_eq!(plain_label(text), r"--a__b <b>bold</b> CORP\\nina &amp; \\");
        assert_eq!(plain_qt(text), r"--a_b ‹b›bold‹/b› CORP\\nina &amp; \\");
    }
}
