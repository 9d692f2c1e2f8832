//! One file of a job: where it comes from, where it goes, and how far it has come.
//!
//! How it comes is the transfer plan's business, not this file's.

use alloc::string::String;
use alloc::vec::Vec;

use crate::checksum::Checksum;
use crate::demand::{Demand, Filled};
use crate::error::Code;
use crate::ranges::Ranges;
use crate::remote_name::RemoteName;
use crate::sources::{SourceIndex, Sources};
use crate::time::Timestamp;
use crate::transfer::last_modified;
use crate::units::Bytes;

/// The place of a file in its job, from 0, in the order added (`bits.md` §0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIndex(pub u32);

/// An absolute path on this machine, as the owner gave it.
///
/// That the folder is there and may be written is checked by whoever can open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalName(String);

/// Bytes a path may have; the kernel takes no longer one (`PATH_MAX`, with its end mark).
pub const LOCAL_NAME_BYTES_MAX: usize = 4095;

impl LocalName {
    /// Parses `text`: absolute, without NUL, naming something, not too long.
    ///
    /// # Errors
    /// A sentence fragment that says what is wrong, to be put after the path.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if !text.starts_with('/') {
            return Err("is not an absolute path");
        }
        if text.len() > LOCAL_NAME_BYTES_MAX {
            return Err("is longer than 4,095 bytes");
        }
        if text.contains('\0') {
            return Err("contains a NUL character");
        }
        match text.rsplit('/').next() {
            Some("" | "." | "..") | None => Err("names a folder, not a file"),
            Some(_) => Ok(Self(text.into())),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Which place this is, by the name alone: what is a link on the way is not known.
    pub fn destination(&self) -> DestinationTag {
        let (folder, name) = self.0.rsplit_once('/').expect("an absolute path has a slash");
        let mut parts = Vec::new();
        for part in folder.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.push(name);
        DestinationTag::of(parts.into_iter().flat_map(|part| ["/", part]).map(str::as_bytes))
    }

    /// Which place this is when its folder is really `folder`: absolute, without links and dots.
    pub fn destination_in(&self, folder: &[u8]) -> DestinationTag {
        let (_, name) = self.0.rsplit_once('/').expect("an absolute path has a slash");
        // That of the root ends with a slash already.
        let folder = folder.strip_suffix(b"/").unwrap_or(folder);
        DestinationTag::of([folder, b"/", name.as_bytes()])
    }
}

/// A number that tells the places of files apart, however their paths are written. That two places have one is
/// an accident of which there is one in a thousand million jobs of 100,000 files each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationTag(pub u64);

impl DestinationTag {
    /// FNV-1a over the parts of a path. It is written down with files and stays as it is.
    fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(parts.into_iter().flatten().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
        }))
    }
}

/// What a server says of one version of a file, by which it can be asked for the rest of it.
///
/// At least one of the two is there; which one may go into `If-Range` is the plan's rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validator {
    /// The entity tag with its quotes, and `W/` when it is weak.
    pub etag: Option<String>,
    /// The `Last-Modified` date, as sent.
    pub last_modified: Option<String>,
}

impl Validator {
    /// Whether the server gave nothing to know this version by.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// One run of the machine: what the kernel has not yet written to the disk is lost when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(pub [u8; 16]);

/// The partial file of one boot, whatever its name is, and what its folder is on.
///
/// The device is the folder's: some file systems name one of their own for each file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialId {
    pub device: u64,
    pub inode: u64,
}

/// What a server has said with a version of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Served {
    /// Which source it was.
    pub source: SourceIndex,
    /// Whether parts of it may have come before what lies in front of them, so that the length of the
    /// partial file tells nothing.
    pub in_parts: bool,
    /// The checksum of the whole file, of what is wanted of it.
    pub checksum: Option<Checksum>,
    /// The fields of the answer, a line `name: value` each (`HTTP_RESPONSE_HEADERS`,
    /// `bits.md` §1.9), without those that may be a secret.
    pub headers: String,
}

impl Served {
    /// The value of the field called `name`, in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// By what a file is taken for the one of which a part is here, so that only the rest is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResumeBy {
    /// A strong validator; without one the file is fetched from its beginning.
    #[default]
    Validator,
    /// Equal size and `Last-Modified`, as BITS has it (`bits.md` §6.3): for servers whose entity
    /// tags change while files do not. The owner answers for what these do not show.
    SizeAndTime,
    /// Equal size; whether the whole is right is told by the checksum that the owner gave.
    Checksum,
}

impl ResumeBy {
    pub const ALL: [Self; 3] = [Self::Validator, Self::SizeAndTime, Self::Checksum];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::SizeAndTime => "size_and_time",
            Self::Checksum => "checksum",
        }
    }

    /// The one called `name`, in any letter case, with hyphens or underscores.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('-', "_");
        Self::ALL.into_iter().find(|by| by.name().eq_ignore_ascii_case(&name))
    }
}

/// Why a file was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    pub code: Code,
    /// One sentence for a person.
    pub message: String,
}

/// How far a file has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not all of it is here.
    Waiting,
    /// Whole and on the disk, under the name of its partial file.
    Transferred,
    /// Under its final name.
    Completed,
}

