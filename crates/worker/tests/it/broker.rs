//! The broker's side of a link: it keeps the records of one job as a store would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bits_core::certificates::Verdict;
use bits_core::credentials::{Credential, SecretHeader};
use bits_core::demand::Filled;
use bits_core::error::JobError;
use bits_core::file::{BootId, ClosingFile, DestinationTag, File, FileIndex, LocalName, Stage};
use bits_core::http_options::{HeaderName, HttpOptions};
use bits_core::job::{Attempt, Environment, JobId, Owner, Priority};
use bits_core::queue::{Asked, Report};
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;
use bits_core::transfer_options::TransferOptions;
use bits_core::units::Bytes;
use bits_worker::link::{
    Assignment, BrokerEnd, CertificateQuestion, CheckOptions, CheckTicket, DestinationRefusal, FromWorker,
    ToWorker, local,
};
use bits_worker::run::{Settings, Worker};
use tokio::time::timeout;

/// Longer than anything here takes; a test that waits for it has failed.
const PATIENCE: Duration = Duration::from_secs(30);
pub(crate) const BOOT: BootId = BootId([7; 16]);

/// How an attempt ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Transferred,
    /// All that was asked for of files on demand is here; the attempt has heard of so many demands.
    Satisfied(u32),
    Failed(JobError),
}

