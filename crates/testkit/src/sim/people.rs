//! The people of a simulated world: owners who see to it that their jobs get done, and whoever tries
//! what is not theirs to do. All of them speak to the engine as the listener does.

use bits_broker::engine::{AgentNotice, Input, Query, Response};
use bits_broker::vault::NewCredential;
use bits_core::access::Caller;
use bits_core::credentials::{AuthScheme, AuthTarget, SecretHeader};
use bits_core::error::Code;
use bits_core::file::{File, FileIndex, LocalName, ResumeBy, Stage};
use bits_core::http_options::HeaderName;
use bits_core::job::{Attempt, Command, JobId, Owner, Properties, PropertyChange, State};
use bits_core::ports::{Filter, SealedSecret, SecretChange};
use bits_core::queue::{
    self, CredentialWait, Declined, JobView, NewFile, PresenceId, QuestionId, Reply, Request, Ticket,
    WaitReason,
};
use bits_core::ranges::ByteRange;
use bits_core::refusal::Refusal;
use bits_core::remote_name::RemoteName;
use bits_core::secret::Secret;
use bits_core::sources::{DropReason, Mirror, MirrorOrigin, Sources};
use bits_core::units::Bytes;
use bits_worker::link::temporary_name;

use super::events::Event;
use super::judge::Promise;
use super::mutations::Mutation;
use super::scenario::{Deed, Demanded, FilePlan, JobPlan, MINUTE, Password, SECOND, SECRET_MARK};
use super::servers::Tag;
use super::shared::{Agent, agent_line};
use super::world::World;

/// How often an owner resumes a job in ERROR, once nothing goes wrong any more, before giving it up.
const RESUMES_IN_CALM_MAX: u32 = 4;
/// How often an owner asks, when nothing goes wrong any more, for all of the files of a job on demand before giving
/// it up.
const ASKED_FOR_ALL_MAX: u32 = 12;

/// An owner with a job.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) plan: JobPlan,
    is_created: bool,
    has_sent_files: bool,
    /// How much of what is to be asked for of a job on demand was asked for.
    demanded: usize,
    /// How often all of it was asked for since nothing goes wrong any more: before, it may be refused for ever.
    asked_for_all: u32,
    has_signed_in: bool,
    has_right_password: bool,
    /// After which attempt a password was set last.
    signed_in_after: Option<Attempt>,
    /// What is not answered yet.
    waits_for: Option<Ticket>,
    resumes_in_calm: u32,
    completes_in_calm: u32,
    /// How many times it was resumed since something was asked for that is not there.
    forgotten: u32,
    gives_up: bool,
    pub(super) is_done: bool,
    looks: u32,
}

impl Person {
    pub(super) fn new(plan: JobPlan) -> Self {
        Self {
            plan,
            is_created: false,
            has_sent_files: false,
            demanded: 0,
            asked_for_all: 0,
            has_signed_in: false,
            has_right_password: false,
            signed_in_after: None,
            waits_for: None,
            resumes_in_calm: 0,
            completes_in_calm: 0,
            forgotten: 0,
            gives_up: false,
            is_done: false,
            looks: 0,
        }
    }

    /// The service has ended: nobody will answer.
    pub(super) fn hangs_up(&mut self) {
        self.waits_for = None;
    }
}

/// What a request was for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand {
    caller: u32,
    /// Of the owner of this job, to have it done.
    person: Option<usize>,
    /// Whether it is somebody else's job, so that it must be refused.
    is_strange: bool,
}

/// An agent that is connected.
#[derive(Debug)]
pub(super) struct Connected {
    who: PresenceId,
    notices: Agent,
    asked: Vec<(QuestionId, Vec<JobId>)>,
}

