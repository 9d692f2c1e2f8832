//! Version 0x200 in one piece: eleven numbers, the strings without terminators, four bytes more.

use alloc::string::ToString;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::bytes::{Bytes, Text};
use super::flags::{self, encoding};
use super::{Identity, IdentityError, Members};
use crate::identity::units;
use crate::secret::Secret;

pub(super) const VERSION: u32 = 0x200;
const HEADER_BYTES: usize = 44;
/// Written as zeros, not interpreted.
const TRAILER_BYTES: usize = 4;

// The places of the numbers.
const HEADER_LENGTH: usize = 4;
const USER: usize = 8;
const DOMAIN: usize = 16;
const PASSWORD: usize = 24;
const FLAGS: usize = 32;
const PACKAGES: usize = 36;

pub(super) fn read(bytes: Bytes<'_>) -> Result<Members<'_>, IdentityError> {
    if usize::try_from(bytes.u32_at(HEADER_LENGTH)?) != Ok(HEADER_BYTES) || bytes.0.len() < HEADER_BYTES {
        return Err(IdentityError::Malformed("their header has another length"));
    }
    let encoding = encoding(bytes.u32_at(FLAGS)?)?;
    // An offset in bytes, then a length in characters. Nothing is at offset 0.
    let text = |place: usize| match (bytes.u32_at(place)?, bytes.u32_at(place + 4)?) {
        (0, 0) => Ok(None),
        (offset, length) => {
            let length =
                usize::try_from(length).ok().and_then(|length| length.checked_mul(encoding.unit_bytes()));
            // A length that cannot be counted is not within the bytes either.
            let piece = bytes.piece(offset, length.unwrap_or(usize::MAX), HEADER_BYTES)?;
            Text::new(piece, encoding).map(Some)
        }
    };
    Ok(Members {
        user: text(USER)?,
        domain: text(DOMAIN)?,
        password: text(PASSWORD)?,
        packages: text(PACKAGES)?,
    })
}

pub(super) fn write(identity: &Identity) -> Zeroizing<Vec<u8>> {
    let packages = Some(identity.packages.to_string()).filter(|list| !list.is_empty());
    let texts = [
        identity.user.as_deref(),
        identity.domain.as_deref(),
        identity.password.as_ref().map(Secret::expose),
        packages.as_deref(),
    ];
    let text_bytes: usize = texts.iter().flatten().map(|text| 2 * units(text)).sum();
    // Room for all, so that the secret never moves and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(HEADER_BYTES + text_bytes + TRAILER_BYTES));

    let number =
        |value: usize| u32::try_from(value).expect("all strings are within their limits").to_le_bytes();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&number(HEADER_BYTES));
    let mut offset = HEADER_BYTES;
    for (index, text) in texts.iter().enumerate() {
        if index == texts.len() - 1 {
            bytes.extend_from_slice(&flags::OF_STRINGS.to_le_bytes());
        }
        let length = text.map_or(0, units);
        bytes.extend_from_slice(&number(text.map_or(0, |_| offset)));
        bytes.extend_from_slice(&number(length));
        offset += 2 * length;
    }
    for unit in texts.iter().flatten().flat_map(|text| text.encode_utf16()) {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    bytes.extend_from_slice(&[0; TRAILER_BYTES]);
    bytes
}
