//! Opening a database: whose it is, whether we know its version, whether it is whole.
//!
//! Three things must never happen here: that a newer service's database is touched, that somebody
//! else's file is opened through a link, and that a damaged database is thrown away. What can be
//! saved of a damaged one is for a person to find out.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_core::file::BootId;
use bits_core::ports::SealingKey;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use super::SqliteStore;
use super::intake::{self, INTAKE};
use super::migrate::{self, APPLICATION_ID, VERSION};
use super::soundness::{self, Check, Checked, LOG, SUSPECT};

/// A store, and what was in its way.
#[derive(Debug)]
pub struct Opened {
    pub store: SqliteStore,
    /// The damaged database that was found, if one was.
    pub set_aside: Option<SetAside>,
    /// To be run when there is time for it, where the database was not gone through.
    pub check: Option<Check>,
}

/// Whether all of a database is gone through before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    All,
    /// Only where there is reason: it is suspected, its service ended without closing it and not in this
    /// boot of the machine, or its schema is brought to a new version. Else it is checked while it is used.
    WhereNeeded(Option<BootId>),
}

/// A database that could not be used, and is kept under another name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now; `-wal`, `-journal` and `-intake` beside it belong to it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{} was written by a newer version (its schema is {found}, the newest known here {known}); nothing was changed: start that version again, or export its queue with it and move the file away",
        path.display()
    )]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("{} is a symbolic link; the queue must be a file of its own", path.display())]
    Link { path: PathBuf },
    #[error("{} is not a file", path.display())]
    NotAFile { path: PathBuf },
    #[error("{} belongs to uid {owner}, not to this service", path.display())]
    ForeignOwner { path: PathBuf, owner: u32 },
    #[error("{} is in use by another process", path.display())]
    InUse { path: PathBuf },
    #[error("no log can be kept beside {}; is the folder on a local disk?", path.display())]
    NoLog { path: PathBuf },
    #[error("{} could not be {doing}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("{} could not be {doing}: {source}", path.display())]
    Sqlite { doing: &'static str, path: PathBuf, source: rusqlite::Error },
    #[error(
        "{} has new jobs that are not in the queue yet, and {reason}; the service starts without them when that file is moved away",
        path.display()
    )]
    Intake { path: PathBuf, reason: String },
    #[error("{} is damaged again as soon as it is made: {reason}", path.display())]
    DamagedAgain { path: PathBuf, reason: String },
    #[error("{SET_ASIDE_MAX} damaged queues lie beside {}; the disk may be failing", path.display())]
    TooManySetAside { path: PathBuf },
}

/// Damaged databases that are kept. A disk that breaks more is to be replaced, not filled.
const SET_ASIDE_MAX: u32 = 100;

/// How long a process that is about to end may keep the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// Statements that stay compiled; there are about half as many.
const STATEMENTS_MAX: usize = 64;

/// Pages in the log (of 4 KiB) after which it is written back. What many commits have changed is written
/// back once, so that fewer times are better; each takes longer, and a commit waits for it.
pub(super) const LOG_PAGES: u32 = 4096;

/// What the log is cut to when it has been written back, so that one big batch does not fill the
/// disk for ever: what it comes to by itself.
pub(super) const LOG_BYTES_MAX: u32 = (LOG_PAGES + LOG_PAGES / 8) * 4096;

/// The mode of each file.
const OWNER_ONLY: u32 = 0o600;

/// What SQLite, or we, may keep beside a database. The database itself is the empty ending.
const ENDINGS: [&str; 6] = ["", "-journal", LOG, "-shm", SUSPECT, INTAKE];

pub(super) fn open(path: &Path, look: Look) -> Result<Opened, OpenError> {
    let place = Place::find(path)?;
    place.check_files()?;
    place.check_version()?;
    match connect(&place, look) {
        Ok((connection, checked)) => Ok(opened(connection, checked, None)),
        Err(Trouble::Damaged(reason)) => {
            let path = place.set_aside()?;
            match connect(&place, look) {
                Ok((connection, checked)) => Ok(opened(connection, checked, Some(SetAside { path, reason }))),
                Err(Trouble::Damaged(reason)) => {
                    Err(OpenError::DamagedAgain { path: place.file(""), reason })
                }
                Err(Trouble::Other(error)) => Err(error),
            }
        }
        Err(Trouble::Other(error)) => Err(error),
    }
}

fn opened(connection: Connection, checked: Option<(Checked, Check)>, set_aside: Option<SetAside>) -> Opened {
    let (checked, check) = checked.unzip();
    Opened { store: SqliteStore::new(connection, checked), set_aside, check }
}

