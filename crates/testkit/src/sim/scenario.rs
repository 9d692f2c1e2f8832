//! What happens in one simulated world, drawn from its seed before it begins: who has which jobs,
//! what servers are like, and when what goes wrong.
//!
//! Everything in it that can be left out has a number, so that a failure can be told with as little
//! as it takes.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bits_core::conditions::{Missing, NetworkCost, OnBattery, OwnerAway, Rules, TransferPolicy};
use bits_core::file::ResumeBy;
use bits_core::http_options::Method;
use bits_core::job::{JobId, Priority, PropertyChange};
use bits_core::notify::{NotifyCommand, NotifyFlags};
use bits_core::ranges::{ByteRange, Ranges};
use bits_core::remote_name::RemoteName;
use bits_core::transfer::PartsRules;
use bits_core::units::Bytes;

use super::conditions::Change;
use super::notices::{self, Sink, SinkFault};
use super::random::Random;
use super::servers::{Framing, Resource, ServerFault, Tag, Version};

/// Milliseconds of the world's own clock.
pub(super) type Millis = u64;

pub(super) const SECOND: Millis = 1000;
pub(super) const MINUTE: Millis = 60 * SECOND;
pub(super) const HOUR: Millis = 60 * MINUTE;

/// What every secret of the world contains, and nothing else does.
pub(super) const SECRET_MARK: &str = "XYZZY";

/// Owners of a world.
const OWNERS_MAX: u64 = 3;

/// All that is decided beforehand.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) jobs: Vec<JobPlan>,
    pub(super) resources: Vec<Resource>,
    pub(super) faults: Vec<(Millis, WorldFault)>,
    pub(super) acts: Vec<(Millis, Act)>,
    /// When faults end, and all has to come to rest.
    pub(super) calm_at: Millis,
    pub(super) next_version: u32,
    pub(super) owners: u32,
    /// What jobs are held to that say nothing themselves.
    pub(super) rules: Rules,
    /// How far files come in parts.
    pub(super) parts: Option<PartsRules>,
    /// What the conditions become for a while, when nothing goes wrong any more.
    pub(super) later: Vec<(Millis, Change, Millis)>,
    /// How many things there are that can be left out.
    pub(super) elements: u32,
}

/// A job that somebody wants.
#[derive(Debug)]
pub(super) struct JobPlan {
    /// By which acts name it, whichever jobs are left out.
    pub(super) number: usize,
    pub(super) id: JobId,
    pub(super) owner: u32,
    pub(super) begin_at: Millis,
    pub(super) changes: Vec<PropertyChange>,
    pub(super) files: Vec<FilePlan>,
    /// The password that is set before the job is resumed.
    pub(super) password: Option<Password>,
    pub(super) has_secret_header: bool,
    /// Who is to be told of it.
    pub(super) sink: Option<Sink>,
    /// What is asked for of its files, one after the other, when it is one on demand; all of them in
    /// the end.
    pub(super) demands: Option<Vec<Demanded>>,
}

/// What is asked for of a file of a job on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Demanded {
    /// The file, by its place among those of the job.
    pub(super) file: u64,
    pub(super) from: u64,
    /// How many bytes; all behind without it, as a position.
    pub(super) length: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Password {
    Right,
    Wrong,
}

#[derive(Debug)]
pub(super) struct FilePlan {
    pub(super) resource: usize,
    pub(super) local: String,
    pub(super) ranges: Ranges,
    /// Whether the right checksum of the version that is there first is given, or a wrong one.
    pub(super) checksum: Option<bool>,
    pub(super) resume_by: ResumeBy,
    pub(super) no_clobber: bool,
    /// Whether something is under the local name before.
    pub(super) replaces: bool,
    /// Where else it is said to be, and whether its owner says so, or the server.
    pub(super) mirrors: Vec<usize>,
    pub(super) mirrors_are_given: bool,
    /// The size that it is said to have, with its mirrors.
    pub(super) size: Option<u64>,
}

