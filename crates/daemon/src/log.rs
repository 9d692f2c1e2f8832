//! The log: a file that is rotated by size.
//!
//! What libraries say is capped: a security library that tells everything tells secrets
//! (`credentials.md` §4.3).

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// Bytes after which a new file is begun.
const LOG_BYTES_MAX: u64 = 4 << 20;
/// Files kept beside the one that is written.
const OLD_LOGS: u32 = 3;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("the log {} cannot be opened: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the log cannot be begun: {0}")]
    Begin(#[from] TryInitError),
}

/// Sends what is logged to the file `path`, and in a terminal also there.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) fn begin(path: &Path, level: Level, also_stderr: bool) -> Result<(), LogError> {
    let file = RotatedFile::open(path).map_err(|source| LogError::Open { path: path.into(), source })?;
    let ours = move |metadata: &Metadata<'_>| {
        let target = metadata.target();
        let cap = if target.starts_with("bits") { level } else { Level::WARN };
        *metadata.level() <= cap
    };
    let to_file = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Log(Mutex::new(file)))
        .with_filter(filter_fn(ours));
    let to_terminal = also_stderr
        .then(|| tracing_subscriber::fmt::layer().with_writer(io::stderr).with_filter(filter_fn(ours)));
    tracing_subscriber::registry().with(to_file).with(to_terminal).try_init()?;
    log_panics();
    Ok(())
}

/// Has the log say where a mistake of ours was met. Not what it was: the text of a panic can have a
/// piece of any text in it, a password among them; that goes to standard error alone.
fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a mistake of ours: please report it");
        before(panic);
    }));
}

/// The file that is written, and how long it is.
#[derive(Debug)]
struct RotatedFile {
    path: PathBuf,
    file: File,
    length: u64,
}

impl RotatedFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            // The log goes into no file that a link points to.
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.into(), file, length })
    }

    fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.length > 0 && self.length + line.len() as u64 > LOG_BYTES_MAX {
            self.rotate()?;
        }
        self.file.write_all(line)?;
        self.length += line.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..OLD_LOGS).rev() {
            // The first times there are not so many yet.
            let _ = std::fs::rename(self.old(number), self.old(number + 1));
        }
        std::fs::rename(&self.path, self.old(1))?;
        *self = Self::open(&self.path)?;
        Ok(())
    }

    fn old(&self, number: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

#[derive(Debug)]
struct Log(Mutex<RotatedFile>);

/// One line on its way into the log.
#[derive(Debug)]
struct Line<'a> {
    log: &'a Log,
    text: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self, text: Vec::new() }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.text.extend(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        // A log that cannot be written (a full disk) must not stop a transfer that can.
        let _ = self.log.0.lock().unwrap_or_else(PoisonError::into_inner).write_line(&self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_kept_beside_the_new_one_and_the_oldest_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bitsd.log");
        let mut log = RotatedFile::open(&path).expect("a log");
        let line = vec![b'x'; LOG_BYTES_MAX as usize];
        for _ in 0..6 {
            log.write_line(&line).expect("written");
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        assert_eq!(names, ["bitsd.log", "bitsd.log.1", "bitsd.log.2", "bitsd.log.3"]);
    }

    #[test]
    fn the_log_says_where_a_panic_was_and_not_what_it_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bitsd.log");
        let log = Log(Mutex::new(RotatedFile::open(&path).expect("a log")));
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(log);
        let subscriber = tracing_subscriber::registry().with(layer);
        log_panics();
        let ended = std::thread::spawn(move || {
            tracing::subscriber::with_default(subscriber, || panic!("hunter2"));
        });
        assert!(ended.join().is_err());
        let text = std::fs::read_to_string(&path).expect("a log");
        assert!(text.contains("crates/daemon/src/log.rs:") && !text.contains("hunter2"), "{text}");
    }
}
