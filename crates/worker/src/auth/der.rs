//! Reads DER, the encoding of Kerberos and SPNEGO messages: tags, lengths and contents, as far as
//! the few fields need that we look at ourselves. What is read is a slice of what was given, and
//! there is no recursion.

/// One element: its tag octet and its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0A;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const GENERAL_STRING: u8 = 0x1B;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The tag of context-specific field `number`.
pub(crate) const fn field(number: u8) -> u8 {
    0xA0 | number
}

/// The tag of application type `number`.
pub(crate) const fn application(number: u8) -> u8 {
    0x60 | number
}

/// Reads the first element of `bytes`; what follows it is the second of the pair.
pub(crate) fn read(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    // Tags of several octets occur in nothing we read.
    if tag & 0x1F == 0x1F {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Four octets of length are more than any message here can need.
        let octets = usize::from(first & 0x7F);
        if octets == 0 || octets > 4 {
            return None;
        }
        let (length, rest) = rest.split_at_checked(octets)?;
        (length.iter().fold(0, |sum, &octet| sum << 8 | usize::from(octet)), rest)
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, contents }, rest))
}

/// The contents of the first element of `bytes`, if it has `tag`.
pub(crate) fn open(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (element, _) = read(bytes)?;
    (element.tag == tag).then_some(element.contents)
}

/// The contents of the first element in the sequence `contents` that has `tag`.
pub(crate) fn find(mut contents: &[u8], tag: u8) -> Option<&[u8]> {
    while let Some((element, rest)) = read(contents) {
        if element.tag == tag {
            return Some(element.contents);
        }
        contents = rest;
    }
    None
}

/// The elements of the sequence `contents` with their contents replaced; nothing when it does not
/// consist of whole elements, or one cannot be replaced.
pub(crate) fn map(
    mut contents: &[u8],
    mut replace: impl FnMut(Element<'_>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let mut replaced = Vec::with_capacity(contents.len());
    while !contents.is_empty() {
        let (element, rest) = read(contents)?;
        replaced.extend(wrap(element.tag, &replace(element)?));
        contents = rest;
    }
    Some(replaced)
}

/// The number in the contents of an INTEGER or ENUMERATED, if it is one from 0 to 2³¹−1.
pub(crate) fn number(contents: &[u8]) -> Option<u32> {
    if contents.is_empty() || contents.len() > 4 || contents[0] & 0x80 != 0 {
        return None;
    }
    Some(contents.iter().fold(0, |sum, &octet| sum << 8 | u32::from(octet)))
}

/// Puts `contents` into an element with `tag`.
pub(crate) fn wrap(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u32::try_from(contents.len()).expect("a token is far below 4 GiB");
    let mut bytes = vec![tag];
    if length < 0x80 {
        bytes.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let zeros = octets.iter().take_while(|&&octet| octet == 0).count();
        bytes.push(0x80 | (octets.len() - zeros) as u8);
        bytes.extend_from_slice(&octets[zeros..]);
    }
    bytes.extend_from_slice(contents);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrapped_can_be_read() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let contents = vec![7; length];
            let wrapped = [wrap(SEQUENCE, &contents), vec![1, 2]].concat();
            assert_eq!(read(&wrapped), Some((Element { tag: SEQUENCE, contents: &contents }, &[1, 2][..])));
        }
    }

    #[test]
    fn what_is_cut_short_or_boundless_is_not_read() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 0x02, 0x00],
            &[0x30, 0x80, 0x00, 0x00],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            &[0x3F, 0x01, 0x00],
        ] {
            assert_eq!(read(bytes), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn numbers_are_small_and_not_negative() {
        assert_eq!(number(&[0x00, 0x81]), Some(129));
        assert_eq!(number(&[0x18]), Some(24));
        for bytes in [&[][..], &[0x80], &[0, 0, 0, 0, 1]] {
            assert_eq!(number(bytes), None);
        }
    }
}
