//! What is still to be told of a job.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{NotifyFlags, NotifyLimits, NotifyOptions, retry_delay};
use crate::error::Code;
use crate::job::{ClockChange, Job, State};
use crate::time::Timestamp;

/// Webhooks of one job that may wait; of more the oldest is given up.
const WEBHOOKS_MAX: usize = 16;

/// By which way something is told, when no callback hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// The owner's program. It is run to have something done: not when the owner has done it already.
    Command,
    /// A message to a server. It reports what has happened, also when the job has gone on since.
    Webhook,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Command, Self::Webhook];
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// All files are there (`JobTransferred`); of a job that the service completes by itself: under
    /// their names.
    Transferred,
    /// The job is in ERROR (`JobError`).
    Error,
}

impl Happened {
    pub const ALL: [Self; 2] = [Self::Transferred, Self::Error];

    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transferred => "transferred",
            Self::Error => "error",
        }
    }

    /// What is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|happened| happened.name() == name)
    }

    pub(super) fn flag(self) -> u32 {
        match self {
            Self::Transferred => NotifyFlags::JOB_TRANSFERRED,
            Self::Error => NotifyFlags::JOB_ERROR,
        }
    }

    /// What stands of `job` that its owner is to hear of, if anything.
    pub fn of(job: &Job) -> Option<Self> {
        let by_itself = job.properties.complete_when_done;
        match job.state {
            State::Error => Some(Self::Error),
            State::Transferred if !by_itself => Some(Self::Transferred),
            State::Acknowledged if by_itself && job.files_left() == 0 => Some(Self::Transferred),
            _ => None,
        }
    }
}

/// Something that is to be told by one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Counts those of the job; the same for each try.
    pub number: u32,
    pub channel: Channel,
    pub happened: Happened,
    /// When it happened.
    pub at: Timestamp,
    /// What the job has met, when that is what happened.
    pub code: Option<Code>,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub due: Timestamp,
    /// Of a command: whether a callback was there to hear it first.
    pub offered: bool,
    /// Of a command: whether a callback has failed, so that none is waited for.
    pub past_callback: bool,
}

impl Notice {
    /// What it is, for people: which way it goes, and what it is about.
    pub fn in_words(&self) -> String {
        let what = match self.channel {
            Channel::Command => "the notification command",
            Channel::Webhook => "the webhook",
        };
        format!("{what} for {}", self.happened.name())
    }
}

/// What is still to be told of one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outbox {
    /// In the order it happened.
    pub pending: Vec<Notice>,
    /// How many there ever were.
    pub made: u32,
    /// Which notice was not heard last and why, when one was not and has not been heard since.
    pub failure: Option<String>,
}

impl Outbox {
    /// Moves the stamps along with a clock that was set.
    pub(crate) fn clock_was_set(&mut self, change: ClockChange) {
        for notice in &mut self.pending {
            notice.at = change.moved(notice.at);
            notice.due = change.moved(notice.due);
        }
    }

    pub fn notice(&self, number: u32) -> Option<&Notice> {
        self.pending.iter().find(|notice| notice.number == number)
    }

    /// It was heard.
    pub(crate) fn heard(&mut self, number: u32) {
        let Some(place) = self.pending.iter().position(|notice| notice.number == number) else { return };
        let heard = self.pending.remove(place).in_words();
        let is_about_another = self.failure.as_ref().is_some_and(|failure| !failure.starts_with(&heard));
        let fails = self.pending.iter().any(|notice| notice.tries > 0);
        if !(is_about_another && fails) {
            self.failure = None;
        }
    }

    /// A callback says whether it has heard what `happened`: if so no command is run for it, and if
    /// not it is run at once.
    pub(crate) fn heard_by_callback(&mut self, happened: Happened, heard: bool, now: Timestamp) {
        let is_it = |notice: &Notice| notice.channel == Channel::Command && notice.happened == happened;
        if heard {
            return self.pending.retain(|notice| !is_it(notice));
        }
        for notice in self.pending.iter_mut().filter(|notice| is_it(notice)) {
            notice.past_callback = true;
            if notice.tries == 0 {
                notice.due = now;
            }
        }
    }

    /// A try has failed for this reason. Says when the next one is, or none when it is given up.
    pub(crate) fn failed(
        &mut self,
        number: u32,
        reason: &str,
        owners_delay: Option<Duration>,
        limits: &NotifyLimits,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let notice = self.pending.iter_mut().find(|notice| notice.number == number)?;
        self.failure = Some(format!("{}: {reason}", notice.in_words()));
        notice.tries = notice.tries.saturating_add(1);
        notice.due = now + retry_delay(notice.tries, owners_delay);
        let due = notice.due;
        if due.since(notice.at) < limits.expiry {
            return Some(due);
        }
        self.pending.retain(|notice| notice.number != number);
        None
    }

    fn add(&mut self, channel: Channel, happened: Happened, code: Option<Code>, now: Timestamp) {
        // A command is about how things stand.
        self.drop_command(channel);
        let webhooks = self.pending.iter().filter(|notice| notice.channel == Channel::Webhook);
        if webhooks.count() >= WEBHOOKS_MAX
            && let Some(oldest) = self.pending.iter().position(|notice| notice.channel == Channel::Webhook)
        {
            self.pending.remove(oldest);
        }
        self.made = self.made.saturating_add(1);
        let (number, tries) = (self.made, 0);
        let (offered, past_callback) = (false, false);
        let notice =
            Notice { number, channel, happened, at: now, code, tries, due: now, offered, past_callback };
        self.pending.push(notice);
    }

    fn drop_command(&mut self, channel: Channel) {
        if channel == Channel::Command {
            self.pending.retain(|notice| notice.channel != Channel::Command);
        }
    }
}

/// Puts into the outbox of `job` what its change from `before` gives to tell, and takes out what need
/// not be told any more. Of a new job nothing is told.
pub(crate) fn follow(before: Option<&Job>, job: &mut Job, now: Timestamp) {
    let Some(before) = before else { return };
    let (was, is) = (Happened::of(before), Happened::of(job));
    let wanted = |channel, happened: Happened| {
        has_target(&job.properties.notify, channel) && job.properties.notify.flags.wants(happened.flag())
    };
    let code = job.error.as_ref().map(|error| error.code).filter(|_| is == Some(Happened::Error));
    let outbox = &mut job.outbox;
    outbox.pending.retain(|notice| wanted(notice.channel, notice.happened));
    if was != is {
        // Whoever has acted need not be told to.
        outbox.drop_command(Channel::Command);
    }
    if job.state == State::Cancelled {
        outbox.pending.clear();
    }
    let Some(happened) = is else { return };
    for channel in Channel::ALL {
        // Who is named after it has happened is told at once (`bits.md` §8.2).
        let is_new =
            !job.state.is_final() && is_other(&before.properties.notify, &job.properties.notify, channel);
        if (was != is || is_new) && wanted(channel, happened) {
            outbox.add(channel, happened, code, now);
        }
    }
}

fn has_target(options: &NotifyOptions, channel: Channel) -> bool {
    match channel {
        Channel::Command => options.command.is_some(),
        Channel::Webhook => options.webhook.is_some(),
    }
}

fn is_other(before: &NotifyOptions, after: &NotifyOptions, channel: Channel) -> bool {
    match channel {
        Channel::Command => before.command != after.command,
        Channel::Webhook => before.webhook != after.webhook,
    }
}
