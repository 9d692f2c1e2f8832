//! Passwords from a netrc file, as curl's users know it (`credentials.md` §3.4).
//!
//! The file is read and never written, and it gives credentials for a host whatever the port and
//! the protocol. Macros and accounts of `ftp(1)` are passed over. Whether the file is asked at all
//! (`--netrc`) is the caller's decision.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use bits_core::error::Code;
use bits_core::secret::Secret;
use bits_platform::caller::own_uid;
use zeroize::Zeroizing;

/// The largest netrc file there is; curl has the same limit. Some thousand hosts fit in.
pub const NETRC_BYTES_MAX: usize = 128 << 10;

/// Where the file is: `$NETRC`, or else `.netrc` in `$HOME`. `environment` answers with the value
/// of a variable. `None` where neither is set.
pub fn netrc_path(environment: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let named = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("NETRC").or_else(|| named("HOME").map(|home| home.join(".netrc")))
}

/// A netrc file and what its owner should be told about it.
#[derive(Debug)]
pub struct NetrcFile {
    pub netrc: Netrc,
    pub notices: Vec<NetrcNotice>,
}

/// Reads the netrc file at `path`: a regular file or a pipe, symbolic links followed.
///
/// Neither curl nor this refuses a file that others can read, but this says so.
pub fn read_netrc(path: &Path) -> Result<NetrcFile, NetrcError> {
    let failed = |source| NetrcError::File { path: path.to_owned(), source };
    let not_a_file = || NetrcError::NotAFile(path.to_owned());
    let is_readable = |metadata: &std::fs::Metadata| metadata.is_file() || metadata.file_type().is_fifo();
    // Before it is opened, as opening alone can do something to a device.
    if !is_readable(&path.metadata().map_err(failed)?) {
        return Err(not_a_file());
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !is_readable(&metadata) {
        return Err(not_a_file());
    }
    let text = read_text(file).map_err(failed)?;
    let netrc = Netrc::parse(&text).map_err(|fault| NetrcError::Fault { path: path.to_owned(), fault })?;
    Ok(NetrcFile { netrc, notices: notices(path, &metadata) })
}

/// What a netrc file says.
#[derive(Debug, Default)]
pub struct Netrc {
    entries: Vec<Entry>,
}

impl Netrc {
    /// Reads `text`: words with white space between them, each keyword followed by its value.
    ///
    /// | written | means |
    /// |---|---|
    /// | `machine HOST` | what follows is for this host, in any letter case |
    /// | `default` | what follows is for every host that no entry before it is for |
    /// | `login USER`, `password SECRET` | in either order; the first of each counts |
    /// | `account TEXT` | nothing here |
    /// | `macdef NAME` | this line and all up to an empty one are passed over |
    /// | `# …` | a comment, up to the end of the line, also where a value is expected |
    /// | `"…"` | one word with spaces in it; `\n`, `\r`, `\t`, and `\` before any other character |
    ///
    /// Keywords may be in any letter case; other words are passed over.
    pub fn parse(text: &[u8]) -> Result<Self, NetrcFault> {
        if text.len() > NETRC_BYTES_MAX {
            return Err(NetrcFault::TooLong);
        }
        let mut parser = Parser::default();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = std::str::from_utf8(line).map_err(|_| NetrcFault::NotUtf8 { line: number })?;
            parser.take_line(line).map_err(|UnclosedQuote| NetrcFault::UnclosedQuote { line: number })?;
        }
        Ok(Self { entries: parser.entries })
    }

    /// User name and password for `host`, the name or address alone: of the first entry for it
    /// that has a password and fits `user`, if the caller knows one already.
    ///
    /// An entry without a password is passed over, and without `user` one without a login, too:
    /// they leave something to be asked for. (curl would try an empty one.)
    pub fn lookup(&self, host: &str, user: Option<&str>) -> Option<(String, Secret)> {
        self.entries.iter().filter(|entry| entry.is_for(host)).find_map(|entry| {
            let login = match (user, entry.login.as_deref()) {
                (Some(wanted), Some(login)) if wanted != login => return None,
                (Some(known), _) | (None, Some(known)) => known,
                (None, None) => return None,
            };
            Some((login.to_owned(), entry.password.as_ref()?.duplicate()))
        })
    }
}

/// Something to tell, that does not stand in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetrcNotice {
    /// Others than its owner can read the file.
    ReadableByOthers { path: PathBuf, mode: u32 },
    /// Neither this user nor root owns the file.
    OfSomebodyElse { path: PathBuf, owner: u32 },
}

impl fmt::Display for NetrcNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadableByOthers { path, mode } => write!(
                f,
                "others can read the passwords in {} (mode {mode:04o}); `chmod 600` makes it private",
                path.display()
            ),
            Self::OfSomebodyElse { path, owner } => {
                write!(f, "the passwords in {} are those of user {owner}, who owns the file", path.display())
            }
        }
    }
}

/// Why a netrc file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NetrcError {
    #[error("cannot read the netrc file {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the netrc file {} is neither a file nor a pipe", .0.display())]
    NotAFile(PathBuf),
    #[error("the netrc file {} {fault}", path.display())]
    Fault { path: PathBuf, fault: NetrcFault },
}

