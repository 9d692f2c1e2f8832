//! One file of a job: where it comes from, where it goes, and how far it has come.
//!
//! How it comes is the transfer plan's business, not this file's.

use alloc::string::String;

use crate::remote_name::RemoteName;
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
    /// Whether a file that is already there stays (`--no-clobber`).
    pub no_clobber: bool,
    /// The size the server promised.
    pub size: Option<Bytes>,
    /// The version that the partial file holds a part of.
    pub validator: Option<Validator>,
    /// How much of it is on the disk for sure. Never ahead of the disk (promise P2).
    pub durable: Bytes,
    /// The boot in which the partial file's length tells how far it came, beyond `durable`.
    pub boot: Option<BootId>,
    pub stage: Stage,
}

impl File {
    /// A file nothing is known of yet.
    pub fn new(index: FileIndex, remote_name: RemoteName, local_name: LocalName) -> Self {
        Self {
            index,
            remote_name,
            local_name,
            no_clobber: false,
            size: None,
            validator: None,
            durable: Bytes::ZERO,
            boot: None,
            stage: Stage::Waiting,
        }
    }

    /// Forgets what has come of it: it is to be fetched from its beginning.
    pub fn forget_content(&mut self) {
        self.size = None;
        self.validator = None;
        self.durable = Bytes::ZERO;
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
}
