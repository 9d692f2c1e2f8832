//! The desktop's Secret Service: GNOME Keyring, KWallet, KeePassXC.
//!
//! An item has the attributes `application` (`openbits`), `target`, `scheme` and `user`, so that
//! its owner finds it in the desktop's password manager and `secret-tool` does, too. Passwords
//! travel over the bus encrypted. The library keeps copies of them for a moment that it does not
//! wipe; the programs' allocator does.

use std::collections::HashMap;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use ::secret_service::{Collection, EncryptionType, Error, Item, SecretService};
use bits_core::credentials::{AuthScheme, PASSWORD_UNITS_MAX};
use bits_core::secret::Secret;
use bits_platform::shown::shown;
use zbus::Connection;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zeroize::Zeroizing;

use super::{Answer, Name, SavedCredential, SavedEntry, SavedError, Store, Which};

/// How long one call may take. Answers come at once; a service that hangs must not take us along.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// How long a person may take to unlock the keyring.
const UNLOCK_TIME_MAX: Duration = Duration::from_secs(120);
/// Items of ours that are looked at; a person has some dozens.
const ITEMS_MAX: usize = 1000;

pub(super) struct Service {
    service: SecretService<'static>,
    may_ask: bool,
}

impl Service {
    /// Connects to the service on the bus at `address`, or on the session's.
    pub(super) async fn connect(address: Option<&str>, may_ask: bool) -> Result<Self, SavedError> {
        let connection = in_time(connection(address)).await?;
        let bus = DBusProxy::new(&connection).await.map_err(of_bus)?;
        let is_there = bus.name_has_owner(BUS_NAME.try_into().expect("a bus name")).await.map_err(of_fdo)?
            || bus
                .list_activatable_names()
                .await
                .map_err(of_fdo)?
                .iter()
                .any(|name| name.as_str() == BUS_NAME);
        if !is_there {
            return Err(SavedError::NoSecretService { reason: "the session bus has none" });
        }
        // Only here may the bus start it.
        let service = SecretService::connect_with_existing(EncryptionType::Dh, connection);
        Ok(Self { service: service.await.map_err(of_service)?, may_ask })
    }

    /// The keyring that new items go to, unlocked.
    async fn keyring(&self) -> Result<Collection<'_>, SavedError> {
        let keyring = self.service.get_default_collection().await.map_err(|error| match error {
            Error::NoResult => SavedError::NoKeyring,
            other => of_service(other),
        })?;
        if keyring.is_locked().await.map_err(of_service)? {
            self.ask_to_unlock(keyring.unlock()).await?;
            if keyring.is_locked().await.map_err(of_service)? {
                return Err(SavedError::Locked);
            }
        }
        Ok(keyring)
    }

    /// Our items with these attributes, unlocked.
    async fn items(&self, attributes: &[(&'static str, &str)]) -> Result<Vec<Item<'_>>, SavedError> {
        let search = || {
            let ours = [(APPLICATION, APPLICATION_NAME)].into_iter();
            self.service.search_items(ours.chain(attributes.iter().copied()).collect())
        };
        let mut found = search().await.map_err(of_service)?;
        if !found.locked.is_empty() {
            let locked: Vec<&Item<'_>> = found.locked.iter().collect();
            self.ask_to_unlock(self.service.unlock_all(&locked)).await?;
            found = search().await.map_err(of_service)?;
            if !found.locked.is_empty() {
                return Err(SavedError::Locked);
            }
        }
        found.unlocked.truncate(ITEMS_MAX);
        Ok(found.unlocked)
    }

    async fn ask_to_unlock(
        &self,
        unlocking: impl Future<Output = Result<(), Error>>,
    ) -> Result<(), SavedError> {
        if !self.may_ask {
            return Err(SavedError::Locked);
        }
        match tokio::time::timeout(UNLOCK_TIME_MAX, unlocking).await {
            Ok(outcome) => outcome.map_err(of_service),
            Err(_) => Err(SavedError::Locked),
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("may_ask", &self.may_ask).finish_non_exhaustive()
    }
}

impl Store for Service {
    fn place(&self) -> &str {
        "the desktop's keyring (Secret Service)"
    }

    fn put<'a>(
        &'a self,
        name: &'a Name,
        scheme: Option<AuthScheme>,
        user: &'a str,
        password: &'a Secret,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let keyring = self.keyring().await?;
            let slot = [(TARGET, name.as_str()), (SCHEME, scheme_word(scheme))];
            let attributes: HashMap<_, _> =
                [(APPLICATION, APPLICATION_NAME), (USER, user)].into_iter().chain(slot).collect();
            let label = format!("OpenBITS: {} ({user})", name.as_str());
            let made = keyring
                .create_item(&label, attributes, password.expose().as_bytes(), true, CONTENT_TYPE)
                .await
                .map_err(of_service)?;
            // Replaced is only what has the same user. In this order, a failure leaves one too many.
            for item in self.items(&slot).await? {
                if item != made {
                    item.delete().await.map_err(of_service)?;
                }
            }
            Ok(())
        })
    }

    fn list(&self) -> Answer<'_, Vec<SavedEntry>> {
        Box::pin(async move {
            let mut entries = Vec::new();
            for item in self.items(&[]).await? {
                entries.extend(entry_of(&item).await?);
            }
            Ok(entries)
        })
    }

    fn find<'a>(&'a self, name: &'a Name) -> Answer<'a, Vec<SavedCredential>> {
        Box::pin(async move {
            let mut credentials = Vec::new();
            for item in self.items(&[(TARGET, name.as_str())]).await? {
                if let Some(entry) = entry_of(&item).await? {
                    let password = Zeroizing::new(item.get_secret().await.map_err(of_service)?);
                    credentials.push(SavedCredential { entry, password: secret_of(&password)? });
                }
            }
            Ok(credentials)
        })
    }

    fn remove<'a>(&'a self, name: &'a Name, which: Which) -> Answer<'a, usize> {
        Box::pin(async move {
            let target = (TARGET, name.as_str());
            let items = match which {
                Which::All => self.items(&[target]).await?,
                Which::Scheme(scheme) => self.items(&[target, (SCHEME, scheme_word(scheme))]).await?,
            };
            for item in &items {
                item.delete().await.map_err(of_service)?;
            }
            Ok(items.len())
        })
    }
}

