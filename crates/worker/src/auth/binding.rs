//! Channel bindings of type `tls-server-end-point` (RFC 5929, `credentials.md` §2.8): they tie a
//! proof to the certificate of the server it is meant for, so that nobody in between can pass it on.
//!
//! Only the certificate's own words are read here, and nothing of it is verified: that was done when
//! the TLS session was made. MD5 over the result is computed by the library.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};

use super::der;

const PREFIX: &[u8] = b"tls-server-end-point:";

/// What ties a proof to one TLS session's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChannelBinding {
    /// The prefix and the hash of the certificate.
    application_data: Vec<u8>,
}

impl ChannelBinding {
    /// The binding for the server's own certificate in DER, hashed by the hash function of its
    /// signature. Nothing when that has none that is defined: then no binding is sent.
    pub(super) fn of_certificate(certificate: &[u8]) -> Option<Self> {
        let hash = signature_hash(certificate)?.run(certificate);
        Some(Self { application_data: [PREFIX, &hash].concat() })
    }

    /// `SEC_CHANNEL_BINDINGS` as the library takes it: eight numbers, of which only length and place
    /// of the application data are not zero, and the data.
    pub(super) fn buffer(&self) -> Vec<u8> {
        const HEADER_BYTES: u32 = 32;
        let mut buffer = vec![0; 24];
        buffer.extend_from_slice(&self.length().to_le_bytes());
        buffer.extend_from_slice(&HEADER_BYTES.to_le_bytes());
        buffer.extend_from_slice(&self.application_data);
        buffer
    }

    /// What is bound to, as GSSAPI takes it: the application data.
    pub(super) fn application_data(&self) -> &[u8] {
        &self.application_data
    }

    fn length(&self) -> u32 {
        u32::try_from(self.application_data.len()).expect("a prefix and a hash are short")
    }

    /// The MD5 sum that goes over the wire, to be compared with what the library makes of it.
    #[cfg(test)]
    pub(super) fn md5(&self) -> [u8; 16] {
        // `gss_channel_bindings_struct`: two addresses of type 0 and length 0, then the data.
        let structure = [&[0; 16], &self.length().to_le_bytes()[..], &self.application_data].concat();
        md5::Md5::digest(structure).into()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
}

impl Hash {
    fn run(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
            Self::Sha512_224 => Sha512_224::digest(bytes).to_vec(),
            Self::Sha512_256 => Sha512_256::digest(bytes).to_vec(),
        }
    }
}

/// 1.2.840.113549.1.1: RSA, each signature by its last number.
const RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01];
/// 1.2.840.10045.4.1: ECDSA with SHA-1.
const ECDSA_SHA1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01];
/// 1.2.840.10045.4.3: ECDSA with SHA-2.
const ECDSA_SHA2: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03];
/// 1.2.840.10040.4.3: DSA with SHA-1.
const DSA_SHA1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x03];
/// 2.16.840.1.101.3.4.3: DSA with SHA-2, and above the fourth others with SHA-3, for which nobody has
/// defined a binding.
const DSA_SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];
/// 2.16.840.1.101.3.4.2: the SHA-2 functions.
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// 1.3.14.3.2.26: SHA-1.
const SHA1: &[u8] = &[0x2B, 0x0E, 0x03, 0x02, 0x1A];
/// 1.2.840.113549.2.5: MD5.
const MD5: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x05];

/// The hash function for a certificate: that of its signature, and SHA-256 for the weak ones.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let fields = der::open(certificate, der::SEQUENCE)?;
    let (to_be_signed, rest) = der::read(fields)?;
    if to_be_signed.tag != der::SEQUENCE {
        return None;
    }
    let algorithm = der::open(rest, der::SEQUENCE)?;
    let (identifier, parameters) = der::read(algorithm)?;
    if identifier.tag != der::OBJECT_IDENTIFIER {
        return None;
    }
    if let Some(&[last]) = identifier.contents.strip_prefix(RSA) {
        return match last {
            // MD2, MD4, MD5 and SHA-1
            2..=5 => Some(Hash::Sha256),
            10 => pss_hash(parameters),
            11 => Some(Hash::Sha256),
            12 => Some(Hash::Sha384),
            13 => Some(Hash::Sha512),
            14 => Some(Hash::Sha224),
            15 => Some(Hash::Sha512_224),
            16 => Some(Hash::Sha512_256),
            _ => None,
        };
    }
    if identifier.contents == ECDSA_SHA1 || identifier.contents == DSA_SHA1 {
        return Some(Hash::Sha256);
    }
    let families = [ECDSA_SHA2, DSA_SHA2];
    let last = families.iter().find_map(|family| identifier.contents.strip_prefix(*family));
    match last? {
        [1] => Some(Hash::Sha224),
        [2] => Some(Hash::Sha256),
        [3] => Some(Hash::Sha384),
        [4] => Some(Hash::Sha512),
        _ => None,
    }
}

