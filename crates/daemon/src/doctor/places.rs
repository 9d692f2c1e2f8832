//! The folders, files and sockets of a service: whose they are, who else can use them, and how much
//! room there is.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use bits_api::finding::Finding;
use bits_core::units::Bytes;
use bits_platform::caller::own_uid;
use bits_platform::paths::{Paths, SOCKET_PATH_BYTES_MAX};
use bits_platform::space;

/// With less room than this the queue cannot be written for long.
const ROOM_MIN: Bytes = Bytes(16 << 20);
/// With less than this a person should know.
const ROOM_WANTED: Bytes = Bytes(256 << 20);
/// Who may do what, without the bits that change whose a program is.
const PERMISSIONS: u32 = 0o777;

pub(super) fn check(paths: &Paths) -> Vec<Finding> {
    let mut findings = vec![state_folder(&paths.state_folder)];
    // A key that others may use opens all credentials; the rest tells of transfers.
    let (key, log) = (paths.key_file(), paths.log_file());
    let saved = (paths.saved_credentials(), paths.saved_credentials_key_file());
    let mut files = vec![key.as_path(), &log, &saved.0, &saved.1];
    let database = paths.database_files();
    files.extend(database.iter().map(std::path::PathBuf::as_path));
    findings.extend(files.into_iter().filter_map(private_file));
    findings.extend(settings_file(&paths.settings()));
    findings.extend(room(&paths.state_folder));
    findings.extend(paths.sockets().iter().map(|socket| self::socket(socket)));
    findings
}

fn state_folder(path: &Path) -> Finding {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok("folder", format!("{shown} is not there yet; the service makes it"));
        }
        Err(error) => {
            let advice = "let this user reach it, or set XDG_STATE_HOME to another folder";
            return Finding::bad("folder", format!("{shown} cannot be looked at: {error}"), advice);
        }
    };
    let mode = metadata.mode() & PERMISSIONS;
    if metadata.is_symlink() || !metadata.is_dir() {
        let advice = "move it away; the service makes a folder in its place";
        return Finding::bad("folder", format!("{shown} is no folder of its own"), advice);
    }
    if metadata.uid() != own_uid() {
        let finding = format!("{shown} belongs to user {}, not to this one ({})", metadata.uid(), own_uid());
        return Finding::bad(
            "folder",
            finding,
            format!("chown -R it, or set XDG_STATE_HOME; see `ls -ld {shown}`"),
        );
    }
    if mode & 0o022 != 0 {
        let finding = format!("others may write to {shown} (mode {mode:04o}); the service does not start so");
        return Finding::bad("folder", finding, format!("chmod 700 '{shown}'"));
    }
    if mode & 0o700 != 0o700 {
        let finding = format!("{shown} is closed to its own user (mode {mode:04o})");
        return Finding::bad("folder", finding, format!("chmod 700 '{shown}'"));
    }
    if mode & 0o055 != 0 {
        let finding = format!("others may look into {shown} (mode {mode:04o}); its files are closed to them");
        return Finding::warning("folder", finding, format!("chmod 700 '{shown}'"));
    }
    Finding::ok("folder", format!("{shown} is this user's alone"))
}

/// What is wrong with a file that is to be this user's alone; nothing when it is not there.
fn private_file(path: &Path) -> Option<Finding> {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        // The folder has said so.
        Err(_) => return None,
    };
    let mode = metadata.mode() & PERMISSIONS;
    if !metadata.is_file() {
        let advice = "find out who put it there, and move it away";
        return Some(Finding::bad("files", format!("{shown} is no file but something else"), advice));
    }
    if metadata.uid() != own_uid() {
        let finding = format!("{shown} belongs to user {}", metadata.uid());
        return Some(Finding::bad("files", finding, format!("chown it to this user ({})", own_uid())));
    }
    if mode & 0o077 != 0 {
        let is_key = path.extension().is_some_and(|ending| ending == "key");
        let (what, more) = match is_key {
            true => ("use the key", "; if they may have read it, change the passwords sealed with it"),
            false => ("read", ""),
        };
        let finding = format!("others may {what} {shown} (mode {mode:04o})");
        let advice = format!("chmod 600 '{shown}'{more}");
        let make = if is_key { Finding::bad } else { Finding::warning };
        return Some(make("files", finding, advice));
    }
    Some(Finding::ok("files", format!("{shown} is this user's alone")))
}