const BUS_NAME: &str = "org.freedesktop.secrets";
const CONTENT_TYPE: &str = "text/plain; charset=utf8";

// The names of the attributes, and values that are always the same.
const APPLICATION: &str = "application";
const APPLICATION_NAME: &str = "openbits";
const TARGET: &str = "target";
const SCHEME: &str = "scheme";
const USER: &str = "user";
const ANY_SCHEME: &str = "any";

fn scheme_word(scheme: Option<AuthScheme>) -> &'static str {
    scheme.map_or(ANY_SCHEME, AuthScheme::name)
}

/// What the item is known by; `None` if it is none of ours after all.
async fn entry_of(item: &Item<'_>) -> Result<Option<SavedEntry>, SavedError> {
    let mut attributes = item.get_attributes().await.map_err(of_service)?;
    let mut take = |name| attributes.remove(name);
    let (Some(name), Some(scheme), Some(user)) = (take(TARGET), take(SCHEME), take(USER)) else {
        return Ok(None);
    };
    let scheme = match &*scheme {
        ANY_SCHEME => None,
        word => match AuthScheme::named(word) {
            Some(scheme) => Some(scheme),
            None => return Ok(None),
        },
    };
    Ok(Some(SavedEntry { name, scheme, user }))
}

/// The password, which its owner may have edited elsewhere.
fn secret_of(bytes: &[u8]) -> Result<Secret, SavedError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SavedError::ForeignItem)?;
    if text.encode_utf16().count() > PASSWORD_UNITS_MAX {
        return Err(SavedError::ForeignItem);
    }
    Ok(Secret::new(text.to_owned()))
}

/// A connection to the bus at `address`, or to the session's.
pub(crate) async fn connection(address: Option<&str>) -> Result<Connection, SavedError> {
    let builder = match address {
        Some(address) => Builder::address(address),
        None => Builder::session(),
    };
    let connecting = builder.map_err(no_bus)?.method_timeout(ANSWER_TIME_MAX).build();
    connecting.await.map_err(no_bus)
}

async fn in_time<T>(work: impl Future<Output = Result<T, SavedError>>) -> Result<T, SavedError> {
    tokio::time::timeout(ANSWER_TIME_MAX, work).await.unwrap_or(Err(SavedError::NoAnswer))
}

/// Without a bus there is no service; why there is no bus makes no difference.
fn no_bus(_: zbus::Error) -> SavedError {
    SavedError::NoSecretService { reason: "there is no session bus" }
}

fn of_service(error: Error) -> SavedError {
    match error {
        Error::Unavailable => SavedError::NoSecretService { reason: "the session bus has none" },
        Error::Locked | Error::PromptDisconnected => SavedError::Locked,
        Error::Prompt => SavedError::Cancelled,
        Error::Zbus(error) => of_bus(error),
        Error::ZbusFdo(error) => of_fdo(error),
        other => SavedError::Service(said(&other)),
    }
}

fn of_bus(error: zbus::Error) -> SavedError {
    match error {
        zbus::Error::MethodError(name, text, _) => match name.as_str() {
            "org.freedesktop.Secret.Error.IsLocked" => SavedError::Locked,
            "org.freedesktop.DBus.Error.NoReply" => SavedError::NoAnswer,
            name if NOT_THERE.contains(&name) || name.starts_with("org.freedesktop.DBus.Error.Spawn.") => {
                SavedError::NoSecretService { reason: "it does not start" }
            }
            name => SavedError::Service(said(&text.as_deref().unwrap_or(name))),
        },
        zbus::Error::InputOutput(error) if error.kind() == ErrorKind::TimedOut => SavedError::NoAnswer,
        zbus::Error::FDO(error) => of_fdo(*error),
        other => SavedError::Service(said(&other)),
    }
}

fn of_fdo(error: zbus::fdo::Error) -> SavedError {
    use zbus::fdo::Error as Fdo;
    match error {
        Fdo::ZBus(error) => of_bus(error),
        Fdo::ServiceUnknown(_) | Fdo::NameHasNoOwner(_) => {
            SavedError::NoSecretService { reason: "it does not start" }
        }
        Fdo::NoReply(_) | Fdo::Timeout(_) | Fdo::TimedOut(_) => SavedError::NoAnswer,
        other => SavedError::Service(said(&other)),
    }
}

/// What the bus answers in place of a service that is not there.
const NOT_THERE: [&str; 2] =
    ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"];

/// A foreign error's text, as data.
fn said(error: &dyn fmt::Display) -> String {
    shown(&error.to_string())
}
