//! What an owner says of notifications.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::refusal::Refusal;
use crate::remote_name::RemoteName;

/// All that an owner says of notifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyOptions {
    pub flags: NotifyFlags,
    pub command: Option<NotifyCommand>,
    /// Where a webhook is sent; its secret is apart.
    pub webhook: Option<RemoteName>,
    /// `MINIMUM_NOTIFICATION_INTERVAL_MS` (`bits.md` §1.6).
    pub minimum_interval: Duration,
}

impl Default for NotifyOptions {
    fn default() -> Self {
        Self {
            flags: NotifyFlags::default(),
            command: None,
            webhook: None,
            minimum_interval: Duration::from_millis(500),
        }
    }
}

/// Which notifications are wanted: a mask (`bits.md` §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotifyFlags(u32);

impl Default for NotifyFlags {
    fn default() -> Self {
        Self(Self::JOB_TRANSFERRED | Self::JOB_ERROR)
    }
}

impl NotifyFlags {
    pub const JOB_TRANSFERRED: u32 = 0x01;
    pub const JOB_ERROR: u32 = 0x02;
    /// Nothing is told, whatever else is set.
    pub const DISABLE: u32 = 0x04;
    /// The last three are for callbacks alone.
    pub const JOB_MODIFICATION: u32 = 0x08;
    pub const FILE_TRANSFERRED: u32 = 0x10;
    pub const FILE_RANGES_TRANSFERRED: u32 = 0x20;

    /// The words for people.
    pub const NAMES: [(&'static str, u32); 6] = [
        ("job-transferred", Self::JOB_TRANSFERRED),
        ("job-error", Self::JOB_ERROR),
        ("disable", Self::DISABLE),
        ("job-modification", Self::JOB_MODIFICATION),
        ("file-transferred", Self::FILE_TRANSFERRED),
        ("file-ranges-transferred", Self::FILE_RANGES_TRANSFERRED),
    ];
    const ALL: u32 = 0x3F;

    /// What `mask` means.
    ///
    /// # Errors
    /// [`Refusal::NotImplemented`] for a bit that means nothing.
    pub fn from_mask(mask: u32) -> Result<Self, Refusal> {
        if mask & !Self::ALL != 0 {
            let what = format!("the mask of notification flags {mask:#04x}");
            return Err(Refusal::NotImplemented { what, wrong: "has a bit that means nothing" });
        }
        Ok(Self(mask))
    }

    pub fn mask(self) -> u32 {
        self.0
    }

    /// Whether what `flag` stands for is to be told.
    pub fn wants(self, flag: u32) -> bool {
        self.0 & Self::DISABLE == 0 && self.0 & flag != 0
    }
}

/// A program to be run when a job is TRANSFERRED or in ERROR (`bits.md` §8.2), with just these
/// arguments. No shell ever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyCommand {
    /// An absolute path.
    pub program: String,
    /// What comes after the name of the program.
    pub arguments: Vec<String>,
}

/// Bytes of the path of a program: the system's own limit.
pub const PROGRAM_BYTES_MAX: usize = 4095;
/// How many arguments there may be.
pub const ARGUMENTS_MAX: usize = 1000;
/// Bytes of all arguments together.
pub const ARGUMENTS_BYTES_MAX: usize = 32 * 1024;

impl NotifyCommand {
    /// Whether it can be run at all. Whether the program is there shows when it is run.
    ///
    /// # Errors
    /// [`Refusal::InvalidArgument`], [`Refusal::StringTooLong`].
    pub fn check(&self) -> Result<(), Refusal> {
        let Self { program, arguments } = self;
        if !program.starts_with('/') {
            let wrong = "is no absolute path; no PATH is searched for it and no folder is assumed";
            return Err(Refusal::invalid(format!("the notification program `{program}`"), wrong));
        }
        if core::iter::once(program).chain(arguments).any(|text| text.contains('\0')) {
            return Err(Refusal::invalid("the notification command", "has a zero byte in it"));
        }
        let units = arguments.iter().map(|text| text.len() + 1).sum();
        for (what, units, units_max) in [
            ("notification program", program.len(), PROGRAM_BYTES_MAX),
            ("list of arguments of the notification command", arguments.len(), ARGUMENTS_MAX),
            ("text of all arguments of the notification command", units, ARGUMENTS_BYTES_MAX),
        ] {
            if units > units_max {
                return Err(Refusal::StringTooLong { what, units, units_max });
            }
        }
        Ok(())
    }

    /// BITS's form (`SetNotifyCmdLine`, `bits.md` §1.4): `parameters` is one text that begins with the
    /// name of the program. It is taken apart as C programs on Windows do: by spaces and tabs; `"`
    /// holds together; `\"` is a quote, and `\\` before a quote one backslash.
    pub fn of_command_line(program: &str, parameters: &str) -> Self {
        let arguments = split(parameters).into_iter().skip(1).collect();
        Self { program: program.to_string(), arguments }
    }
}

fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            ' ' | '\t' if !is_quoted => words.extend(word.take()),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            '\\' => {
                let mut count = 1;
                while characters.next_if_eq(&'\\').is_some() {
                    count += 1;
                }
                let word = word.get_or_insert_default();
                let before_quote = characters.peek() == Some(&'"');
                word.extend(core::iter::repeat_n('\\', if before_quote { count / 2 } else { count }));
                if before_quote && count % 2 == 1 {
                    characters.next();
                    word.push('"');
                }
            }
            character => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}
