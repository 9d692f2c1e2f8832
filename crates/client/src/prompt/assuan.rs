//! The lines of Assuan, the protocol of pinentry: ours written, its read. `credentials.md` §3.2.
//!
//! Nothing is sent or received here. What it reads is foreign bytes: any of them give a reply or an
//! error.

use zeroize::Zeroizing;

/// The longest line there is, without its line end.
pub(crate) const LINE_BYTES_MAX: usize = 1000;

/// What a line of the other side says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply<'a> {
    /// The command is done.
    Done,
    /// The command failed.
    Failed(ErrorCode),
    /// A piece of the answer, to be decoded with [`decode_onto`].
    Data(&'a [u8]),
    /// A status or a comment, which answers nothing.
    Aside,
}

/// An error's number, without the part that says which program found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ErrorCode(u16);

impl ErrorCode {
    /// Nobody answered in time (83886142 of a pinentry).
    pub(super) const TIMEOUT: Self = Self(62);
    /// The person cancelled (83886179 of a pinentry).
    pub(super) const CANCELED: Self = Self(99);
    /// The person said no (83886194 of a pinentry).
    pub(super) const NOT_CONFIRMED: Self = Self(114);
    /// The person cancelled more than the question, as by Ctrl-C (83886278 of a pinentry).
    pub(super) const FULLY_CANCELED: Self = Self(198);
    /// It needs a terminal and has none (83918950 of a pinentry).
    pub(super) const NO_TERMINAL: Self = Self(0x8066);

    const fn of(number: u32) -> Self {
        // The upper half is the source.
        Self((number & 0xFFFF) as u16)
    }
}

/// The line is none of Assuan's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the line is none of the Assuan protocol")]
pub(crate) struct Malformed;

/// What `line`, without its line end, says.
pub(crate) fn parse(line: &[u8]) -> Result<Reply<'_>, Malformed> {
    let (word, rest) = match line.iter().position(|byte| *byte == b' ') {
        Some(end) => (&line[..end], &line[end + 1..]),
        None => (line, &[][..]),
    };
    match word {
        b"OK" => Ok(Reply::Done),
        b"D" => Ok(Reply::Data(rest)),
        b"S" => Ok(Reply::Aside),
        b"ERR" => {
            let digits = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
            let digits = std::str::from_utf8(digits).map_err(|_| Malformed)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| is_number).ok_or(Malformed)?;
            Ok(Reply::Failed(ErrorCode::of(number)))
        }
        _ if line.starts_with(b"#") => Ok(Reply::Aside),
        _ => Err(Malformed),
    }
}

/// Decodes a piece of an answer onto the pieces before it. The caller has room in `answer`, so that
/// it does not move: nothing is decoded to more than it was.
pub(crate) fn decode_onto(answer: &mut Zeroizing<Vec<u8>>, data: &[u8]) -> Result<(), Malformed> {
    let mut rest = data;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                answer.push(hexadecimal(*high)? << 4 | hexadecimal(*low)?);
                after
            }
            (b'%', _) => return Err(Malformed),
            _ => {
                answer.push(*first);
                after
            }
        };
    }
    Ok(())
}

/// The line, with its line end, that gives the command `verb` with `text`. `None` if that is too
/// long.
pub(crate) fn command(verb: &str, text: &str) -> Option<String> {
    let mut line = format!("{verb} ");
    for character in text.chars() {
        match character {
            '%' => line.push_str("%25"),
            '\r' => line.push_str("%0D"),
            '\n' => line.push_str("%0A"),
            _ => line.push(character),
        }
    }
    if line.len() > LINE_BYTES_MAX {
        return None;
    }
    line.push('\n');
    Some(line)
}

/// The bytes that `character` takes in a command's text.
pub(super) fn space(character: char) -> usize {
    match character {
        '%' | '\r' | '\n' => 3,
        _ => character.len_utf8(),
    }
}

