//! Real dialogs on a display that nobody sees, and fingers that type into them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bits_client::prompt::PromptRequest;

use super::child::{ask_in_the_child, outcome_of, outcome_without_terminal, start_without_terminal};
use super::programs::are_installed;
use super::request;

const CANCELLED: &str = "code 0x000004C7";
const TIMED_OUT: &str = "code 0x000005B4";
/// The desktop that makes a program of dialogs the first choice.
const TOOLKITS: [(&str, &str); 2] = [("zenity", "GNOME"), ("kdialog", "KDE")];

/// A display of its own.
struct Display {
    server: Child,
    name: String,
    /// The program whose window was answered last.
    answered: Option<String>,
}

impl Display {
    /// `None` on a machine without the programs, where the test is skipped.
    fn start() -> Option<Self> {
        if !are_installed(&["Xvfb", "setxkbmap", "xdotool", "zenity", "kdialog"]) {
            return None;
        }
        let mut command = Command::new("Xvfb");
        // Else it begins anew when a window closes, and who comes at that moment finds no display.
        command.arg("-noreset");
        command.args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"]);
        let mut server =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.is_empty(), "the display does not start");
        let name = format!(":{}", number.trim());
        // A keyboard that has an ü: fingers give themselves keys they miss, too late for some windows.
        let keyboard = Command::new("setxkbmap").args(["-display", &name, "de"]).status().unwrap();
        assert!(keyboard.success());
        Some(Self { server, name, answered: None })
    }

    /// Starts `test` as a child on this display and the desktop called `desktop`.
    fn start_child(&self, test: &str, desktop: &str) -> Child {
        let variables = [
            ("BITS_PROMPT", "dialog"),
            ("DISPLAY", &*self.name),
            ("XDG_CURRENT_DESKTOP", desktop),
            // It is asked neither to speak nor to start what would let it.
            ("NO_AT_BRIDGE", "1"),
        ];
        start_without_terminal(test, &variables)
    }

    /// Waits for the next window of ours, and presses `keys` in it, after typing `text`.
    #[track_caller]
    fn answer(&mut self, text: &str, key: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let (window, program) = loop {
            let windows = self.fingers(&["search", "--onlyvisible", "--name", "^OpenBITS"]);
            let window = windows.lines().next().unwrap_or_default().to_owned();
            let program = self.fingers(&["getwindowpid", &window]);
            // A window that has just been answered may be there still, or be gone by now.
            if !program.is_empty() && Some(&program) != self.answered.as_ref() {
                break (window, program);
            }
            assert!(Instant::now() < deadline, "no window");
        };
        // No window manager does it here.
        self.fingers(&["windowfocus", "--sync", &window]);
        if !text.is_empty() {
            self.fingers(&["type", "--delay", "20", text]);
        }
        self.fingers(&["key", key]);
        self.answered = Some(program);
    }

    fn fingers(&self, does: &[&str]) -> String {
        let mut command = Command::new("xdotool");
        let output = command.args(does).env("DISPLAY", &self.name).env("LC_ALL", "C.UTF-8").output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_dialog_asks_for_user_name_and_password_and_whether_to_remember() {
    ask_in_the_child(|| PromptRequest { save: Some(true), ..request() });
    let Some(mut display) = Display::start() else { return };
    let test = "dialog::a_dialog_asks_for_user_name_and_password_and_whether_to_remember";
    for (toolkit, desktop) in TOOLKITS {
        let mut child = display.start_child(test, desktop);
        display.answer("jürgen", "Return");
        display.answer("hünter2", "Return");
        display.answer("", "Return");
        assert_eq!(
            outcome_of(&mut child),
            "accepted: user jürgen, domain , 7 characters ending in r2, save true",
            "{toolkit}"
        );
    }
}

#[test]
fn a_dialog_offers_a_user_name_as_it_is() {
    ask_in_the_child(|| PromptRequest {
        user_name: Some("CORP\\--an_na&<b>".into()),
        caption: Some("--title=<b>Bank</b> \\n &amp; _x".into()),
        save: Some(false),
        ..request()
    });
    let Some(mut display) = Display::start() else { return };
    for (toolkit, desktop) in TOOLKITS {
        let mut child = display.start_child("dialog::a_dialog_offers_a_user_name_as_it_is", desktop);
        display.answer("", "Return");
        display.answer("hunter2", "Return");
        display.answer("", "Escape");
        let outcome = outcome_of(&mut child);
        // kdialog knows a cancel beside a no.
        let expected = match toolkit {
            "kdialog" => CANCELLED,
            _ => "accepted: user --an_na&<b>, domain CORP, 7 characters ending in r2, save false",
        };
        assert_eq!(outcome, expected, "{toolkit}");
    }
}

#[test]
fn a_dialog_that_is_closed_cancels() {
    ask_in_the_child(request);
    let Some(mut display) = Display::start() else { return };
    for (toolkit, desktop) in TOOLKITS {
        let mut child = display.start_child("dialog::a_dialog_that_is_closed_cancels", desktop);
        display.answer("anna", "Return");
        display.answer("half", "Escape");
        assert_eq!(outcome_of(&mut child), CANCELLED, "{toolkit}");
    }
}

#[test]
fn nobody_before_a_dialog_is_a_time_out() {
    ask_in_the_child(|| PromptRequest { time_limit: Some(Duration::from_secs(1)), ..request() });
    let Some(display) = Display::start() else { return };
    for (toolkit, desktop) in TOOLKITS {
        let mut child = display.start_child("dialog::nobody_before_a_dialog_is_a_time_out", desktop);
        assert_eq!(outcome_of(&mut child), TIMED_OUT, "{toolkit}");
    }
}

#[test]
fn a_display_that_is_not_there_is_no_cancel() {
    ask_in_the_child(request);
    if !are_installed(&["zenity", "kdialog"]) {
        return;
    }
    for (toolkit, desktop) in TOOLKITS {
        let variables = [("BITS_PROMPT", "dialog"), ("DISPLAY", ":none"), ("XDG_CURRENT_DESKTOP", desktop)];
        let outcome =
            outcome_without_terminal("dialog::a_display_that_is_not_there_is_no_cancel", &variables);
        assert_eq!(outcome, "nobody: no dialog can be shown on the display", "{toolkit}");
    }
}