impl Ended {
    #[track_caller]
    pub(crate) fn error(self) -> JobError {
        match self {
            Self::Failed(error) => error,
            Self::Transferred | Self::Satisfied(_) => panic!("it went well: {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn ok(self) {
        if let Self::Failed(error) = self {
            panic!("it failed: {error:?}");
        }
    }
}

fn secret_header((name, value): &(&str, &str)) -> SecretHeader {
    SecretHeader { name: HeaderName::parse(name).unwrap(), value: Secret::new((*value).to_owned()) }
}

/// One job, and a worker.
#[derive(Debug)]
pub(crate) struct Broker {
    link: BrokerEnd,
    pub(crate) job: JobId,
    pub(crate) files: Vec<File>,
    pub(crate) attempt: Attempt,
    pub(crate) transfer: TransferOptions,
    /// How often something was asked for.
    pub(crate) demands: u32,
    pub(crate) notes: Vec<String>,
    /// How the owner has the requests made.
    pub(crate) http: HttpOptions,
    pub(crate) environment: Environment,
    pub(crate) secret_headers: Vec<(&'static str, &'static str)>,
    pub(crate) certificate_passphrase: Option<&'static str>,
    /// What it answers when it is asked about a certificate.
    pub(crate) program: Option<Verdict>,
    pub(crate) questions: Vec<CertificateQuestion>,
    pub(crate) folder: tempfile::TempDir,
    /// The file on which the last attempt failed.
    failed_file: Option<FileIndex>,
}

impl Broker {
    /// As [`Broker::new`], with small files gathered, as everywhere but in the other tests.
    pub(crate) fn gathering(urls: &[String]) -> Self {
        Self::of(urls, Settings::default(), tempfile::tempdir().unwrap())
    }

    /// A job with one file for each of `urls`: `0`, `1` and so on in a folder of its own.
    pub(crate) fn new(urls: &[String]) -> Self {
        Self::with(urls, Settings::default())
    }

    pub(crate) fn with(urls: &[String], settings: Settings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(urls, settings, folder)
    }

    pub(crate) fn within(urls: &[String], settings: Settings, folder: tempfile::TempDir) -> Self {
        // Their scripts are small files that stand for large ones.
        Self::of(urls, Settings { gathered_bytes_max: None, ..settings }, folder)
    }

    fn of(urls: &[String], settings: Settings, folder: tempfile::TempDir) -> Self {
        let files = urls.iter().enumerate().map(|(index, url)| {
            let path = folder.path().join(index.to_string());
            let local = LocalName::parse(path.to_str().unwrap()).unwrap();
            File::new(FileIndex(index as u32), RemoteName::stored(url).unwrap(), local)
        });
        let files = files.collect();
        let (link, worker_end) = local();
        tokio::spawn(Worker::in_boot(settings, BOOT).unwrap().run(worker_end));
        Self {
            link,
            job: JobId([9; 16]),
            files,
            attempt: Attempt(0),
            transfer: TransferOptions::default(),
            demands: 0,
            notes: Vec::new(),
            http: HttpOptions::default(),
            environment: Environment::default(),
            secret_headers: Vec::new(),
            certificate_passphrase: None,
            program: None,
            questions: Vec::new(),
            folder,
            failed_file: None,
        }
    }

    /// Begins an attempt.
    pub(crate) fn begin(&mut self) {
        self.begin_as(Vec::new());
    }

    pub(crate) fn begin_as(&mut self, credentials: Vec<Credential>) {
        self.attempt = Attempt(self.attempt.0 + 1);
        self.tell(ToWorker::Begin(Box::new(Assignment {
            owner: Owner(1000),
            job: self.job,
            attempt: self.attempt,
            priority: Priority::Normal,
            files: self.files.clone(),
            credentials,
            secret_refused: false,
            failed_file: self.failed_file,
            http: self.http.clone(),
            secret_headers: self.secret_headers.iter().map(secret_header).collect(),
            certificate_passphrase: self.certificate_passphrase.map(|text| Secret::new(text.to_owned())),
            transfer: self.transfer,
            demands: self.demands,
            downloaded: Bytes::ZERO,
            asks_about_certificates: self.program.is_some(),
            environment: self.environment.clone(),
        })));
    }

    /// The same with credentials.
    pub(crate) async fn run_as(&mut self, credentials: Vec<Credential>) -> Ended {
        self.begin_as(credentials);
        self.until_ended().await
    }

    /// Begins an attempt and plays its broker to the end.
    pub(crate) async fn run(&mut self) -> Ended {
        self.begin();
        self.until_ended().await
    }

    pub(crate) async fn until_ended(&mut self) -> Ended {
        loop {
            let report = self.report().await;
            self.record(&report);
            match report {
                Report::FilesTransferred { .. } => return Ended::Transferred,
                Report::Satisfied { demands, .. } => return Ended::Satisfied(demands),
                Report::Failed { error, .. } => {
                    self.failed_file = error.file;
                    return Ended::Failed(error);
                }
                _ => {}
            }
        }
    }

    /// The next report, not yet recorded.
    pub(crate) async fn report(&mut self) -> Report {
        loop {
            let message = timeout(PATIENCE, self.link.from_worker.recv()).await.expect("the worker speaks");
            match message.expect("the worker is there") {
                FromWorker::Report { report, .. } => return report,
                FromWorker::Certificate(question) => {
                    let verdict = self.program.expect("there is a program to be asked");
                    self.tell(ToWorker::CertificateAnswer { ticket: question.ticket, verdict });
                    self.questions.push(*question);
                }
                FromWorker::Checked { .. } => {}
            }
        }
    }

    /// Records what a store would, and says so where the worker waits for it.
    pub(crate) fn record(&mut self, report: &Report) {
        match report {
            Report::Version { file, size, validator, served, boot, partial, .. } => {
                let record = &mut self.files[file.0 as usize];
                record.served = served.clone();
                record.partial = Some(*partial);
                record.moved = false;
                record.size = *size;
                record.validator = Some(validator.clone());
                record.durable = Bytes::ZERO;
                record.demand.filled = Filled::NOTHING;
                record.boot = Some(*boot);
                self.tell(ToWorker::Recorded { job: self.job, attempt: self.attempt, file: *file });
            }
            Report::Filled { file, filled, .. } => {
                let record = &mut self.files[file.0 as usize];
                record.demand.has(filled.clone(), record.size);
            }
            Report::Beyond { file, beyond, .. } => {
                self.files[file.0 as usize].demand.withdraw(*beyond);
            }
            Report::Durable { file, upto, .. } => self.files[file.0 as usize].durable = *upto,
            Report::FileTransferred { file, size, .. } => {
                self.files[file.0 as usize].size = Some(*size);
                self.files[file.0 as usize].stage = Stage::Transferred;
            }
            Report::SmallFiles { files, boot, .. } => {
                for whole in files {
                    let record = &mut self.files[whole.file.0 as usize];
                    assert_eq!(
                        (&record.validator, record.stage),
                        (&None, Stage::Waiting),
                        "nothing is known"
                    );
                    record.size = Some(whole.size);
                    record.validator = Some(whole.validator.clone());
                    record.boot = Some(*boot);
                    record.durable = whole.size;
                    record.stage = Stage::Transferred;
                }
            }
            Report::Note { text, .. } => self.notes.push(text.clone()),
            _ => {}
        }
    }

    pub(crate) fn stop(&self) {
        self.tell(ToWorker::Stop { job: self.job, attempt: self.attempt });
    }

    pub(crate) fn tell(&self, message: ToWorker) {
        self.link.to_worker.send(message).unwrap();
    }

    /// Asks for more of a file, while an attempt goes on or before.
    pub(crate) fn ask_for(&mut self, asked: Asked) {
        self.demands += 1;
        let demand = &mut self.files[asked.file.0 as usize].demand;
        demand.requested.extend(&asked.ranges);
        demand.position = asked.position.or(demand.position);
        let (job, attempt, demands) = (self.job, self.attempt, self.demands);
        self.tell(ToWorker::Asked { job, attempt, demands, asked });
    }

    /// Has the worker finalize; records what it did.
    fn closing(&self) -> Vec<ClosingFile> {
        self.files.iter().cloned().map(ClosingFile::from).collect()
    }

    pub(crate) async fn finalize(&mut self, umask: u32) -> (Vec<u32>, Option<JobError>) {
        let environment = Environment { umask: Some(umask), ..Environment::default() };
        self.tell(ToWorker::Finalize { job: self.job, files: self.closing(), environment });
        loop {
            match self.report().await {
                Report::Finalized { files, error, .. } => {
                    for file in &files {
                        self.files[file.0 as usize].stage = Stage::Completed;
                    }
                    return (files.into_iter().map(|file| file.0).collect(), error);
                }
                other => self.record(&other),
            }
        }
    }

    pub(crate) async fn discard(&mut self) -> Option<String> {
        self.tell(ToWorker::Discard { job: self.job, files: self.closing() });
        loop {
            match self.report().await {
                Report::Discarded { leftover } => return leftover,
                other => self.record(&other),
            }
        }
    }

    pub(crate) async fn check(
        &mut self,
        path: &Path,
        options: CheckOptions,
    ) -> Result<(), DestinationRefusal> {
        self.check_all(&[path.to_owned()], options).await.map(|tags| assert_eq!(tags.len(), 1))
    }

    pub(crate) async fn check_all(
        &mut self,
        paths: &[PathBuf],
        options: CheckOptions,
    ) -> Result<Vec<DestinationTag>, DestinationRefusal> {
        let name = |path: &PathBuf| LocalName::parse(path.to_str().unwrap()).unwrap();
        let names = paths.iter().map(name).collect();
        self.tell(ToWorker::Check { ticket: CheckTicket(5), names, options });
        let message = timeout(PATIENCE, self.link.from_worker.recv()).await.expect("the worker speaks");
        match message.expect("the worker is there") {
            FromWorker::Checked { ticket, outcome } => {
                assert_eq!(ticket, CheckTicket(5));
                outcome
            }
            other => panic!("{other:?} is no answer"),
        }
    }

    /// Where the file number `index` is to be.
    pub(crate) fn path(&self, index: u32) -> PathBuf {
        self.folder.path().join(index.to_string())
    }

    pub(crate) fn partial_path(&self, index: u32) -> PathBuf {
        self.partial_of(&index.to_string(), index)
    }

    /// The partial file number `index` of a destination called `name`.
    pub(crate) fn partial_of(&self, name: &str, index: u32) -> PathBuf {
        let name =
            bits_platform::files::partial_name(std::ffi::OsStr::new(name), &self.job.to_string(), index);
        self.folder.path().join(name)
    }

    /// What is in the partial file number `index`.
    pub(crate) fn partial(&self, index: u32) -> Vec<u8> {
        std::fs::read(self.partial_path(index)).unwrap()
    }
}
