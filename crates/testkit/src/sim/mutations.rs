//! Deliberate mistakes, to be switched on by name: what the checkers are held to.
//!
//! Each is made where the world meets the code under test, in its store, its hands or its worker;
//! the shipped code has no switch for any of them.

use super::judge::Promise;

/// A mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutation {
    CommitAfterAct,
    HalfACommit,
    OffsetBeforeSync,
    RangeWithoutValidator,
    BytesBeforeVersion,
    OldBytesKept,
    BootNotNoticed,
    RenameBeforeWhole,
    NameNotSynced,
    RetryAfterRefusal,
    ListOfEverybody,
    AccessUnchecked,
    SecretInTheClear,
    SecretInAnError,
    SecretInTheLog,
    ErrorWithoutReason,
    WakeForgotten,
    PartsForgotten,
    ReportForgotten,
    FilledBeforeSync,
    RangeMisplaced,
    TagNotCompared,
    LiarForgiven,
    BusyWait,
    ConditionsIgnored,
    ConditionsStuck,
    StopUnheard,
    NoticeDropped,
    NoticeUnheard,
    NoticeAstray,
    PartBeforeSync,
    PartMisplaced,
    PartNotCompared,
}

impl Mutation {
    pub const ALL: [Self; 33] = [
        Self::CommitAfterAct,
        Self::HalfACommit,
        Self::OffsetBeforeSync,
        Self::RangeWithoutValidator,
        Self::BytesBeforeVersion,
        Self::OldBytesKept,
        Self::BootNotNoticed,
        Self::RenameBeforeWhole,
        Self::NameNotSynced,
        Self::RetryAfterRefusal,
        Self::ListOfEverybody,
        Self::AccessUnchecked,
        Self::SecretInTheClear,
        Self::SecretInAnError,
        Self::SecretInTheLog,
        Self::ErrorWithoutReason,
        Self::WakeForgotten,
        Self::PartsForgotten,
        Self::ReportForgotten,
        Self::FilledBeforeSync,
        Self::RangeMisplaced,
        Self::TagNotCompared,
        Self::LiarForgiven,
        Self::BusyWait,
        Self::ConditionsIgnored,
        Self::ConditionsStuck,
        Self::StopUnheard,
        Self::NoticeDropped,
        Self::NoticeUnheard,
        Self::NoticeAstray,
        Self::PartBeforeSync,
        Self::PartMisplaced,
        Self::PartNotCompared,
    ];

