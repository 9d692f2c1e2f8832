//! Secrets at rest: sealed on arrival, opened for one attempt.
//!
//! Engine and store see only what is sealed. A record opens for the job, owner and slot it was made
//! for, and for no other (`credentials.md` §4.1).

use std::sync::{Arc, PoisonError, RwLock};

use bits_core::credentials::{
    AuthScheme, AuthTarget, Credential, PASSWORD_UNITS_MAX, SecretHeader, SecretSlot,
};
use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::http_options::header_value;
use bits_core::identity::check_job_credential;
use bits_core::job::{JobId, Owner};
use bits_core::ports::{KeyChange, KeyStanding, Seal, SealError, SealedSecret, SealingKey};
use bits_core::refusal::Refusal;
use bits_core::secret::Secret;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use zeroize::Zeroizing;

/// The first byte of what is sealed: how the rest is laid out. Of a credential that is whether the
/// scheme was named, the length of the user name, user name and password; of all else the text alone.
const LAYOUT: u8 = 1;
/// Layout, whether the scheme was named, and the length of the user name.
const HEADER_BYTES: usize = 6;

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Vault {
    seal: Arc<RwLock<Arc<dyn Seal>>>,
    /// Held for reading from the sealing of a secret until it is stored, and for writing while
    /// the key changes: else one sealed with the old key could come into the store after it.
    key: Arc<tokio::sync::RwLock<()>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key", &self.key_standing()).finish()
    }
}

/// While there is one, the key stays the same.
#[derive(Debug)]
pub struct SameKey(#[expect(dead_code, reason = "it is there to be dropped")] OwnedRwLockReadGuard<()>);

/// A change to another key. The engine carries it out; see [`KeyChange`].
pub struct Rotation {
    vault: Vault,
    change: Box<dyn KeyChange>,
    _nobody_seals: OwnedRwLockWriteGuard<()>,
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rotation").field("key", &self.key()).finish_non_exhaustive()
    }
}

/// A credential on its way in: for one scheme that was named, or for all that suit. With neither user
/// nor password it is implicit.
#[derive(Debug)]
pub struct NewCredential<'a> {
    pub target: AuthTarget,
    /// Without one, all schemes.
    pub scheme: Option<AuthScheme>,
    pub user: &'a str,
    pub password: &'a Secret,
}

/// All secrets of a job, opened for one attempt.
#[derive(Debug, Default)]
pub struct Opened {
    pub credentials: Vec<Credential>,
    pub headers: Vec<SecretHeader>,
    pub certificate_passphrase: Option<Secret>,
    pub webhook: Option<Secret>,
}

impl Vault {
    pub fn new(seal: Arc<dyn Seal>) -> Self {
        Self { seal: Arc::new(RwLock::new(seal)), key: Arc::default() }
    }

    /// Which key seals, and whether it is there.
    pub fn key_standing(&self) -> KeyStanding {
        self.current().standing()
    }

    /// Keeps the key as it is until the secret that is now sealed is stored.
    pub async fn same_key(&self) -> SameKey {
        SameKey(Arc::clone(&self.key).read_owned().await)
    }

    /// Begins a change to a new key, when nobody is at storing what was sealed with the old one.
    ///
    /// # Errors
    /// [`Refusal::KeyNotChanged`].
    pub async fn change_key(&self) -> Result<Rotation, Refusal> {
        let nobody_seals = Arc::clone(&self.key).write_owned().await;
        let change = self
            .current()
            .change_key()
            .map_err(|error| Refusal::KeyNotChanged { reason: error.to_string() })?;
        Ok(Rotation { vault: self.clone(), change, _nobody_seals: nobody_seals })
    }

