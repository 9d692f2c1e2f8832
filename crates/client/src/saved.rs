//! Credentials that a person has saved, under a name or for a host (`credentials.md` §3.4).
//!
//! They are kept in the desktop's Secret Service, or in a sealed file where there is none. Which
//! job uses which of them is decided by who names them; nothing is ever sent anywhere unasked.
//! The service does not come here: it keeps the credentials of its jobs itself.

mod name;
mod sealed_file;
#[cfg(feature = "secret-service")]
mod secret_service;
#[cfg(feature = "secret-service")]
pub(crate) use secret_service::connection as bus_connection;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;

use bits_core::credentials::AuthScheme;
use bits_core::error::Code;
use bits_core::identity::{IdentityError, UserName, check_job_credential};
use bits_core::ports::SealError;
use bits_core::refusal::Refusal;
use bits_core::secret::Secret;
use bits_platform::files::{FileError, FinalizeError, PartialError};
use bits_platform::paths::{Paths, PrivateFolderError};
use bits_platform::seal::KeyError;

use name::Name;
pub use name::{NAME_UNITS_MAX, NameFault};
use sealed_file::SealedFile;

/// Names a [`StoreKind`], for this process and its children.
pub const STORE_VARIABLE: &str = "BITS_CREDENTIAL_STORE";

/// A place to keep credentials in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// GNOME Keyring, KWallet, KeePassXC: what the session's bus has.
    SecretService,
    /// A file of this user alone, sealed with a key in another one.
    File,
}

impl StoreKind {
    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SecretService => "secret-service",
            Self::File => "file",
        }
    }

    /// The store called `name`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::SecretService, Self::File].into_iter().find(|kind| kind.name() == name)
    }

    /// The one that [`STORE_VARIABLE`] names, if it is set. `environment` answers with the value of
    /// a variable.
    pub fn of_environment(
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, SavedError> {
        let Some(value) = environment(STORE_VARIABLE).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let value = value.to_string_lossy();
        match Self::named(&value) {
            Some(kind) => Ok(Some(kind)),
            None => {
                Err(SavedError::NoSuchStore { value: value.chars().take(STORE_NAME_SHOWN_MAX).collect() })
            }
        }
    }
}

/// How much of an unknown store's name an error repeats.
const STORE_NAME_SHOWN_MAX: usize = 32;

/// Where saved credentials are looked for.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    pub paths: &'a Paths,
    /// The one store to use. `None`: new ones go to the Secret Service where the session has one,
    /// else to the file, and both are looked into.
    pub store: Option<StoreKind>,
    /// Whether a locked store may ask the person to unlock it. Programs that nobody watches get
    /// [`SavedError::Locked`] instead.
    pub may_ask: bool,
    /// The bus to look for the Secret Service on; `None` for the session's.
    pub bus_address: Option<String>,
}

/// What a saved credential is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedEntry {
    /// The name or host it was saved for, in lower case.
    pub name: String,
    /// The scheme it is for; `None` for any.
    pub scheme: Option<AuthScheme>,
    /// As typed: `DOMAIN\user`, `user@realm` or bare.
    pub user: String,
}

/// A saved credential.
#[derive(Debug)]
pub struct SavedCredential {
    pub entry: SavedEntry,
    pub password: Secret,
}

/// The stores of a person.
#[derive(Debug)]
pub struct SavedCredentials {
    /// New ones go to the first. Never empty.
    stores: Vec<Box<dyn Store>>,
}

impl SavedCredentials {
    /// Opens the stores; nothing is made and nobody is asked yet.
    pub async fn open(options: &Options<'_>) -> Result<Self, SavedError> {
        let file = || -> Box<dyn Store> { Box::new(SealedFile::new(options.paths)) };
        let stores = match options.store {
            Some(StoreKind::File) => vec![file()],
            Some(StoreKind::SecretService) => vec![secret_service(options).await?],
            None => match secret_service(options).await {
                Ok(service) => vec![service, file()],
                Err(SavedError::NoSecretService { .. } | SavedError::NotBuiltIn) => vec![file()],
                Err(error) => return Err(error),
            },
        };
        Ok(Self { stores })
    }

