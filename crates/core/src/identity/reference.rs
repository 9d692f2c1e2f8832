//! Marshalled credential references, `@@…`: what Windows programs put where a user name or a
//! password is expected (`credentials.md` §1.6).
//!
//! They are recognised, so that none is sent to a server as if it were a name or a password. What
//! a protected password hides is not read: only the Windows user it was protected for can.

use alloc::vec::Vec;

/// A text that refers to a credential instead of being one. `CredUnmarshalCredential`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialReference {
    /// `@@B`: a certificate in a Windows store, by its SHA-1 thumbprint; `None` if the text does
    /// not hold one whole.
    Certificate { thumbprint: Option<[u8; THUMBPRINT_BYTES]> },
    /// `@@C`: the user name of a credential that Windows has saved.
    SavedUserName,
    /// `@@D`: a password that was protected for one Windows user.
    ProtectedPassword,
    /// `@@E`: reserved for packed credentials.
    PackedUserName,
    /// `@@F`: what was protected for the system.
    ProtectedForSystem,
}

impl CredentialReference {
    /// The reference that `text` is, if it is one: `@@`, the letter of a type, and at least one
    /// character, all of them of the alphabet that references are written in. Letter case counts.
    pub fn parse(text: &str) -> Option<Self> {
        let (letter, payload) = text.strip_prefix("@@")?.split_at_checked(1)?;
        if payload.is_empty() || !payload.bytes().all(|byte| six_bits(byte).is_some()) {
            return None;
        }
        match letter {
            "B" => Some(Self::Certificate { thumbprint: thumbprint(payload) }),
            "C" => Some(Self::SavedUserName),
            "D" => Some(Self::ProtectedPassword),
            "E" => Some(Self::PackedUserName),
            "F" => Some(Self::ProtectedForSystem),
            _ => None,
        }
    }
}

/// Bytes of a SHA-1 digest.
pub const THUMBPRINT_BYTES: usize = 20;

fn thumbprint(payload: &str) -> Option<[u8; THUMBPRINT_BYTES]> {
    let has_its_length = payload.len() == (THUMBPRINT_BYTES * 8).div_ceil(6);
    has_its_length.then(|| bytes_of(payload)).flatten()?.try_into().ok()
}

/// What `payload` is written for: six bits a character, the least significant first, so that four
/// characters are three bytes. Bits of a byte that is not whole must be zero.
fn bytes_of(payload: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(payload.len() * 6 / 8);
    let (mut gathered, mut gathered_bits) = (0_u32, 0);
    for character in payload.bytes() {
        gathered |= six_bits(character)? << gathered_bits;
        gathered_bits += 6;
        if gathered_bits >= 8 {
            let [byte, ..] = gathered.to_le_bytes();
            bytes.push(byte);
            gathered >>= 8;
            gathered_bits -= 8;
        }
    }
    (gathered == 0).then_some(bytes)
}

/// The value of a character of the alphabet `A–Z a–z 0–9 # -`.
fn six_bits(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'#' => 62,
        b'-' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use super::*;

    #[test]
    fn four_characters_are_three_bytes_the_least_significant_bits_first() {
        for (payload, bytes) in [
            ("", Some(&[][..])),
            ("BIwA", Some(&[1, 2, 3])),
            ("----", Some(&[0xFF, 0xFF, 0xFF])),
            ("#AAA", Some(&[62, 0, 0])),
            ("-D", Some(&[0xFF])),
            // The four bits that are left over of a second byte are not zero.
            ("-E", None),
            ("BI*A", None),
            ("BIw/", None),
        ] {
            assert_eq!(bytes_of(payload).as_deref(), bytes, "{payload}");
        }
    }

    #[test]
    fn a_reference_is_known_by_its_letter_and_its_alphabet() {
        let certificate = CredentialReference::Certificate { thumbprint: None };
        for (text, reference) in [
            ("@@BAbc-#", Some(certificate)),
            ("@@CAbc", Some(CredentialReference::SavedUserName)),
            ("@@DAbc", Some(CredentialReference::ProtectedPassword)),
            ("@@EAbc", Some(CredentialReference::PackedUserName)),
            ("@@FAbc", Some(CredentialReference::ProtectedForSystem)),
            ("@@AAbc", None),
            ("@@GAbc", None),
            ("@@dAbc", None),
            ("@@D", None),
            ("@@DAb c", None),
            ("@@Dog!", None),
            ("@@Däbc", None),
            ("@@ä", None),
            ("@@", None),
            ("@DAbc", None),
            ("x@@DAbc", None),
            ("", None),
        ] {
            assert_eq!(CredentialReference::parse(text), reference, "{text}");
        }
    }

    #[test]
    fn a_certificate_is_named_by_its_thumbprint() {
        let thumbprint: [u8; THUMBPRINT_BYTES] = core::array::from_fn(|place| (place * 13 + 1) as u8);
        let text = format!("@@B{}", written(&thumbprint));
        assert_eq!(
            CredentialReference::parse(&text),
            Some(CredentialReference::Certificate { thumbprint: Some(thumbprint) })
        );
        for other in [format!("{text}A"), text[..text.len() - 1].into()] {
            let unread = Some(CredentialReference::Certificate { thumbprint: None });
            assert_eq!(CredentialReference::parse(&other), unread, "{other}");
        }
    }

    /// The characters for `bytes`.
    fn written(bytes: &[u8]) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#-";
        let bit = |place: usize| bytes.get(place / 8).map_or(0, |byte| usize::from(byte >> (place % 8) & 1));
        let places = (0..bytes.len() * 8).step_by(6);
        places
            .map(|place| (0..6).map(|offset| bit(place + offset) << offset).sum::<usize>())
            .map(|value| char::from(ALPHABET[value]))
            .collect()
    }
}
