//! Version 0x201, whose secret is a packed credential: only a password is taken.
//!
//! Lengths are in bytes. Its own length is not trusted, as real buffers are longer or shorter.

use super::bytes::{Bytes, Encoding, Text};
use super::flags::{NULL_DOMAIN, NULL_USER, encoding};
use super::{IdentityError, Members};

pub(super) const VERSION: u32 = 0x201;
const HEADER_BYTES: usize = 48;

// The places of the numbers; offsets are four bytes, lengths two.
const HEADER_LENGTH: usize = 4;
const USER: usize = 12;
const DOMAIN: usize = 20;
const PACKED: usize = 28;
const FLAGS: usize = 36;
const PACKAGES: usize = 40;

pub(super) fn read(bytes: Bytes<'_>) -> Result<Members<'_>, IdentityError> {
    check_header(bytes, HEADER_LENGTH, HEADER_BYTES)?;
    let flags = bytes.u32_at(FLAGS)?;
    let encoding = encoding(flags)?;
    let text = |place| match vector(bytes, place, HEADER_BYTES)? {
        Some(piece) => Text::new(piece, encoding).map(Some),
        None => Ok(None),
    };
    Ok(Members {
        user: text(USER)?.filter(|_| flags & NULL_USER == 0),
        domain: text(DOMAIN)?.filter(|_| flags & NULL_DOMAIN == 0),
        password: vector(bytes, PACKED, HEADER_BYTES)?.map(password).transpose()?,
        packages: text(PACKAGES)?,
    })
}

const PACKED_HEADER_BYTES: usize = 28;
const PACKED_HEADER_LENGTH: usize = 0;
const CREDENTIAL_TYPE: usize = 4;
const DATA: usize = 20;
/// The place of the text and its length, both within the data, and padding.
const PASSWORD_HEADER_BYTES: usize = 8;

/// The password of a packed credential. Offsets in the block count from its start, and the one in
/// its data from the start of the data: each from the start of the structure that it is in.
fn password(block: Bytes<'_>) -> Result<Text<'_>, IdentityError> {
    check_header(block, PACKED_HEADER_LENGTH, PACKED_HEADER_BYTES)?;
    check_type(guid_at(block, CREDENTIAL_TYPE)?)?;
    let missing = IdentityError::Malformed("their password is missing");
    let data = vector(block, DATA, PACKED_HEADER_BYTES)?.ok_or(missing.clone())?;
    let text = vector(data, 0, PASSWORD_HEADER_BYTES)?.ok_or(missing)?;
    Text::new(text, Encoding::Utf16)
}

fn check_header(bytes: Bytes<'_>, place: usize, header_bytes: usize) -> Result<(), IdentityError> {
    if usize::from(bytes.u16_at(place)?) == header_bytes && bytes.0.len() >= header_bytes {
        Ok(())
    } else {
        Err(IdentityError::Malformed("their header has another length"))
    }
}

/// What an offset and a length name; nothing is at offset 0.
fn vector(bytes: Bytes<'_>, place: usize, header_bytes: usize) -> Result<Option<Bytes<'_>>, IdentityError> {
    match (bytes.u32_at(place)?, bytes.u16_at(place + 4)?) {
        (0, 0) => Ok(None),
        (offset, length) => bytes.piece(offset, length.into(), header_bytes).map(Some),
    }
}

fn check_type(guid: u128) -> Result<(), IdentityError> {
    Err(IdentityError::UnsupportedCredential(match guid {
        0x28BFC32F_10F6_4738_98D1_1AC061DF716A => return Ok(()),
        0x235F69AD_73FB_4DBC_8203_0629E739339B => "a certificate",
        0x7CB72412_1016_491A_8C87_4D2AA1B7DD3A => "a certificate of the credential manager",
        0x68FD9879_079C_4DFE_8281_578AADC1C100 | 0xB86C4FF3_49D7_4DC4_B560_B1163685B236 => "a smart card",
        0x10A47879_5EBF_4B85_BD8D_C21BB4F49C8A => "a key of Windows Hello",
        0x32E8F8D7_7871_4BCC_83C5_460F66C6135C => "a FIDO key",
        0xD587AAE8_F78F_4455_A112_C934BEEE7CE1 => "a keytab",
        0x12E52E0F_6F9B_4F83_9020_9DE42B226267 => "a delegation token",
        _ => "a credential of an unknown type",
    }))
}

/// The number that a GUID is written as. Windows keeps its first three groups little endian and
/// the rest as it is written.
fn guid_at(bytes: Bytes<'_>, place: usize) -> Result<u128, IdentityError> {
    let first = u128::from(bytes.u32_at(place)?);
    let second = u128::from(bytes.u16_at(place + 4)?);
    let third = u128::from(bytes.u16_at(place + 6)?);
    let rest = u128::from(u64::from_be_bytes(bytes.array_at(place + 8)?));
    Ok(first << 96 | second << 80 | third << 64 | rest)
}