/// Who may write settings may send transfers through a proxy of theirs.
fn settings_file(path: &Path) -> Option<Finding> {
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.mode() & PERMISSIONS;
    let others_own = ![own_uid(), 0].contains(&metadata.uid());
    (others_own || mode & 0o022 != 0).then(|| {
        let finding = format!(
            "others may change the settings {} (user {}, mode {mode:04o}), and with them the proxy",
            path.display(),
            metadata.uid()
        );
        Finding::warning("settings", finding, format!("chmod go-w '{}'", path.display()))
    })
}

/// How much can still be written, in the nearest folder that is there.
fn room(folder: &Path) -> Option<Finding> {
    let there = folder.ancestors().find(|folder| folder.is_dir())?;
    let shown = there.display();
    Some(match space::free(there) {
        Ok(free) if free < ROOM_MIN => Finding::bad(
            "space",
            format!("{} MiB are free in {shown}; no job can be added or go on", free.0 >> 20),
            "make room there; jobs go on by themselves then",
        ),
        Ok(free) if free < ROOM_WANTED => Finding::warning(
            "space",
            format!("{} MiB are free in {shown}, where the queue is", free.0 >> 20),
            "make room there before it is full",
        ),
        Ok(free) => {
            Finding::ok("space", format!("{} MiB are free in {shown}, where the queue is", free.0 >> 20))
        }
        Err(error) => Finding::warning(
            "space",
            format!("how much room there is in {shown} cannot be seen: {error}"),
            "look with `df`",
        ),
    })
}

fn socket(path: &Path) -> Finding {
    let shown = path.display();
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok("socket", format!("{shown} is not there: no service listens at it"));
        }
        Err(error) => {
            let advice = "let this user reach its folder";
            return Finding::bad("socket", format!("{shown} cannot be looked at: {error}"), advice);
        }
    };
    match wrong_with(&metadata, UnixStream::connect(path).map(drop)) {
        None => Finding::ok("socket", format!("a service answers at {shown}")),
        Some(Trouble::LeftOver) => {
            Finding::ok("socket", format!("{shown} is left over; the next service replaces it"))
        }
        Some(Trouble::NoSocket) => {
            Finding::bad("socket", format!("{shown} is no socket"), "move it away; no service starts before")
        }
        Some(Trouble::OfSomebodyElse(uid)) => Finding::bad(
            "socket",
            format!("{shown} belongs to user {uid}: whoever connects talks to them"),
            "find out how it came there; set XDG_RUNTIME_DIR to this user's own folder",
        ),
        Some(Trouble::Silent(error)) => Finding::bad(
            "socket",
            format!("{shown} is there and cannot be connected to: {error}"),
            format!("a path has {SOCKET_PATH_BYTES_MAX} bytes at most; else `bits service restart`"),
        ),
    }
}

enum Trouble {
    LeftOver,
    NoSocket,
    OfSomebodyElse(u32),
    Silent(io::Error),
}

fn wrong_with(metadata: &Metadata, connected: io::Result<()>) -> Option<Trouble> {
    if !metadata.file_type().is_socket() {
        return Some(Trouble::NoSocket);
    }
    if metadata.uid() != own_uid() {
        return Some(Trouble::OfSomebodyElse(metadata.uid()));
    }
    match connected {
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Some(Trouble::LeftOver),
        Err(error) => Some(Trouble::Silent(error)),
    }
}
