//! From where else a file may come than from its remote name: its mirrors, and what is known of each.
//!
//! Which one is asked when is decided in `transfer`.

use alloc::string::String;
use alloc::vec::Vec;

use crate::checksum::{Checksum, ChecksumAlgorithm};
use crate::remote_name::RemoteName;
use crate::units::Bytes;

/// Mirrors of one file that its owner may give.
pub const MIRRORS_MAX: usize = 32;
/// Mirrors beyond those of which a server may tell.
pub const LINKED_MIRRORS_MAX: usize = 8;

/// The place of a source among those of a file: 0 is the original, its remote name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SourceIndex(pub u8);

impl SourceIndex {
    pub const ORIGINAL: Self = Self(0);

    /// The place of the mirror number `place`, from 0.
    pub fn of_mirror(place: usize) -> Self {
        Self(u8::try_from(place + 1).expect("there are few mirrors"))
    }
}

/// Who says that a mirror is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorOrigin {
    /// The owner of the job.
    Given,
    /// The server of the file, by `Link: <…>; rel=duplicate` (RFC 6249).
    Link,
}

/// Another place where a file is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    pub remote_name: RemoteName,
    pub origin: MirrorOrigin,
    pub dropped: Option<Dropped>,
}

/// What kind of reason there is for not asking a source any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// It answered, and not with the file.
    Refused,
    /// It was not reached, or broke off.
    Broken,
    /// It stopped sending, or others send much faster.
    Slow,
    /// What it has is not what is here a part of.
    Other,
    /// What it sent has another checksum or size than the file must have.
    Lied,
}

impl DropReason {
    pub const ALL: [Self; 5] = [Self::Refused, Self::Broken, Self::Slow, Self::Other, Self::Lied];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Slow => "slow",
            Self::Other => "other",
            Self::Lied => "lied",
        }
    }

    /// The one called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// Why a source is not asked any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    pub reason: DropReason,
    /// One sentence for a person.
    pub why: String,
}

/// Where a file may come from beside its remote name. Nothing of it is known for most files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The size that the file must have, when its owner knows it.
    pub size: Option<Bytes>,
    /// In the order in which they are to be asked.
    pub mirrors: Vec<Mirror>,
    /// Why the original is not asked any more.
    pub dropped: Option<Dropped>,
    /// From where the last bytes came, or are to come.
    pub in_use: SourceIndex,
    /// From where else parts of it come, or came last, in ascending order.
    pub beside: Vec<SourceIndex>,
}

/// Why mirrors are not taken. Made to stand behind the name of the mirror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    #[error("is no mirror: only http and https are")]
    Scheme,
    #[error(
        "is read over plain http, where anybody on the way can change it, while the file is on https; give a \
         checksum (not md5) too"
    )]
    Plain,
    #[error("is one mirror too many; {MIRRORS_MAX} are the most for one file")]
    TooMany,
}

impl Sources {
    /// The mirrors that the owner of a file at `original` gives; those named twice count once.
    ///
    /// # Errors
    /// The mirror that cannot be one, and why.
    pub fn given(
        original: &RemoteName,
        size: Option<Bytes>,
        mirrors: Vec<RemoteName>,
        checksum: Option<&Checksum>,
    ) -> Result<Self, (RemoteName, MirrorError)> {
        let mut sources = Self { size, ..Self::default() };
        for name in mirrors {
            if name.local_path().is_some() {
                return Err((name, MirrorError::Scheme));
            }
            if original.is_tls() && !name.is_tls() && !checksum.is_some_and(ties) {
                return Err((name, MirrorError::Plain));
            }
            if name == *original || sources.knows(&name) {
                continue;
            }
            if sources.mirrors.len() == MIRRORS_MAX {
                return Err((name, MirrorError::TooMany));
            }
            sources.mirrors.push(Mirror { remote_name: name, origin: MirrorOrigin::Given, dropped: None });
        }
        Ok(sources)
    }

    /// Whether there is only the original.
    pub fn is_single(&self) -> bool {
        self.mirrors.is_empty()
    }

    /// Whether one of the mirrors is called so.
    pub fn knows(&self, name: &RemoteName) -> bool {
        self.mirrors.iter().any(|mirror| mirror.remote_name == *name)
    }

    /// All places, the original first.
    pub fn places(&self) -> impl Iterator<Item = SourceIndex> + use<> {
        (0..=self.mirrors.len()).map(|place| SourceIndex(place as u8))
    }

    /// The mirror at a place; none for the original.
    pub fn mirror(&self, place: SourceIndex) -> Option<&Mirror> {
        self.mirrors.get(usize::from(place.0).checked_sub(1)?)
    }

    /// Whether the last bytes came from `place`, or are to come.
    pub fn is_in_use(&self, place: SourceIndex) -> bool {
        self.in_use == place || self.beside.contains(&place)
    }

    /// Why the source at `place` is not asked any more.
    pub fn dropped(&self, place: SourceIndex) -> Option<&Dropped> {
        match self.mirror(place) {
            Some(mirror) => mirror.dropped.as_ref(),
            None => self.dropped.as_ref(),
        }
    }

    /// Sets why the source at `place` is not asked, or that it may be.
    pub fn set_dropped(&mut self, place: SourceIndex, dropped: Option<Dropped>) {
        match usize::from(place.0).checked_sub(1) {
            Some(mirror) => self.mirrors[mirror].dropped = dropped,
            None => self.dropped = dropped,
        }
    }
}

/// Whether a checksum is good enough to tell what somebody sends whom nobody knows: two files with one
/// MD5 can be made.
pub fn ties(checksum: &Checksum) -> bool {
    checksum.algorithm() != ChecksumAlgorithm::Md5
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn name(text: &str) -> RemoteName {
        RemoteName::stored(text).expect("a URL")
    }

    #[test]
    fn a_mirror_is_on_the_network_known_once_and_as_safe_as_the_file() {
        let sha256 = Checksum::parse(&["sha256:", &"a".repeat(64)].concat()).expect("a checksum");
        let md5 = Checksum::parse(&["md5:", &"a".repeat(32)].concat()).expect("a checksum");
        let given = |original: &str, mirror: &str, checksum: Option<&Checksum>| {
            let mirrors = vec![name(mirror), name(mirror)];
            let sources = Sources::given(&name(original), None, mirrors, checksum);
            sources.map(|sources| sources.mirrors.len()).map_err(|(_, error)| error)
        };
        for (original, mirror, checksum, expected) in [
            ("http://h.test/f", "http://m.test/f", None, Ok(1)),
            ("http://h.test/f", "https://m.test/f", None, Ok(1)),
            ("http://h.test/f", "http://h.test/f", None, Ok(0)),
            ("https://h.test/f", "http://m.test/f", None, Err(MirrorError::Plain)),
            ("https://h.test/f", "http://m.test/f", Some(&md5), Err(MirrorError::Plain)),
            ("https://h.test/f", "http://m.test/f", Some(&sha256), Ok(1)),
            ("http://h.test/f", "file:///tmp/f", Some(&sha256), Err(MirrorError::Scheme)),
        ] {
            assert_eq!(given(original, mirror, checksum), expected, "{original} {mirror}");
        }
        let many = (0..=MIRRORS_MAX).map(|number| name(&alloc::format!("http://m{number}.test/f"))).collect();
        let (_, error) = Sources::given(&name("http://h.test/f"), None, many, None).expect_err("too many");
        assert_eq!(error, MirrorError::TooMany);
    }
}
