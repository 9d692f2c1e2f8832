//! What a server says the checksum of a file is: `Repr-Digest` and `Content-Digest` (RFC 9530), and
//! before them `Digest` (RFC 3230) and `Content-MD5` (RFC 1864).
//!
//! Foreign text, read with limits. A field that is not as it must be says nothing.

use alloc::vec::Vec;

use super::head::ResponseHead;
use crate::checksum::{Checksum, ChecksumAlgorithm};

/// Bytes of such a field that are looked at; a real one has one or two digests of a hundred bytes.
const FIELD_BYTES_MAX: usize = 4096;
/// Digests in one field.
const MEMBERS_MAX: usize = 32;

/// How much of the file an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// A part; what is said of the content does not hold for the file.
    Part,
}

/// The checksum of the whole file that `head` gives, by the best algorithm we know.
pub(super) fn of_answer(head: &ResponseHead, extent: Extent) -> Option<Checksum> {
    let mut found = Vec::new();
    dictionary(head, "repr-digest", &mut found);
    if extent == Extent::Whole {
        dictionary(head, "content-digest", &mut found);
    }
    for value in head.fields_called("digest").filter(|value| value.len() <= FIELD_BYTES_MAX) {
        found.extend(value.split(',').take(MEMBERS_MAX).filter_map(|member| {
            let (name, value) = member.trim().split_once('=')?;
            checksum(name, value)
        }));
    }
    if extent == Extent::Whole {
        found.extend(head.field("content-md5").and_then(|value| checksum("md5", value.trim())));
    }
    ChecksumAlgorithm::ALL
        .into_iter()
        .find_map(|algorithm| found.iter().find(|checksum| checksum.algorithm() == algorithm).cloned())
}

/// Adds the digests of a dictionary of byte sequences (RFC 9651 §3.2).
fn dictionary(head: &ResponseHead, name: &str, found: &mut Vec<Checksum>) {
    for value in head.fields_called(name).filter(|value| value.len() <= FIELD_BYTES_MAX) {
        found.extend(members(value).unwrap_or_default());
    }
}

/// The members of a dictionary that we know; `None` when it is none.
fn members(text: &str) -> Option<Vec<Checksum>> {
    let mut found = Vec::new();
    let mut rest = text.trim_matches(' ');
    for _ in 0..MEMBERS_MAX {
        let (key, after) = rest.split_once('=')?;
        let sound = key.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        });
        let (value, after) = after.strip_prefix(':')?.split_once(':')?;
        if !sound || key.is_empty() {
            return None;
        }
        found.extend(checksum(key, value));
        rest = parameters(after)?.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            return Some(found);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches([' ', '\t']);
    }
    None
}

/// What follows the parameters of a member; nothing follows from them.
fn parameters(text: &str) -> Option<&str> {
    if !text.starts_with(';') {
        return Some(text);
    }
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return Some(&text[at..]),
            _ => {}
        }
    }
    (!quoted).then_some("")
}

/// A digest of a kind that we know, and of its length.
fn checksum(name: &str, base64: &str) -> Option<Checksum> {
    let algorithm = match name {
        name if name.eq_ignore_ascii_case("sha-256") => ChecksumAlgorithm::Sha256,
        name if name.eq_ignore_ascii_case("sha-512") => ChecksumAlgorithm::Sha512,
        name if name.eq_ignore_ascii_case("md5") => ChecksumAlgorithm::Md5,
        _ => return None,
    };
    Checksum::new(algorithm, decode(base64)?)
}

/// Base64 with its padding (RFC 4648 §4), nothing else in it.
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.is_empty() || !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut bits = 0_u32;
    for (at, byte) in text[..text.len() - padding].iter().enumerate() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(sextet);
        // After the second, third and fourth character of each four another byte is whole.
        match at % 4 {
            1 => bytes.push((bits >> 4) as u8),
            2 => bytes.push((bits >> 2) as u8),
            3 => bytes.push(bits as u8),
            _ => {}
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::head::BodyLength;
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::string::ToString;

    // Of no bytes at all.
    const SHA256: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const SHA256_HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const MD5: &str = "1B2M2Y8AsgTpgAmY7PhCfg==";
    const MD5_HEX: &str = "md5:d41d8cd98f00b204e9800998ecf8427e";

    fn found(fields: &[(&str, &str)], extent: Extent) -> Option<String> {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let head = ResponseHead { status: 200, body: BodyLength::Chunked, fields };
        of_answer(&head, extent).map(|checksum| checksum.to_string())
    }

    #[test]
    fn each_way_in_which_a_server_gives_a_checksum_is_read() {
        let repr = format!("sha-256=:{SHA256}:");
        let both = format!("md5=:{MD5}:;a=\"x,\\\"y\";b, unixsum=:AAA=:,\t sha-256=:{SHA256}:");
        let old = format!("MD5={MD5}, SHA-256={SHA256},unixsum=5");
        for (fields, whole, part) in [
            (&[("Repr-Digest", repr.as_str())][..], Some(SHA256_HEX), Some(SHA256_HEX)),
            (&[("repr-digest", &both)], Some(SHA256_HEX), Some(SHA256_HEX)),
            (&[("Content-Digest", &repr)], Some(SHA256_HEX), None),
            (&[("Digest", &old)], Some(SHA256_HEX), Some(SHA256_HEX)),
            (&[("Content-MD5", MD5)], Some(MD5_HEX), None),
            (&[("Content-MD5", MD5), ("Repr-Digest", &repr)], Some(SHA256_HEX), Some(SHA256_HEX)),
        ] {
            assert_eq!(found(fields, Extent::Whole).as_deref(), whole, "{fields:?}");
            assert_eq!(found(fields, Extent::Part).as_deref(), part, "{fields:?}");
        }
    }

    #[test]
    fn a_field_that_is_not_as_it_must_be_says_nothing() {
        let long = format!("sha-256=:{SHA256}:{}", " ".repeat(FIELD_BYTES_MAX));
        for value in [
            "",
            "sha-256",
            "sha-256=",
            "sha-256=::",
            "sha-256=:AAAA:",
            SHA256,
            &format!("sha-256=:{SHA256}"),
            &format!("sha-256=:{SHA256}:x"),
            &format!("sha-256=:{SHA256}:,"),
            &format!("SHA-256=:{SHA256}:"),
            &format!("sha-256=:{}:", SHA256.replace('/', "_")),
            &format!("sha-256=:{}:", SHA256.trim_end_matches('=')),
            &format!("a=1, sha-256=:{SHA256}:"),
            &format!("sha-256=:{SHA256}:;q=\"open"),
            &long,
        ] {
            assert_eq!(found(&[("repr-digest", value)], Extent::Whole), None, "{value:?}");
        }
    }
}
