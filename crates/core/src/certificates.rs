//! What a program says of the certificates its job's servers show
//! (`SetServerCertificateValidationInterface`, `bits.md` §1.8 and §6.8): when it may offer to, what it
//! has passed, and what becomes of the job when it has not.
//!
//! Whether a certificate is genuine is looked at before and elsewhere; how the program is asked is not
//! known here.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use crate::error::{Code, ErrorContext, JobError};
use crate::file::FileIndex;
use crate::job::{Job, State};
use crate::refusal::Refusal;

/// Passes that are remembered for one job; beyond that the program is asked each time. A job meets
/// few servers, and each has few certificates.
const PASSES_MAX: usize = 1000;

/// The SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; 32];

/// What the program has said.
pub type Verdict = Result<(), Rejection>;

/// Why a certificate does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The program says so, for this reason.
    Refused(Code),
    /// There is nobody to ask any more, or nobody who answers.
    Gone,
}

/// What the program of one job has passed: which certificate of which server, by `host:port`.
#[derive(Debug, Clone, Default)]
pub struct Passes(BTreeSet<(String, Fingerprint)>);

impl Passes {
    /// Whether this certificate needs not be asked about again.
    pub fn covers(&self, authority: &str, fingerprint: Fingerprint) -> bool {
        self.0.contains(&(authority.into(), fingerprint))
    }

    /// Remembers that it has passed.
    pub fn add(&mut self, authority: String, fingerprint: Fingerprint) {
        if self.0.len() < PASSES_MAX {
            self.0.insert((authority, fingerprint));
        }
    }
}

/// Whether the one that is asked about the certificates of `job` may be another from now on.
///
/// # Errors
/// [`Refusal::ReadOnlyWhenActive`] while it works, or will by itself; [`Refusal::InvalidState`] when
/// it is over.
pub fn check_settable(job: &Job) -> Result<(), Refusal> {
    match job.state {
        State::Suspended | State::Error | State::Transferred => Ok(()),
        state if state.is_final() => Err(Refusal::InvalidState { id: job.id, state }),
        _ => Err(Refusal::ReadOnlyWhenActive { id: job.id, what: "server certificate callback" }),
    }
}

impl Rejection {
    /// What the job meets then. It is tried again: the program may come back, or decide otherwise.
    pub fn error(self, authority: &str, file: FileIndex) -> JobError {
        let (code, message) = match self {
            Self::Refused(code) => {
                (code, format!("the program of this job rejects the certificate of {authority}"))
            }
            Self::Gone => (
                Code::CERTIFICATE_CALLBACK_GONE,
                format!(
                    "the program that is to be asked about the certificate of {authority} does not answer"
                ),
            ),
        };
        JobError {
            code,
            context: ErrorContext::ServerCertificateCallback,
            transient: true,
            message,
            file: Some(file),
            challenge: None,
            retry_after_seconds: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{JobId, Owner, Properties};
    use crate::time::Timestamp;

    fn properties() -> Properties {
        Properties::named("n".into()).expect("a name")
    }

    #[test]
    fn a_pass_is_for_one_certificate_of_one_server() {
        let mut passes = Passes::default();
        passes.add("h.test:443".into(), [1; 32]);
        for (authority, fingerprint, expected) in [
            ("h.test:443", [1; 32], true),
            ("h.test:443", [2; 32], false),
            ("h.test:8443", [1; 32], false),
            ("g.test:443", [1; 32], false),
        ] {
            assert_eq!(passes.covers(authority, fingerprint), expected, "{authority}");
        }
    }

    #[test]
    fn passes_beyond_the_limit_are_not_remembered() {
        let mut passes = Passes::default();
        for number in 0..=PASSES_MAX {
            passes.add(format!("h{number}:443"), [0; 32]);
        }
        assert!(passes.covers("h0:443", [0; 32]));
        assert!(!passes.covers(&format!("h{PASSES_MAX}:443"), [0; 32]));
    }

    #[test]
    fn it_can_be_set_while_the_job_rests_and_is_not_over() {
        let now = Timestamp::default();
        for (state, code) in [
            (State::Suspended, None),
            (State::Error, None),
            (State::Transferred, None),
            (State::Queued, Some(0x8020_0075)),
            (State::Connecting, Some(0x8020_0075)),
            (State::Transferring, Some(0x8020_0075)),
            (State::TransientError { retry_at: now }, Some(0x8020_0075)),
            (State::Acknowledged, Some(0x8020_0002)),
            (State::Cancelled, Some(0x8020_0002)),
        ] {
            let mut job = Job::new(JobId([1; 16]), Owner(1), properties(), now);
            job.state = state;
            let refused = check_settable(&job).err().map(|refusal| refusal.code());
            assert_eq!(refused, code.map(Code), "{state:?}");
        }
    }

    #[test]
    fn a_certificate_that_does_not_pass_is_an_error_of_the_callback_that_time_may_cure() {
        for (rejection, code) in
            [(Rejection::Refused(Code(0x800B_0109)), 0x800B_0109), (Rejection::Gone, 0x8020_0074)]
        {
            let error = rejection.error("h.test:443", FileIndex(3));
            assert_eq!((error.code, error.transient), (Code(code), true));
            assert_eq!(error.context as u32, 8);
            assert!(error.message.contains("h.test:443"));
            assert_eq!(error.file, Some(FileIndex(3)));
        }
    }
}
