//! Identities as bytes: the worked example, what is refused, and that nothing read is trusted.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::error::Code;
use crate::identity::{EncodedStrings, Package};

fn identity(user: Option<&str>, domain: Option<&str>, password: Option<&str>) -> Identity {
    let text = |text: Option<&str>| text.map(ToString::to_string);
    Identity::from_strings(text(user), text(domain), text(password).map(Secret::new)).unwrap()
}

/// All there is of an identity.
fn content(identity: &Identity) -> [Option<String>; 4] {
    let EncodedStrings { user, domain, password } = identity.encode_as_strings();
    let password = password.map(|secret| secret.expose().to_string());
    [user, domain, password, Some(identity.packages().to_string())]
}

/// What unmarshalling `bytes` ends in; validating says the same.
fn outcome(bytes: &[u8]) -> Result<[Option<String>; 4], Code> {
    let outcome = Identity::unmarshal(bytes).map_err(|error| error.code());
    assert_eq!(
        Identity::validate(bytes).map_err(|error| error.code()),
        outcome.as_ref().map(drop).map_err(|code| *code)
    );
    outcome.map(|identity| content(&identity))
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const MALFORMED: Code = Code(0x8009_0308);
const UNSUPPORTED: Code = Code(0x8009_0302);

#[test]
fn the_worked_example_has_84_bytes() {
    let bytes = identity(Some("user"), Some("domain"), Some("password")).marshal();
    let header = [0x200, 44, 44, 4, 52, 6, 64, 8, 0x6, 0, 0_u32];
    let expected: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    let expected = [expected, utf16("userdomainpassword"), vec![0; 4]].concat();
    assert_eq!((*bytes).clone(), expected);
    assert_eq!(bytes.len(), 84);
    assert_eq!(bytes.capacity(), 84, "the secret has never moved");
}

#[test]
fn absent_and_empty_strings_stay_apart() {
    for strings in [
        [Some("anna"), None, None],
        [None, Some("CORP"), None],
        [None, None, Some("secret")],
        [Some(""), Some(""), Some("")],
        [Some("anna"), Some(""), None],
    ] {
        let [user, domain, password] = strings;
        let identity = identity(user, domain, password);
        assert_eq!(outcome(&identity.marshal()), Ok(content(&identity)), "{strings:?}");
    }
}

#[test]
fn the_packages_survive() {
    let limited = identity(Some("anna"), None, Some("x")).excluding(Package::Ntlm).excluding(Package::Basic);
    let again = Identity::unmarshal(&limited.marshal()).unwrap();
    assert_eq!(again.packages(), limited.packages());
}

/// A flat form with its numbers changed after it was written.
fn changed(number: usize, value: u32) -> Vec<u8> {
    let mut bytes = identity(Some("user"), Some("domain"), Some("password")).marshal().to_vec();
    bytes[4 * number..][..4].copy_from_slice(&value.to_le_bytes());
    bytes
}

#[test]
fn a_flat_form_with_a_wrong_number_is_refused_with_the_number_that_says_why() {
    let scenarios = [
        ("an unknown version", 0, 0x202, MALFORMED),
        ("another header", 1, 48, MALFORMED),
        ("a user within the header", 2, 40, MALFORMED),
        ("a user at no place", 2, 0, MALFORMED),
        ("a user beyond the end", 2, 80, MALFORMED),
        ("a user far beyond the end", 2, u32::MAX, MALFORMED),
        ("a domain that is too long", 5, 200, MALFORMED),
        ("a domain that cannot be counted", 5, u32::MAX, MALFORMED),
        ("no encoding", 8, 0x4, MALFORMED),
        ("two encodings", 8, 0x7, MALFORMED),
        ("no authorization data", 8, 0xE, UNSUPPORTED),
        ("an unknown flag", 8, 0x106, UNSUPPORTED),
        ("an online account", 8, 0x8_0006, UNSUPPORTED),
        ("encrypted for the process", 8, 0x16, Code(0xC000_000D)),
        ("encrypted by the system", 8, 0x26, Code(0xC000_000D)),
        ("encrypted by the user", 8, 0x46, Code(0xC000_000D)),
        ("encrypted for the system", 8, 0x86, Code(0xC000_000D)),
        ("a package list beyond the end", 10, 30, MALFORMED),
    ];
    for (what, number, value, code) in scenarios {
        assert_eq!(outcome(&changed(number, value)), Err(code), "{what}");
    }
    for harmless in [0x2, 0x6, 0x1_0006, 0x6_0006, 0xFF00_0006] {
        assert!(outcome(&changed(8, harmless)).is_ok(), "{harmless:x}");
    }
}

#[test]
fn bytes_that_are_cut_are_refused_until_only_the_trailer_is_missing() {
    let identity = identity(Some("user"), Some("domain"), Some("password"));
    let bytes = identity.marshal();
    for length in 0..80 {
        assert_eq!(outcome(&bytes[..length]), Err(MALFORMED), "{length}");
    }
    for length in 80..=84 {
        assert_eq!(outcome(&bytes[..length]), Ok(content(&identity)), "{length}");
    }
    let longer = [&bytes[..], &[0xAA; 100]].concat();
    assert_eq!(outcome(&longer), Ok(content(&identity)));
    assert_eq!(outcome(&vec![0; MARSHALLED_BYTES_MAX + 1]), Err(MALFORMED));
}

/// A flat form whose user is `bytes`, `length` characters long, under `flags`.
fn of_user(bytes: &[u8], length: usize, flags: u32) -> Vec<u8> {
    let header = [0x200, 44, 44, u32::try_from(length).unwrap(), 0, 0, 0, 0, flags, 0, 0];
    [header.into_iter().flat_map(u32::to_le_bytes).collect(), bytes.to_vec()].concat()
}

#[test]
fn texts_that_are_none_or_too_long_are_refused() {
    let ansi = of_user(b"anna", 4, 0x1);
    assert_eq!(outcome(&ansi), Ok([Some("anna".into()), None, None, Some(String::new())]));
    for (what, bytes, code) in [
        ("another code page", of_user(b"J\xFCrgen", 6, 0x1), MALFORMED),
        ("half a pair of surrogates", of_user(&[0x3D, 0xD8], 1, 0x6), MALFORMED),
        ("a NUL", of_user(&utf16("an\0na"), 5, 0x6), Code(0x8009_035D)),
        ("too many characters", of_user(&utf16(&"x".repeat(514)), 514, 0x6), Code(122)),
        ("nothing at all", of_user(b"", 0, 0x6), MALFORMED),
    ] {
        let mut bytes = bytes;
        if what == "nothing at all" {
            bytes[8..12].copy_from_slice(&[0; 4]);
        }
        assert_eq!(outcome(&bytes), Err(code), "{what}");
    }
    let longest = "x".repeat(513);
    assert!(outcome(&of_user(&utf16(&longest), 513, 0x6)).is_ok());
}

/// A self-relative form: header, user, domain, credential, package list.
struct SelfRelative {
    user: Vec<u8>,
    domain: Vec<u8>,
    credential: Vec<u8>,
    flags: u32,
    packages: Vec<u8>,
}

impl SelfRelative {
    fn anna() -> Self {
        Self {
            user: utf16("anna"),
            domain: utf16("CORP"),
            credential: packed(PASSWORD, &password_data("hünter2")),
            flags: 0x2,
            packages: utf16("!ntlm"),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut header = Vec::new();
        let mut body = Vec::new();
        let total = 48
            + [&self.user, &self.domain, &self.credential, &self.packages]
                .map(|piece| piece.len())
                .iter()
                .sum::<usize>();
        header.extend(0x201_u32.to_le_bytes());
        header.extend([48, 0, 0, 0]);
        header.extend(u32::try_from(total).unwrap().to_le_bytes());
        let mut name = |header: &mut Vec<u8>, piece: &Vec<u8>| {
            let offset = if piece.is_empty() { 0 } else { 48 + body.len() };
            header.extend(u32::try_from(offset).unwrap().to_le_bytes());
            header.extend(u16::try_from(piece.len()).unwrap().to_le_bytes());
            header.extend([0, 0]);
            body.extend(piece);
        };
        name(&mut header, &self.user);
        name(&mut header, &self.domain);
        name(&mut header, &self.credential);
        header.extend(self.flags.to_le_bytes());
        name(&mut header, &self.packages);
        [header, body].concat()
    }
}

/// 28bfc32f-10f6-4738-98d1-1ac061df716a in memory.
const PASSWORD: [u8; 16] =
    [0x2F, 0xC3, 0xBF, 0x28, 0xF6, 0x10, 0x38, 0x47, 0x98, 0xD1, 0x1A, 0xC0, 0x61, 0xDF, 0x71, 0x6A];
/// 235f69ad-73fb-4dbc-8203-0629e739339b in memory.
const CERTIFICATE: [u8; 16] =
    [0xAD, 0x69, 0x5F, 0x23, 0xFB, 0x73, 0xBC, 0x4D, 0x82, 0x03, 0x06, 0x29, 0xE7, 0x39, 0x33, 0x9B];

fn packed(credential_type: [u8; 16], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut block = vec![28, 0];
    block.extend((28 + length).to_le_bytes());
    block.extend(credential_type);
    block.extend(28_u32.to_le_bytes());
    block.extend(length.to_le_bytes());
    block.extend([0, 0]);
    [block, data.to_vec()].concat()
}

fn password_data(password: &str) -> Vec<u8> {
    let text = utf16(password);
    [vec![8, 0, 0, 0], u16::try_from(text.len()).unwrap().to_le_bytes().to_vec(), vec![0, 0], text].concat()
}

#[test]
fn a_self_relative_form_with_a_password_is_read() {
    let expected = ["anna", "CORP", "hünter2", "!NTLM"].map(|text| Some(text.to_string()));
    let form = SelfRelative::anna();
    assert_eq!(outcome(&form.bytes()), Ok(expected.clone()));

    let mut longer = form.bytes();
    longer[8..12].copy_from_slice(&1_u32.to_le_bytes());
    longer.extend([0; 9]);
    assert_eq!(outcome(&longer), Ok(expected), "its own length is not believed");

    let without = SelfRelative { flags: 0x6_0002, ..SelfRelative::anna() };
    let [user, domain, ..] = outcome(&without.bytes()).unwrap();
    assert_eq!((user, domain), (None, None));
}

#[test]
fn a_self_relative_form_with_another_credential_is_refused() {
    let with = |credential| outcome(&SelfRelative { credential, ..SelfRelative::anna() }.bytes());
    assert_eq!(with(packed(CERTIFICATE, b"certificate")), Err(UNSUPPORTED));
    assert_eq!(with(packed([7; 16], b"?")), Err(UNSUPPORTED));
    let error = Identity::unmarshal(
        &SelfRelative { credential: packed(CERTIFICATE, b"x"), ..SelfRelative::anna() }.bytes(),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "a certificate cannot be used here; give a user name and a password"
    );

    assert_eq!(with(packed(PASSWORD, b"")), Err(MALFORMED));
    assert_eq!(with(packed(PASSWORD, &[0; 8])), Err(MALFORMED));
    assert_eq!(with(packed(PASSWORD, &[8, 0, 0, 0, 2, 0, 0, 0, b'x'])), Err(MALFORMED));
    assert_eq!(with(packed(PASSWORD, &[8, 0, 0, 0, 1, 0, 0, 0, b'x'])), Err(MALFORMED));
    assert_eq!(with(packed(PASSWORD, &[4, 0, 0, 0, 2, 0, 0, 0, b'x', 0])), Err(MALFORMED));
    assert_eq!(with(vec![28, 0, 28, 0]), Err(MALFORMED));
    let [_, _, password, _] = with(Vec::new()).unwrap();
    assert_eq!(password, None);
    let flagged = SelfRelative { flags: 0x12, ..SelfRelative::anna() };
    assert_eq!(outcome(&flagged.bytes()), Err(Code(0xC000_000D)));
}

#[test]
fn a_self_relative_form_that_is_cut_is_refused() {
    let bytes = SelfRelative::anna().bytes();
    for length in 0..bytes.len() {
        assert_eq!(outcome(&bytes[..length]), Err(MALFORMED), "{length}");
    }
}

#[test]
fn whatever_identity_is_marshalled_comes_back_the_same() {
    let mut random = Random(0x0BAD_5EED);
    for round in 0..3_000 {
        let identity = random.identity();
        let bytes = identity.marshal();
        assert_eq!(outcome(&bytes), Ok(content(&identity)), "round {round}");
        assert_eq!(bytes.len(), bytes.capacity(), "round {round}");

        let EncodedStrings { user, domain, password } = identity.encode_as_strings();
        let again = Identity::from_strings(user, domain, password).unwrap();
        assert_eq!(content(&again)[..3], content(&identity)[..3], "round {round}");
        assert!(again.compare(&identity).same_identity, "round {round}");
    }
}

#[test]
fn whatever_is_changed_in_the_bytes_is_read_as_an_identity_or_refused() {
    let mut random = Random(0x000B_1771);
    let mut were_read = 0;
    for round in 0..30_000 {
        let mut bytes = match round % 2 {
            0 => random.identity().marshal().to_vec(),
            _ => SelfRelative::anna().bytes(),
        };
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len());
            bytes[place] = random.next() as u8;
        }
        bytes.truncate(bytes.len() - random.below(3));
        if let Ok(read) = outcome(&bytes) {
            were_read += 1;
            let again = Identity::unmarshal(&Identity::unmarshal(&bytes).unwrap().marshal()).unwrap();
            assert_eq!(content(&again), read, "round {round}");
        }
    }
    assert!((1_000..29_000).contains(&were_read), "{were_read} were read, so changes were tried in vain");
}

/// A small generator of numbers (xorshift*), the same ones for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end
    }

    /// No text, an empty one, or up to `length_max` characters of one to four bytes.
    fn text(&mut self, length_max: usize) -> Option<String> {
        const CHARACTERS: [char; 10] = ['a', 'Z', '\\', '@', ' ', 'ü', 'ß', '日', '😀', '\u{1}'];
        let length = self.below(length_max + 2).checked_sub(1)?;
        Some((0..length).map(|_| CHARACTERS[self.below(CHARACTERS.len())]).collect())
    }

    fn identity(&mut self) -> Identity {
        loop {
            let (user, domain) = (self.text(20), self.text(20));
            let password = self.text(60).map(Secret::new);
            let Ok(mut identity) = Identity::from_strings(user, domain, password) else { continue };
            for _ in 0..self.below(3) {
                identity = identity.excluding(Package::ALL[self.below(Package::ALL.len())]);
            }
            return identity;
        }
    }
}