/// The bytes that a command's text can take.
pub(super) const fn room(verb: &str) -> usize {
    LINE_BYTES_MAX - verb.len() - 1
}

fn hexadecimal(digit: u8) -> Result<u8, Malformed> {
    let value = char::from(digit).to_digit(16).ok_or(Malformed)?;
    Ok(u8::try_from(value).expect("a digit is below 16"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_reply_or_an_error() {
        for (line, expected) in [
            (&b"OK"[..], Ok(Reply::Done)),
            (b"OK Pleased to meet you", Ok(Reply::Done)),
            (b"ERR 83886179 Operation cancelled <Pinentry>", Ok(Reply::Failed(ErrorCode::CANCELED))),
            (b"ERR 83886142 Timeout <Pinentry>", Ok(Reply::Failed(ErrorCode::TIMEOUT))),
            (b"ERR 83886194", Ok(Reply::Failed(ErrorCode::NOT_CONFIRMED))),
            (b"ERR 83886278 Operation fully cancelled", Ok(Reply::Failed(ErrorCode::FULLY_CANCELED))),
            (b"ERR 83918950 Inappropriate ioctl", Ok(Reply::Failed(ErrorCode::NO_TERMINAL))),
            (b"ERR 99 cancelled", Ok(Reply::Failed(ErrorCode::CANCELED))),
            (b"D h\xc3\xa4%25", Ok(Reply::Data(b"h\xc3\xa4%25"))),
            (b"D ", Ok(Reply::Data(b""))),
            (b"D", Ok(Reply::Data(b""))),
            (b"D  x", Ok(Reply::Data(b" x"))),
            (b"S ERROR tty.? 83886278 ", Ok(Reply::Aside)),
            (b"# a comment", Ok(Reply::Aside)),
            (b"#", Ok(Reply::Aside)),
            (b"", Err(Malformed)),
            (b"OKAY", Err(Malformed)),
            (b"ok", Err(Malformed)),
            (b" OK", Err(Malformed)),
            (b"ERR", Err(Malformed)),
            (b"ERR x", Err(Malformed)),
            (b"ERR +99", Err(Malformed)),
            (b"ERR 4294967296", Err(Malformed)),
            (b"ERR \xff", Err(Malformed)),
            (b"INQUIRE QUALITY x", Err(Malformed)),
            (b"DATA", Err(Malformed)),
            (b"\x00\xff", Err(Malformed)),
        ] {
            assert_eq!(parse(line), expected, "{:?}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn an_answer_is_put_together_from_its_pieces() {
        let mut answer = Zeroizing::new(Vec::new());
        for piece in [&b"100%25"[..], b"", b" %0A%0d%C3", b"%a4+"] {
            decode_onto(&mut answer, piece).unwrap();
        }
        assert_eq!(answer.as_slice(), "100% \n\rä+".as_bytes());
        for wrong in [&b"%"[..], b"a%2", b"%zz", b"%2 ", b"%+5"] {
            assert_eq!(decode_onto(&mut answer, wrong), Err(Malformed), "{wrong:?}");
        }
    }

    #[test]
    fn a_command_is_one_line_whatever_its_text() {
        assert_eq!(command("SETDESC", "a\r\nb 100%").unwrap(), "SETDESC a%0D%0Ab 100%25\n");
        assert_eq!(command("SETDESC", "Grüße").unwrap(), "SETDESC Grüße\n");
    }

    #[test]
    fn a_command_fits_if_its_text_takes_no_more_than_there_is_room_for() {
        for text in ["x", "%", "ä", "\n"] {
            let count = room("SETDESC") / text.chars().map(space).sum::<usize>();
            let longest = text.repeat(count);
            assert!(command("SETDESC", &longest).unwrap().len() <= LINE_BYTES_MAX + 1);
            assert_eq!(command("SETDESC", &text.repeat(count + 1)), None);
        }
    }
}