/// One file of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub index: FileIndex,
    pub remote_name: RemoteName,
    pub local_name: LocalName,
    /// Which place that is. No two files of a job have one.
    pub destination: DestinationTag,
    /// Whether a file that is already there stays (`--no-clobber`).
    pub no_clobber: bool,
    /// What of the remote file is wanted.
    pub ranges: Ranges,
    /// The checksum that the owner gave of what will be the local file.
    pub checksum: Option<Checksum>,
    pub resume_by: ResumeBy,
    /// Its mirrors, and what is known of each source.
    pub sources: Sources,
    /// Whether the remote name is another one since the version was recorded (`SetRemoteName`).
    pub moved: bool,
    /// The size that the local file will have by what the server promised.
    pub size: Option<Bytes>,
    /// The version that the partial file holds a part of.
    pub validator: Option<Validator>,
    /// What else the server said with that version.
    pub served: Served,
    /// How much of it is on the disk for sure. Never ahead of the disk (promise P2).
    pub durable: Bytes,
    /// What of it is wanted at once and what of it is there, in a job in on-demand mode; what is there, too,
    /// when it comes in parts.
    pub demand: Demand,
    /// The boot in which the partial file's length tells how far it came, beyond `durable`.
    pub boot: Option<BootId>,
    /// The partial file as it was made in that boot.
    pub partial: Option<PartialId>,
    pub stage: Stage,
    /// Whether its owner has found its content to be right (`SetValidationState`, `bits.md` §1.9); only of
    /// one that is whole.
    pub valid: bool,
    /// Why it was passed over, when a job that keeps going has done so.
    pub error: Option<FileError>,
}

/// What must be known of a file at its end, when it gets its name or its parts are deleted: of many files,
/// a small part of all that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingFile {
    pub index: FileIndex,
    pub local_name: LocalName,
    pub no_clobber: bool,
    pub size: Option<Bytes>,
    pub durable: Bytes,
    pub stage: Stage,
    /// When the server says that it was last modified.
    pub modified: Option<Timestamp>,
}

impl From<File> for ClosingFile {
    fn from(file: File) -> Self {
        let modified = last_modified(&file.served);
        let File { index, local_name, no_clobber, size, durable, stage, .. } = file;
        Self { index, local_name, no_clobber, size, durable, stage, modified }
    }
}

impl File {
    /// A file nothing is known of yet.
    pub fn new(index: FileIndex, remote_name: RemoteName, local_name: LocalName) -> Self {
        Self {
            index,
            remote_name,
            destination: local_name.destination(),
            local_name,
            no_clobber: false,
            ranges: Ranges::ALL,
            checksum: None,
            resume_by: ResumeBy::default(),
            sources: Sources::default(),
            moved: false,
            size: None,
            validator: None,
            served: Served::default(),
            durable: Bytes::ZERO,
            demand: Demand::default(),
            boot: None,
            partial: None,
            stage: Stage::Waiting,
            valid: false,
            error: None,
        }
    }

    /// Whether its content is known to be right (`GetValidationState`); none while it is not whole. What is
    /// under its name counts as right.
    pub fn validation(&self) -> Option<bool> {
        match self.stage {
            Stage::Waiting => None,
            Stage::Transferred => Some(self.valid),
            Stage::Completed => Some(true),
        }
    }

    /// Forgets what has come of it: it is to be fetched from its beginning.
    pub fn forget_content(&mut self) {
        self.size = None;
        self.validator = None;
        self.durable = Bytes::ZERO;
        self.demand.filled = Filled::NOTHING;
        self.boot = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_name_is_absolute_and_names_a_file() {
        for (text, expected) in [
            ("/tmp/a", Ok(())),
            ("/tmp/grüße.txt", Ok(())),
            ("a", Err("is not an absolute path")),
            ("", Err("is not an absolute path")),
            ("/tmp/", Err("names a folder, not a file")),
            ("/tmp/..", Err("names a folder, not a file")),
            ("/a\0b", Err("contains a NUL character")),
        ] {
            assert_eq!(LocalName::parse(text).map(|_| ()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_place_is_one_however_its_path_is_written() {
        let name = |text: &str| LocalName::parse(text).expect("a local name");
        let plain = name("/tmp/a/f").destination();
        for other in ["/tmp//a/f", "/tmp/./a/f", "/tmp/b/../a/f", "/../tmp/a/f", "//tmp/a/./f"] {
            assert_eq!(name(other).destination(), plain, "{other}");
        }
        for other in ["/tmp/a/F", "/tmp/af", "/tmp/a/f ", "/a/f", "/tmp/a/../f", "/f"] {
            assert_ne!(name(other).destination(), plain, "{other}");
        }
        assert_eq!(name("/link/f").destination_in(b"/tmp/a"), plain);
        assert_eq!(name("/tmp/../f").destination_in(b"/"), name("/f").destination());
    }

    #[test]
    fn what_is_written_down_with_files_stays_as_it_is() {
        let name = LocalName::parse("/home/anna/report.pdf").expect("a local name");
        assert_eq!(name.destination(), DestinationTag(0xca1d_f620_8f60_95d7));
    }
}
