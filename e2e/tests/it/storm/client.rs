//! One client of a storm: it asks without end, keeps a ledger of what was acknowledged, and looks
//! whether that still holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bits_e2e::{Answer, Api, Random, Unanswered};
use serde_json::{Value, json};

use super::ledger::{Change, End, Job, Ledger, Resolved};
use super::sources::Sources;

/// Jobs that have not ended, of one client.
const LIVE_JOBS_MAX: usize = 4;
/// Files of one job.
const FILES_MAX: usize = 5;
/// Milliseconds a client may take between two requests, as people and programs do.
const THINKING_MAX: u64 = 12;
/// How long before it is tried again to reach a service that is not there.
const KNOCK: Duration = Duration::from_millis(5);

/// What all clients share.
pub(crate) struct Crowd<'a> {
    pub(crate) sources: &'a Sources<'a>,
    pub(crate) socket: PathBuf,
    /// Where downloads go.
    pub(crate) folder: PathBuf,
    /// In every password and secret header.
    pub(crate) mark: String,
    pub(crate) stopping: AtomicBool,
    /// Names of files that are there for good: their job was acknowledged as complete.
    pub(crate) placed: Mutex<Vec<String>>,
    pub(crate) faults: Mutex<Vec<String>>,
}

impl Crowd<'_> {
    pub(crate) fn blame(&self, fault: String) {
        self.faults.lock().expect("nobody panics with it").push(fault);
    }

    fn is_over(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
            || !self.faults.lock().expect("nobody panics with it").is_empty()
    }
}

/// What has happened, counted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counts {
    /// Changes that were answered with yes, by name.
    pub(crate) acknowledged: BTreeMap<&'static str, u64>,
    /// Changes of which the answer was cut off.
    pub(crate) in_doubt: u64,
    /// Of them, those that had been carried out.
    pub(crate) done_in_doubt: u64,
    /// Looks at a job, each compared with the ledger.
    pub(crate) looks: u64,
    pub(crate) errors_met: u64,
    /// Changes that a service in trouble refused: not written, or about to stop.
    pub(crate) refused: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        for (name, count) in &other.acknowledged {
            *self.acknowledged.entry(name).or_default() += count;
        }
        self.in_doubt += other.in_doubt;
        self.done_in_doubt += other.done_in_doubt;
        self.looks += other.looks;
        self.errors_met += other.errors_met;
        self.refused += other.refused;
    }
}

/// Whether the service can do nothing about it: it stops, cannot write, or its disk fails.
fn is_in_trouble(answer: &Answer) -> bool {
    [503, 507].contains(&answer.status) || answer.code().as_deref() == Some("0x8007045D")
}

/// Whether the service knows no such job, or no more.
fn is_unknown(answer: &Answer) -> bool {
    answer.status == 404 && answer.code().as_deref() == Some("0x80200001")
}

/// One client.
pub(crate) struct Client<'a> {
    crowd: &'a Crowd<'a>,
    number: usize,
    random: Random,
    api: Api,
    jobs_made: u64,
    pub(crate) ledger: Ledger,
    pub(crate) counts: Counts,
}

/// The storm is over, or something was found to be wrong.
struct Over;

impl<'a> Client<'a> {
    pub(crate) fn new(crowd: &'a Crowd<'a>, number: usize, seed: u64) -> Self {
        Self {
            crowd,
            number,
            random: Random::new(seed.wrapping_mul(1000).wrapping_add(number as u64)),
            api: Api::at(&crowd.socket),
            jobs_made: 0,
            ledger: Ledger::default(),
            counts: Counts::default(),
        }
    }