    fn current(&self) -> Arc<dyn Seal> {
        Arc::clone(&self.seal.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Seals the credential `new` for `job` of `owner`: one record a scheme.
    ///
    /// # Errors
    /// Those of [`check_job_credential`], [`Refusal::InvalidArgument`] for an empty user name with a
    /// password or for a scheme that has nothing implicit, [`Refusal::NoKey`].
    pub fn seal(
        &self,
        job: JobId,
        owner: Owner,
        new: &NewCredential<'_>,
    ) -> Result<Vec<SealedSecret>, Refusal> {
        check(new)?;
        let plain = lay_out(new);
        let schemes: Vec<AuthScheme> = match new.scheme {
            Some(scheme) => vec![scheme],
            None if new.is_implicit() => vec![AuthScheme::Negotiate],
            None => AuthScheme::BY_PREFERENCE.to_vec(),
        };
        let slots = schemes.into_iter().map(|scheme| SecretSlot::Credential { target: new.target, scheme });
        slots.map(|slot| self.seal_plain(job, owner, slot, &plain)).collect()
    }

    /// Seals the value of a header that is one.
    ///
    /// # Errors
    /// [`Refusal::NoKey`].
    pub fn seal_header(
        &self,
        job: JobId,
        owner: Owner,
        header: &SecretHeader,
    ) -> Result<SealedSecret, Refusal> {
        let slot = SecretSlot::Header(header.name.clone());
        self.seal_plain(job, owner, slot, &lay_out_text(&header.value))
    }

    /// Seals what opens the key of the client certificate.
    ///
    /// # Errors
    /// [`Refusal::PasswordTooLarge`], [`Refusal::NoKey`].
    pub fn seal_passphrase(
        &self,
        job: JobId,
        owner: Owner,
        passphrase: &Secret,
    ) -> Result<SealedSecret, Refusal> {
        if passphrase.expose().encode_utf16().count() > PASSWORD_UNITS_MAX {
            return Err(Refusal::PasswordTooLarge);
        }
        self.seal_plain(job, owner, SecretSlot::CertificatePassphrase, &lay_out_text(passphrase))
    }

    /// Seals by what webhooks are signed.
    ///
    /// # Errors
    /// [`Refusal::InvalidArgument`] for an empty one or what is no base64 after `whsec_`,
    /// [`Refusal::PasswordTooLarge`], [`Refusal::NoKey`].
    pub fn seal_webhook(&self, job: JobId, owner: Owner, secret: &Secret) -> Result<SealedSecret, Refusal> {
        if secret.expose().encode_utf16().count() > PASSWORD_UNITS_MAX {
            return Err(Refusal::PasswordTooLarge);
        }
        if bits_worker::signing_key(secret).is_none() {
            let wrong = "is empty, or begins with whsec_ and is no base64 after that";
            return Err(Refusal::invalid("the secret of the webhook", wrong));
        }
        self.seal_plain(job, owner, SecretSlot::Webhook, &lay_out_text(secret))
    }

    fn seal_plain(
        &self,
        job: JobId,
        owner: Owner,
        slot: SecretSlot,
        plain: &[u8],
    ) -> Result<SealedSecret, Refusal> {
        let sealed = self.current().seal(plain, &bound_to(job, owner, &slot));
        match sealed {
            Ok(record) => Ok(SealedSecret { slot, record }),
            Err(SealError::NoKey { reason }) => Err(Refusal::NoKey { reason }),
            Err(error) => Err(Refusal::NotWritten { code: Code::UNSPECIFIED, reason: error.to_string() }),
        }
    }

    /// Opens `secrets`, which belong to `job` of `owner`.
    ///
    /// # Errors
    /// A fatal [`JobError`] with `BG_E_INVALID_CREDENTIALS`: one was made with another key, for
    /// something else, or is damaged. The job never goes on without it. A transient one with
    /// `NTE_NO_KEY` when the key is not there.
    pub fn open(&self, job: JobId, owner: Owner, secrets: &[SealedSecret]) -> Result<Opened, JobError> {
        let mut opened = Opened::default();
        for SealedSecret { slot, record } in secrets {
            let plain = self.current().open(record, &bound_to(job, owner, slot));
            let plain = plain.map_err(|error| match error {
                SealError::NoKey { reason } => failed(Code::NO_KEY, true, reason),
                error => unreadable(slot, &error.to_string()),
            })?;
            opened.take(slot, &plain).ok_or_else(|| unreadable(slot, "it is of a newer version"))?;
        }
        Ok(opened)
    }
}

impl NewCredential<'_> {
    fn is_implicit(&self) -> bool {
        self.user.is_empty() && self.password.expose().is_empty()
    }
}

impl Opened {
    /// None when it cannot be read.
    fn take(&mut self, slot: &SecretSlot, plain: &[u8]) -> Option<()> {
        match slot {
            SecretSlot::Credential { target, scheme } => {
                let (scheme_is_explicit, user, password) = read_layout(plain)?;
                self.credentials.push(Credential {
                    target: *target,
                    scheme: *scheme,
                    scheme_is_explicit,
                    user: user.to_owned(),
                    password: Secret::new(password.to_owned()),
                });
            }
            SecretSlot::Header(name) => {
                let value = read_text(plain).filter(|text| header_value(text).is_ok())?;
                let value = Secret::new(value.to_owned());
                self.headers.push(SecretHeader { name: name.clone(), value });
            }
            SecretSlot::CertificatePassphrase => {
                self.certificate_passphrase = Some(Secret::new(read_text(plain)?.to_owned()));
            }
            SecretSlot::Webhook => self.webhook = Some(Secret::new(read_text(plain)?.to_owned())),
        }
        Some(())
    }
}

fn failed(code: Code, transient: bool, message: String) -> JobError {
    JobError {
        code,
        context: ErrorContext::GeneralQueueManager,
        transient,
        message,
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }
}

fn unreadable(slot: &SecretSlot, reason: &str) -> JobError {
    let message = match slot {
        SecretSlot::Credential { target, scheme } => {
            let (scheme, target) = (scheme.name(), target.name());
            format!(
                "the stored {scheme} credentials for the {target} cannot be read ({reason}); set them again"
            )
        }
        SecretSlot::Header(name) => {
            format!("the stored header {} cannot be read ({reason}); set it again", name.as_str())
        }
        SecretSlot::CertificatePassphrase => {
            format!("the stored passphrase of the client certificate cannot be read ({reason}); set it again")
        }
        SecretSlot::Webhook => {
            format!("the stored secret of the webhook cannot be read ({reason}); set it again")
        }
    };
    failed(Code::INVALID_CREDENTIALS, false, message)
}

impl Rotation {
    /// The new key.
    pub fn key(&self) -> SealingKey {
        self.change.key()
    }

