//! The name of a job that no other job ever has.

use alloc::string::String;
use core::fmt;

/// A GUID, made by the client or the service when the job is created (`bits.md` §0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub [u8; 16]);

/// The text is not 32 hexadecimal digits in the usual groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job id is 32 hexadecimal digits in groups of 8-4-4-4-12")]
pub struct IdError;

impl JobId {
    /// No id comes before this one; no job has it.
    pub const FIRST: Self = Self([0; 16]);
    /// Where the hyphens stand in the text form.
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];

    /// Its last byte. Jobs that are made in one call share it, and stores keep ids by it first: so those
    /// that are made together lie together, while people tell them apart by how they begin.
    pub fn group(self) -> u8 {
        self.0[15]
    }

    /// This id in `group`.
    #[must_use]
    pub fn in_group(mut self, group: u8) -> Self {
        self.0[15] = group;
        self
    }

    /// Its place in the order in which stores keep ids.
    pub fn place(self) -> (u8, Self) {
        (self.group(), self)
    }

    /// Parses the text form, in any letter case, with or without braces.
    ///
    /// # Errors
    /// [`IdError`] for anything else.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let text = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        let well_formed = text.len() == 36
            && text
                .char_indices()
                .all(|(at, c)| if Self::HYPHENS.contains(&at) { c == '-' } else { c.is_ascii_hexdigit() });
        if !well_formed {
            return Err(IdError);
        }
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        u128::from_str_radix(&digits, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| IdError)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let places = (0..text.len()).filter(|place| !Self::HYPHENS.contains(place));
        let digits = self.0.iter().flat_map(|byte| [byte >> 4, byte & 0xF]);
        for (place, digit) in places.zip(digits) {
            text[place] = DIGITS[usize::from(digit)];
        }
        f.write_str(core::str::from_utf8(&text).expect("digits and hyphens are text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_written() {
        let text = "8e2d0a1b-0203-4405-8607-08090a0b0c0d";
        let id = JobId::parse(text).expect("an id");
        assert_eq!(id.to_string(), text);
        assert_eq!(JobId::parse("{8E2D0A1B-0203-4405-8607-08090A0B0C0D}"), Ok(id));
        for bad in ["", "8e2d", "8e2d0a1b02034405860708090a0b0c0d", "8e2d0a1b-0203-4405-8607-08090a0b0c0g"] {
            assert_eq!(JobId::parse(bad), Err(IdError), "{bad}");
        }
    }
}