impl World {
    /// The owner of a job looks how it is, and does what is next.
    pub(super) fn look(&mut self, at: usize) {
        let person = &mut self.people[at];
        if person.is_done {
            return;
        }
        person.looks += 1;
        let after = match person.looks {
            0..6 => self.random.between(SECOND, 30 * SECOND),
            6..20 => self.random.between(30 * SECOND, 3 * MINUTE),
            _ => self.random.between(MINUTE, 15 * MINUTE),
        };
        let now = self.now();
        self.events.put(now + after, Event::Look(at));
        let person = &self.people[at];
        if !self.is_up || person.waits_for.is_some() {
            return;
        }
        let (id, owner) = (person.plan.id, person.plan.owner);
        if !person.is_created {
            self.create(at);
        } else if !person.has_sent_files {
            self.add_files(at);
        } else {
            let input = |ticket, caller| Input::Query { ticket, caller, query: Query::Job(id) };
            self.ask(owner, Some(at), false, input);
        }
    }

    fn create(&mut self, at: usize) {
        let plan = &self.people[at].plan;
        let (id, owner) = (plan.id, plan.owner);
        let mut properties = Properties::named(format!("job {}", plan.number)).expect("a name");
        for change in plan.changes.clone() {
            properties.set(change).expect("a property that can be");
        }
        let mut secrets = Vec::new();
        if plan.has_secret_header {
            let name = HeaderName::parse("Authorization").expect("a name");
            let header = SecretHeader { name, value: Secret::new(format!("Bearer {SECRET_MARK}")) };
            match self.vault.seal_header(id, Owner(owner), &header) {
                Ok(sealed) => secrets.push(SecretChange::Set(sealed)),
                Err(_) => return,
            }
        }
        if let Some(secret) = self.people[at].plan.sink.as_ref().and_then(|sink| sink.secret.as_ref()) {
            match self.vault.seal_webhook(id, Owner(owner), &Secret::new(secret.clone())) {
                Ok(sealed) => secrets.push(SecretChange::Set(sealed)),
                Err(_) => return,
            }
        }
        self.request(
            owner,
            Some(at),
            Request::Create {
                id,
                properties: Box::new(properties),
                secrets,
                files: Vec::new(),
                resume: false,
            },
        );
    }

    fn add_files(&mut self, at: usize) {
        let plan = &self.people[at].plan;
        let (job, owner) = (plan.id, plan.owner);
        let files = plan.files.iter().map(|file| self.new_file(file, "")).collect();
        self.people[at].has_sent_files = true;
        self.request(owner, Some(at), Request::AddFiles { job, files, credentials: Vec::new() });
    }

    fn new_file(&self, file: &FilePlan, behind: &str) -> NewFile {
        let shared = self.around.lock();
        let resource = &shared.resources[file.resource];
        let local = LocalName::parse(&format!("{}{behind}", file.local)).expect("a path");
        let checksum = file.checksum.map(|is_right| self.checksum(&resource.versions[0], is_right));
        let mirrors = file.mirrors.iter().filter(|_| file.mirrors_are_given);
        let mirrors = mirrors.map(|mirror| shared.resources[*mirror].name.clone()).collect();
        let sources = Sources::given(&resource.name, file.size.map(Bytes), mirrors, checksum.as_ref())
            .expect("places that can be mirrors");
        NewFile {
            sources,
            no_clobber: file.no_clobber,
            ranges: file.ranges.clone(),
            checksum,
            resume_by: file.resume_by,
            ..NewFile::new(resource.name.clone(), local)
        }
    }

    /// Sets a password; false when it cannot be sealed now.
    fn sign_in(&mut self, at: usize, is_right: bool) -> bool {
        let plan = &self.people[at].plan;
        let (job, owner) = (plan.id, plan.owner);
        let Some(credentials) = self.sealed(job, owner, is_right) else { return false };
        self.people[at].has_signed_in = true;
        self.people[at].has_right_password = is_right;
        self.request(owner, Some(at), Request::SetCredentials { job, credentials });
        true
    }

