//! A program has a say about the certificates of its job's servers
//! (`IBackgroundCopyJobHttpOptions2::SetServerCertificateValidationInterface`).
//!
//! Whether a certificate is genuine is the service's to find out, before the program is asked.

use std::sync::Arc;

use bits_api::certificate::{AnswerCertificate, CertificateEvent, RemoveRegistration, ServerCertificate};
use bits_core::error::Code;
use bits_core::job::JobId;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use crate::client::{Again, Client, job_request, request};
use crate::error::Error;
use crate::events::Feed;
use crate::handle::JobHandle;

/// What is asked: `Err` with the number of a failure rejects.
type Callback = dyn Fn(&ServerCertificate) -> Result<(), Code> + Send + Sync;

/// A callback that is registered with the service, and called while this is kept.
///
/// Dropped, it is removed: the job goes on without being asked. That cannot be done while the job
/// works; then, as when the program ends without it, the job fails with `0x80200074`
/// (`BG_E_SERVER_CERT_VALIDATION_INTERFACE_REQUIRED`), and is tried again, until another callback is
/// registered or this one removed.
#[derive(Debug)]
#[must_use = "the callback is removed when the registration is dropped"]
pub struct Registration {
    client: Client,
    job: JobId,
    name: String,
    listening: JoinHandle<()>,
    /// Dropped with this: there is nothing to listen for any more.
    _kept: oneshot::Sender<()>,
}

impl JobHandle {
    /// `SetServerCertificateValidationInterface`: has `callback` asked about the certificate of each
    /// server, after the service has found it good and before anything is said to the server. `Ok`
    /// lets the job go on, and is remembered for this certificate of this `host:port` until a callback
    /// is registered again; `Err` makes it fail with that number, to be tried again.
    ///
    /// The last registration wins. It is not written down: a service that is started again asks nobody
    /// until the callback is registered again. The callback may block. To be called within a tokio
    /// runtime that goes on running.
    ///
    /// # Errors
    /// [`Error::Refused`] with `0x80200075` (`BG_E_READ_ONLY_WHEN_JOB_ACTIVE`) unless the job is
    /// SUSPENDED, in ERROR or TRANSFERRED; else as for all methods of the handle.
    pub async fn validate_server_certificates(
        &self,
        callback: impl Fn(&ServerCertificate) -> Result<(), Code> + Send + Sync + 'static,
    ) -> Result<Registration, Error> {
        let (client, job) = (self.client().clone(), self.id());
        let mut feed = Feed::open_once(client.clone(), job_request("certificates", job)).await?;
        let name = loop {
            if let Some(CertificateEvent::Registered(registered)) = next(&mut feed).await? {
                break registered.registration;
            }
        };
        let (kept, dropped) = oneshot::channel();
        let listener =
            Listener { client: client.clone(), job, name: name.clone(), callback: Arc::new(callback) };
        let listening = tokio::spawn(listener.listen(feed, dropped));
        Ok(Registration { client, job, name, listening, _kept: kept })
    }
}

impl Registration {
    /// Whether the callback may still be called. It is not when another was registered, the job is over
    /// or the service has ended.
    pub fn is_in_force(&self) -> bool {
        !self.listening.is_finished()
    }

    /// Removes the callback, if it is the one in force (`SetServerCertificateValidationInterface(NULL)`).
    ///
    /// # Errors
    /// [`Error::Refused`] with `0x80200075` while the job works: the callback stays.
    pub async fn remove(&self) -> Result<(), Error> {
        self.client.remove_certificate_callback(self.job, Some(&self.name)).await
    }
}

impl Client {
    /// Removes the callback that is registered for the job, whoever did it; with `registration` only
    /// that one.
    ///
    /// # Errors
    /// [`Error`]; so for the other operations.
    pub async fn remove_certificate_callback(
        &self,
        job: JobId,
        registration: Option<&str>,
    ) -> Result<(), Error> {
        let which = RemoveRegistration { registration: registration.map(str::to_owned) };
        self.ask(job_request("remove_certificates", job).query(&which), Again::Yes).await?.succeeded()
    }

    /// Answers the question called `question`, for a program that reads the stream of events itself.
    pub async fn answer_certificate(
        &self,
        job: JobId,
        question: &str,
        answer: &AnswerCertificate,
    ) -> Result<(), Error> {
        let request = request("answer_certificate", &[&job.to_string(), question]).body(answer)?;
        // Asked again it would be refused: the question is gone when it has been answered.
        self.ask(request, Again::No).await?.succeeded()
    }
}

/// Calls the callback, for as long as the service asks.
#[derive(Clone)]
struct Listener {
    client: Client,
    job: JobId,
    name: String,
    callback: Arc<Callback>,
}

impl Listener {
    async fn listen(self, mut feed: Feed, mut dropped: oneshot::Receiver<()>) {
        let mut answering = JoinSet::new();
        loop {
            tokio::select! {
                event = next(&mut feed) => match event {
                    Ok(Some(CertificateEvent::Asked(asked))) => {
                        answering.spawn(self.clone().answer(asked));
                    }
                    Ok(Some(CertificateEvent::Registered(_)) | None) => {}
                    // The service has ended the registration, or itself.
                    Err(_) => return,
                },
                Some(_) = answering.join_next() => {}
                _ = &mut dropped => break,
            }
        }
        // If it cannot be removed now, closing the stream says that nobody is there.
        let _ = self.client.remove_certificate_callback(self.job, Some(&self.name)).await;
    }

    async fn answer(self, asked: Box<ServerCertificate>) {
        let id = asked.id.clone();
        let callback = Arc::clone(&self.callback);
        let said = spawn_blocking(move || callback(&asked)).await;
        // One that panics has said so itself, and has not accepted.
        let answer = match said.unwrap_or(Err(Code::UNEXPECTED)) {
            Ok(()) => AnswerCertificate { accepted: true, code: None },
            Err(code) => {
                let code = if code.is_failure() { code } else { Code::UNSPECIFIED };
                AnswerCertificate { accepted: false, code: Some(code.to_string()) }
            }
        };
        // What does not arrive is no answer, which the service takes for a rejection.
        let _ = self.client.answer_certificate(self.job, &id, &answer).await;
    }
}

async fn next(feed: &mut Feed) -> Result<Option<CertificateEvent>, Error> {
    let frame = feed.next().await?;
    CertificateEvent::parse(&frame.name, &frame.data).map_err(|error| feed.protocol(error))
}