    /// A record for the new key of `sealed`, which belongs to `job` of `owner`.
    ///
    /// # Errors
    /// When it cannot be opened; see [`KeyChange::rewrap`].
    pub fn rewrap(&self, job: JobId, owner: Owner, sealed: &SealedSecret) -> Result<Vec<u8>, SealError> {
        self.change.rewrap(&sealed.record, &bound_to(job, owner, &sealed.slot))
    }

    /// All is written: from here on the new key is in force. Returns what a person should know.
    pub fn finish(self) -> Option<String> {
        let (seal, notice) = self.change.finish();
        *self.vault.seal.write().unwrap_or_else(PoisonError::into_inner) = seal;
        notice
    }

    /// Nothing was written: all stays as it was.
    pub fn abandon(self) {
        self.change.abandon();
    }
}

fn check(new: &NewCredential<'_>) -> Result<(), Refusal> {
    check_job_credential(new.user, new.password)?;
    if new.is_implicit() {
        // `bits.md` §7.1 has it for NTLM too, from a logon whose password Windows keeps.
        return match new.scheme {
            None | Some(AuthScheme::Negotiate) => Ok(()),
            Some(scheme) => {
                let what = format!("the user name for {}", scheme.name());
                Err(Refusal::invalid(&what, "is empty; only negotiate can do without, by a Kerberos ticket"))
            }
        };
    }
    if new.user.is_empty() {
        return Err(Refusal::invalid(
            "the user name",
            "is empty; give one as user, user@realm or DOMAIN\\user",
        ));
    }
    if new.user.chars().any(char::is_control) {
        return Err(Refusal::invalid("the user name", "contains a control character"));
    }
    Ok(())
}

/// What a record is bound to, so that it opens nowhere else. A credential's ends in the numbers of
/// target and scheme; no target is zero, so that nothing else can be taken for one.
fn bound_to(job: JobId, owner: Owner, slot: &SecretSlot) -> Vec<u8> {
    let mut bound_to = job.0.to_vec();
    bound_to.extend(owner.0.to_be_bytes());
    match slot {
        SecretSlot::Credential { target, scheme } => bound_to.extend([*target as u8, *scheme as u8]),
        SecretSlot::CertificatePassphrase => bound_to.extend([0, 1]),
        SecretSlot::Webhook => bound_to.extend([0, 3]),
        SecretSlot::Header(name) => {
            bound_to.extend([0, 2]);
            bound_to.extend(name.as_str().to_ascii_lowercase().into_bytes());
        }
    }
    bound_to
}

fn lay_out_text(text: &Secret) -> Zeroizing<Vec<u8>> {
    let text = text.expose().as_bytes();
    let mut plain = Zeroizing::new(Vec::with_capacity(1 + text.len()));
    plain.push(LAYOUT);
    plain.extend(text);
    plain
}

fn read_text(plain: &[u8]) -> Option<&str> {
    let (LAYOUT, text) = plain.split_first().map(|(layout, text)| (*layout, text))? else { return None };
    std::str::from_utf8(text).ok()
}

fn lay_out(new: &NewCredential<'_>) -> Zeroizing<Vec<u8>> {
    let (user, password) = (new.user.as_bytes(), new.password.expose().as_bytes());
    let user_length = u32::try_from(user.len()).expect("a checked user name is short");
    // Room for all of it from the start: growing would leave a copy behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + user.len() + password.len()));
    plain.extend([LAYOUT, u8::from(new.scheme.is_some())]);
    plain.extend(user_length.to_be_bytes());
    plain.extend(user);
    plain.extend(password);
    plain
}

fn read_layout(plain: &[u8]) -> Option<(bool, &str, &str)> {
    let (header, text) = plain.split_at_checked(HEADER_BYTES)?;
    let [LAYOUT, explicit, a, b, c, d] = *header else { return None };
    let user_length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let (user, password) = text.split_at_checked(user_length)?;
    Some((explicit != 0, std::str::from_utf8(user).ok()?, std::str::from_utf8(password).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bits_core::http_options::HeaderName;
    use bits_core::ports::KeySource;

    /// Turns bytes around and remembers what they were bound to.
    struct Turned;

    impl Seal for Turned {
        fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError> {
            Ok(bound_to.iter().chain(plain).map(|byte| !byte).collect())
        }

        fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
            let turned: Vec<u8> = sealed.iter().map(|byte| !byte).collect();
            let plain = turned.strip_prefix(bound_to).ok_or(SealError::DoesNotOpen)?;
            Ok(Zeroizing::new(plain.to_vec()))
        }

        fn standing(&self) -> KeyStanding {
            let place = "a test".to_owned();
            KeyStanding { place, id: None, source: KeySource::KeyFile, missing: None }
        }

        fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
            Err(SealError::KeyNotChanged { reason: "this is a test".to_owned() })
        }
    }

    const JOB: JobId = JobId([7; 16]);
    const OWNER: Owner = Owner(1000);

    fn new<'a>(scheme: Option<AuthScheme>, user: &'a str, password: &'a Secret) -> NewCredential<'a> {
        NewCredential { target: AuthTarget::Server, scheme, user, password }
    }

    #[test]
    fn a_credential_opens_as_it_was_given() {
        let vault = Vault::new(Arc::new(Turned));
        let password = Secret::new("pässword".to_owned());
        let sealed = vault.seal(JOB, OWNER, &new(Some(AuthScheme::Basic), r"DOM\anna", &password));
        let sealed = sealed.expect("sealed");
        let opened = vault.open(JOB, OWNER, &sealed).expect("opened").credentials.remove(0);
        assert_eq!((opened.user.as_str(), opened.password.expose()), (r"DOM\anna", "pässword"));
        assert!(opened.scheme_is_explicit);
    }

    #[test]
    fn without_a_scheme_there_is_a_record_for_each() {
        let vault = Vault::new(Arc::new(Turned));
        let password = Secret::new("p".to_owned());
        let sealed = vault.seal(JOB, OWNER, &new(None, "anna", &password)).expect("sealed");
        let opened = vault.open(JOB, OWNER, &sealed).expect("opened").credentials;
        let schemes: Vec<_> = opened.iter().map(|credential| credential.scheme).collect();
        assert_eq!(schemes, AuthScheme::BY_PREFERENCE);
        assert!(opened.iter().all(|credential| !credential.scheme_is_explicit));
    }

    #[test]
    fn with_neither_user_nor_password_it_is_the_owners_ticket_and_for_negotiate_alone() {
        let vault = Vault::new(Arc::new(Turned));
        let nothing = Secret::new(String::new());
        for (scheme, explicit) in [(None, false), (Some(AuthScheme::Negotiate), true)] {
            let sealed = vault.seal(JOB, OWNER, &new(scheme, "", &nothing)).expect("sealed");
            let opened = vault.open(JOB, OWNER, &sealed).expect("opened").credentials;
            let [opened] = opened.as_slice() else { panic!("it is one") };
            assert!(opened.is_implicit());
            assert_eq!((opened.scheme, opened.scheme_is_explicit), (AuthScheme::Negotiate, explicit));
        }
        for scheme in [AuthScheme::Ntlm, AuthScheme::Digest, AuthScheme::Basic] {
            let refusal = vault.seal(JOB, OWNER, &new(Some(scheme), "", &nothing)).expect_err("refused");
            assert_eq!(refusal.code(), Code::INVALID_ARGUMENT, "{scheme:?}");
        }
    }

    #[test]
    fn a_record_opens_for_no_other_job_owner_or_slot() {
        let vault = Vault::new(Arc::new(Turned));
        let password = Secret::new("p".to_owned());
        let header = |name| SecretSlot::Header(HeaderName::parse(name).expect("a name"));
        let credential = |target, scheme| SecretSlot::Credential { target, scheme };
        let sealed = [
            vault
                .seal(JOB, OWNER, &new(Some(AuthScheme::Ntlm), "anna", &password))
                .expect("sealed")
                .remove(0),
            vault.seal_header(JOB, OWNER, &a_header("Cookie", "c")).expect("sealed"),
            vault.seal_passphrase(JOB, OWNER, &password).expect("sealed"),
        ];
        for record in sealed {
            let slots = [
                credential(AuthTarget::Server, AuthScheme::Ntlm),
                credential(AuthTarget::Server, AuthScheme::Basic),
                credential(AuthTarget::Proxy, AuthScheme::Ntlm),
                header("Cookie"),
                header("Authorization"),
                SecretSlot::CertificatePassphrase,
            ];
            let elsewhere = slots.into_iter().filter(|slot| *slot != record.slot);
            let moved = elsewhere.map(|slot| (JOB, OWNER, SealedSecret { slot, ..record.clone() }));
            let others = [(JobId([8; 16]), OWNER, record.clone()), (JOB, Owner(0), record.clone())];
            for (job, owner, record) in moved.chain(others) {
                let error = vault.open(job, owner, &[record]).expect_err("not for this");
                assert_eq!(error.code, Code::INVALID_CREDENTIALS);
                assert!(!error.transient);
            }
        }
    }

    #[test]
    fn the_record_of_a_credential_is_bound_to_what_it_always_was() {
        let slot = SecretSlot::Credential { target: AuthTarget::Proxy, scheme: AuthScheme::Digest };
        let expected = [&[7; 16][..], &[0, 0, 3, 232], &[2, 2]].concat();
        assert_eq!(bound_to(JOB, OWNER, &slot), expected);
    }

    #[test]
    fn a_header_and_a_passphrase_open_as_they_were_given() {
        let vault = Vault::new(Arc::new(Turned));
        let passphrase = Secret::new("pässphrase".to_owned());
        let sealed = [
            vault.seal_header(JOB, OWNER, &a_header("Authorization", "Bearer t")).expect("sealed"),
            vault.seal_passphrase(JOB, OWNER, &passphrase).expect("sealed"),
        ];
        let opened = vault.open(JOB, OWNER, &sealed).expect("opened");
        let header = &opened.headers[0];
        assert_eq!((header.name.as_str(), header.value.expose()), ("Authorization", "Bearer t"));
        assert_eq!(opened.certificate_passphrase, Some(passphrase));
        assert!(opened.credentials.is_empty());
    }

    fn a_header(name: &str, value: &str) -> SecretHeader {
        SecretHeader { name: HeaderName::parse(name).expect("a name"), value: Secret::new(value.to_owned()) }
    }

    /// Has lost its key.
    struct Lost;

    impl Seal for Lost {
        fn seal(&self, _: &[u8], _: &[u8]) -> Result<Vec<u8>, SealError> {
            Err(SealError::NoKey { reason: "the key is gone".to_owned() })
        }

        fn open(&self, _: &[u8], _: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
            Err(SealError::NoKey { reason: "the key is gone".to_owned() })
        }

        fn standing(&self) -> KeyStanding {
            let missing = Some("the key is gone".to_owned());
            KeyStanding { missing, ..Turned.standing() }
        }

        fn change_key(&self) -> Result<Box<dyn KeyChange>, SealError> {
            Turned.change_key()
        }
    }

    #[test]
    fn without_its_key_a_credential_is_refused_and_an_attempt_may_be_made_again() {
        let password = Secret::new("p".to_owned());
        let given = new(Some(AuthScheme::Basic), "anna", &password);
        let sealed = Vault::new(Arc::new(Turned)).seal(JOB, OWNER, &given).expect("sealed").remove(0);
        let lost = Vault::new(Arc::new(Lost));
        assert_eq!(lost.seal(JOB, OWNER, &given).expect_err("refused").code(), Code::NO_KEY);
        let error = lost.open(JOB, OWNER, &[sealed]).expect_err("it cannot be opened");
        assert_eq!((error.code, error.transient), (Code::NO_KEY, true));
        assert_eq!(error.message, "the key is gone");
    }

    #[tokio::test]
    async fn the_key_is_not_changed_while_a_credential_is_on_its_way_to_the_store() {
        let vault = Vault::new(Arc::new(Turned));
        let same = vault.same_key().await;
        let changing = vault.change_key();
        tokio::pin!(changing);
        tokio::select! {
            biased;
            _ = &mut changing => panic!("it does not wait"),
            () = std::future::ready(()) => {}
        }
        drop(same);
        let refusal = changing.await.expect_err("this key cannot be changed");
        assert!(matches!(refusal, Refusal::KeyNotChanged { .. }), "{refusal}");
    }

    #[test]
    fn what_a_job_cannot_take_as_credentials_is_refused() {
        let vault = Vault::new(Arc::new(Turned));
        let (long, fits) = ("x".repeat(65_537), "x".repeat(65_536));
        let (long, fits) = (Secret::new(long), Secret::new(fits));
        let reference = Secret::new("@@DAbc".to_owned());
        for (user, password, expected) in [
            ("u".repeat(300), &fits, None),
            ("u".repeat(301), &fits, Some(Code::USER_NAME_TOO_LARGE)),
            ("u".to_owned(), &long, Some(Code::PASSWORD_TOO_LARGE)),
            ("u".to_owned(), &reference, Some(Code::UNKNOWN_CREDENTIALS)),
            ("@@BAbc".to_owned(), &fits, Some(Code::UNKNOWN_CREDENTIALS)),
            (String::new(), &fits, Some(Code::INVALID_ARGUMENT)),
            (String::new(), &Secret::new(String::new()), Some(Code::INVALID_ARGUMENT)),
            ("a\nb".to_owned(), &fits, Some(Code::INVALID_ARGUMENT)),
        ] {
            let answer = vault.seal(JOB, OWNER, &new(Some(AuthScheme::Basic), &user, password));
            assert_eq!(answer.err().map(|refusal| refusal.code()), expected);
        }
    }
}
