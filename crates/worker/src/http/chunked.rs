//! The chunked coding (RFC 9112 §7.1), taken apart with limits. No byte is read here.

/// Bytes the line before a chunk may have; more is an extension nobody uses.
const LINE_BYTES_MAX: usize = 1024;
/// Bytes the trailer may have. It is read over: nothing in it could be believed after the fact.
const TRAILER_BYTES_MAX: usize = 16 * 1024;
/// Hexadecimal digits of a size that still fits 64 bits.
const SIZE_DIGITS_MAX: usize = 15;

/// Where one is in a chunked body.
#[derive(Debug)]
pub(super) struct Chunks {
    place: Place,
    /// Bytes of the present line, or of the trailer so far.
    seen: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the size of the next chunk; so many digits have come.
    Size {
        size: u64,
        digits: usize,
    },
    /// Behind the size, before the end of its line.
    Extension {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// Before the line end that follows a chunk.
    AfterData,
    /// At the beginning of a line of the trailer, or within it.
    Trailer {
        line_is_empty: bool,
    },
    End,
}

/// What comes next in the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Up to so many bytes of content; [`Chunks::took`] says how many were taken.
    Content(u64),
    /// Nothing is known before more bytes come.
    More,
    /// The body is over.
    End,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { place: NEXT_SIZE, seen: 0 }
    }

    /// Reads over what is not content in `bytes`; says how much that was and what follows.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Result<(usize, Ahead), &'static str> {
        for (at, byte) in bytes.iter().enumerate() {
            if let Some(ahead) = self.ahead() {
                return Ok((at, ahead));
            }
            self.step(*byte)?;
        }
        Ok((bytes.len(), self.ahead().unwrap_or(Ahead::More)))
    }

    /// `count` bytes of content were taken.
    pub(super) fn took(&mut self, count: u64) {
        let Place::Data { left } = &mut self.place else { panic!("content is taken where there is some") };
        assert!(count <= *left, "no more is taken than a chunk has");
        *left -= count;
        if *left == 0 {
            self.place = Place::AfterData;
            self.seen = 0;
        }
    }

    fn ahead(&self) -> Option<Ahead> {
        match self.place {
            Place::Data { left } => Some(Ahead::Content(left)),
            Place::End => Some(Ahead::End),
            _ => None,
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        self.seen += 1;
        let in_trailer = matches!(self.place, Place::Trailer { .. });
        if self.seen > if in_trailer { TRAILER_BYTES_MAX } else { LINE_BYTES_MAX } {
            return Err("sent a chunk with too much around it");
        }
        self.place = match (self.place, byte) {
            (Place::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                if digits == SIZE_DIGITS_MAX {
                    return Err("sent a chunk too large to be one");
                }
                let digit = char::from(byte).to_digit(16).expect("it is a digit");
                Place::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
            }
            (Place::Size { size, digits: 1.. }, b'\n') | (Place::Extension { size }, b'\n') => {
                self.seen = 0;
                if size == 0 { Place::Trailer { line_is_empty: true } } else { Place::Data { left: size } }
            }
            (Place::Size { size, digits: 1.. }, b';' | b' ' | b'\t' | b'\r') => Place::Extension { size },
            (Place::Extension { size }, _) => Place::Extension { size },
            (Place::AfterData, b'\r') if self.seen == 1 => Place::AfterData,
            (Place::AfterData, b'\n') => {
                self.seen = 0;
                NEXT_SIZE
            }
            (Place::Trailer { line_is_empty: true }, b'\n') => Place::End,
            (Place::Trailer { .. }, b'\n') => Place::Trailer { line_is_empty: true },
            (Place::Trailer { line_is_empty }, b'\r') => Place::Trailer { line_is_empty },
            (Place::Trailer { .. }, _) => Place::Trailer { line_is_empty: false },
            _ => return Err("sent chunks that do not fit together"),
        };
        Ok(())
    }
}

const NEXT_SIZE: Place = Place::Size { size: 0, digits: 0 };

#[cfg(test)]
mod tests {
    use super::*;

    /// Decodes `bytes` as they come in pieces of `piece` bytes; the content, and whether it ended.
    fn decode(bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool), &'static str> {
        let mut chunks = Chunks::new();
        let mut content = Vec::new();
        for mut piece in bytes.chunks(piece) {
            loop {
                let (over, ahead) = chunks.look(piece)?;
                piece = &piece[over..];
                match ahead {
                    Ahead::End => return Ok((content, true)),
                    Ahead::More => break,
                    Ahead::Content(_) if piece.is_empty() => break,
                    Ahead::Content(left) => {
                        let count = piece.len().min(left as usize);
                        content.extend_from_slice(&piece[..count]);
                        chunks.took(count as u64);
                        piece = &piece[count..];
                    }
                }
            }
        }
        Ok((content, false))
    }

    #[test]
    fn chunks_are_joined_however_they_come() {
        let whole = b"5\r\nhello\r\n1;name=\"x\"\r\n,\r\n 0000";
        assert!(decode(whole, 3).is_err(), "a size does not begin with a blank");
        let whole = b"5\r\nhello\r\n01 ;name=\"x\"\r\n,\nA\nabcdefghij\r\n0\r\nDigest: x\r\n\r\nrest";
        for piece in 1..whole.len() {
            assert_eq!(decode(whole, piece), Ok((b"hello,abcdefghij".to_vec(), true)), "{piece}");
        }
        for cut in 0..whole.len() - 6 {
            assert!(matches!(decode(&whole[..cut], 7), Ok((_, false))), "{cut}");
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for bad in ["\r\n", "x\r\n", "5\r\nhelloX\r\n", "5\r\nhello5\r\n", "-1\r\n", "ffffffffffffffff\r\n"] {
            assert!(decode(bad.as_bytes(), 4).is_err(), "{bad:?}");
        }
        let long_line = format!("5;{}\r\n", "x".repeat(LINE_BYTES_MAX));
        let long_trailer = format!("0\r\n{}", "a: b\r\n".repeat(TRAILER_BYTES_MAX));
        for bad in [long_line, long_trailer] {
            assert_eq!(decode(bad.as_bytes(), 100), Err("sent a chunk with too much around it"));
        }
    }
}