    /// Where new ones go, to be said after "saved in".
    pub fn place(&self) -> &str {
        self.first().place()
    }

    /// Saves `user` and `password` for `name`, a name of the person's choice or a host, in any
    /// letter case. What was saved for the same name and scheme is replaced.
    ///
    /// Fails with what a job would refuse, too: a name that cannot be split, a reference that only
    /// Windows can resolve, more than BITS's limits.
    pub async fn save(
        &self,
        name: &str,
        scheme: Option<AuthScheme>,
        user: &str,
        password: &Secret,
    ) -> Result<(), SavedError> {
        let name = Name::parse(name)?;
        UserName::parse(user)?;
        check_job_credential(user, password)?;
        self.first().put(&name, scheme, user, password).await?;
        // An older one elsewhere would come to light again when this one is forgotten. Where it
        // cannot be removed it cannot be read either.
        for other in &self.stores[1..] {
            let _ = other.remove(&name, Which::Scheme(scheme)).await;
        }
        Ok(())
    }

    /// What is saved, by name and scheme.
    pub async fn list(&self) -> Result<Vec<SavedEntry>, SavedError> {
        let mut entries = Vec::new();
        for store in &self.stores {
            entries.append(&mut store.list().await?);
        }
        entries.sort_by(|a, b| (&a.name, a.scheme).cmp(&(&b.name, b.scheme)));
        Ok(entries)
    }

    /// All that is saved for `name`, one credential a scheme at most; none if nothing is. A store
    /// that fails does not keep another one's from being found.
    pub async fn find(&self, name: &str) -> Result<Vec<SavedCredential>, SavedError> {
        let name = Name::parse(name)?;
        let mut first_error = None;
        for store in &self.stores {
            match store.find(&name).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => {}
                Err(error) => _ = first_error.get_or_insert(error),
            }
        }
        first_error.map_or(Ok(Vec::new()), Err)
    }

    /// Forgets what is saved for `name` and `scheme`, or all for `name`; says how many that were.
    pub async fn forget(&self, name: &str, scheme: Option<AuthScheme>) -> Result<usize, SavedError> {
        let name = Name::parse(name)?;
        self.remove(&name, scheme.map_or(Which::All, |scheme| Which::Scheme(Some(scheme)))).await
    }

    /// Forgets the one credential that is known by `entry`'s name and scheme, and no other one of that
    /// name; says how many that were, in all stores.
    pub async fn forget_one(&self, entry: &SavedEntry) -> Result<usize, SavedError> {
        self.remove(&Name::parse(&entry.name)?, Which::Scheme(entry.scheme)).await
    }

    async fn remove(&self, name: &Name, which: Which) -> Result<usize, SavedError> {
        let mut forgotten = 0;
        for store in &self.stores {
            forgotten += store.remove(name, which).await?;
        }
        Ok(forgotten)
    }

    fn first(&self) -> &dyn Store {
        self.stores.first().expect("there is always one").as_ref()
    }
}

#[cfg(feature = "secret-service")]
async fn secret_service(options: &Options<'_>) -> Result<Box<dyn Store>, SavedError> {
    Ok(Box::new(secret_service::Service::connect(options.bus_address.as_deref(), options.may_ask).await?))
}

#[cfg(not(feature = "secret-service"))]
async fn secret_service(_: &Options<'_>) -> Result<Box<dyn Store>, SavedError> {
    Err(SavedError::NotBuiltIn)
}

/// One place of a kind.
trait Store: fmt::Debug + Send + Sync {
    /// Where it is, for a person.
    fn place(&self) -> &str;

    /// Keeps a credential in the place of the one for the same name and scheme.
    fn put<'a>(
        &'a self,
        name: &'a Name,
        scheme: Option<AuthScheme>,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, ()>;

