//! Passwords where nobody sits: from a file and from standard input.
//!
//! There is no way to give one as an argument or in the environment, where others could read it.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use bits_core::error::Code;
use bits_core::secret::Secret;
use zeroize::Zeroizing;

/// The longest password there is, in bytes of UTF-8; BITS's limit is as many characters.
pub const PASSWORD_BYTES_MAX: usize = 64 << 10;

/// A password and what its owner should be told about where it came from.
#[derive(Debug)]
pub struct PasswordFile {
    pub password: Secret,
    pub notice: Option<Notice>,
}

/// Something to tell, that does not stand in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Others than its owner can read the file.
    ReadableByOthers { path: PathBuf, mode: u32 },
}

/// Reads the first line of the file at `path`, without its line end, as a password.
///
/// The file is a regular one or a pipe (`<(pass show …)`, `mkfifo`); opening a pipe waits for its
/// writer. What follows the line is not read.
pub fn read_password_file(path: &Path) -> Result<PasswordFile, PasswordSourceError> {
    let failed = |source| PasswordSourceError::File { path: path.to_owned(), source };
    // Before it is opened, as opening alone can do something to a device.
    check_kind(path, &path.metadata().map_err(failed)?)?;
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    check_kind(path, &metadata)?;
    let password = read_first_line(file, &path.display().to_string())?;
    let mode = metadata.permissions().mode() & 0o7777;
    let is_exposed = metadata.is_file() && mode & READABLE_BY_OTHERS != 0;
    let notice = is_exposed.then(|| Notice::ReadableByOthers { path: path.to_owned(), mode });
    Ok(PasswordFile { password, notice })
}

/// Reads the first line of standard input, without its line end, as a password. What follows the
/// line is left to be read, as long as nobody has read from standard input before.
///
/// A terminal is refused: it would show what is typed.
pub fn read_password_stdin() -> Result<Secret, PasswordSourceError> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(PasswordSourceError::StdinIsTerminal);
    }
    // Not by `Stdin` itself: its buffer would keep the password for the life of the process.
    let unbuffered = stdin.as_fd().try_clone_to_owned().map(File::from);
    let unbuffered = unbuffered.map_err(|source| PasswordSourceError::Read { what: STDIN.into(), source })?;
    read_first_line(unbuffered, STDIN)
}

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum PasswordSourceError {
    #[error("cannot open the file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is neither a file nor a pipe", path.display())]
    NotAFile { path: PathBuf },
    #[error("cannot read {what}: {source}")]
    Read { what: String, source: io::Error },
    #[error("the first line of {what} is longer than {PASSWORD_BYTES_MAX} bytes, which are the most")]
    TooLong { what: String },
    #[error("the first line of {what} is not UTF-8 text")]
    NotUtf8 { what: String },
    #[error("there is nothing in {what}; its first line is what counts")]
    Empty { what: String },
    #[error("standard input is a terminal, which would show the password; let it ask with --prompt")]
    StdinIsTerminal,
}

impl PasswordSourceError {
    /// The number by which programs know it.
    pub fn code(&self) -> Code {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::FILE_NOT_FOUND,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Code::ACCESS_DENIED
            }
            Self::File { .. } | Self::Read { .. } => Code::UNSPECIFIED,
            Self::TooLong { .. } => Code::PASSWORD_TOO_LARGE,
            Self::NotAFile { .. } | Self::NotUtf8 { .. } | Self::Empty { .. } | Self::StdinIsTerminal => {
                Code::INVALID_ARGUMENT
            }
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadableByOthers { path, mode } => {
                let path = path.display();
                write!(f, "others can read the file {path} (mode {mode:04o}); `chmod 600` makes it private")
            }
        }
    }
}

const STDIN: &str = "standard input";
/// Mode bits: group and others may read.
const READABLE_BY_OTHERS: u32 = 0o044;

fn check_kind(path: &Path, metadata: &std::fs::Metadata) -> Result<(), PasswordSourceError> {
    if metadata.is_file() || metadata.file_type().is_fifo() {
        Ok(())
    } else {
        Err(PasswordSourceError::NotAFile { path: path.to_owned() })
    }
}

