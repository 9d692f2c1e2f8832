//! Foreign bytes, read with every bound checked, and the texts in them.

use alloc::string::String;

use super::IdentityError;

/// Bytes that offsets count from the start of.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn u16_at(self, place: usize) -> Result<u16, IdentityError> {
        self.array_at(place).map(u16::from_le_bytes)
    }

    pub(super) fn u32_at(self, place: usize) -> Result<u32, IdentityError> {
        self.array_at(place).map(u32::from_le_bytes)
    }

    pub(super) fn array_at<const N: usize>(self, place: usize) -> Result<[u8; N], IdentityError> {
        let array = self.0.get(place..).and_then(|rest| rest.first_chunk());
        array.copied().ok_or(IdentityError::Malformed("they end too early"))
    }

    /// The `length` bytes at `offset`, none of them within the first `header_length`.
    pub(super) fn piece(
        self,
        offset: u32,
        length: usize,
        header_length: usize,
    ) -> Result<Bytes<'a>, IdentityError> {
        let start = usize::try_from(offset).ok().filter(|start| *start >= header_length);
        let range = start.and_then(|start| Some(start..start.checked_add(length)?));
        let piece = range.and_then(|range| self.0.get(range));
        piece.map(Bytes).ok_or(IdentityError::Malformed("they name a place that is not within them"))
    }
}

/// How a text's characters are written.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Utf16,
    /// One byte each, of a code page that is not said.
    EightBit,
}

impl Encoding {
    /// Bytes of a code unit, which is what Windows counts as a character.
    pub(super) fn unit_bytes(self) -> usize {
        match self {
            Self::Utf16 => 2,
            Self::EightBit => 1,
        }
    }
}

/// A text within foreign bytes.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: Bytes<'a>, encoding: Encoding) -> Result<Self, IdentityError> {
        if bytes.0.len().is_multiple_of(encoding.unit_bytes()) {
            Ok(Self { bytes: bytes.0, encoding })
        } else {
            Err(IdentityError::Malformed("half a character is at the end of a text"))
        }
    }

    pub(super) fn characters(self) -> impl Iterator<Item = Result<char, IdentityError>> {
        let is_wide = matches!(self.encoding, Encoding::Utf16);
        let (wide, narrow) = if is_wide { (self.bytes, &[][..]) } else { (&[][..], self.bytes) };
        let units = wide.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let wide = char::decode_utf16(units)
            .map(|outcome| outcome.map_err(|_| IdentityError::Malformed("a text is not UTF-16")));
        let narrow = narrow.iter().map(|byte| match byte {
            0..=0x7F => Ok(char::from(*byte)),
            _ => Err(IdentityError::Malformed("a text is of an unknown code page")),
        });
        wide.chain(narrow)
    }

    /// A copy, in a string that has never moved.
    pub(super) fn read(self) -> Result<String, IdentityError> {
        let mut text =
            String::with_capacity(self.bytes.len() / self.encoding.unit_bytes() * UTF8_PER_UNIT_MAX);
        for character in self.characters() {
            text.push(character?);
        }
        Ok(text)
    }
}

/// Bytes of UTF-8 that one UTF-16 unit or ASCII byte can become.
const UTF8_PER_UNIT_MAX: usize = 3;