    /// What it is switched on by.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What is done wrong, in a sentence fragment.
    pub fn meaning(self) -> &'static str {
        self.words().1
    }

    /// The promises by which it may be noticed first.
    pub fn breaks(self) -> &'static [Promise] {
        match self {
            Self::CommitAfterAct => &[Promise::P1],
            Self::HalfACommit => &[Promise::P8],
            Self::OffsetBeforeSync => &[Promise::P2],
            Self::RangeWithoutValidator => &[Promise::P4],
            Self::BytesBeforeVersion => &[Promise::P2, Promise::P4],
            Self::OldBytesKept => &[Promise::P3, Promise::P4, Promise::Rest],
            Self::BootNotNoticed => &[Promise::P3, Promise::P4],
            Self::RenameBeforeWhole => &[Promise::P3],
            Self::NameNotSynced => &[Promise::P1],
            Self::RetryAfterRefusal => &[Promise::TriedOnce],
            Self::ListOfEverybody | Self::AccessUnchecked => &[Promise::P7],
            Self::SecretInTheClear | Self::SecretInAnError | Self::SecretInTheLog => &[Promise::P6],
            Self::ErrorWithoutReason => &[Promise::P5],
            Self::WakeForgotten | Self::ReportForgotten | Self::BusyWait => &[Promise::Rest],
            Self::PartsForgotten => &[Promise::Parts],
            Self::FilledBeforeSync => &[Promise::P2],
            Self::RangeMisplaced => &[Promise::P2, Promise::P4],
            Self::TagNotCompared => &[Promise::P4],
            Self::LiarForgiven => &[Promise::Sources],
            Self::ConditionsIgnored | Self::ConditionsStuck | Self::StopUnheard => &[Promise::Conditions],
            Self::NoticeDropped | Self::NoticeUnheard => &[Promise::Notices],
            Self::NoticeAstray => &[Promise::P7],
            Self::PartBeforeSync => &[Promise::P2],
            Self::PartMisplaced => &[Promise::P2, Promise::P3, Promise::P4],
            Self::PartNotCompared => &[Promise::P4],
        }
    }

    /// The mistake called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutation| mutation.name() == name)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::CommitAfterAct => ("commit-after-act", "a turn is acted on, and written by the next one"),
            Self::HalfACommit => ("half-a-commit", "a kill leaves the jobs of a commit, and not its files"),
            Self::OffsetBeforeSync => ("offset-before-sync", "bytes are said to last that were not synced"),
            Self::RangeWithoutValidator => {
                ("range-without-validator", "the rest of a file is asked for without If-Range")
            }
            Self::BytesBeforeVersion => {
                ("bytes-before-version", "bytes of a version are written before it is recorded")
            }
            Self::OldBytesKept => ("old-bytes-kept", "a partial file is not emptied for another version"),
            Self::BootNotNoticed => ("boot-not-noticed", "after a power cut the length of a file is trusted"),
            Self::RenameBeforeWhole => {
                ("rename-before-whole", "a file gets its name when a part of it is there")
            }
            Self::NameNotSynced => ("name-not-synced", "a folder is not synced when a file gets its name"),
            Self::RetryAfterRefusal => ("retry-after-refusal", "a password that was refused is tried again"),
            Self::ListOfEverybody => ("list-of-everybody", "a list is not filtered by its owner"),
            Self::AccessUnchecked => ("access-unchecked", "whoever names a job may change it"),
            Self::SecretInTheClear => ("secret-in-the-clear", "secrets are stored as they came"),
            Self::SecretInAnError => ("secret-in-an-error", "an error repeats the password that was refused"),
            Self::SecretInTheLog => ("secret-in-the-log", "a note repeats the password that was sent"),
            Self::ErrorWithoutReason => ("error-without-reason", "an error has no sentence"),
            Self::WakeForgotten => ("wake-forgotten", "nobody wakes the service when a wait is over"),
            Self::PartsForgotten => ("parts-forgotten", "the parts of a cancelled job are left"),
            Self::ReportForgotten => ("report-forgotten", "a worker does not say that it has failed"),
            Self::FilledBeforeSync => {
                ("filled-before-sync", "parts of a file on demand are said to last that were not synced")
            }
            Self::RangeMisplaced => {
                ("range-misplaced", "a part of a file on demand is written where the one before it ended")
            }
            Self::TagNotCompared => {
                ("tag-not-compared", "a mirror goes on with a file whatever tag and length its own has")
            }
            Self::LiarForgiven => {
                ("liar-forgiven", "it is not written down that a mirror has sent a wrong file")
            }
            Self::BusyWait => ("busy-wait", "a worker asks again and again instead of waiting"),
            Self::ConditionsIgnored => {
                ("conditions-ignored", "the service does not hear of conditions that hold jobs back")
            }
            Self::ConditionsStuck => {
                ("conditions-stuck", "the service does not hear that nothing holds jobs back any more")
            }
            Self::StopUnheard => ("stop-unheard", "a worker does not hear that an attempt is to stop"),
            Self::NoticeDropped => {
                ("notice-dropped", "a service does not take over what a killed one had still to tell")
            }
            Self::NoticeUnheard => {
                ("notice-unheard", "a worker says that an owner was told before anybody has heard it")
            }
            Self::NoticeAstray => ("notice-astray", "the program of another job is told of a job"),
            Self::PartBeforeSync => {
                ("part-before-sync", "parts that come beside a file are said to last that were not synced")
            }
            Self::PartMisplaced => {
                ("part-misplaced", "a part that comes beside a file is written where the file had come to")
            }
            Self::PartNotCompared => {
                ("part-not-compared", "a part is taken from a mirror whatever version it has")
            }
        }
    }
}
