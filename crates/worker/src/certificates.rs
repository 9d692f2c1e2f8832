//! Asks the broker whether the owner's program passes a server's certificate.
//!
//! What has passed before is the broker's to remember, and whether a certificate is genuine is looked
//! at before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bits_core::certificates::{Rejection, Verdict};
use bits_core::file::FileIndex;
use bits_core::job::{Attempt, JobId};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::link::{CertificateQuestion, CertificateTicket, FromWorker};

/// How long the program has for its answer: it may ask a person. Servers hang up sooner, some of them,
/// and are then connected to again with the answer remembered.
const ANSWER_PATIENCE: Duration = Duration::from_secs(120);

/// The questions of one worker.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    to_broker: UnboundedSender<FromWorker>,
    waiting: Arc<Mutex<HashMap<CertificateTicket, oneshot::Sender<Verdict>>>>,
    next_ticket: Arc<AtomicU64>,
}

/// The same for one attempt of a job that has somebody to be asked.
#[derive(Debug, Clone)]
pub(crate) struct CertificateCheck {
    pub(crate) certificates: Certificates,
    pub(crate) job: JobId,
    pub(crate) attempt: Attempt,
}

/// A question that nobody waits for any more when this is dropped.
struct Waiting<'a> {
    certificates: &'a Certificates,
    ticket: CertificateTicket,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.certificates.take(self.ticket);
    }
}

impl Certificates {
    pub(crate) fn new(to_broker: UnboundedSender<FromWorker>) -> Self {
        Self { to_broker, waiting: Arc::default(), next_ticket: Arc::default() }
    }

    /// Takes in an answer; one that comes too late is for nobody.
    pub(crate) fn answered(&self, ticket: CertificateTicket, verdict: Verdict) {
        if let Some(waiting) = self.take(ticket) {
            let _ = waiting.send(verdict);
        }
    }

    fn take(&self, ticket: CertificateTicket) -> Option<oneshot::Sender<Verdict>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket)
    }
}

impl CertificateCheck {
    /// Asks about the certificates that the server at `authority`, which is to be asked for `file`,
    /// has shown; its own is the first.
    ///
    /// # Errors
    /// Why it does not pass.
    pub(crate) async fn ask(
        &self,
        authority: &str,
        file: FileIndex,
        shown: &[CertificateDer<'_>],
    ) -> Verdict {
        let (answer, answered) = oneshot::channel();
        let ticket = CertificateTicket(self.certificates.next_ticket.fetch_add(1, Ordering::Relaxed));
        let _waiting = Waiting { certificates: &self.certificates, ticket };
        let open = || self.certificates.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        open().insert(ticket, answer);
        let question = CertificateQuestion {
            ticket,
            job: self.job,
            attempt: self.attempt,
            file,
            authority: authority.to_owned(),
            fingerprint: Sha256::digest(shown.first().map_or(&[][..], |own| own)).into(),
            shown: shown.iter().map(|certificate| certificate.to_vec()).collect(),
        };
        // Without a broker nobody answers.
        let _ = self.certificates.to_broker.send(FromWorker::Certificate(Box::new(question)));
        match timeout(ANSWER_PATIENCE, answered).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) | Err(_) => Err(Rejection::Gone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check() -> (CertificateCheck, tokio::sync::mpsc::UnboundedReceiver<FromWorker>) {
        let (to_broker, asked) = tokio::sync::mpsc::unbounded_channel();
        let certificates = Certificates::new(to_broker);
        (CertificateCheck { certificates, job: JobId([1; 16]), attempt: Attempt(2) }, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_none_and_a_late_one_is_for_nobody() {
        let (check, mut asked) = check();
        let shown = [CertificateDer::from(vec![1, 2, 3])];
        assert_eq!(check.ask("h.test:443", FileIndex(0), &shown).await, Err(Rejection::Gone));
        let Some(FromWorker::Certificate(question)) = asked.recv().await else { panic!("a question") };
        assert_eq!((question.authority.as_str(), question.attempt), ("h.test:443", Attempt(2)));
        assert!(check.certificates.waiting.lock().unwrap().is_empty());
        check.certificates.answered(question.ticket, Ok(()));
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_is_forgotten() {
        let (check, mut asked) = check();
        let asking = tokio::spawn({
            let check = check.clone();
            async move { check.ask("h.test:443", FileIndex(0), &[]).await }
        });
        asked.recv().await.expect("a question");
        asking.abort();
        assert!(asking.await.expect_err("it was ended").is_cancelled());
        assert!(check.certificates.waiting.lock().unwrap().is_empty());
    }
}