    fn sealed(&mut self, job: JobId, owner: u32, is_right: bool) -> Option<Vec<SealedSecret>> {
        let word = if is_right { "right" } else { "wrong" };
        let password = Secret::new(format!("{word}-{SECRET_MARK}"));
        let new = NewCredential {
            target: AuthTarget::Server,
            scheme: Some(AuthScheme::Basic),
            user: "anna",
            password: &password,
        };
        self.vault.seal(job, Owner(owner), &new).ok()
    }

    /// The owner has heard how the job is.
    fn decide(&mut self, at: usize, view: &JobView) {
        let job = &view.job;
        let (id, owner) = (job.id, job.owner.0);
        let is_calm = self.is_calm;
        let person = &mut self.people[at];
        if job.state.is_final() {
            person.is_done = true;
            return;
        }
        if job.files_total == 0 {
            return self.add_files(at);
        }
        if person.gives_up {
            return self.command(at, Command::Cancel);
        }
        let wants_to_sign_in = person.plan.password.filter(|_| !person.has_signed_in);
        if let Some(password) = wants_to_sign_in
            && self.sign_in(at, password == Password::Right)
        {
            return;
        }
        let is_idle = matches!(job.state, State::Queued | State::Connecting | State::Transferring)
            && self.random.chance(400);
        if person_demands(&self.people[at])
            && (job.state == State::Suspended || is_idle)
            && self.demands(at, view)
        {
            return;
        }
        match job.state {
            State::Suspended => self.command(at, Command::Resume),
            State::Transferred if job.files_to_come() > 0 => self.command(at, Command::Resume),
            State::Transferred => {
                // Of two files of one name that may replace nothing, one never gets it.
                self.people[at].completes_in_calm += u32::from(is_calm);
                if self.people[at].completes_in_calm > RESUMES_IN_CALM_MAX {
                    return self.gives_up(at, view);
                }
                self.command(at, Command::Complete);
            }
            State::Error => {
                let wants_password = job.error.as_ref().is_some_and(|error| error.challenge.is_some());
                let is_new = self.people[at].signed_in_after != Some(job.attempt);
                // Others may have changed it meanwhile.
                let knows_better = is_new && (!self.people[at].has_right_password || is_calm);
                if wants_password && knows_better && (is_calm || self.random.chance(700)) {
                    let is_right = is_calm || self.random.chance(800);
                    self.people[at].signed_in_after = Some(job.attempt);
                    if self.sign_in(at, is_right) {
                        return;
                    }
                }
                // Where nobody waits for a network, everything fails as long as there is none.
                if is_calm && self.network_gone == 0 {
                    let person = &mut self.people[at];
                    // What was asked for and is not there is forgotten with each of these.
                    let is_forgotten =
                        job.error.as_ref().is_some_and(|error| error.code == Code::INVALID_RANGE);
                    let demands = person.plan.demands.as_ref().map_or(0, Vec::len) as u32;
                    person.forgotten += u32::from(is_forgotten && demands > 0);
                    person.resumes_in_calm += 1;
                    if person.resumes_in_calm > RESUMES_IN_CALM_MAX + person.forgotten.min(demands) {
                        self.gives_up(at, view);
                        return;
                    }
                }
                self.command(at, Command::Resume);
            }
            State::Queued if view.wait == Some(WaitReason::Credential(CredentialWait::Key)) && is_calm => {
                self.command(at, Command::Resume);
            }
            State::Queued | State::Connecting | State::Transferring | State::TransientError { .. } => {
                if !is_calm && self.random.chance(30) {
                    let name = PropertyChange::DisplayName(format!("job {} of {owner}", id));
                    let (changes, secrets) = (vec![name], Vec::new());
                    let request = Request::SetProperties { job: id, expected: None, changes, secrets };
                    self.request(owner, Some(at), request);
                }
            }
            State::Acknowledged | State::Cancelled => unreachable!("dealt with above"),
        }
    }