    /// What there is, in any order.
    fn list(&self) -> Answer<'_, Vec<SavedEntry>>;

    /// All there is for `name`.
    fn find<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<SavedCredential>>;

    /// Removes what there is for `name`; says how many that were.
    fn remove<'a>(&'a self, name: &'a Name, which: Which) -> Answer<'a, usize>;
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SavedError>> + Send + 'a>>;

/// Which credentials of one name are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    All,
    /// The one for this scheme, or the one for any.
    Scheme(Option<AuthScheme>),
}

impl Which {
    fn is(self, scheme: Option<AuthScheme>) -> bool {
        match self {
            Self::All => true,
            Self::Scheme(wanted) => wanted == scheme,
        }
    }
}

/// Why credentials could not be saved, found or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    #[error("{STORE_VARIABLE} is {value:?}, but there is only \"secret-service\" and \"file\"")]
    NoSuchStore { value: String },
    #[error("this program was built without the Secret Service; use {STORE_VARIABLE}=file")]
    NotBuiltIn,
    #[error("the name to save credentials under {0}")]
    Name(#[from] NameFault),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// What no job could take is not kept either.
    #[error(transparent)]
    Credential(#[from] Refusal),

    #[error(
        "there is no Secret Service to save credentials in: {reason}. {STORE_VARIABLE}=file keeps them in a sealed file"
    )]
    NoSecretService { reason: &'static str },
    #[error(
        "the Secret Service has no keyring yet; make one with the desktop's password manager, or use {STORE_VARIABLE}=file"
    )]
    NoKeyring,
    #[error("the keyring with the saved credentials is locked; unlock it, or sign in to the desktop")]
    Locked,
    #[error("unlocking the keyring was cancelled")]
    Cancelled,
    #[error("the Secret Service does not answer")]
    NoAnswer,
    #[error("the Secret Service failed: {0}")]
    Service(String),
    #[error(
        "a saved credential in the Secret Service is not of a form that is made here; forget it and save it anew"
    )]
    ForeignItem,

    #[error("the credentials in {} were sealed with the key {}, which is missing: put it back, or remove the first file and save them anew", file.display(), key.display())]
    KeyMissing { file: PathBuf, key: PathBuf },
    #[error("{} is no regular file of this user's", .0.display())]
    NotAFile(PathBuf),
    #[error("others may use {} (mode {mode:04o}): chmod 600 it", path.display())]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("the saved credentials in {} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: SealError },
    #[error("{} is not a file of saved credentials", .0.display())]
    NotSaved(PathBuf),
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Folder(#[from] PrivateFolderError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the credentials cannot be sealed: {0}; forget some that are not needed")]
    Seal(SealError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Partial(#[from] PartialError),
    #[error(transparent)]
    Finalize(#[from] FinalizeError),
}

impl SavedError {
    /// The number by which programs know it.
    pub fn code(&self) -> Code {
        match self {
            Self::NoSuchStore { .. } | Self::Name(_) => Code::INVALID_ARGUMENT,
            Self::Identity(error) => error.code(),
            Self::Credential(refusal) => refusal.code(),
            // What Windows answers where no session keeps credentials.
            Self::NotBuiltIn | Self::NoSecretService { .. } | Self::NoKeyring => Code::NO_SUCH_LOGON_SESSION,
            Self::Locked | Self::OpenToOthers { .. } => Code::ACCESS_DENIED,
            Self::Cancelled => Code::CANCELLED,
            Self::NoAnswer => Code::TIMEOUT,
            Self::KeyMissing { .. } | Self::Unreadable { .. } | Self::NotSaved(_) | Self::ForeignItem => {
                Code::INVALID_CREDENTIALS
            }
            Self::Service(_)
            | Self::NotAFile(_)
            | Self::Io { .. }
            | Self::Folder(_)
            | Self::Key(_)
            | Self::Seal(_)
            | Self::File(_)
            | Self::Partial(_)
            | Self::Finalize(_) => Code::UNSPECIFIED,
        }
    }
}
