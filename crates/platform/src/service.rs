//! Starting the service again after a reboot: a systemd user unit, or a desktop autostart entry
//! where there is no systemd.
//!
//! Starting it now is not done here ([`process`](crate::process) does that), and nothing here needs
//! root: whether a user's services run without a login is the user's to say.

mod desktop;
mod notify;
mod systemd;

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bits_core::units::Bytes;

use crate::caller::{own_uid, user_name};
use crate::files::{Existing, FileError, FinalizeError, Folder, Partial, PartialError, Umask, partial_name};

pub use notify::tell_manager_ready;

/// With this code a service says that another one is running already, so that systemd does not try
/// again (`EX_TEMPFAIL` of sysexits).
pub const EXIT_ALREADY_RUNNING: u8 = 75;

/// With this code `bits` says that credentials are needed and nobody gave any; its agent, that there is
/// nobody to ask.
pub const EXIT_NOBODY_TO_ASK: u8 = 5;

/// What is to be started, and as what.
#[derive(Debug, Clone)]
pub struct ServiceEntry {
    /// The program `bitsd`, absolute.
    pub program: PathBuf,
    /// Arguments, if any.
    pub arguments: Vec<String>,
    /// Variables it needs to find its things: `XDG_STATE_HOME` where it is not the usual one.
    pub environment: Vec<(String, String)>,
    /// `$XDG_CONFIG_HOME`, absolute.
    pub config_home: PathBuf,
    /// The program `bits`, absolute, where its agent is to be started too, in each graphical session.
    pub agent: Option<PathBuf>,
}

/// Who starts the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starter {
    /// systemd's manager of this user.
    Systemd,
    /// The desktop, on login.
    Desktop,
}

/// What has been installed.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    /// Files made or replaced.
    pub files: Vec<PathBuf>,
    /// What is left for the person to know or do, one sentence each.
    pub hints: Vec<String>,
}

/// Why the service was not installed or uninstalled.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error("{0:?} cannot be written into a unit: it must be text without control characters")]
    NotWritable(String),
    #[error("the program {} must be named by an absolute path", .0.display())]
    ProgramIsRelative(PathBuf),
    #[error("systemd starts no program with a quote or a backslash in its path: {}", .0.display())]
    ProgramIsQuoted(PathBuf),
    #[error("{} is not from here: remove it, or move it away, first", .0.display())]
    NotOurs(PathBuf),
    #[error("the folder {} cannot be made: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Partial(#[from] PartialError),
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
}

impl Starter {
    /// What this machine has.
    pub fn of_this_machine() -> Self {
        // The sign that systemd's own `sd_booted` looks for.
        if Path::new("/run/systemd/system").is_dir() { Self::Systemd } else { Self::Desktop }
    }
}

/// Installs the service to be started by `starter` and, with systemd, tells a running manager.
pub fn install(entry: &ServiceEntry, starter: Starter) -> Result<Installed, ServiceError> {
    let files = write_files(entry, starter)?;
    let hints = match starter {
        Starter::Systemd => systemd_hints(),
        Starter::Desktop => vec![
            "There is no systemd here: the service starts when you log in to a desktop. Elsewhere, `bits` starts it when it is needed.".into(),
        ],
    };
    Ok(Installed { files, hints })
}

/// Takes away what [`install`] has put below `config_home`, whoever was to start it. Returns what
/// was removed; nothing is not an error. A running service goes on.
pub fn uninstall(config_home: &Path) -> Result<Vec<PathBuf>, ServiceError> {
    let removed = remove_files(config_home)?;
    if removed.iter().any(|path| *path == systemd::unit_path(config_home)) {
        systemctl(&["daemon-reload"]);
    }
    Ok(removed)
}

/// Whether the services of this user run without a login: systemd's lingering.
pub fn is_lingering() -> bool {
    user_name(own_uid()).is_some_and(|name| Path::new("/var/lib/systemd/linger").join(name).exists())
}

/// How the unit of the service stands with systemd's manager of this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitState {
    /// There is none that answers.
    NoManager,
    NotInstalled,
    /// In systemd's words: `active`, `inactive`, `failed` …; `enabled`, `disabled` …
    Installed {
        active: String,
        enabled: String,
    },
}

