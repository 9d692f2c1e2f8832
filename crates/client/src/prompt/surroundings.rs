//! What this process has around it to ask a person with: environment, terminal, installed programs.
//!
//! What to make of it is decided elsewhere.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use bits_platform::program::{is_program, may_write};
use bits_platform::terminal::Terminal;

use super::PromptError;
use super::channel::{Channel, Facts, Require};
use super::one_run::dialog::Toolkit;

/// The facts, and the programs behind them.
pub(super) struct Surroundings {
    pub(super) facts: Facts,
    pub(super) askpass: Option<OsString>,
    pub(super) pinentry: Option<OsString>,
    pub(super) dialog: Option<(Toolkit, OsString)>,
    pub(super) systemd: Option<OsString>,
}

impl Surroundings {
    /// Looks around. `wanted` goes before what `BITS_PROMPT` says.
    pub(super) fn look(wanted: Option<Channel>) -> Result<Self, PromptError> {
        let wanted = match (wanted, variable("BITS_PROMPT")) {
            (None, Some(name)) => Some(named(&name)?),
            (wanted, _) => wanted,
        };
        let has_display = variable("DISPLAY").or_else(|| variable("WAYLAND_DISPLAY")).is_some();
        let (our_askpass, ssh_askpass) = (variable("BITS_ASKPASS"), variable("SSH_ASKPASS"));
        let require = variable("SSH_ASKPASS_REQUIRE");
        let pinentry = variable("BITS_PINENTRY").or_else(|| find_first(pinentries(has_display)));
        let dialog = find_dialog();
        let systemd = find("systemd-ask-password");
        let facts = Facts {
            wanted,
            has_terminal: Terminal::open().is_ok(),
            has_display,
            has_our_askpass: our_askpass.is_some(),
            has_ssh_askpass: ssh_askpass.is_some(),
            ssh_askpass_require: require
                .and_then(|value| value.to_str().map(Require::of))
                .unwrap_or_default(),
            has_pinentry: pinentry.is_some(),
            has_dialog: dialog.is_some(),
            has_systemd: systemd.is_some() && can_ask_agents(),
        };
        Ok(Self { facts, askpass: our_askpass.or(ssh_askpass), pinentry, dialog, systemd })
    }
}

/// The channel that `BITS_PROMPT` names.
fn named(name: &OsStr) -> Result<Channel, PromptError> {
    let channel = name.to_str().and_then(Channel::named);
    channel.ok_or_else(|| PromptError::NoSuchChannel {
        name: name.to_string_lossy().chars().take(CHANNEL_NAME_SHOWN_MAX).collect(),
    })
}

/// A variable of the environment; an empty one is none.
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Flavours of pinentry in the order in which they are looked for. The first is the one that the
/// system or its user has chosen.
fn pinentries(has_display: bool) -> impl Iterator<Item = &'static str> {
    let graphical = ["pinentry-gnome3", "pinentry-qt", "pinentry-gtk-2", "pinentry-gtk", "pinentry-fltk"];
    let graphical = graphical.into_iter().filter(move |_| has_display);
    ["pinentry"].into_iter().chain(graphical).chain(["pinentry-curses", "pinentry-tty"])
}

/// The dialogs of the desktop that is running come first.
fn find_dialog() -> Option<(Toolkit, OsString)> {
    let mut toolkits = [(Toolkit::Zenity, "zenity"), (Toolkit::Kdialog, "kdialog")];
    if variable("XDG_CURRENT_DESKTOP").is_some_and(|desktop| desktop.to_string_lossy().contains("KDE")) {
        toolkits.reverse();
    }
    toolkits.into_iter().find_map(|(toolkit, name)| find(name).map(|program| (toolkit, program)))
}

fn find_first(names: impl Iterator<Item = &'static str>) -> Option<OsString> {
    names.into_iter().find_map(find)
}

/// The program called `name` in the folders of `PATH`; only in absolute ones, as a working folder
/// may be anybody's.
fn find(name: &str) -> Option<OsString> {
    let path = env::var_os("PATH")?;
    let candidates = env::split_paths(&path).filter(|folder| folder.is_absolute());
    candidates.map(|folder| folder.join(name)).find(|file| is_program(file)).map(PathBuf::into_os_string)
}

/// Whether questions can be put to systemd's agents: systemd runs the machine (sd_booted(3)), and
/// their folder is open to this process.
fn can_ask_agents() -> bool {
    Path::new("/run/systemd/system").is_dir() && may_write(Path::new("/run/systemd/ask-password"))
}

/// How much of an unknown channel's name an error repeats; names of channels are short words.
const CHANNEL_NAME_SHOWN_MAX: usize = 32;
