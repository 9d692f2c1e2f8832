//! A child that asks: this very test program, started again with the one test.
//!
//! It takes the terminal for its own, and has an environment of its own, which a process can do
//! only for itself.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use bits_client::prompt::{PromptOutcome, PromptRequest, prompt_for_credentials};

/// Names the terminal to the child.
const CHILD_TTY: &str = "BITS_CLIENT_TEST_TTY";
/// Says to the child that it is to have no terminal.
const NO_TTY: &str = "none";
/// What the child's last line begins with; before it, the test harness says things of its own.
const OUTCOME: &str = "OUTCOME ";
/// What the machine of the developer may have to ask with.
const TO_ASK_WITH: [&str; 9] = [
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "BITS_PROMPT",
    "BITS_PINENTRY",
    "BITS_ASKPASS",
    "SSH_ASKPASS",
    "SSH_ASKPASS_REQUIRE",
    "XDG_CURRENT_DESKTOP",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// In the child: asks, tells the parent how it ended, and ends. In the parent: nothing.
pub(crate) fn ask_in_the_child(request: impl FnOnce() -> PromptRequest) {
    let Some(tty) = std::env::var_os(CHILD_TTY) else { return };
    rustix::process::setsid().unwrap();
    // The first terminal that the leader of a session opens becomes its own.
    let _tty = (tty != NO_TTY).then(|| File::options().read(true).write(true).open(tty).unwrap());
    let outcome = match prompt_for_credentials(&request()) {
        Ok(PromptOutcome::Accepted { identity, save }) => {
            let strings = identity.encode_as_strings();
            let (user, domain) = (strings.user.unwrap(), strings.domain.unwrap_or_default());
            let password = strings.password.unwrap();
            let characters = password.expose().chars().count();
            let end: String = password.expose().chars().skip(characters - 2).collect();
            format!(
                "accepted: user {user}, domain {domain}, {characters} characters ending in {end}, save {save}"
            )
        }
        Ok(PromptOutcome::Unavailable { reason }) => format!("nobody: {reason}"),
        Ok(other) => format!("code {}", other.code()),
        Err(error) => format!("error {}: {error}", error.code()),
    };
    // Not by print, which the test harness may catch.
    writeln!(std::io::stdout().lock(), "{OUTCOME}{outcome}").unwrap();
    std::process::exit(0)
}

/// Starts `test`, named without this file's own module, as a child at `tty`.
pub(crate) fn start(test: &str, tty: &str, variables: &[(&str, &str)]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("prompt::{test}"), "--nocapture"]);
    for name in TO_ASK_WITH {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env(CHILD_TTY, tty);
    command.envs(variables.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Starts `test` as a child without a terminal.
pub(crate) fn start_without_terminal(test: &str, variables: &[(&str, &str)]) -> Child {
    start(test, NO_TTY, variables)
}

/// What a child without a terminal ends with.
pub(crate) fn outcome_without_terminal(test: &str, variables: &[(&str, &str)]) -> String {
    outcome_of(&mut start_without_terminal(test, variables))
}

pub(crate) fn outcome_of(child: &mut Child) -> String {
    let mut said = String::new();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let (_, outcome) = said.rsplit_once(OUTCOME).unwrap_or_else(|| panic!("no outcome in {said:?}"));
    outcome.trim_end().to_owned()
}