/// The hash function in the parameters of an RSA-PSS signature, where SHA-1 is what nobody names.
fn pss_hash(parameters: &[u8]) -> Option<Hash> {
    let parameters = der::open(parameters, der::SEQUENCE)?;
    let Some(field) = der::find(parameters, der::field(0)) else { return Some(Hash::Sha256) };
    let identifier = der::open(der::open(field, der::SEQUENCE)?, der::OBJECT_IDENTIFIER)?;
    if identifier == SHA1 || identifier == MD5 {
        return Some(Hash::Sha256);
    }
    match identifier.strip_prefix(SHA2)? {
        [1] => Some(Hash::Sha256),
        [2] => Some(Hash::Sha384),
        [3] => Some(Hash::Sha512),
        [4] => Some(Hash::Sha224),
        [5] => Some(Hash::Sha512_224),
        [6] => Some(Hash::Sha512_256),
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As much of a certificate as matters here, signed by `algorithm` with `parameters`.
    fn certificate(algorithm: &[u8], parameters: &[u8]) -> Vec<u8> {
        let algorithm = [der::wrap(der::OBJECT_IDENTIFIER, algorithm), parameters.to_vec()].concat();
        let fields =
            [der::wrap(der::SEQUENCE, b"\x02\x01\x01"), der::wrap(der::SEQUENCE, &algorithm), vec![3, 1, 0]];
        der::wrap(der::SEQUENCE, &fields.concat())
    }

    /// The binding for some certificate, for tests of what it is used for.
    pub(in crate::auth) fn some_binding() -> ChannelBinding {
        ChannelBinding::of_certificate(&certificate(&[RSA, &[11]].concat(), &[5, 0])).unwrap()
    }

    #[test]
    fn the_example_comes_out() {
        let hash: Vec<u8> = (0..0x20).collect();
        let binding = ChannelBinding { application_data: [PREFIX, &hash].concat() };
        assert_eq!(binding.application_data.len(), 53);
        assert_eq!(
            binding.md5(),
            [0x8f, 0x12, 0x14, 0xc9, 0xc9, 0xca, 0xb8, 0xdc, 0x3b, 0xf8, 0x66, 0xda, 0x9a, 0xba, 0x57, 0xa7]
        );
    }

    #[test]
    fn a_certificate_is_hashed_as_it_was_signed() {
        let pss = |identifier: &[u8]| {
            let hash = der::wrap(der::SEQUENCE, &der::wrap(der::OBJECT_IDENTIFIER, identifier));
            der::wrap(der::SEQUENCE, &der::wrap(der::field(0), &hash))
        };
        let rsa = |last: u8| [RSA, &[last]].concat();
        let ecdsa = |last: u8| [ECDSA_SHA2, &[last]].concat();
        let dsa = |last: u8| [DSA_SHA2, &[last]].concat();
        let sha2 = |last: u8| pss(&[SHA2, &[last]].concat());
        /// Its name, the algorithm, its parameters; the hash function.
        type Row = (&'static str, Vec<u8>, Vec<u8>, Option<Hash>);
        let rows: Vec<Row> = vec![
            ("RSA with MD5", rsa(4), vec![5, 0], Some(Hash::Sha256)),
            ("RSA with SHA-1", rsa(5), vec![5, 0], Some(Hash::Sha256)),
            ("RSA with SHA-256", rsa(11), vec![5, 0], Some(Hash::Sha256)),
            ("RSA with SHA-384", rsa(12), vec![5, 0], Some(Hash::Sha384)),
            ("RSA with SHA-512", rsa(13), vec![5, 0], Some(Hash::Sha512)),
            ("RSA with SHA-224", rsa(14), vec![5, 0], Some(Hash::Sha224)),
            ("RSA-PSS with SHA-256", rsa(10), sha2(1), Some(Hash::Sha256)),
            ("RSA-PSS with SHA-384", rsa(10), sha2(2), Some(Hash::Sha384)),
            ("RSA-PSS with SHA-512", rsa(10), sha2(3), Some(Hash::Sha512)),
            ("RSA-PSS with SHA-1", rsa(10), pss(SHA1), Some(Hash::Sha256)),
            ("RSA-PSS that names none", rsa(10), vec![0x30, 0], Some(Hash::Sha256)),
            ("RSA-PSS with another", rsa(10), pss(RSA), None),
            ("RSA-PSS without parameters", rsa(10), vec![], None),
            ("ECDSA with SHA-1", ECDSA_SHA1.to_vec(), vec![], Some(Hash::Sha256)),
            ("ECDSA with SHA-256", ecdsa(2), vec![], Some(Hash::Sha256)),
            ("ECDSA with SHA-384", ecdsa(3), vec![], Some(Hash::Sha384)),
            ("ECDSA with SHA-512", ecdsa(4), vec![], Some(Hash::Sha512)),
            ("DSA with SHA-256", dsa(2), vec![], Some(Hash::Sha256)),
            ("RSA with SHA-3", dsa(14), vec![5, 0], None),
            ("Ed25519", vec![0x2B, 0x65, 0x70], vec![], None),
            ("Ed448", vec![0x2B, 0x65, 0x71], vec![], None),
        ];
        for (name, algorithm, parameters, expected) in rows {
            let certificate = certificate(&algorithm, &parameters);
            assert_eq!(signature_hash(&certificate), expected, "{name}");
            let bound = ChannelBinding::of_certificate(&certificate).map(|binding| binding.application_data);
            let expected = expected.map(|hash| [PREFIX, &hash.run(&certificate)].concat());
            assert_eq!(bound, expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_binding() {
        let whole = certificate(&[RSA, &[11]].concat(), &[5, 0]);
        for end in 0..whole.len() {
            assert_eq!(ChannelBinding::of_certificate(&whole[..end]), None, "{end}");
        }
        assert_eq!(ChannelBinding::of_certificate(b"-----BEGIN CERTIFICATE-----"), None);
    }

    #[test]
    fn the_library_finds_the_data_behind_eight_numbers() {
        let binding = ChannelBinding { application_data: b"tls-server-end-point:x".to_vec() };
        let buffer = binding.buffer();
        assert_eq!(buffer[..24], [0; 24]);
        assert_eq!(buffer[24..32], [22, 0, 0, 0, 32, 0, 0, 0]);
        assert_eq!(buffer[32..], *b"tls-server-end-point:x");
    }
}
