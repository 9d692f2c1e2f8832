//! The memory of a process, and the forms in which a password could be in it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md4::{Digest as _, Md4};
use memchr::memmem;

/// Read at a time.
const PIECE_BYTES: usize = 1 << 16;

/// The forms of a password, with a name for each.
#[derive(Debug)]
pub(crate) struct Forms(Vec<(&'static str, Vec<u8>)>);

impl Forms {
    pub(crate) fn of(user: &str, password: &str) -> Self {
        let wide: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let nt_hash = Md4::digest(&wide).to_vec();
        let pair = STANDARD.encode(format!("{user}:{password}"));
        // What base64 makes of the password alone depends on what stands before it.
        let tail = pair.as_bytes()[pair.len() - 24..].to_vec();
        Self(vec![
            ("UTF-8", password.as_bytes().to_vec()),
            ("UTF-16LE", wide),
            ("base64 of user:password", pair.into_bytes()),
            ("the end of that", tail),
            ("NT hash", nt_hash),
        ])
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// The name of a form that is in `bytes`.
    pub(crate) fn in_bytes(&self, bytes: &[u8]) -> Option<&'static str> {
        self.0.iter().find(|(_, form)| memmem::find(bytes, form).is_some()).map(|(name, _)| *name)
    }
}

/// A process whose memory can be read.
pub(super) struct Memory {
    maps: String,
    memory: File,
}

impl Memory {
    pub(super) fn of(pid: i32) -> Self {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the service runs, and root reads");
        let memory = File::open(format!("/proc/{pid}/mem")).expect("root may read memory");
        Self { maps, memory }
    }

    /// Where the forms are: form, mapping and address.
    pub(super) fn find(&self, forms: &Forms) -> Vec<String> {
        let longest = forms.0.iter().map(|(_, form)| form.len()).max().expect("there are forms");
        let mut found = Vec::new();
        for line in self.maps.lines() {
            let Some((start, end)) = readable(line) else { continue };
            let mut at = start;
            while at < end {
                let bytes = self.read(at, (end - at).min((PIECE_BYTES + longest) as u64));
                for (name, form) in &forms.0 {
                    if let Some(place) = memmem::find(&bytes, form) {
                        let around =
                            &bytes[place.saturating_sub(48)..(place + form.len() + 32).min(bytes.len())];
                        found.push(format!(
                            "{name} at {:#x} in {line}: {}",
                            at + place as u64,
                            around.escape_ascii()
                        ));
                    }
                }
                at += PIECE_BYTES as u64;
            }
        }
        found
    }

    /// What can be read there; memory may have been given back meanwhile.
    fn read(&self, at: u64, length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).expect("a piece")];
        let count = self.memory.read_at(&mut bytes, at).unwrap_or(0);
        bytes.truncate(count);
        bytes
    }
}

/// First and last address of a mapping that can be read. The kernel's own pages cannot.
fn readable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let is_readable = words.next()?.starts_with('r') && !line.contains("[v");
    let number = |text| u64::from_str_radix(text, 16).ok();
    is_readable.then_some((number(start)?, number(end)?))
}
