//! Credentials at rest: sealed on arrival, opened for one attempt.
//!
//! Engine and store see only what is sealed. A record opens for the job, owner, target and scheme
//! it was made for, and for no other (`credentials.md` §4.1).

use std::sync::Arc;

use bits_core::credentials::{AuthScheme, AuthTarget, Credential};
use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::identity::check_job_credential;
use bits_core::job::{JobId, Owner};
use bits_core::ports::{Seal, SealedCredential};
use bits_core::refusal::Refusal;
use bits_core::secret::Secret;
use zeroize::Zeroizing;

/// The first byte of what is sealed: how the rest is laid out.
const LAYOUT: u8 = 1;
/// Layout, whether the scheme was named, and the length of the user name.
const HEADER_BYTES: usize = 6;

/// Seals and opens credentials.
#[derive(Clone)]
pub struct Vault {
    seal: Arc<dyn Seal>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("key_source", &self.seal.key_source()).finish()
    }
}

/// A credential on its way in: for one scheme that was named, or for all that suit.
#[derive(Debug)]
pub struct NewCredential<'a> {
    pub target: AuthTarget,
    /// Without one, all schemes.
    pub scheme: Option<AuthScheme>,
    pub user: &'a str,
    pub password: &'a Secret,
}

impl Vault {
    pub fn new(seal: Arc<dyn Seal>) -> Self {
        Self { seal }
    }

    /// Where the key comes from, for people.
    pub fn key_source(&self) -> &str {
        self.seal.key_source()
    }

    /// Seals `new` for `job` of `owner`: one record a scheme.
    ///
    /// # Errors
    /// Those of [`check_job_credential`], and [`Refusal::InvalidArgument`] for an empty user name.
    pub fn seal(
        &self,
        job: JobId,
        owner: Owner,
        new: &NewCredential<'_>,
    ) -> Result<Vec<SealedCredential>, Refusal> {
        check(new)?;
        let plain = lay_out(new);
        let schemes: Vec<AuthScheme> = match new.scheme {
            Some(scheme) => vec![scheme],
            None => AuthScheme::BY_PREFERENCE.to_vec(),
        };
        schemes
            .into_iter()
            .map(|scheme| {
                let bound_to = bound_to(job, owner, new.target, scheme);
                let record = self.seal.seal(&plain, &bound_to).map_err(|error| Refusal::NotWritten {
                    code: Code::UNSPECIFIED,
                    reason: error.to_string(),
                })?;
                Ok(SealedCredential { target: new.target, scheme, record })
            })
            .collect()
    }

    /// Opens `sealed`, which belongs to `job` of `owner`.
    ///
    /// # Errors
    /// A fatal [`JobError`] with `BG_E_INVALID_CREDENTIALS`: it was made with another key, for
    /// something else, or is damaged. The job never goes on without it.
    pub fn open(&self, job: JobId, owner: Owner, sealed: &SealedCredential) -> Result<Credential, JobError> {
        let bound_to = bound_to(job, owner, sealed.target, sealed.scheme);
        let unreadable = |reason: &str| JobError {
            code: Code::INVALID_CREDENTIALS,
            context: ErrorContext::GeneralQueueManager,
            transient: false,
            message: format!(
                "the stored {} credentials for the {} cannot be read ({reason}); set them again",
                sealed.scheme.name(),
                sealed.target.name()
            ),
            file: None,
            challenge: None,
            retry_after_seconds: None,
        };
        let plain =
            self.seal.open(&sealed.record, &bound_to).map_err(|error| unreadable(&error.to_string()))?;
        let (scheme_is_explicit, user, password) =
            read_layout(&plain).ok_or_else(|| unreadable("it is of a newer version"))?;
        Ok(Credential {
            target: sealed.target,
            scheme: sealed.scheme,
            scheme_is_explicit,
            user: user.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }
}

fn check(new: &NewCredential<'_>) -> Result<(), Refusal> {
    check_job_credential(new.user, new.password)?;
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

/// What a record is bound to, so that it opens nowhere else.
fn bound_to(job: JobId, owner: Owner, target: AuthTarget, scheme: AuthScheme) -> Vec<u8> {
    let mut bound_to = job.0.to_vec();
    bound_to.extend(owner.0.to_be_bytes());
    bound_to.extend([target as u8, scheme as u8]);
    bound_to
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
    use bits_core::ports::SealError;

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

        fn key_source(&self) -> &str {
            "a test"
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
        let opened = vault.open(JOB, OWNER, &sealed[0]).expect("opened");
        assert_eq!((opened.user.as_str(), opened.password.expose()), (r"DOM\anna", "pässword"));
        assert!(opened.scheme_is_explicit);
    }

    #[test]
    fn without_a_scheme_there_is_a_record_for_each() {
        let vault = Vault::new(Arc::new(Turned));
        let password = Secret::new("p".to_owned());
        let sealed = vault.seal(JOB, OWNER, &new(None, "anna", &password)).expect("sealed");
        let schemes: Vec<_> = sealed.iter().map(|record| record.scheme).collect();
        assert_eq!(schemes, AuthScheme::BY_PREFERENCE);
        assert!(!vault.open(JOB, OWNER, &sealed[0]).expect("opened").scheme_is_explicit);
    }

    #[test]
    fn a_record_opens_for_no_other_job_owner_or_slot() {
        let vault = Vault::new(Arc::new(Turned));
        let password = Secret::new("p".to_owned());
        let sealed = vault.seal(JOB, OWNER, &new(Some(AuthScheme::Ntlm), "anna", &password));
        let record = sealed.expect("sealed").remove(0);
        let moved = SealedCredential { scheme: AuthScheme::Basic, ..record.clone() };
        for (job, owner, record) in
            [(JobId([8; 16]), OWNER, &record), (JOB, Owner(0), &record), (JOB, OWNER, &moved)]
        {
            let error = vault.open(job, owner, record).expect_err("not for this");
            assert_eq!(error.code, Code::INVALID_CREDENTIALS);
            assert!(!error.transient);
        }
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
            ("a\nb".to_owned(), &fits, Some(Code::INVALID_ARGUMENT)),
        ] {
            let answer = vault.seal(JOB, OWNER, &new(Some(AuthScheme::Basic), &user, password));
            assert_eq!(answer.err().map(|refusal| refusal.code()), expected);
        }
    }
}