/// What a database says of itself to somebody who looks for what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The version of its schema; the newest known here is `known`.
    pub version: u32,
    pub known: u32,
    /// The key on record, as far as the file itself has it.
    pub key: Option<SealingKey>,
    /// What is wrong with it, when something is. All of it was looked at only where that was asked for.
    pub damage: Option<String>,
}

/// Looks at a database and changes nothing of it; `None` when there is none. `deep` goes through all
/// of it, with what is in its log: for that moment it is held as a service holds it.
pub(super) fn examine(path: &Path, deep: bool) -> Result<Option<Examination>, OpenError> {
    let place = Place::find(path)?;
    place.check_files()?;
    place.check_version()?;
    let mut examination = Examination { version: 0, known: VERSION, key: None, damage: None };
    match place.check_whole() {
        Ok(()) if place.files()?.iter().any(|(ending, _)| ending.is_empty()) => {}
        Ok(()) => return Ok(None),
        Err(Trouble::Damaged(reason)) => {
            examination.damage = Some(reason);
            return Ok(Some(examination));
        }
        Err(Trouble::Other(error)) => return Err(error),
    }
    let seen = place.look().and_then(|file| {
        let whose = check_whose(&file)?;
        Ok((version_of(&file)?.1, whose, super::key::on_record(&file).ok().flatten()))
    });
    match seen {
        Ok((version, whose, key)) => {
            examination.version = u32::try_from(version).unwrap_or(0);
            examination.damage = whose.err();
            examination.key = key;
        }
        Err(error) => examination.damage = Some(error.to_string()),
    }
    if !deep && examination.damage.is_none() {
        examination.damage = soundness::suspicion(&place.file(""));
    }
    if deep && examination.damage.is_none() {
        examination.damage = match go_through(&place) {
            Ok(verdict) => verdict.err(),
            Err(Trouble::Damaged(reason)) => Some(reason),
            Err(Trouble::Other(error)) => return Err(error),
        };
    }
    Ok(Some(examination))
}

/// Reads every page, and the log.
fn go_through(place: &Place) -> Result<Result<(), String>, Trouble> {
    let path = place.file("");
    let trouble = |source| trouble_of(source, "read", path.clone());
    let has_log = place.files()?.iter().any(|(ending, _)| *ending == LOG);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&path, flags).map_err(trouble)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(trouble)?;
    // A log that is there stays as it is, and one that is made here goes.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log).map_err(trouble)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(trouble)?;
    pragma(&connection, "locking_mode", "EXCLUSIVE").map_err(trouble)?;
    pragma(&connection, "query_only", "ON").map_err(trouble)?;
    place.refuse_newer(version_of(&connection).map_err(trouble)?)?;
    check_sound(&connection).map_err(trouble)
}

/// What can be in the way of a connection.
enum Trouble {
    /// Setting the database aside helps.
    Damaged(String),
    Other(OpenError),
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::Other(error)
    }
}

fn connect(place: &Place, look: Look) -> Result<(Connection, Option<(Checked, Check)>), Trouble> {
    let path = place.file("");
    let trouble = |doing| {
        let path = path.clone();
        move |source| trouble_of(source, doing, path.clone())
    };
    place.check_whole()?;
    let was_left_open = place.has_log()?;
    place.create()?;
    // The name is absolute and its folder free of links, so nothing but the file itself can be one.
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags).map_err(trouble("opened"))?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(trouble("opened"))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    for (setting, on) in [
        // Until all is well: a damaged database is set aside as it was found.
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
    ] {
        connection.set_db_config(setting, on).map_err(trouble("opened"))?;
    }
    // One holder: no memory is shared, and a second process is kept out.
    pragma(&connection, "locking_mode", "EXCLUSIVE").map_err(trouble("locked"))?;
    // First of all: the schema of a newer version may not even be readable here.
    place.refuse_newer(version_of(&connection).map_err(trouble("read"))?)?;
    check_whose(&connection).map_err(trouble("read"))?.map_err(Trouble::Damaged)?;
    // Up to here nothing was changed.
    place.make_private()?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(trouble("opened"))?;
    if mode != "wal" {
        return Err(OpenError::NoLog { path }.into());
    }
    pragma(&connection, "synchronous", "FULL").map_err(trouble("opened"))?;
    pragma(&connection, "wal_autocheckpoint", LOG_PAGES).map_err(trouble("opened"))?;
    pragma(&connection, "secure_delete", "ON").map_err(trouble("opened"))?;
    pragma(&connection, "journal_size_limit", LOG_BYTES_MAX).map_err(trouble("opened"))?;
    let goes_through = match look {
        Look::All => true,
        Look::WhereNeeded(boot) => {
            let is_suspect = soundness::suspicion(&place.file("")).is_some();
            is_suspect
                || !is_as_it_was(&connection, was_left_open.then_some(boot)).map_err(trouble("read"))?
        }
    };
    if goes_through {
        check_sound(&connection).map_err(trouble("read"))?.map_err(Trouble::Damaged)?;
        soundness::clear(&path).map_err(|error| io_error("found sound", &path)(error))?;
    }
    intake::take_over(&connection, &place.file(INTAKE)).map_err(|error| match error.of_intake() {
        Ok(reason) => OpenError::Intake { path: place.file(INTAKE), reason }.into(),
        Err(source) => trouble("given the new jobs that wait beside it")(source),
    })?;
    migrate::migrate(&mut connection).map_err(trouble("brought to the new schema"))?;
    if let Look::WhereNeeded(Some(boot)) = look {
        let sql = "INSERT INTO meta (name, value) VALUES ('boot', ?1) \
             ON CONFLICT (name) DO UPDATE SET value = ?1 WHERE value <> ?1";
        connection.execute(sql, [boot.0]).map_err(trouble("written"))?;
    }
    // From here on the version can be read in the file itself, and a log that an earlier service
    // left, with credentials that it had removed, is gone.
    pragma(&connection, "wal_checkpoint", "TRUNCATE").map_err(trouble("written"))?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(trouble("opened"))?;
    let checked = (!goes_through).then(|| Checked::begin(&connection)).transpose();
    let checked = checked.map_err(trouble("opened"))?;
    Ok((connection, checked))
}

