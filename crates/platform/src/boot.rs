//! Which start of the machine this is.
//!
//! Two equal ids mean that the machine has run on in between: what was written to its memory, but
//! not yet to its disk, is still there.

use std::fmt;
use std::io;

/// The kernel's random name for one boot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BootId(String);

impl BootId {
    /// The boot that is running.
    pub fn current() -> io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        Self::parse(text.trim())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the boot id has an unknown form"))
    }

    /// The id written down as `text`, or `None` where that is none.
    pub fn parse(text: &str) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        (text.len() == TEXT_BYTES && text.bytes().all(known)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// The form that [`BootId::parse`] reads.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A UUID in text.
const TEXT_BYTES: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_this_boot_does_not_change_and_survives_being_written_down() {
        let id = BootId::current().unwrap();
        assert_eq!(id, BootId::current().unwrap());
        assert_eq!(BootId::parse(id.as_str()), Some(id));
    }

    #[test]
    fn a_text_of_another_form_is_no_boot_id() {
        for text in ["", "6e8a", "6e8a1f0c-5f0d-4e0b-9b59-2f0b0e1d2c3/"] {
            assert_eq!(BootId::parse(text), None);
        }
    }
}
