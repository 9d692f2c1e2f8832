//! Credentials that a person keeps: saved ones, and those of a netrc file.
//!
//! Which of them a command uses is decided by what was typed; here they are looked up.

use std::path::PathBuf;

use bits_client::Scheme;
use bits_client::api::credentials::{Password, SetCredentials};
use bits_client::api::job::Challenge;
use bits_client::netrc::{NetrcError, netrc_path, read_netrc};
use bits_client::saved::{Options, SavedCredential, SavedCredentials, SavedEntry, StoreKind};
use bits_core::credentials::AuthScheme;
use bits_core::remote_name::RemoteName;
use bits_platform::paths::Paths;

use crate::arguments::Netrc;
use crate::exit::Failure;
use crate::output::Output;
use crate::sign_in::OneUser;

/// The stores of the person who runs this.
pub(crate) struct Kept {
    saved: SavedCredentials,
}

/// A credential that was looked up, and the scheme it is for.
pub(crate) struct Found {
    pub(crate) credentials: SetCredentials,
    pub(crate) scheme: Option<AuthScheme>,
    /// What it is saved under.
    pub(crate) name: String,
}

impl Found {
    /// What it is known by in the stores.
    pub(crate) fn entry(&self) -> SavedEntry {
        SavedEntry { name: self.name.clone(), scheme: self.scheme, user: self.credentials.user.clone() }
    }

    /// The scheme to set it for: its own, or else the one that was asked for.
    pub(crate) fn scheme_or(&self, asked: Option<AuthScheme>) -> Scheme {
        asked.or(self.scheme).map_or(Scheme::Any, Scheme::One)
    }
}

impl Kept {
    /// Opens the stores; nobody is asked yet.
    pub(crate) async fn open() -> Result<Self, Failure> {
        let environment = |name: &str| std::env::var_os(name);
        let paths = Paths::of_user(&environment).map_err(bits_client::Unreachable::from);
        let paths = paths.map_err(bits_client::Error::from)?;
        let store = StoreKind::of_environment(&environment)?;
        let options = Options { paths: &paths, store, may_ask: true, bus_address: None };
        Ok(Self { saved: SavedCredentials::open(&options).await? })
    }

    /// Where new ones go, to be said after "saved in".
    pub(crate) fn place(&self) -> &str {
        self.saved.place()
    }

    /// What is saved under `name`, for the scheme `asked` if one is.
    ///
    /// # Errors
    /// [`Failure::NothingSaved`].
    pub(crate) async fn named(&self, name: &str, asked: Option<AuthScheme>) -> Result<Found, Failure> {
        let found = self.saved.find(name).await?;
        let found = best(found, asked.as_slice(), asked.is_none());
        found.ok_or_else(|| Failure::NothingSaved { name: name.to_owned(), scheme: asked })
    }