/// Whether nothing speaks for it that the database is another than its last service left it. `ended` is
/// the boot that is now, of a database that was not closed.
fn is_as_it_was(connection: &Connection, ended: Option<Option<BootId>>) -> Result<bool, rusqlite::Error> {
    let (_, version) = version_of(connection)?;
    if u32::try_from(version) != Ok(VERSION) {
        return Ok(false);
    }
    let Some(boot) = ended else { return Ok(true) };
    let sql = "SELECT value FROM meta WHERE name = 'boot'";
    let then: Option<Vec<u8>> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(boot.is_some_and(|boot| then.is_some_and(|then| then == boot.0)))
}

/// Sets a pragma, whether or not it answers.
pub(super) fn pragma(
    connection: &Connection,
    name: &str,
    value: impl rusqlite::ToSql,
) -> Result<(), rusqlite::Error> {
    connection.pragma(None, name, value, |_| Ok(()))
}

/// The application whose database it is, and the version of its schema.
fn version_of(connection: &Connection) -> Result<(i32, i32), rusqlite::Error> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

/// Says what is wrong when it is the database of something else.
fn check_whose(connection: &Connection) -> Result<Result<(), String>, rusqlite::Error> {
    let (application, version) = version_of(connection)?;
    let things: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version, things) {
        // Made, and not yet filled: the process ended in between.
        (0, 0, 0) => Ok(()),
        (APPLICATION_ID, 1.., 1..) => Ok(()),
        (application, version, things) => Err(format!(
            "it is not a queue (application {application:#010x}, schema {version}, {things} tables and indexes)"
        )),
    })
}

/// Says what is wrong when the pages of the database do not fit together.
pub(super) fn check_sound(connection: &Connection) -> Result<Result<(), String>, rusqlite::Error> {
    // One fault is enough to know.
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(if verdict == "ok" { Ok(()) } else { Err(verdict) })
}

/// Only what SQLite itself calls damage is damage. A disk error, a missing permission or a mistake
/// of ours in a migration must not cost a queue.
fn trouble_of(source: rusqlite::Error, doing: &'static str, path: PathBuf) -> Trouble {
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Trouble::Damaged(source.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Trouble::Other(OpenError::InUse { path })
        }
        _ => Trouble::Other(OpenError::Sqlite { doing, path, source }),
    }
}

/// Where a database is: a name in a folder that is reached without links.
struct Place {
    folder: PathBuf,
    name: PathBuf,
}

impl Place {
    fn find(path: &Path) -> Result<Self, OpenError> {
        let named = path.file_name().zip(path.parent());
        let (name, folder) = named.ok_or_else(|| OpenError::NotAFile { path: path.to_owned() })?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let folder = fs::canonicalize(folder).map_err(io_error("opened", folder))?;
        Ok(Self { folder, name: name.into() })
    }

    fn file(&self, ending: &str) -> PathBuf {
        let mut name = self.name.clone().into_os_string();
        name.push(ending);
        self.folder.join(name)
    }

    /// The files there are, with what they are; links are not followed.
    fn files(&self) -> Result<Vec<(&'static str, fs::Metadata)>, OpenError> {
        let mut files = Vec::new();
        for ending in ENDINGS {
            let path = self.file(ending);
            match fs::symlink_metadata(&path) {
                Ok(metadata) => files.push((ending, metadata)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("opened", &path)(error)),
            }
        }
        Ok(files)
    }