/// The first line of `source`, read byte by byte so that nothing after it is taken, into a buffer
/// that never moves and is wiped.
fn read_first_line(mut source: impl Read, what: &str) -> Result<Secret, PasswordSourceError> {
    let mut line = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES_MAX));
    let mut byte = Zeroizing::new([0_u8]);
    loop {
        let length = match source.read(byte.as_mut_slice()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome.map_err(|source| PasswordSourceError::Read { what: what.into(), source })?,
        };
        match byte[0] {
            // An empty line is an empty password; nothing at all is a mistake.
            _ if length == 0 && line.is_empty() => {
                return Err(PasswordSourceError::Empty { what: what.into() });
            }
            _ if length == 0 => break,
            b'\n' => break,
            _ if line.len() == PASSWORD_BYTES_MAX => {
                return Err(PasswordSourceError::TooLong { what: what.into() });
            }
            byte => line.push(byte),
        }
    }
    let line = line.strip_suffix(b"\r").unwrap_or(&line);
    let text = std::str::from_utf8(line).map_err(|_| PasswordSourceError::NotUtf8 { what: what.into() })?;
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// What is read of a file with `bytes` in it.
    fn read(bytes: &[u8]) -> Result<String, Code> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, bytes).unwrap();
        read_password_file(&path).map(|file| file.password.expose().to_owned()).map_err(|error| error.code())
    }

    #[test]
    fn the_first_line_is_the_password() {
        let longest = "x".repeat(PASSWORD_BYTES_MAX);
        for (bytes, expected) in [
            (&b"hunter2"[..], "hunter2"),
            (b"hunter2\n", "hunter2"),
            (b"hunter2\r\n", "hunter2"),
            (b" hunter 2 \nsecond line\n", " hunter 2 "),
            (b"\nsecond line\n", ""),
            ("pässwörd\n".as_bytes(), "pässwörd"),
            // As it is written: only typed text is composed.
            ("pa\u{308}ss\n".as_bytes(), "pa\u{308}ss"),
            (format!("{longest}\n").as_bytes(), &longest),
        ] {
            assert_eq!(read(bytes).as_deref(), Ok(expected), "{:.20}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn what_cannot_be_a_password_is_refused() {
        let too_long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        for (bytes, code) in
            [(&b""[..], 0x8007_0057), (b"a\xffb\n", 0x8007_0057), (too_long.as_bytes(), 0x8020_0026)]
        {
            assert_eq!(read(bytes), Err(Code(code)));
        }
    }

    #[test]
    fn only_files_and_pipes_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        for path in [folder.path(), &socket, Path::new("/dev/null")] {
            let error = read_password_file(path).unwrap_err();
            assert!(matches!(error, PasswordSourceError::NotAFile { .. }), "{error}");
        }
        let error = read_password_file(&folder.path().join("absent")).unwrap_err();
        assert_eq!(error.code(), Code::FILE_NOT_FOUND);
        assert!(error.to_string().contains("/absent"), "{error}");
    }

    #[test]
    fn a_pipe_is_read_up_to_the_line_end() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR)
            .unwrap();
        let file = std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = File::options().write(true).open(&path).unwrap();
                writer.write_all(b"hunter2\nrest").unwrap();
            });
            read_password_file(&path).unwrap()
        });
        assert_eq!((file.password.expose(), file.notice), ("hunter2", None));
    }

    #[test]
    fn a_file_that_others_can_read_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        for (mode, is_reported) in
            [(0o600, false), (0o400, false), (0o620, false), (0o640, true), (0o604, true)]
        {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let notice = read_password_file(&path).unwrap().notice;
            let expected = Notice::ReadableByOthers { path: path.clone(), mode };
            assert_eq!(notice, is_reported.then_some(expected), "{mode:o}");
        }
        let notice = Notice::ReadableByOthers { path, mode: 0o640 };
        assert!(notice.to_string().contains("mode 0640"), "{notice}");
    }

    #[test]
    fn no_error_repeats_what_was_read() {
        let read = |bytes: &'static [u8]| read_first_line(bytes, "a test").unwrap_err();
        let error = read(b"hunter2\xff");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}
