//! The flags of an identity's structure (`credentials.md` §1.5): which are understood.

use super::IdentityError;
use super::bytes::Encoding;

const ANSI: u32 = 0x1;
const UNICODE: u32 = 0x2;
const MARSHALLED: u32 = 0x4;
/// `PROCESS_ENCRYPTED`, `SYSTEM_PROTECTED`, `USER_PROTECTED`, `SYSTEM_ENCRYPTED`.
const ENCRYPTED: u32 = 0x10 | 0x20 | 0x40 | 0x80;
/// Padding for encryption in place follows, which there is none of.
const RESERVED: u32 = 0x1_0000;
pub(super) const NULL_USER: u32 = 0x2_0000;
pub(super) const NULL_DOMAIN: u32 = 0x4_0000;
/// An account of an online service, whose name is in the domain's place.
const ID_PROVIDER: u32 = 0x8_0000;
/// What a prompt has noted for itself (`SSPIPFC_*`).
const PROMPT: u32 = 0xFF00_0000;

/// What an identity of strings has on Windows, too.
pub(super) const OF_STRINGS: u32 = UNICODE | MARSHALLED;

/// How the strings are written, if `flags` say nothing that would have to be heeded and cannot.
pub(super) fn encoding(flags: u32) -> Result<Encoding, IdentityError> {
    const HARMLESS: u32 = MARSHALLED | RESERVED | NULL_USER | NULL_DOMAIN | PROMPT;
    if flags & ENCRYPTED != 0 {
        return Err(IdentityError::Encrypted);
    }
    if flags & ID_PROVIDER != 0 {
        return Err(IdentityError::UnsupportedCredential("an account of an online service"));
    }
    match flags & !HARMLESS {
        UNICODE => Ok(Encoding::Utf16),
        ANSI => Ok(Encoding::EightBit),
        both_or_none if both_or_none & !(ANSI | UNICODE) == 0 => {
            Err(IdentityError::Malformed("they do not say how their texts are written"))
        }
        // Such as 0x8, which asks for a ticket without authorization data.
        _ => Err(IdentityError::UnsupportedCredential("an identity with flags that are not known here")),
    }
}
