//! What another program says that a person has typed: bytes in, text out.

use bits_platform::terminal::NoAnswer;
use zeroize::Zeroizing;

/// `bytes` as text without control characters. A tab can be part of a password that is pasted.
pub(super) fn text_of(bytes: &[u8]) -> Result<Zeroizing<String>, NoAnswer> {
    let text = std::str::from_utf8(bytes).map_err(|_| NoAnswer::NotText)?;
    if text.chars().any(|character| character.is_control() && character != '\t') {
        return Err(NoAnswer::HasControlCharacters);
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// The first line of `bytes`, which is the answer of programs that end it with a line end.
pub(super) fn first_line_of(bytes: &[u8]) -> Result<Zeroizing<String>, NoAnswer> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    text_of(line.strip_suffix(b"\r").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_answer() {
        for (bytes, expected) in [
            ("hä\n".as_bytes(), Some("hä")),
            (b" a\tb \r\nmore\n\x1b", Some(" a\tb ")),
            (b"", Some("")),
            (b"\n", Some("")),
            (b"no end", Some("no end")),
            (b"a\x1b[D\n", None),
            (b"a\rb\n", None),
            (b"\xff\n", None),
        ] {
            let answer = first_line_of(bytes).ok();
            assert_eq!(answer.as_ref().map(|text| text.as_str()), expected, "{bytes:?}");
        }
    }
}