/// What is wrong with a mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MirrorKind {
    Honest,
    /// It has another version, and says so.
    Other,
    /// It has another version under the same tag.
    Lying,
    Dead,
    Slow,
    /// What it has is right, but for some bytes in the middle.
    Spoiled,
}

impl MirrorKind {
    const ALL: [Self; 9] = [
        Self::Honest,
        Self::Honest,
        Self::Honest,
        Self::Other,
        Self::Other,
        Self::Lying,
        Self::Dead,
        Self::Slow,
        Self::Spoiled,
    ];
}

/// What the moment of a kill is set upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trap {
    Now,
    /// A version is reported.
    Version,
    /// The same, of a file of which another version was here.
    OtherVersion,
    /// Bytes are written.
    Write,
    /// A file is synced.
    Sync,
    /// A file, or a whole attempt, has come to its end.
    Whole,
    /// Files are put in place.
    Finalize,
    Discard,
    /// An owner was told something.
    Told,
}

impl Trap {
    const ALL: [Self; 11] = [
        Self::Now,
        Self::Now,
        Self::Version,
        Self::OtherVersion,
        Self::Write,
        Self::Write,
        Self::Sync,
        Self::Whole,
        Self::Finalize,
        Self::Discard,
        Self::Told,
    ];
}

/// What goes wrong with the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WorldFault {
    /// Killed so many steps after what it is set upon.
    Kill {
        trap: Trap,
        steps: u32,
        down: Millis,
    },
    PowerCut {
        trap: Trap,
        steps: u32,
        down: Millis,
    },
    /// The clock of the machine is set, by so many milliseconds.
    ClockSet(i64),
    /// The servers are out of reach, and nothing is to be seen of that.
    NetworkGone(Millis),
    /// Jobs may have to wait for something, for so long.
    Conditions(Change, Millis),
    DiskFull(Millis),
    StoreFull(Millis),
    /// Commits take so long.
    StoreSlow {
        each: Millis,
        lasts: Millis,
    },
    /// So many commits fail.
    CommitsFail(u32),
    /// So many syncs of files fail.
    SyncsFail(u32),
    /// The key to credentials is not there after the next start.
    KeyAway,
}

/// What somebody does beside what it takes to have a job done.
#[derive(Debug, Clone)]
pub(super) struct Act {
    pub(super) caller: u32,
    pub(super) job: usize,
    pub(super) what: Deed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Suspend,
    Resume,
    Cancel,
    Complete,
    Priority(Priority),
    CreateAgain,
    /// The files are to come from another place.
    Twin,
    /// Twice at once, as two programs may.
    RejectTwice,
    RemoveCredentials,
    TooLongName,
    UnknownJob,
    List,
    Counts,
    Files,
    Questions,
    Watch,
    AgentComes,
    AgentLeaves,
    Attend,
    AnswerAnything,
    AddFile,
    /// A part of the first file is asked for, whatever job it is of.
    AskForRange,
    AskForAll,
    /// Somebody deletes the partial file of the first file, behind everybody's back.
    PartDeleted,
    /// The same, and only the end of it.
    PartCut,
}

impl Deed {
    const ALL: [Self; 25] = [
        Self::Suspend,
        Self::Resume,
        Self::Cancel,
        Self::Complete,
        Self::Priority(Priority::Foreground),
        Self::Priority(Priority::Low),
        Self::CreateAgain,
        Self::Twin,
        Self::RejectTwice,
        Self::RemoveCredentials,
        Self::TooLongName,
        Self::UnknownJob,
        Self::List,
        Self::Counts,
        Self::Files,
        Self::Questions,
        Self::Watch,
        Self::Attend,
        Self::AnswerAnything,
        Self::AddFile,
        Self::AskForRange,
        Self::AskForAll,
        Self::PartDeleted,
        Self::PartCut,
        Self::AgentComes,
    ];
}

/// Which elements are left in; all without one.
pub(super) type Kept = Option<BTreeSet<u32>>;

/// What a world is mostly about: whoever does a little of everything seldom does the same thing twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    Everything,
    /// Files that change while they come, and kills meanwhile.
    Versions,
    Power,
    /// Files that come from several places, or by ranges.
    Sources,
    /// Networks, power and people that come and go.
    Conditions,
}