    /// Refuses files that are not our own.
    fn check_files(&self) -> Result<(), OpenError> {
        for (ending, metadata) in self.files()? {
            let path = self.file(ending);
            if metadata.is_symlink() {
                return Err(OpenError::Link { path });
            }
            if !metadata.is_file() {
                return Err(OpenError::NotAFile { path });
            }
            if metadata.uid() != rustix::process::geteuid().as_raw() {
                return Err(OpenError::ForeignOwner { path, owner: metadata.uid() });
            }
        }
        Ok(())
    }

    /// Refuses the database of a newer service before anything is opened for writing.
    ///
    /// Looks at the file alone: beside a log, which can have the newest version in it, nothing is
    /// made on opening, and `connect` looks again before it changes anything.
    fn check_version(&self) -> Result<(), OpenError> {
        // What cannot be read here is judged there, too.
        self.peek().map_or(Ok(()), |version| self.refuse_newer(version))
    }

    fn refuse_newer(&self, (application, version): (i32, i32)) -> Result<(), OpenError> {
        let found = u32::try_from(version).unwrap_or(0);
        if application == APPLICATION_ID && found > VERSION {
            return Err(OpenError::Newer { path: self.file(""), found, known: VERSION });
        }
        Ok(())
    }

    /// The application and the version of the schema, as the file has them. Not a byte is changed
    /// and no log is made.
    fn peek(&self) -> Result<(i32, i32), rusqlite::Error> {
        version_of(&self.look()?)
    }

    /// The file alone, to be read.
    fn look(&self) -> Result<Connection, rusqlite::Error> {
        read_alone(&self.file(""))
    }

    /// Whether there is something in the log: no service has closed the database since.
    fn has_log(&self) -> Result<bool, OpenError> {
        Ok(self.files()?.iter().any(|(ending, file)| *ending == LOG && file.len() > 0))
    }

    /// A log without a database is what is left of one; SQLite would delete it.
    fn check_whole(&self) -> Result<(), Trouble> {
        let files = self.files()?;
        let filled = |wanted| files.iter().any(|(ending, file)| *ending == wanted && file.len() > 0);
        if !filled("") && filled(LOG) {
            return Err(Trouble::Damaged("there is a log of changes, but nothing that they change".into()));
        }
        Ok(())
    }

    /// Makes the database an empty file if there is none.
    fn create(&self) -> Result<(), OpenError> {
        let path = self.file("");
        match OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ONLY).open(&path) {
            Ok(file) => {
                // The umask may have taken away even what the owner needs.
                file.set_permissions(Permissions::from_mode(OWNER_ONLY))
                    .map_err(io_error("created", &path))?;
                self.sync_folder()
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(io_error("created", &path)(error)),
        }
    }

    /// Lets nobody but the owner read it, whatever the umask or an earlier mode was. What SQLite
    /// makes beside the database takes its mode.
    fn make_private(&self) -> Result<(), OpenError> {
        for (ending, metadata) in self.files()? {
            let path = self.file(ending);
            if metadata.permissions().mode() & 0o7777 != OWNER_ONLY {
                fs::set_permissions(&path, Permissions::from_mode(OWNER_ONLY))
                    .map_err(io_error("made private", &path))?;
            }
        }
        Ok(())
    }

    /// Moves the database and what belongs to it to a name that is free; says which.
    fn set_aside(&self) -> Result<PathBuf, OpenError> {
        let aside = (1..=SET_ASIDE_MAX)
            .map(|number| Self {
                folder: self.folder.clone(),
                name: self.file(&format!(".damaged-{number}")).file_name().expect("it has a name").into(),
            })
            .find(|aside| aside.files().is_ok_and(|files| files.is_empty()))
            .ok_or_else(|| OpenError::TooManySetAside { path: self.file("") })?;
        // The database goes first: should we be stopped in between, the log that stays behind is
        // found without one and set aside as well, while a database without its log would look
        // whole, and be old.
        for (ending, _) in self.files()? {
            let path = self.file(ending);
            fs::rename(&path, aside.file(ending)).map_err(io_error("set aside", &path))?;
        }
        self.sync_folder()?;
        Ok(aside.file(""))
    }

    fn sync_folder(&self) -> Result<(), OpenError> {
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io_error("made to last", &self.folder))
    }
}

/// The file at `path` without its log, to be read; no lock is taken.
pub(super) fn read_alone(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(immutable_uri(path), flags)
}

/// `path` as SQLite takes it for a file that nobody changes.
fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

fn io_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { doing, path, source }
}