    /// Asks for more of a job on demand; false when there is nothing to ask for now.
    fn demands(&mut self, at: usize, view: &JobView) -> bool {
        let job = view.job.id;
        let person = &mut self.people[at];
        let owner = person.plan.owner;
        let demands = person.plan.demands.as_ref().expect("it is on demand");
        if let Some(Demanded { file, from, length }) = demands.get(person.demanded).copied() {
            person.demanded += 1;
            let file = FileIndex(file as u32);
            let request = match length {
                Some(_) => {
                    let range = ByteRange { offset: Bytes(from), length: length.map(Bytes) };
                    Request::RequestRanges { job, file, ranges: vec![range] }
                }
                None => Request::SetPosition { job, file, position: Bytes(from) },
            };
            self.request(owner, Some(at), request);
            return true;
        }
        if view.wait != Some(WaitReason::Demand) {
            return false;
        }
        // All that was asked for is there: then all of it.
        let files = self.around.lock().rows.files(job);
        let is_missing = |file: &&File| file.stage == Stage::Waiting && file.demand.position.is_none();
        let Some(file) = files.iter().find(is_missing).map(|file| file.index) else { return false };
        self.people[at].asked_for_all += u32::from(self.is_calm);
        if self.people[at].asked_for_all > ASKED_FOR_ALL_MAX {
            self.gives_up(at, view);
            return true;
        }
        self.request(owner, Some(at), Request::SetPosition { job, file, position: Bytes::ZERO });
        true
    }

    /// A job stays in ERROR, or is not completed, though nothing goes wrong any more: there must be a reason for that.
    fn gives_up(&mut self, at: usize, view: &JobView) {
        self.people[at].gives_up = true;
        let mut shared = self.around.lock();
        let shared = &mut *shared;
        let now = shared.now;
        let files = shared.rows.files(view.job.id);
        let is_bad = |file: &bits_core::file::File| {
            // One that has sent a wrong file is not asked as long as there are others.
            let has_lied =
                |mirror: &Mirror| mirror.dropped.as_ref().is_some_and(|it| it.reason == DropReason::Lied);
            let may_be_asked = |mirror: &&Mirror| mirror.origin == MirrorOrigin::Given && !has_lied(mirror);
            let given = file.sources.mirrors.iter().filter(may_be_asked);
            let mut names = std::iter::once(&file.remote_name).chain(given.map(|mirror| &mirror.remote_name));
            let has_it = |name: &RemoteName| {
                let resource = shared.resources.iter().find(|resource| resource.name == *name);
                let resource = resource.expect("every name is somewhere");
                let current = resource.current();
                // One that spoils what it sends may have been dropped for another reason since.
                let is_right = file
                    .checksum
                    .as_ref()
                    .is_none_or(|sum| *sum == current.content().checksum() && !resource.spoils());
                let has_size = file.sources.size.is_none_or(|size| size.0 == current.size);
                let can_be_told = match file.resume_by {
                    ResumeBy::Validator => matches!(resource.tag, Tag::Strong | Tag::Date),
                    ResumeBy::SizeAndTime => matches!(resource.tag, Tag::Strong | Tag::Weak | Tag::Date),
                    ResumeBy::Checksum => file.checksum.is_some(),
                };
                let has_parts = resource.serves_ranges && (can_be_told || current.size == 0);
                !resource.is_gone
                    && is_right
                    && has_size
                    && (has_parts || !view.job.properties.transfer.on_demand)
            };
            let exists = shared.disk.find(file.local_name.as_str()).is_some();
            let is_limited = view.job.properties.transfer.max_download_size.is_some();
            !names.any(has_it) || is_limited || !file.ranges.is_all() || (file.no_clobber && exists)
        };
        if !files.iter().filter(|file| file.stage != Stage::Completed).any(is_bad) {
            shared.judge.broken(Promise::Rest, now, || {
                format!("nothing is wrong any more, and {} stays as it is: {:?}", view.job.id, view.job.error)
            });
        }
    }

    fn command(&mut self, at: usize, command: Command) {
        let plan = &self.people[at].plan;
        let (job, owner) = (plan.id, plan.owner);
        self.request(owner, Some(at), Request::Command { job, command });
    }

