//! The programs that are asked about the certificates of their jobs' servers: who is registered, what
//! is asked and open, and the answers on their way to the worker.
//!
//! A registration is kept in memory alone. It outlives its program: until it is removed or another
//! takes its place, nothing that is not remembered passes. When it may be changed is the engine's to
//! see; what passed and what rejection means are in `bits_core::certificates`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bits_core::access::Caller;
use bits_core::certificates::{Fingerprint, Passes, Rejection, Verdict};
use bits_core::file::FileIndex;
use bits_core::job::{JobId, Owner};
use bits_core::refusal::Refusal;
use bits_worker::link::{CertificateQuestion, CertificateTicket, ToWorker};
use tokio::sync::mpsc;
use uuid::Uuid;

/// Questions of one job that may wait for an answer; it has a few connections at a time.
const OPEN_MAX: usize = 64;

/// Names a registration, and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationId(pub(crate) Uuid);

/// What a program is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Names the question, and is never used again.
    pub(crate) id: Uuid,
    pub(crate) job: JobId,
    pub(crate) file: FileIndex,
    pub(crate) authority: String,
    /// In DER, the server's own certificate first.
    pub(crate) shown: Vec<Vec<u8>>,
}

/// A program that offers to be asked.
#[derive(Debug)]
pub struct Program {
    pub(crate) registration: RegistrationId,
    owner: Owner,
    questions: mpsc::Sender<Asked>,
}

impl Program {
    /// A program of `caller`, and what it will be asked.
    pub(crate) fn new(caller: Caller) -> (Self, mpsc::Receiver<Asked>) {
        let (questions, asked) = mpsc::channel(OPEN_MAX);
        let registration = RegistrationId(Uuid::new_v4());
        (Self { registration, owner: Owner(caller.uid), questions }, asked)
    }
}

/// What becomes of the registration of a job.
#[derive(Debug)]
pub enum Change {
    /// This one, and what others have passed counts no more.
    Set(Program),
    /// None; if one is named, only if it is that.
    Remove(Option<RegistrationId>),
}

/// All registrations.
#[derive(Debug, Clone)]
pub(crate) struct Certificates {
    to_worker: mpsc::UnboundedSender<ToWorker>,
    desk: Arc<Mutex<Desk>>,
}

#[derive(Debug, Default)]
struct Desk {
    registered: HashMap<JobId, Registered>,
    open: HashMap<Uuid, Open>,
}

#[derive(Debug)]
struct Registered {
    program: Program,
    passes: Passes,
}

/// A question that waits for its answer.
#[derive(Debug)]
struct Open {
    job: JobId,
    registration: RegistrationId,
    ticket: CertificateTicket,
    authority: String,
    fingerprint: Fingerprint,
}

/// A program that is connected; dropped when it is not any more.
#[derive(Debug)]
pub(crate) struct Listening {
    certificates: Certificates,
    registration: RegistrationId,
    asked: mpsc::Receiver<Asked>,
}

impl Listening {
    /// The next question; `None` when the program is not registered any more.
    pub(crate) async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // First, so that no question comes after those that are given up.
        self.asked.close();
        self.certificates.left(self.registration);
    }
}

impl Certificates {
    pub(crate) fn new(to_worker: mpsc::UnboundedSender<ToWorker>) -> Self {
        Self { to_worker, desk: Arc::default() }
    }

    /// Whether a worker is to ask about the certificates that `job` meets.
    pub(crate) fn has_program(&self, job: JobId) -> bool {
        self.desk().registered.contains_key(&job)
    }

    /// Carries out what was decided.
    pub(crate) fn change(&self, job: JobId, change: Change) {
        let mut desk = self.desk();
        let is_meant = |is: RegistrationId| match &change {
            Change::Remove(Some(named)) => *named == is,
            Change::Set(_) | Change::Remove(None) => true,
        };
        let before = desk.registered.get(&job).map(|registered| registered.program.registration);
        let is_over = before.filter(|before| is_meant(*before));
        if is_over.is_some() {
            desk.registered.remove(&job);
        }
        if let Change::Set(program) = change {
            desk.registered.insert(job, Registered { program, passes: Passes::default() });
        }
        drop(desk);
        if let Some(registration) = is_over {
            self.left(registration);
        }
    }

    /// To be kept for as long as the program of `registration` is connected.
    pub(crate) fn listening(&self, registration: RegistrationId, asked: mpsc::Receiver<Asked>) -> Listening {
        Listening { certificates: self.clone(), registration, asked }
    }

    /// Asks the program, unless it has passed the certificate before.
    pub(crate) fn ask(&self, question: CertificateQuestion) {
        let ticket = question.ticket;
        if let Some(verdict) = self.verdict_at_once(question) {
            self.tell(ticket, verdict);
        }
    }

    /// What is said without an answer of the program; `None` when that is waited for.
    fn verdict_at_once(&self, question: CertificateQuestion) -> Option<Verdict> {
        let CertificateQuestion { ticket, job, file, authority, fingerprint, shown, .. } = question;
        let mut desk = self.desk();
        let open = desk.open.values().filter(|open| open.job == job).count();
        let Some(registered) = desk.registered.get(&job) else { return Some(Err(Rejection::Gone)) };
        if registered.passes.covers(&authority, fingerprint) {
            return Some(Ok(()));
        }
        let id = Uuid::new_v4();
        let asked = Asked { id, job, file, authority: authority.clone(), shown };
        if open >= OPEN_MAX || registered.program.questions.try_send(asked).is_err() {
            return Some(Err(Rejection::Gone));
        }
        let registration = registered.program.registration;
        desk.open.insert(id, Open { job, registration, ticket, authority, fingerprint });
        None
    }

    /// Takes in what `caller` says to the question `id` about a certificate that `job` has met.
    ///
    /// # Errors
    /// [`Refusal::NoSuchQuestion`] when it is not open, or is somebody else's.
    pub(crate) fn answer(
        &self,
        caller: Caller,
        job: JobId,
        id: Uuid,
        verdict: Verdict,
    ) -> Result<(), Refusal> {
        let mut desk = self.desk();
        let open = desk.open.get(&id).filter(|open| open.job == job).ok_or(Refusal::NoSuchQuestion)?;
        let registration = open.registration;
        let registered = desk.registered.get_mut(&job).filter(|registered| {
            registered.program.registration == registration && registered.program.owner == Owner(caller.uid)
        });
        if registered.is_none() {
            return Err(Refusal::NoSuchQuestion);
        }
        let open = desk.open.remove(&id).expect("it was just looked at");
        if verdict.is_ok()
            && let Some(registered) = desk.registered.get_mut(&job)
        {
            registered.passes.add(open.authority, open.fingerprint);
        }
        drop(desk);
        self.tell(open.ticket, verdict);
        Ok(())
    }

    /// Nobody will answer what the program of `registration` was asked.
    fn left(&self, registration: RegistrationId) {
        let mut desk = self.desk();
        let open = desk.open.extract_if(|_, open| open.registration == registration);
        let tickets: Vec<CertificateTicket> = open.map(|(_, open)| open.ticket).collect();
        drop(desk);
        tickets.into_iter().for_each(|ticket| self.tell(ticket, Err(Rejection::Gone)));
    }

    fn tell(&self, ticket: CertificateTicket, verdict: Verdict) {
        // A worker that is gone waits for nothing.
        let _ = self.to_worker.send(ToWorker::CertificateAnswer { ticket, verdict });
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