/// Draws a world.
pub(super) struct Drawing<'k> {
    random: Random,
    theme: Theme,
    kept: &'k Kept,
    elements: u32,
    next_version: u32,
}

impl Scenario {
    pub(super) fn draw(seed: u64, kept: &Kept) -> Self {
        let mut random = Random::new(seed, "scenario");
        let themes = [
            Theme::Everything,
            Theme::Everything,
            Theme::Versions,
            Theme::Versions,
            Theme::Power,
            Theme::Sources,
            Theme::Sources,
            Theme::Conditions,
        ];
        let theme = *random.pick(&themes);
        Drawing { random, theme, kept, elements: 0, next_version: 0 }.draw()
    }
}

impl Drawing<'_> {
    fn draw(mut self) -> Scenario {
        let owners = self.random.between(1, OWNERS_MAX) as u32;
        let calm_at = *self.random.pick(&[10 * MINUTE, 40 * MINUTE, 3 * HOUR, 30 * HOUR]);
        let job_count = self.random.between(4, 10) as usize;
        let (mut jobs, mut resources) = (Vec::new(), Vec::new());
        for number in 0..job_count {
            let job = self.job(number, owners, calm_at, &mut resources);
            if self.is_kept() {
                jobs.push(job);
            }
        }
        let mut faults = Vec::new();
        let faults_for_each = if self.theme == Theme::Everything { 1 } else { 3 };
        for _ in 0..faults_for_each * job_count as u64 + self.random.below(6) {
            let fault = (self.random.below(calm_at), self.world_fault());
            if self.is_kept() {
                faults.push(fault);
            }
        }
        let mut acts = Vec::new();
        for _ in 0..2 * job_count {
            let at = self.random.below(calm_at);
            let act = self.act(owners, job_count);
            if self.is_kept() {
                acts.push((at, act));
            }
        }
        let rules = self.rules();
        let parts = self.parts();
        let mut later = Vec::new();
        for _ in 0..self.random.below(4) {
            let begins = self.random.between(SECOND, 30 * MINUTE);
            let change = (begins, self.change(), self.random.between(SECOND, 30 * MINUTE));
            if self.is_kept() {
                later.push(change);
            }
        }
        let (next_version, elements) = (self.next_version, self.elements);
        Scenario {
            jobs,
            resources,
            faults,
            acts,
            calm_at,
            next_version,
            owners,
            rules,
            parts,
            later,
            elements,
        }
    }

    fn rules(&mut self) -> Rules {
        Rules {
            wait_for_network: self.random.chance(850),
            on_battery: *self.random.pick(&OnBattery::ALL),
            owner_away: *self.random.pick(&[OwnerAway::Run, OwnerAway::Wait]),
            ..Rules::default()
        }
    }

    fn parts(&mut self) -> Option<PartsRules> {
        let wants_parts = if self.theme == Theme::Sources { 750 } else { 150 };
        self.random.chance(wants_parts).then(|| PartsRules {
            most: self.random.between(2, 5) as u8,
            of_one_server: self.random.between(1, 2) as u8,
            bytes_min: Bytes(*self.random.pick(&[1, 1_000, 1_000_000])),
        })
    }

    /// Something that jobs may have to wait for.
    fn change(&mut self) -> Change {
        match self.random.below(5) {
            0 => Change::Network(*self.random.pick(&[Missing::Link, Missing::Address, Missing::Route])),
            1 | 2 => Change::Cost(*self.random.pick(&NetworkCost::ALL)),
            3 => Change::Battery,
            _ => Change::OwnerAway,
        }
    }

    /// Who is to be told of a job, and how they take it.
    fn sink(&mut self, owner: u32, number: usize) -> Option<Sink> {
        let is_told = self.random.chance(450);
        let mut sink = notices::sink(owner, number);
        match self.random.below(4) {
            0 => sink.program = None,
            1 => (sink.url, sink.secret) = (None, None),
            _ => {}
        }
        if self.random.chance(400) {
            sink.secret = None;
        }
        for _ in 0..self.random.below(8) {
            let faults =
                [SinkFault::None, SinkFault::Fails, SinkFault::Fails, SinkFault::Hangs, SinkFault::Dies];
            let fault = *self.random.pick(&faults);
            if self.is_kept() {
                sink.faults.push_back((self.elements, fault));
            }
        }
        is_told.then_some(sink)
    }

    /// Numbers the element that was just drawn, and says whether it is left in.
    fn is_kept(&mut self) -> bool {
        self.elements += 1;
        self.kept.as_ref().is_none_or(|kept| kept.contains(&self.elements))
    }

    fn job(&mut self, number: usize, owners: u32, calm_at: Millis, resources: &mut Vec<Resource>) -> JobPlan {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.random.next().to_be_bytes());
        id[8..].copy_from_slice(&self.random.next().to_be_bytes());
        let owner = self.random.below(owners.into()) as u32;
        let begin_at = self.random.below(calm_at / 2);
        let wants_password = self.random.chance(250);
        let password = (wants_password && self.random.chance(800))
            .then(|| *self.random.pick(&[Password::Right, Password::Right, Password::Wrong]));
        let mut changes = vec![PropertyChange::Priority(*self.random.pick(&Priority::ALL))];
        for (parts, change) in [
            (200, PropertyChange::CompleteWhenDone(true)),
            (250, PropertyChange::KeepGoing(true)),
            (100, PropertyChange::DynamicContent(true)),
            (100, PropertyChange::HighPerformance(true)),
            (100, PropertyChange::MinimumRetryDelay(Some(Duration::from_secs(5)))),
            (100, PropertyChange::MinimumRetryDelay(Some(Duration::from_secs(600)))),
            (100, PropertyChange::NoProgressTimeout(Duration::from_secs(300))),
            (50, PropertyChange::MaxDownloadSize(Bytes(10_000))),
            (40, PropertyChange::CostFlags(Some(TransferPolicy::Always.flags()))),
            (40, PropertyChange::CostFlags(Some(TransferPolicy::NoSurcharge.flags()))),
            (40, PropertyChange::CostFlags(Some(TransferPolicy::Standard.flags()))),
            (50, PropertyChange::HttpMethod(Method::parse("POST").expect("a method"))),
        ] {
            if self.random.chance(parts) {
                changes.push(change);
            }
        }
        let is_dynamic = changes.contains(&PropertyChange::DynamicContent(true));
        let is_usual =
            !is_dynamic && !changes.iter().any(|change| matches!(change, PropertyChange::HttpMethod(_)));
        let is_on_demand =
            is_usual && self.random.chance(if self.theme == Theme::Sources { 400 } else { 100 });
        if is_on_demand {
            changes.push(PropertyChange::OnDemand(true));
        }
        let mut files = Vec::new();
        for place in 0..self.random.between(3, 5) {
            let kind = FileKind { wants_password, is_usual, is_dynamic, is_on_demand };
            let file = self.file(id, owner, place, kind, resources);
            if self.is_kept() || files.is_empty() {
                files.push(file);
            }
        }
        let has_secret_header = self.random.chance(150);
        let sink = self.sink(owner, number);
        if let Some(sink) = &sink {
            let arguments = vec![JobId(id).to_string()];
            let command = sink.program.clone().map(|program| NotifyCommand { program, arguments });
            let url = sink.url.as_ref().map(|url| RemoteName::parse(url).expect("a remote name").0);
            changes.extend([PropertyChange::NotifyCommand(command), PropertyChange::Webhook(url)]);
            if self.random.chance(150) {
                let mask = *self.random.pick(&[NotifyFlags::JOB_ERROR, NotifyFlags::JOB_TRANSFERRED]);
                changes.push(PropertyChange::NotifyFlags(NotifyFlags::from_mask(mask).expect("a flag")));
            }
        }
        let demands = is_on_demand.then(|| self.demands(&files, resources));
        JobPlan {
            number,
            id: JobId(id),
            owner,
            begin_at,
            changes,
            files,
            password,
            has_secret_header,
            sink,
            demands,
        }
    }

    fn demands(&mut self, files: &[FilePlan], resources: &[Resource]) -> Vec<Demanded> {
        let mut demands = Vec::new();
        for _ in 0..self.random.between(2, 8) {
            let file = self.random.below(files.len() as u64);
            let size = resources[files[file as usize].resource].current().size;
            // Some of it is beyond the end.
            let from = self.random.below(size + size / 20 + 1);
            let length = self.random.chance(850).then(|| 1 + self.random.below(size / 3 + 1));
            if self.is_kept() {
                demands.push(Demanded { file, from, length });
            }
        }
        demands
    }

    fn file(
        &mut self,
        id: [u8; 16],
        owner: u32,
        number: u64,
        kind: FileKind,
        resources: &mut Vec<Resource>,
    ) -> FilePlan {
        let FileKind { wants_password, is_usual, is_dynamic, is_on_demand } = kind;
        let mut resource = self.resource(resources.len(), wants_password);
        if is_on_demand && self.random.chance(900) {
            // Where parts are not served, there is little to be seen.
            resource.serves_ranges = true;
            resource.tag = *self.random.pick(&[Tag::Strong, Tag::Strong, Tag::Date]);
        }
        let size = resource.current().size;
        let serves_ranges = resource.serves_ranges;
        resources.push(resource);
        let index = resources.len() - 1;
        if self.random.chance(150) {
            // The same versions at another place, under tags of its own.
            let original = &resources[index];
            let twin = Resource {
                name: name(index + 1),
                versions: original.versions.clone(),
                faults: VecDeque::new(),
                password: original.password.clone(),
                twin: Some(index),
                links: Vec::new(),
                ..*original
            };
            resources.push(twin);
            resources[index].twin = Some(index + 1);
        }
        let may_have_ranges = serves_ranges && !is_dynamic && !is_on_demand && size > 100;
        let (ranges, checksum) = if may_have_ranges && self.random.chance(120) {
            (self.ranges(size), None)
        } else if self.random.chance(250) {
            (Ranges::ALL, Some(self.random.chance(900)))
        } else {
            (Ranges::ALL, None)
        };
        let resume_by = match self.random.below(10) {
            0 => ResumeBy::SizeAndTime,
            1 if checksum.is_some() => ResumeBy::Checksum,
            _ => ResumeBy::Validator,
        };
        let replaces = self.random.chance(200);
        let wants_mirrors = if self.theme == Theme::Sources { 700 } else { 100 };
        let mirrors = match is_usual && !is_on_demand && self.random.chance(wants_mirrors) {
            true => self.mirrors(index, resources),
            false => Vec::new(),
        };
        let mirrors_are_given = self.random.chance(750);
        if !mirrors_are_given {
            resources[index].links = mirrors.iter().map(|mirror| resources[*mirror].name.clone()).collect();
        }
        let has_size = mirrors_are_given && !mirrors.is_empty() && ranges.is_all();
        let size = (has_size && self.random.chance(300)).then_some(size);
        FilePlan {
            resource: index,
            local: format!("/home/{owner}/{:02x}{:02x}{:02x}-{number}", id[0], id[1], id[2]),
            ranges,
            checksum,
            resume_by,
            no_clobber: self.random.chance(100),
            replaces,
            mirrors,
            mirrors_are_given,
            size,
        }
    }

    /// Other places that are said to have what the resource `index` has.
    fn mirrors(&mut self, index: usize, resources: &mut Vec<Resource>) -> Vec<usize> {
        let size = resources[index].current().size;
        match self.random.below(6) {
            0 => resources[index].faults = self.silence(),
            1 => resources[index].rate = slow(size),
            _ => {}
        }
        let mut mirrors = Vec::new();
        for _ in 0..self.random.between(1, 3) {
            let kind = *self.random.pick(&MirrorKind::ALL);
            let mut mirror = self.resource(resources.len(), false);
            let original = &resources[index];
            mirror.tag = original.tag;
            // Places that are kept in one way say the same of what they have.
            mirror.gives_digest = original.gives_digest;
            mirror.versions = match kind {
                MirrorKind::Honest | MirrorKind::Dead | MirrorKind::Slow | MirrorKind::Spoiled => {
                    original.versions.clone()
                }
                MirrorKind::Other | MirrorKind::Lying => {
                    self.next_version += 1;
                    // Of the same size, since that is what is hardest to tell.
                    vec![Version::new(self.next_version, size)]
                }
            };
            if kind == MirrorKind::Lying {
                mirror.poses_as(original);
            }
            if kind == MirrorKind::Spoiled && size > 0 {
                mirror.spoiled = Some((size / 3, size / 3 + 1 + self.random.below(size / 3 + 1)));
                mirror.has_lied = true;
            }
            mirror.is_gone = false;
            if kind == MirrorKind::Dead {
                mirror.faults = self.silence();
            }
            mirror.rate = if kind == MirrorKind::Slow { slow(size) } else { original.rate.max(40) };
            if self.is_kept() {
                mirrors.push(resources.len());
                resources.push(mirror);
            }
        }
        mirrors
    }

    fn ranges(&mut self, size: u64) -> Ranges {
        let third = size / 3;
        let range = |offset, length| ByteRange { offset: Bytes(offset), length: Some(Bytes(length)) };
        let mut parts = vec![range(0, third.max(1)), range(2 * third, third / 2 + 1)];
        if self.random.chance(500) {
            parts.reverse();
        }
        if self.random.chance(300) {
            parts.truncate(1);
        }
        Ranges::new(parts).expect("parts that do not overlap")
    }

    /// Nobody is there for a long time.
    fn silence(&mut self) -> VecDeque<(u32, ServerFault)> {
        (0..self.random.between(3, 20)).map(|_| (self.elements, ServerFault::Refused)).collect()
    }

    fn resource(&mut self, index: usize, wants_password: bool) -> Resource {
        self.next_version += 1;
        let largest = *self.random.pick(&[50_000, 50_000, 10_000_000, 20_000_000_000]);
        let size = self.random.magnitude(largest);
        let is_plain = self.theme != Theme::Everything;
        let (tags, framings): (&[Tag], &[Framing]) = if is_plain {
            (&[Tag::Strong, Tag::Date, Tag::ShyDate], &[Framing::Length])
        } else {
            (
                &[Tag::Strong, Tag::Strong, Tag::Strong, Tag::Weak, Tag::Date, Tag::ShyDate, Tag::None],
                &[Framing::Length, Framing::Length, Framing::Length, Framing::Chunked, Framing::UntilClose],
            )
        };
        // As some hours are long, and no transfer is to last for weeks.
        let rate = self.random.between(1 + size / HOUR, 1000 + size / 1000);
        let mut faults = VecDeque::new();
        for _ in 0..self.random.below(7) {
            let fault = self.server_fault();
            if self.is_kept() {
                faults.push_back((self.elements, fault));
            }
        }
        Resource {
            name: name(index),
            tag: *self.random.pick(tags),
            framing: *self.random.pick(framings),
            serves_ranges: is_plain || self.random.chance(800),
            gives_digest: self.random.chance(250),
            password: wants_password.then(|| format!("right-{SECRET_MARK}")),
            is_gone: self.random.chance(20),
            versions: vec![Version::new(self.next_version, size)],
            faults,
            has_lied: false,
            has_misspoken: false,
            spoiled: None,
            rate,
            twin: None,
            links: Vec::new(),
        }
    }

    fn server_fault(&mut self) -> ServerFault {
        let part = self.random.below(1001);
        if self.theme != Theme::Everything && self.random.chance(800) {
            return match self.random.below(6) {
                0 | 1 => ServerFault::Cut(part / 2),
                2 => ServerFault::Changed,
                3 | 4 if self.theme == Theme::Versions => ServerFault::ChangedBack,
                3 => ServerFault::Changed,
                _ => ServerFault::Stall(part / 2),
            };
        }
        match self.random.below(26) {
            0 => ServerFault::Refused,
            1 => ServerFault::NoAnswer,
            2 => ServerFault::NotHttp,
            3 => ServerFault::Status(500, None),
            4 => ServerFault::Status(503, Some(self.random.below(200) as u32)),
            5 => ServerFault::Status(*self.random.pick(&[400, 403, 404, 410, 408, 429, 511, 304]), None),
            6..=9 => ServerFault::Cut(part),
            10 => ServerFault::Closed(part),
            11 | 12 => ServerFault::Stall(part),
            13 => ServerFault::SaysMore,
            14 => ServerFault::SaysLess,
            15 | 16 => ServerFault::Changed,
            17 => ServerFault::ChangedBack,
            18 => ServerFault::ChangedSilently,
            19 => ServerFault::Corrupt(part),
            20 => ServerFault::IgnoresRange,
            21 => ServerFault::WrongRange,
            22 => ServerFault::NoSuchRange,
            23 => *self.random.pick(&[ServerFault::Packed, ServerFault::Page, ServerFault::RedirectLoop]),
            _ => ServerFault::None,
        }
    }

    fn world_fault(&mut self) -> WorldFault {
        let lasts = self.random.between(SECOND, 10 * MINUTE);
        let steps = self.random.below(12) as u32;
        let trap = *self.random.pick(&Trap::ALL);
        let down = *self.random.pick(&[100, 5 * SECOND, 10 * MINUTE]);
        match self.theme {
            // While something is slow to be written, more comes of what it is about.
            Theme::Versions if self.random.chance(150) => {
                let each = self.random.between(100, 2 * SECOND);
                return WorldFault::StoreSlow { each, lasts: 6 * lasts };
            }
            Theme::Versions if self.random.chance(800) => {
                let trap = *self.random.pick(&[Trap::Version, Trap::OtherVersion, Trap::Write]);
                return WorldFault::Kill { trap, steps: self.random.below(5) as u32, down };
            }
            Theme::Power if self.random.chance(800) => {
                return WorldFault::PowerCut { trap, steps: self.random.below(4) as u32, down };
            }
            Theme::Conditions if self.random.chance(750) => {
                return WorldFault::Conditions(self.change(), lasts);
            }
            _ => {}
        }
        match self.random.below(18) {
            0..=4 => WorldFault::Kill { trap, steps, down },
            5..=7 => WorldFault::PowerCut { trap, steps, down },
            8 => {
                let by = self.random.magnitude(3 * 24 * HOUR) as i64;
                WorldFault::ClockSet(if self.random.chance(500) { by } else { -by })
            }
            9 => WorldFault::NetworkGone(lasts),
            10 => WorldFault::DiskFull(lasts),
            11 => WorldFault::StoreFull(lasts),
            12 => WorldFault::StoreSlow { each: self.random.between(100, 20 * SECOND), lasts },
            13 => WorldFault::CommitsFail(self.random.between(1, 3) as u32),
            14 => WorldFault::SyncsFail(self.random.between(1, 2) as u32),
            15 | 16 => WorldFault::Conditions(self.change(), lasts),
            _ => WorldFault::KeyAway,
        }
    }

    fn act(&mut self, owners: u32, jobs: usize) -> Act {
        Act {
            caller: self.random.below(owners.into()) as u32,
            job: self.random.below(jobs as u64) as usize,
            what: match self.random.below(10) {
                0 => Deed::AgentLeaves,
                1 | 2 => Deed::AgentComes,
                _ => *self.random.pick(&Deed::ALL),
            },
        }
    }
}

/// What every file of one job has in common.
#[derive(Debug, Clone, Copy)]
struct FileKind {
    wants_password: bool,
    /// Whether its content does not follow from the request.
    is_usual: bool,
    is_dynamic: bool,
    is_on_demand: bool,
}

/// Bytes for each millisecond that are few, and bring `size` bytes in an hour.
fn slow(size: u64) -> u64 {
    1 + size / HOUR
}

fn name(index: usize) -> RemoteName {
    let text = format!("http://s{}.test/{index}", index % 7);
    RemoteName::parse(&text).expect("a remote name").0
}