    /// Asks until the storm is over.
    pub(crate) fn storm(mut self) -> Self {
        while !self.crowd.is_over() {
            if self.step().is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(self.random.below(THINKING_MAX)));
        }
        self
    }

    fn step(&mut self) -> Result<(), Over> {
        if self.ledger.doubt.is_some() {
            return self.clear_doubt();
        }
        let live: Vec<String> = self.live().map(|(id, _)| id.clone()).collect();
        if live.is_empty() || (live.len() < LIVE_JOBS_MAX && self.random.below(4) == 0) {
            let id = self.new_id();
            return self.change(&id, Change::Create);
        }
        let id = self.random.of(&live).clone();
        let job = self.ledger.jobs[&id].clone();
        if job.files.is_empty() {
            let change = self.draw_files();
            return self.change(&id, change);
        }
        let change = match self.random.below(20) {
            0..3 => Change::Describe(format!("said {} {}", self.number, self.random.below(1 << 30))),
            3 if job.files.len() < FILES_MAX => self.draw_files(),
            4 if !job.has_password => Change::SetPassword,
            5..10 if job.is_active != Some(true) => Change::Resume,
            10 => Change::Suspend,
            11 if self.random.below(2) == 0 => Change::Cancel,
            // Before all of it has come: what is whole is kept.
            12 if self.random.below(8) == 0 => Change::Complete,
            _ => return self.look_and_go_on(&id),
        };
        self.change(&id, change)
    }

    fn live(&self) -> impl Iterator<Item = (&String, &Job)> {
        self.ledger.jobs.iter().filter(|(_, job)| job.end == End::Live)
    }

    fn new_id(&mut self) -> String {
        self.jobs_made += 1;
        let random = self.random.below(1 << 32);
        format!("{random:08x}-{:04x}-4{:03x}-8000-{:012x}", self.number, 0, self.jobs_made)
    }

    fn draw_files(&mut self) -> Change {
        let count = 1 + self.random.below(3);
        let prefix = format!("c{}", self.number);
        Change::Add((0..count).map(|_| self.crowd.sources.draw(&mut self.random, &prefix)).collect())
    }

    /// Looks at a job, and does what its state asks for.
    fn look_and_go_on(&mut self, id: &str) -> Result<(), Over> {
        let Some((shown, files)) = self.find(id)? else {
            self.crowd.blame(format!("{id}: it is lost"));
            return Err(Over);
        };
        self.compare(id, Some((&shown, &files)))?;
        match shown["state"].as_str().unwrap_or_default() {
            "transferred" => self.change(id, Change::Complete),
            "error" => {
                self.counts.errors_met += 1;
                self.change(id, Change::Resume)
            }
            "transient_error" => {
                self.counts.errors_met += 1;
                self.change(id, Change::Resume)
            }
            _ => Ok(()),
        }
    }

    fn compare(&mut self, id: &str, found: Option<(&Value, &[Value])>) -> Result<(), Over> {
        self.counts.looks += 1;
        match self.ledger.fault(id, found) {
            None => Ok(()),
            Some(fault) => {
                self.crowd.blame(fault);
                Err(Over)
            }
        }
    }

    fn clear_doubt(&mut self) -> Result<(), Over> {
        let (id, change) = self.ledger.doubt.clone().expect("there is a doubt");
        let Some(found) = self.try_find(&id)? else { return Ok(()) };
        let found = found.as_ref().map(|(shown, files)| (shown, files.as_slice()));
        match self.ledger.resolve(found) {
            Ok(resolved) => {
                self.counts.done_in_doubt += u64::from(resolved == Resolved::Done);
                if resolved == Resolved::Done && change == Change::Complete {
                    self.take_note_of_placed(found.map_or(&[], |(_, files)| files));
                }
                Ok(())
            }
            Err(fault) => {
                self.crowd.blame(fault);
                Err(Over)
            }
        }
    }

    /// Asks for a change, once.
    fn change(&mut self, id: &str, change: Change) -> Result<(), Over> {
        let job = format!("/v1/jobs/{id}");
        let (method, path, body) = match &change {
            Change::Create => {
                let authorization =
                    json!({ "name": "Authorization", "value": format!("Bearer {}", self.crowd.mark) });
                let properties = match self.random.below(3) {
                    0 => json!({ "priority": "foreground", "custom_headers": [authorization] }),
                    1 => json!({ "priority": "foreground" }),
                    _ => json!({}),
                };
                let body = json!({ "id": id, "display_name": "storm", "properties": properties });
                ("POST", "/v1/jobs".to_owned(), Some(body))
            }
            Change::Describe(text) => ("PATCH", job, Some(json!({ "description": text }))),
            Change::Add(files) => {
                let file = |wanted: &super::sources::Wanted| json!({ "remote_name": wanted.url, "local_name": self.crowd.folder.join(&wanted.name) });
                let files: Vec<_> = files.iter().map(file).collect();
                ("POST", format!("{job}/files"), Some(json!({ "files": files })))
            }
            Change::SetPassword => {
                let body = json!({ "user": "anna", "password": self.crowd.mark });
                ("PUT", format!("{job}/credentials/server/digest"), Some(body))
            }
            Change::Resume => ("POST", format!("{job}/resume"), None),
            Change::Suspend => ("POST", format!("{job}/suspend"), None),
            Change::Complete => ("POST", format!("{job}/complete"), None),
            Change::Cancel => ("POST", format!("{job}/cancel"), None),
        };
        match self.api.ask(method, &path, body.as_ref()) {
            Ok(answer) if answer.status < 300 => {
                *self.counts.acknowledged.entry(change.name()).or_default() += 1;
                self.ledger.acknowledge(id, &change);
                if change == Change::Complete {
                    let is_partial = !answer.json()["outcome"].is_null();
                    return self.completed(id, is_partial);
                }
                Ok(())
            }
            // It has said that nothing was changed, and that has to be true.
            Ok(answer) if is_in_trouble(&answer) => {
                self.counts.refused += 1;
                if matches!(change, Change::Complete | Change::Cancel) {
                    self.ledger.doubt = Some((id.to_owned(), change));
                }
                Ok(())
            }
            // Nothing is asked of a job before it is made: it was there.
            Ok(answer) if is_unknown(&answer) => {
                let told = String::from_utf8_lossy(&answer.body).into_owned();
                self.crowd.blame(format!("{id}: it is lost: {} was answered with {told}", change.name()));
                Err(Over)
            }
            Ok(answer) => {
                let told = String::from_utf8_lossy(&answer.body).into_owned();
                self.crowd.blame(format!("{id}: {} refused with {}: {told}", change.name(), answer.status));
                Err(Over)
            }
            Err(error) => self.unanswered(id, change, error),
        }
    }

    fn unanswered(&mut self, id: &str, change: Change, error: Unanswered) -> Result<(), Over> {
        match error {
            Unanswered::NotHeard(_) => thread::sleep(KNOCK),
            Unanswered::Unknown(error) => {
                if error.kind() == std::io::ErrorKind::WouldBlock {
                    self.crowd.blame(format!("{id}: {} was not answered at all", change.name()));
                    return Err(Over);
                }
                self.counts.in_doubt += 1;
                self.ledger.doubt = Some((id.to_owned(), change));
            }
        }
        Ok(())
    }

    /// Takes note of the files that are under their names.
    fn completed(&mut self, id: &str, is_partial: bool) -> Result<(), Over> {
        let Some(Some((_, files))) = self.try_find(id)? else { return Ok(()) };
        if !is_partial && files.iter().any(|file| file["completed"] != true) {
            self.crowd.blame(format!("{id}: complete, and not all of its files: {files:?}"));
            return Err(Over);
        }
        self.take_note_of_placed(&files);
        Ok(())
    }

    fn take_note_of_placed(&self, files: &[Value]) {
        let completed = files.iter().filter(|file| file["completed"] == true);
        let names =
            completed.filter_map(|file| Some(file["local_name"].as_str()?.rsplit('/').next()?.to_owned()));
        self.crowd.placed.lock().expect("nobody panics with it").extend(names);
    }

    /// The job `id` and its files, looked for until there is an answer; none where there is no such
    /// job.
    fn find(&mut self, id: &str) -> Result<Option<(Value, Vec<Value>)>, Over> {
        loop {
            if let Some(found) = self.try_find(id)? {
                return Ok(found);
            }
            if self.crowd.is_over() {
                return Err(Over);
            }
        }
    }

    /// The same, with a service that must answer before `deadline`.
    fn find_until(
        &mut self,
        id: &str,
        deadline: std::time::Instant,
    ) -> Result<Option<(Value, Vec<Value>)>, Over> {
        loop {
            if let Some(found) = self.try_find(id)? {
                return Ok(found);
            }
            self.in_time(deadline)?;
        }
    }

    /// Blames a service that does not answer.
    fn in_time(&self, deadline: std::time::Instant) -> Result<(), Over> {
        if std::time::Instant::now() <= deadline {
            return Ok(());
        }
        self.crowd.blame(format!("client {}: the service does not answer any more", self.number));
        Err(Over)
    }

    /// The same, tried once.
    #[expect(clippy::type_complexity, reason = "no answer, no such job, or a job with its files")]
    fn try_find(&mut self, id: &str) -> Result<Option<Option<(Value, Vec<Value>)>>, Over> {
        let Some(shown) = self.get(&format!("/v1/jobs/{id}"))? else { return Ok(None) };
        if shown.status == 404 {
            return Ok(Some(None));
        }
        let Some(files) = self.get(&format!("/v1/jobs/{id}/files?limit=1000"))? else { return Ok(None) };
        let files = files.json()["files"].as_array().cloned().unwrap_or_default();
        Ok(Some(Some((shown.json(), files))))
    }

    fn get(&mut self, path: &str) -> Result<Option<Answer>, Over> {
        match self.api.ask("GET", path, None) {
            Ok(answer) if [200, 404].contains(&answer.status) => Ok(Some(answer)),
            // A service that stops, or cannot read its store now.
            Ok(answer) if is_in_trouble(&answer) => Ok(None),
            Ok(answer) => {
                let told = String::from_utf8_lossy(&answer.body).into_owned();
                self.crowd.blame(format!("{path}: {} {told}", answer.status));
                Err(Over)
            }
            Err(Unanswered::Unknown(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                self.crowd.blame(format!("{path} was not answered at all"));
                Err(Over)
            }
            Err(_) => {
                thread::sleep(KNOCK);
                Ok(None)
            }
        }
    }

    /// Brings every job to an end, with a service that stays; all is compared before and after.
    pub(crate) fn settle(&mut self, deadline: std::time::Instant) {
        let _ = self.try_to_settle(deadline);
    }

    fn try_to_settle(&mut self, deadline: std::time::Instant) -> Result<(), Over> {
        while self.ledger.doubt.is_some() {
            self.clear_doubt()?;
            self.in_time(deadline)?;
        }
        for id in self.ledger.jobs.keys().cloned().collect::<Vec<_>>() {
            let found = self.find_until(&id, deadline)?;
            self.compare(&id, found.as_ref().map(|(shown, files)| (shown, files.as_slice())))?;
        }
        let live: Vec<_> = self.live().map(|(id, job)| (id.clone(), job.clone())).collect();
        for (id, job) in &live {
            let change = if job.files.is_empty() { Change::Cancel } else { Change::Resume };
            self.change(id, change)?;
        }
        loop {
            let live: Vec<_> = self.live().map(|(id, _)| id.clone()).collect();
            if live.is_empty() {
                break;
            }
            for id in live {
                self.look_and_go_on(&id)?;
                if self.ledger.doubt.is_some() {
                    self.clear_doubt()?;
                }
                if std::time::Instant::now() > deadline {
                    let shown = self.try_find(&id)?.map(|found| found.map(|(shown, _)| shown));
                    self.crowd.blame(format!("{id}: it does not come to an end: {shown:?}"));
                    return Err(Over);
                }
            }
            thread::sleep(KNOCK);
        }
        for id in self.ledger.jobs.keys().cloned().collect::<Vec<_>>() {
            let found = self.find_until(&id, deadline)?;
            self.compare(&id, found.as_ref().map(|(shown, files)| (shown, files.as_slice())))?;
        }
        Ok(())
    }
}