    fn request(&mut self, caller: u32, person: Option<usize>, request: Request) {
        let job = job_of(&request);
        let owner = self.people.iter().find(|person| person.plan.id == job).map(|person| person.plan.owner);
        let is_strange = owner != Some(caller);
        if !is_strange {
            let mut shared = self.around.lock();
            let asked = shared.judge.asked.entry(job).or_default();
            asked.acts += 1;
            match &request {
                Request::Command { command: Command::Cancel, .. } => asked.cancel = true,
                Request::Command { command: Command::Complete, .. } => asked.complete = true,
                _ => {}
            }
        }
        let posed = match owner {
            Some(owner) if self.mutation == Some(Mutation::AccessUnchecked) => Caller { uid: owner },
            _ => Caller { uid: caller },
        };
        self.ask(caller, person, is_strange, |ticket, _| {
            Input::Queue(queue::Input::Request { ticket, caller: posed, request })
        });
    }

    /// Sends what somebody asks, and remembers what for.
    fn ask(
        &mut self,
        caller: u32,
        person: Option<usize>,
        is_strange: bool,
        input: impl FnOnce(Ticket, Caller) -> Input,
    ) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if let Some(at) = person {
            self.people[at].waits_for = Some(ticket);
        }
        self.errands.insert(ticket, Errand { caller, person, is_strange });
        let input = input(ticket, Caller { uid: caller });
        self.tell(|| match &input {
            // What these are told over is another thing each time.
            Input::Agent { .. } => format!("an agent of {caller} comes"),
            Input::Watch { job, .. } => format!("{caller} watches {job:?}"),
            input => format!("{caller} asks {input:?}"),
        });
        self.inbox.push(input);
    }

    /// Somebody is answered.
    pub(super) fn answered(&mut self, ticket: Ticket, answer: Result<Response, Refusal>) {
        let Some(errand) = self.errands.remove(&ticket) else { return };
        self.tell(|| format!("{} is answered {answer:?}", errand.caller));
        {
            let mut shared = self.around.lock();
            let now = shared.now;
            shared.judge.answer(errand.caller, &answer, now);
            if errand.is_strange && answer.is_ok() {
                shared.judge.broken(Promise::P7, now, || format!("{} was let do: {answer:?}", errand.caller));
            }
        }
        let Some(at) = errand.person else { return };
        self.people[at].waits_for = None;
        match answer {
            Ok(Response::Job { view, .. }) => {
                self.people[at].is_created = true;
                self.people[at].is_done |= view.job.state.is_final();
            }
            Ok(Response::JobWithSecrets { view, .. }) => self.decide(at, &view),
            // It was completed, or cancelled, and forgotten since.
            Err(Refusal::NotFound { .. }) if self.people[at].is_created => self.people[at].is_done = true,
            _ => {}
        }
    }

    /// Somebody does something beside what it takes.
    pub(super) fn act(&mut self, at: usize) {
        let (_, act) = self.acts[at].clone();
        if !self.is_up || self.is_calm {
            return;
        }
        let caller = act.caller;
        match act.what {
            Deed::AgentComes => return self.agent_comes(caller),
            Deed::AgentLeaves => return self.agent_leaves(caller),
            Deed::List => {
                let filter = Filter { owner: Owner(caller), state: None, called: None, challenged: false };
                let query = Query::List { filter, after: None, limit: 100 };
                return self.ask(caller, None, false, |ticket, caller| Input::Query {
                    ticket,
                    caller,
                    query,
                });
            }
            Deed::Counts | Deed::Questions => {
                let query = if act.what == Deed::Counts { Query::Counts } else { Query::Questions };
                return self.ask(caller, None, false, |ticket, caller| Input::Query {
                    ticket,
                    caller,
                    query,
                });
            }
            _ => {}
        }
        let Some(index) = self.people.iter().position(|person| person.plan.number == act.job) else { return };
        let person = &self.people[index];
        let (job, is_there) = (person.plan.id, person.is_created && !person.is_done);
        if !is_there {
            return;
        }
        let is_strange = person.plan.owner != caller;
        let request = match act.what {
            Deed::Suspend => Request::Command { job, command: Command::Suspend },
            Deed::Resume => Request::Command { job, command: Command::Resume },
            Deed::Cancel => Request::Command { job, command: Command::Cancel },
            Deed::Complete => Request::Command { job, command: Command::Complete },
            Deed::Priority(priority) => set(job, PropertyChange::Priority(priority)),
            Deed::TooLongName => set(job, PropertyChange::DisplayName("x".repeat(300))),
            Deed::CreateAgain => {
                let properties = Box::new(Properties::named("another".to_owned()).expect("a name"));
                Request::Create { id: job, properties, secrets: Vec::new(), files: Vec::new(), resume: false }
            }
            Deed::UnknownJob => Request::Command { job: JobId([7; 16]), command: Command::Cancel },
            Deed::RemoveCredentials => Request::RemoveCredentials {
                job,
                target: AuthTarget::Server,
                schemes: AuthScheme::BY_PREFERENCE.to_vec(),
            },
            Deed::AnswerAnything => Request::Answer {
                job,
                question: QuestionId(1 + self.random.below(4)),
                reply: Reply::Declined(Declined::Cancelled),
            },
            Deed::AddFile => {
                let file = self.new_file(&self.people[index].plan.files[0], "-more");
                Request::AddFiles { job, files: vec![file], credentials: Vec::new() }
            }
            Deed::AskForRange => {
                let range = ByteRange {
                    offset: Bytes(self.random.below(2000)),
                    length: Some(Bytes(1 + self.random.below(2000))),
                };
                Request::RequestRanges { job, file: FileIndex(0), ranges: vec![range] }
            }
            Deed::AskForAll => Request::SetPosition { job, file: FileIndex(0), position: Bytes::ZERO },
            Deed::Twin => {
                let Some(names) = self.twin_of_first(job) else { return };
                Request::SetRemoteNames { job, names }
            }
            Deed::RejectTwice => {
                let first = self.around.lock().rows.files(job).into_iter().next();
                if first.is_some_and(|file| file.stage == Stage::Transferred) {
                    for _ in 0..2 {
                        let file = FileIndex(0);
                        self.request(caller, None, Request::SetValidation { job, file, valid: false });
                    }
                }
                return;
            }
            Deed::PartDeleted | Deed::PartCut => return self.harm_part(job, act.what),
            Deed::Files => {
                let query = Query::Files { job, from: FileIndex(0), limit: 3 };
                return self.ask(caller, None, is_strange, |ticket, caller| Input::Query {
                    ticket,
                    caller,
                    query,
                });
            }
            Deed::Watch => {
                let (watcher, _) = tokio::sync::mpsc::channel(1);
                return self.ask(caller, None, is_strange, |ticket, caller| Input::Watch {
                    ticket,
                    caller,
                    job: Some(job),
                    watcher,
                });
            }
            Deed::Attend => {
                let who = self.presence();
                return self.ask(caller, None, is_strange, |ticket, caller| Input::Attend {
                    ticket,
                    caller,
                    who,
                    job,
                });
            }
            Deed::AgentComes | Deed::AgentLeaves | Deed::List | Deed::Counts | Deed::Questions => {
                unreachable!("dealt with above")
            }
        };
        self.request(caller, None, request);
    }

    /// Somebody meddles with the partial file of the first file of `job`.
    fn harm_part(&mut self, job: JobId, deed: Deed) {
        let mut shared = self.around.lock();
        let Some(file) = shared.rows.files(job).into_iter().next() else { return };
        let name = temporary_name(job, file.index, &file.local_name);
        let Some(part) = shared.disk.find(&name) else { return };
        let len = shared.disk.content(part).len();
        shared.faults_met += 1;
        shared.judge.harmed.insert(name.clone());
        match deed {
            Deed::PartDeleted => shared.disk.remove(&name),
            _ => {
                shared.disk.truncate(part, len / 2);
                // Cut while it is written it has a hole, which nobody could know of.
                shared.judge.harmed.insert(file.local_name.as_str().to_owned());
            }
        }
    }

    /// As the listener has it: for a file that has not come.
    fn twin_of_first(&self, job: JobId) -> Option<Vec<(FileIndex, bits_core::remote_name::RemoteName)>> {
        let mut shared = self.around.lock();
        let first = shared.rows.files(job).into_iter().next().filter(|file| file.stage == Stage::Waiting)?;
        let resource = shared.resources.iter().find(|resource| resource.name == first.remote_name)?;
        Some(vec![(first.index, shared.resources[resource.twin?].name.clone())])
    }

    fn presence(&mut self) -> PresenceId {
        self.tickets += 1;
        PresenceId(self.tickets)
    }

    pub(super) fn agent_comes(&mut self, owner: u32) {
        self.owners_with_agents.insert(owner);
        if !self.is_up || self.agents.contains_key(&owner) {
            return;
        }
        let (watcher, notices) = agent_line();
        let who = self.presence();
        self.agents.insert(owner, Connected { who, notices, asked: Vec::new() });
        self.ask(owner, None, false, |ticket, caller| Input::Agent { ticket, caller, who, watcher });
    }

    fn agent_leaves(&mut self, owner: u32) {
        self.owners_with_agents.remove(&owner);
        if let Some(agent) = self.agents.remove(&owner) {
            self.inbox.push(Input::Left { who: agent.who });
        }
    }

    /// Agents read what they are told.
    pub(super) fn agents_read(&mut self) {
        let mut shared = self.around.lock();
        let now = shared.now;
        for (owner, agent) in &mut self.agents {
            while let Ok(notice) = agent.notices.try_recv() {
                match notice {
                    AgentNotice::Asked(question) => {
                        if question.owner != Owner(*owner) {
                            shared
                                .judge
                                .broken(Promise::P7, now, || format!("{owner} is asked {question:?}"));
                        }
                        shared.judge.text(&question.error.message, now, "a question");
                        agent.asked.push((question.id, question.asked().collect()));
                        let after = shared.random.between(SECOND, MINUTE);
                        self.events.put(now + after, Event::Reply { owner: *owner });
                    }
                    AgentNotice::Withdrawn(_) | AgentNotice::Ready => {}
                }
            }
        }
    }

    /// A person answers what the agent has asked.
    pub(super) fn reply(&mut self, owner: u32) {
        let Some(agent) = self.agents.get_mut(&owner) else { return };
        for (question, jobs) in std::mem::take(&mut agent.asked) {
            let luck = if self.is_calm { 0 } else { self.random.below(10) };
            for job in jobs {
                let credentials = if luck < 8 { self.sealed(job, owner, luck < 6) } else { None };
                let reply = match credentials {
                    Some(credentials) => Reply::Credentials(credentials),
                    None if luck == 8 => Reply::Declined(Declined::TimedOut),
                    None => Reply::Declined(Declined::Cancelled),
                };
                self.request(owner, None, Request::Answer { job, question, reply });
            }
        }
    }
}

fn person_demands(person: &Person) -> bool {
    person.plan.demands.is_some()
}

fn set(job: JobId, change: PropertyChange) -> Request {
    Request::SetProperties { job, expected: None, changes: vec![change], secrets: Vec::new() }
}

fn job_of(request: &Request) -> JobId {
    match request {
        Request::Create { id, .. } => *id,
        Request::RequestRanges { job, .. }
        | Request::SetPosition { job, .. }
        | Request::AddFiles { job, .. }
        | Request::SetProperties { job, .. }
        | Request::Command { job, .. }
        | Request::SetRemoteNames { job, .. }
        | Request::SetValidation { job, .. }
        | Request::SetCredentials { job, .. }
        | Request::RemoveCredentials { job, .. }
        | Request::TakeOwnership { job }
        | Request::Heard { job, .. }
        | Request::Answer { job, .. } => *job,
    }
}