/// Asks systemd's manager of this user about the unit.
pub fn unit_state() -> UnitState {
    let shown = Command::new("systemctl")
        .args(["--user", "show", systemd::UNIT_NAME, "--property=LoadState,ActiveState,UnitFileState"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match shown {
        Ok(output) if output.status.success() => state_in(&String::from_utf8_lossy(&output.stdout)),
        _ => UnitState::NoManager,
    }
}

fn state_in(shown: &str) -> UnitState {
    let value = |name: &str| {
        let found = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    match value("LoadState").as_str() {
        "" => UnitState::NoManager,
        "not-found" => UnitState::NotInstalled,
        _ => UnitState::Installed { active: value("ActiveState"), enabled: value("UnitFileState") },
    }
}

/// The files for `starter`, written; those for the other one are taken away.
fn write_files(entry: &ServiceEntry, starter: Starter) -> Result<Vec<PathBuf>, ServiceError> {
    if let Some(relative) =
        [Some(&entry.program), entry.agent.as_ref()].into_iter().flatten().find(|p| p.is_relative())
    {
        return Err(ServiceError::ProgramIsRelative(relative.clone()));
    }
    let home = &entry.config_home;
    // All texts before any file.
    let (mut new, mut links) = (Vec::new(), Vec::new());
    match starter {
        Starter::Systemd => {
            new.push((systemd::unit_path(home), systemd::unit(entry)?));
            links.push((systemd::unit_path(home), systemd::wanted_path(home)));
            if let Some(agent) = &entry.agent {
                new.push((systemd::agent_path(home), systemd::agent(entry, agent)?));
                links.push((systemd::agent_path(home), systemd::agent_wanted_path(home)));
            }
        }
        Starter::Desktop => {
            new.push((desktop::entry_path(home), desktop::entry(entry)?));
            if let Some(agent) = &entry.agent {
                new.push((desktop::agent_path(home), desktop::agent(entry, agent)?));
            }
        }
    }
    remove_files(home)?;
    let mut files = Vec::new();
    for (path, text) in new {
        write_file(&path, &text)?;
        files.push(path);
    }
    for (path, wanted) in links {
        make_folder_of(&wanted)?;
        std::os::unix::fs::symlink(&path, &wanted)
            .map_err(|source| FileError::new("make", &wanted, source))?;
        files.push(wanted);
    }
    Ok(files)
}

fn remove_files(config_home: &Path) -> Result<Vec<PathBuf>, ServiceError> {
    let paths = all_paths(config_home);
    // All are looked at before any is removed.
    if let Some(foreign) = paths.iter().find(|path| !is_ours_or_missing(path)) {
        return Err(ServiceError::NotOurs(foreign.clone()));
    }
    let mut removed = Vec::new();
    for path in paths {
        match std::fs::remove_file(&path) {
            Ok(()) => removed.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(FileError::new("remove", &path, source).into()),
        }
    }
    Ok(removed)
}

/// Everything that may have been installed, what depends on another before it.
fn all_paths(config_home: &Path) -> [PathBuf; 6] {
    [
        systemd::agent_wanted_path(config_home),
        systemd::wanted_path(config_home),
        systemd::agent_path(config_home),
        systemd::unit_path(config_home),
        desktop::agent_path(config_home),
        desktop::entry_path(config_home),
    ]
}

/// The first line of each file written here. A person who makes the file their own takes it out.
const MARK: &str = "# Made by `bits service install`, and replaced and removed with it.";
/// A unit or an entry is not longer; only this much is looked at.
const FILE_BYTES_MAX: u64 = 64 << 10;

fn is_ours_or_missing(path: &Path) -> bool {
    use std::io::Read;

    match path.symlink_metadata() {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        // Units are enabled by links, ours and systemctl's: to the unit, wherever that is now.
        Ok(metadata) if metadata.is_symlink() => {
            path.parent().and_then(Path::extension) == Some(OsStr::new("wants"))
        }
        Ok(metadata) if metadata.is_file() => std::fs::File::open(path).is_ok_and(|file| {
            let mut text = String::new();
            file.take(FILE_BYTES_MAX).read_to_string(&mut text).is_ok() && text.starts_with(MARK)
        }),
        Ok(_) => false,
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), ServiceError> {
    let folder = Arc::new(Folder::open(make_folder_of(path)?)?);
    let name = path.file_name().expect("our files have names");
    let unfinished = partial_name(name, "install", 0);
    Partial::discard_named(&folder, &unfinished)?;
    let partial = Partial::create(folder, unfinished)?;
    partial.write_at(text.as_bytes(), Bytes::ZERO).map_err(PartialError::from)?;
    Ok(partial.finalize(name, Umask::USUAL, Existing::Keep)?)
}

fn make_folder_of(path: &Path) -> Result<&Path, ServiceError> {
    let folder = path.parent().expect("our files are in folders");
    match std::fs::create_dir_all(folder) {
        Ok(()) => Ok(folder),
        Err(source) => Err(ServiceError::Folder { path: folder.into(), source }),
    }
}

fn systemd_hints() -> Vec<String> {
    let mut hints = Vec::new();
    if !systemctl(&["daemon-reload"]) {
        hints.push(
            "systemd's manager of your user does not answer here; it finds the unit when it starts.".into(),
        );
    }
    if is_lingering() {
        hints.push("Lingering is on: the service starts with the machine.".into());
    } else {
        hints.push(
            "Lingering is off: the service starts when you log in and ends when you log out. `loginctl enable-linger` lets it run from start to shutdown.".into(),
        );
    }
    hints
}

/// Whether this user's manager did as told.
fn systemctl(arguments: &[&str]) -> bool {
    Command::new("systemctl")
        .arg("--user")
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Text that may stand in a line of a unit or an entry.
fn writable(text: &OsStr) -> Result<&str, ServiceError> {
    text.to_str()
        .filter(|text| !text.chars().any(char::is_control))
        .ok_or_else(|| ServiceError::NotWritable(text.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests;
