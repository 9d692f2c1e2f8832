//! What has been typed so far: bytes in, an answer out.

use zeroize::{Zeroize, Zeroizing};

use super::NoAnswer;
use super::settings::{CTRL_C, Echo, Keys};

/// The longest line: beyond 4,095 bytes the terminal drops what is typed, so a longer one may
/// have been cut.
const LINE_BYTES_MAX: usize = 4094;
/// The longest secret, as BITS has it in characters (`bits.md` §4).
const SECRET_BYTES_MAX: usize = 64 << 10;

/// An answer in the making. Its buffer never grows, so that no copy is left behind.
pub(super) struct Typed {
    bytes: Zeroizing<Vec<u8>>,
    bytes_max: usize,
    echo: Echo,
    keys: Keys,
}

/// What a byte leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

impl Typed {
    pub(super) fn new(echo: Echo, keys: Keys) -> Self {
        let bytes_max = match echo {
            Echo::On => LINE_BYTES_MAX,
            Echo::Off => SECRET_BYTES_MAX,
        };
        Self { bytes: Zeroizing::new(Vec::with_capacity(bytes_max)), bytes_max, echo, keys }
    }

    pub(super) fn take(&mut self, byte: u8) -> Result<Step, NoAnswer> {
        match byte {
            b'\n' | b'\r' => return Ok(Step::Done),
            CTRL_C => return Err(NoAnswer::Cancelled),
            // A line has been edited by the terminal; a secret we edit ourselves.
            _ if self.echo == Echo::Off && self.edit(byte)? => {}
            _ if self.bytes.len() == self.bytes_max => {
                return Err(NoAnswer::TooLong { bytes_max: self.bytes_max });
            }
            _ => self.bytes.push(byte),
        }
        Ok(Step::More)
    }

    /// The answer as text.
    pub(super) fn into_text(mut self) -> Result<Zeroizing<String>, NoAnswer> {
        let text = match String::from_utf8(std::mem::take(&mut *self.bytes)) {
            Ok(text) => Zeroizing::new(text),
            Err(error) => {
                error.into_bytes().zeroize();
                return Err(NoAnswer::NotText);
            }
        };
        // A tab can be part of a password that is pasted.
        let is_refused = |character: char| character.is_control() && character != '\t';
        if text.chars().any(is_refused) { Err(NoAnswer::HasControlCharacters) } else { Ok(text) }
    }

    /// Whether `byte` was an editing key, which is done then.
    fn edit(&mut self, byte: u8) -> Result<bool, NoAnswer> {
        match byte {
            BACKSPACE | DELETE => self.erase_character(),
            _ if byte == self.keys.erase => self.erase_character(),
            CTRL_U => self.erase_all(),
            _ if byte == self.keys.kill => self.erase_all(),
            CTRL_D if self.bytes.is_empty() => return Err(NoAnswer::Cancelled),
            // There is nothing to end, and no job control, in the middle of a secret.
            CTRL_D | CTRL_Z => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn erase_character(&mut self) {
        while let Some(byte) = self.bytes.pop() {
            let is_within_a_character = byte & 0b1100_0000 == 0b1000_0000;
            if !is_within_a_character {
                return;
            }
        }
    }

    fn erase_all(&mut self) {
        self.bytes.iter_mut().for_each(Zeroize::zeroize);
        self.bytes.clear();
    }
}

const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const CTRL_U: u8 = 0x15;
const CTRL_Z: u8 = 0x1A;
const DELETE: u8 = 0x7F;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of typing `bytes` at a question for a secret.
    fn typed(bytes: &[u8]) -> Result<String, String> {
        let mut typed = Typed::new(Echo::Off, Keys { erase: b'#', kill: b'@' });
        for byte in bytes {
            match typed.take(*byte).map_err(|reason| format!("{reason:?}"))? {
                Step::More => {}
                Step::Done => {
                    let text = typed.into_text().map_err(|reason| format!("{reason:?}"))?;
                    return Ok(text.as_str().to_owned());
                }
            }
        }
        Err("more".into())
    }

    #[test]
    fn a_secret_is_edited_as_it_is_typed() {
        for (keys, expected) in [
            (&b"hunter2\n"[..], Ok("hunter2")),
            (b"hunter2\r", Ok("hunter2")),
            (b"\n", Ok("")),
            (b"a\x7f\x08\x7fb\n", Ok("b")),
            (b"abc\x15d\n", Ok("d")),
            (b"ab#c@d#e\n", Ok("e")),
            ("aä\u{7f}b\n".as_bytes(), Ok("ab")),
            ("日本\u{7f}\n".as_bytes(), Ok("日")),
            (b"a\tb\n", Ok("a\tb")),
            (b"a\x04\x1ab\n", Ok("ab")),
            (b"a", Err("more")),
            (b"\x04", Err("Cancelled")),
            (b"a\x7f\x04", Err("Cancelled")),
            (b"abc\x03", Err("Cancelled")),
            (b"a\x1b[Db\n", Err("HasControlCharacters")),
            (b"a\xffb\n", Err("NotText")),
        ] {
            assert_eq!(typed(keys), expected.map(str::to_owned).map_err(str::to_owned), "{keys:?}");
        }
    }

    #[test]
    fn a_secret_has_a_limit_and_all_of_it_can_be_used() {
        let longest = vec![b'x'; SECRET_BYTES_MAX];
        assert_eq!(typed(&[&longest[..], b"\n"].concat()).unwrap().len(), SECRET_BYTES_MAX);
        let refusal = typed(&[&longest[..], b"x"].concat()).unwrap_err();
        assert_eq!(refusal, format!("{:?}", NoAnswer::TooLong { bytes_max: SECRET_BYTES_MAX }));
    }
}