/// What is wrong with the text, to be said after the file's name. None of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NetrcFault {
    #[error("is larger than {NETRC_BYTES_MAX} bytes")]
    TooLong,
    #[error("has something other than UTF-8 text in line {line}")]
    NotUtf8 { line: usize },
    #[error("has a quotation mark in line {line} that is not closed there")]
    UnclosedQuote { line: usize },
}

impl NetrcError {
    /// The number by which programs know it.
    pub fn code(&self) -> Code {
        match self {
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Code::FILE_NOT_FOUND,
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Code::ACCESS_DENIED
            }
            Self::File { .. } => Code::UNSPECIFIED,
            Self::NotAFile(_) | Self::Fault { .. } => Code::INVALID_ARGUMENT,
        }
    }
}

/// What follows one `machine` or `default`.
#[derive(Debug)]
struct Entry {
    /// `None` for `default`.
    host: Option<String>,
    login: Option<String>,
    password: Option<Secret>,
}

impl Entry {
    fn of(host: Option<String>) -> Self {
        Self { host, login: None, password: None }
    }

    fn is_for(&self, host: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(host))
    }
}

/// What has been understood so far.
#[derive(Default)]
struct Parser {
    entries: Vec<Entry>,
    /// The keyword that waits for its value, which may come lines later.
    waiting: Option<Keyword>,
    is_in_macro: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keyword {
    Machine,
    Login,
    Password,
    Account,
}

/// A word that begins with a quotation mark ends with its line instead of another one.
struct UnclosedQuote;

impl Parser {
    fn take_line(&mut self, line: &str) -> Result<(), UnclosedQuote> {
        if self.is_in_macro {
            self.is_in_macro = !line.trim_end_matches('\r').is_empty();
            return Ok(());
        }
        let mut rest = line;
        while let Some(word) = next_word(&mut rest)? {
            match self.waiting.take() {
                Some(keyword) => self.take_value(keyword, word),
                None => self.take_keyword(&word),
            }
            if self.is_in_macro {
                break;
            }
        }
        Ok(())
    }

    fn take_keyword(&mut self, word: &str) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("macdef") {
            self.is_in_macro = true;
        } else if is("default") {
            self.entries.push(Entry::of(None));
        } else {
            let keywords = [
                ("machine", Keyword::Machine),
                ("login", Keyword::Login),
                ("password", Keyword::Password),
                ("account", Keyword::Account),
            ];
            self.waiting = keywords.into_iter().find(|(name, _)| is(name)).map(|(_, keyword)| keyword);
        }
    }

    fn take_value(&mut self, keyword: Keyword, mut word: Zeroizing<String>) {
        // The string itself, so that no second copy of a password is made.
        let word = std::mem::take(&mut *word);
        match (keyword, self.entries.last_mut()) {
            (Keyword::Machine, _) => self.entries.push(Entry::of(Some(word))),
            (Keyword::Login, Some(entry)) => _ = entry.login.get_or_insert(word),
            // Made into a secret first: it is wiped also where the entry has one already.
            (Keyword::Password, entry) => {
                let password = Secret::new(word);
                if let Some(entry) = entry {
                    entry.password.get_or_insert(password);
                }
            }
            (Keyword::Login | Keyword::Account, _) => {}
        }
    }
}

/// Takes the next word from `rest`; none is left where the line or a comment ends it. The word is
/// in a string that never moves.
fn next_word(rest: &mut &str) -> Result<Option<Zeroizing<String>>, UnclosedQuote> {
    let text = rest.trim_start_matches(is_space);
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    let mut word = Zeroizing::new(String::with_capacity(text.len()));
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(is_space).unwrap_or(text.len());
        word.push_str(&text[..end]);
        *rest = &text[end..];
        return Ok(Some(word));
    };
    let mut characters = quoted.chars();
    loop {
        match characters.next().ok_or(UnclosedQuote)? {
            '"' => break,
            '\\' => word.push(match characters.next().ok_or(UnclosedQuote)? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                other => other,
            }),
            other => word.push(other),
        }
    }
    // What sticks to the closing mark belongs to no word.
    let after = characters.as_str();
    *rest = &after[after.find(is_space).unwrap_or(after.len())..];
    Ok(Some(word))
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r')
}

/// Mode bits: group and others may read.
const READABLE_BY_OTHERS: u32 = 0o044;

fn notices(path: &Path, metadata: &std::fs::Metadata) -> Vec<NetrcNotice> {
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let mut notices = Vec::new();
    if metadata.is_file() && mode & READABLE_BY_OTHERS != 0 {
        notices.push(NetrcNotice::ReadableByOthers { path: path.to_owned(), mode });
    }
    if owner != own_uid() && owner != 0 {
        notices.push(NetrcNotice::OfSomebodyElse { path: path.to_owned(), owner });
    }
    notices
}

/// All of `file`, or one byte more than there may be.
fn read_text(file: File) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it, so that it never moves and leaves a copy behind.
    let mut text = Zeroizing::new(vec![0; NETRC_BYTES_MAX + 1]);
    let mut length = 0;
    while length < text.len() {
        match (&file).read(&mut text[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    text.truncate(length);
    Ok(text)
}

#[cfg(test)]
mod tests;