    /// What is saved for whoever sent `challenge`: for host and port, or else for the host.
    pub(crate) async fn for_challenge(&self, challenge: &Challenge) -> Result<Option<Found>, Failure> {
        let offered = offered(challenge);
        for name in names_of(&challenge.host) {
            if let Some(found) = best(self.saved.find(name).await?, &offered, false) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    pub(crate) async fn save(
        &self,
        name: &str,
        scheme: Option<AuthScheme>,
        credentials: &SetCredentials,
    ) -> Result<(), Failure> {
        Ok(self.saved.save(name, scheme, &credentials.user, &credentials.password.0).await?)
    }

    pub(crate) async fn list(&self) -> Result<Vec<SavedEntry>, Failure> {
        Ok(self.saved.list().await?)
    }

    /// Forgets what is saved; says how many that were.
    pub(crate) async fn forget(&self, name: &str, scheme: Option<AuthScheme>) -> Result<usize, Failure> {
        Ok(self.saved.forget(name, scheme).await?)
    }

    /// Forgets this one alone, as it was refused; says whether it was still there.
    pub(crate) async fn forget_refused(&self, entry: &SavedEntry) -> Result<bool, Failure> {
        Ok(self.saved.forget_one(entry).await? != 0)
    }
}

/// The schemes of `challenge`, the one to be preferred first.
pub(crate) fn offered(challenge: &Challenge) -> Vec<AuthScheme> {
    let is_offered = |scheme: &AuthScheme| challenge.schemes.iter().any(|word| word == scheme.name());
    AuthScheme::BY_PREFERENCE.into_iter().filter(is_offered).collect()
}

/// What a host may be saved under: with its port, then without.
fn names_of(host: &str) -> impl Iterator<Item = &str> {
    let bare = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    [host].into_iter().chain(bare.map(|(bare, _)| bare))
}

/// The one of `found` that is for the first of `schemes`, or for any scheme; with `or_another` also
/// one for another scheme.
fn best(found: Vec<SavedCredential>, schemes: &[AuthScheme], or_another: bool) -> Option<Found> {
    let others = AuthScheme::BY_PREFERENCE.iter().filter(|_| or_another).map(|scheme| Some(*scheme));
    let wanted = schemes.iter().map(|scheme| Some(*scheme)).chain([None]).chain(others);
    let place = wanted.into_iter().find_map(|wanted| found.iter().position(|one| one.entry.scheme == wanted));
    let SavedCredential { entry, password } = found.into_iter().nth(place?)?;
    let credentials = SetCredentials { user: entry.user, password: Password(password) };
    Some(Found { credentials, scheme: entry.scheme, name: entry.name })
}

/// What the netrc file says for the hosts of `remotes`, when the flags name one. A file that is not
/// there is an error only where it was named.
///
/// # Errors
/// When the file cannot be read, and when it has different users for these hosts: one job signs in
/// as one.
pub(crate) fn from_netrc<'r>(
    flags: &Netrc,
    user: Option<&str>,
    remotes: impl Iterator<Item = &'r RemoteName>,
    output: &Output,
) -> Result<Option<SetCredentials>, Failure> {
    let usual = || netrc_path(&|name| std::env::var_os(name)).filter(|_| flags.netrc);
    let Some(path): Option<PathBuf> = flags.netrc_file.clone().or_else(usual) else { return Ok(None) };
    let file = match read_netrc(&path) {
        Err(NetrcError::File { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound && flags.netrc_file.is_none() =>
        {
            output.warn(&format!("there is no netrc file {}", path.display()));
            return Ok(None);
        }
        file => file?,
    };
    for notice in &file.notices {
        output.warn(&notice.to_string());
    }
    let mut found = OneUser::default();
    let mut hosts = 0;
    let mut served = 0;
    for remote in remotes {
        hosts += 1;
        let Some((login, password)) = file.netrc.lookup(remote.host(), user) else { continue };
        served += 1;
        if !found.is(&login, &password) {
            let sentence =
                "the netrc file has different users for these servers; one job signs in as one user";
            return Err(Failure::Usage(sentence.to_owned()));
        }
    }
    if served != 0 && served != hosts {
        let sentence = "the netrc file has a user for some of these servers only; make a job for each server";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    if served == 0 {
        let whom = user.map(|user| format!(" and {user}")).unwrap_or_default();
        output.say(&format!("{} has nothing for this host{whom}", path.display()));
    }
    Ok(found.into_credentials())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::secret::Secret;

    fn saved(scheme: Option<AuthScheme>) -> SavedCredential {
        let user = scheme.map_or("any", AuthScheme::name).to_owned();
        let entry = SavedEntry { name: "work".to_owned(), scheme, user };
        SavedCredential { entry, password: Secret::new("x".to_owned()) }
    }

    #[test]
    fn the_credential_for_the_scheme_goes_before_the_one_for_any() {
        use AuthScheme::*;
        let all = || [None, Some(Basic), Some(Digest)].map(saved).into();
        let basic = || [Some(Basic)].map(saved).into();
        for (found, schemes, or_another, expected) in [
            (all(), &[Digest][..], false, Some("digest")),
            (all(), &[Negotiate, Digest], false, Some("digest")),
            (all(), &[Ntlm], false, Some("any")),
            (all(), &[], true, Some("any")),
            (basic(), &[], true, Some("basic")),
            (basic(), &[Digest], false, None),
            (Vec::new(), &[], true, None),
        ] {
            let user = best(found, schemes, or_another).map(|found| found.credentials.user);
            assert_eq!(user.as_deref(), expected, "{schemes:?}");
        }
    }

    #[test]
    fn a_host_is_looked_for_with_its_port_and_without() {
        for (host, expected) in [
            ("files.test", &["files.test"][..]),
            ("files.test:8443", &["files.test:8443", "files.test"]),
            ("[::1]", &["[::1]"]),
            ("[::1]:80", &["[::1]:80", "[::1]"]),
        ] {
            assert_eq!(names_of(host).collect::<Vec<_>>(), expected);
        }
    }
}
