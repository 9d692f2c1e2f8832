//! The real `systemd-ask-password`, and an agent that stands in for a console or a desktop.
//!
//! Agents find questions as files in one folder of the machine (systemd's "Password Agents"
//! specification). Each test looks there for the questions of its own target only.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bits_client::prompt::PromptRequest;
use bits_core::identity::Package;

use super::child::{ask_in_the_child, outcome_of, outcome_without_terminal, start_without_terminal};
use super::programs::{are_installed, skip};

const QUESTIONS: &str = "/run/systemd/ask-password";
const VARIABLES: [(&str, &str); 1] = [("BITS_PROMPT", "systemd")];

fn can_run() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    are_installed(&["systemd-ask-password"]) && (is_root || skip("only root can ask systemd's agents"))
}

/// A target that no other test run has.
fn target_of(test: &str) -> String {
    format!("server https://{test}.test")
}

fn request(test: &str) -> PromptRequest {
    PromptRequest {
        caption: Some("Sign in\nSocket=/tmp/elsewhere".into()),
        realm: Some("files\nSocket=/tmp/elsewhere".into()),
        ..PromptRequest::new(target_of(test), Package::Basic)
    }
}

/// An agent for the questions of one test.
struct Agent {
    target: String,
}

impl Agent {
    fn of(test: &str) -> Self {
        Self { target: target_of(test) }
    }

    /// The open question, if there is one.
    fn question(&self) -> Option<(PathBuf, String)> {
        let files = std::fs::read_dir(QUESTIONS).ok()?.filter_map(|file| Some(file.ok()?.path()));
        files
            .filter(|file| file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ask.")))
            .find_map(|file| {
                // It may be gone by now, or be another's.
                let text = std::fs::read_to_string(&file).ok()?;
                text.contains(&self.target).then_some((file, text))
            })
    }

    /// Waits until there is a question, and returns it.
    fn wait_for_question(&self, part: &str) -> (PathBuf, String) {
        until(&format!("question with {part:?}"), || {
            self.question().filter(|(_, text)| text.contains(part) && text.contains("Socket="))
        })
    }

    /// Answers the question that has `part` in it, and returns its lines.
    fn answer(&self, part: &str, answer: &str) -> Vec<String> {
        let (file, text) = self.wait_for_question(part);
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let sockets: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("Socket=")).collect();
        let [socket] = sockets[..] else { panic!("{text}") };
        UnixDatagram::unbound().unwrap().send_to(answer.as_bytes(), socket).unwrap();
        until("end of the question", || (!file.exists()).then_some(()));
        lines
    }
}

/// What `look` finds, as soon as it finds it.
#[track_caller]
fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn an_agent_is_asked_for_user_name_and_password() {
    ask_in_the_child(|| PromptRequest { save: Some(true), ..request("answers") });
    if !can_run() {
        return;
    }
    let test = "systemd::an_agent_is_asked_for_user_name_and_password";
    let mut child = start_without_terminal(test, &VARIABLES);
    let agent = Agent::of("answers");
    let name = agent.answer("User name", "+anna");
    let password = agent.answer("Password", "+hünter2");
    let outcome = outcome_of(&mut child);
    // Remembering is a question that agents have no answer to.
    assert_eq!(outcome, "accepted: user anna, domain , 7 characters ending in r2, save false");
    let message = "Message=OpenBITS asks for credentials. For: server https://answers.test (Basic) \
                   Realm: \"files Socket=/tmp/elsewhere\"";
    for (lines, expected) in [
        (name, ["Echo=1".to_owned(), format!("{message} User name:")]),
        (password, ["Echo=0".to_owned(), format!("{message} Password for anna:")]),
    ] {
        let has = |line: &String| lines.contains(line);
        assert!(expected.iter().all(has) && has(&"Id=bits:credentials".to_owned()), "{lines:?}");
    }
}

#[test]
fn an_agent_that_cancels_is_an_outcome() {
    ask_in_the_child(|| PromptRequest { user_name: Some("anna".into()), ..request("cancels") });
    if !can_run() {
        return;
    }
    let mut child = start_without_terminal("systemd::an_agent_that_cancels_is_an_outcome", &VARIABLES);
    let agent = Agent::of("cancels");
    agent.answer("User name [anna]:", "+");
    agent.answer("Password for anna:", "-");
    assert_eq!(outcome_of(&mut child), "code 0x000004C7");
}

#[test]
fn without_an_agent_the_time_runs_out_and_no_question_remains() {
    ask_in_the_child(|| PromptRequest { time_limit: Some(Duration::from_secs(1)), ..request("nobody") });
    if !can_run() {
        return;
    }
    let test = "systemd::without_an_agent_the_time_runs_out_and_no_question_remains";
    assert_eq!(outcome_without_terminal(test, &VARIABLES), "code 0x000005B4");
    assert_eq!(Agent::of("nobody").question(), None);
}

#[test]
fn a_process_that_is_killed_leaves_no_question() {
    ask_in_the_child(|| request("killed"));
    if !can_run() {
        return;
    }
    let mut child =
        start_without_terminal("systemd::a_process_that_is_killed_leaves_no_question", &VARIABLES);
    let agent = Agent::of("killed");
    let (file, text) = agent.wait_for_question("User name");
    let socket = text.lines().find_map(|line| line.strip_prefix("Socket=")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    until("end of the question", || (!file.exists() && !Path::new(socket).exists()).then_some(()));
}
