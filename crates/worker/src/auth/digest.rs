//! Digest authentication (RFC 7616 and its ancestor RFC 2069, `credentials.md` §2.3): proofs that
//! are counted per nonce, renewed by the server, and answered by a proof of its own.
//!
//! `auth-int`, which protects the body as well, is answered where there is no body; `auth` is taken
//! where both are offered. The server's proof under `auth-int` is about a body that has not come yet,
//! and is not checked. Nothing here is bound to a connection.

use md5::Md5;
use sha2::{Sha256, Sha512_256};
use zeroize::Zeroizing;

use super::challenge::{self, Challenge};

/// The hash functions we speak; of several offered the later in this list is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hash {
    Md5,
    Sha256,
    Sha512_256,
}

/// The methods whose requests have a body.
const METHODS_WITH_BODY: [&str; 3] = ["PUT", "POST", "PATCH"];

/// What a proof protects besides the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quality {
    /// Method and request target.
    Auth,
    /// These and the body.
    AuthInt,
}

/// What a server asks for, as far as it matters to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DigestChallenge {
    pub(super) realm: String,
    pub(super) stale: bool,
    nonce: String,
    opaque: Option<String>,
    hash: Hash,
    /// The `algorithm` as it was sent, to be returned so; `None` when it was absent.
    algorithm: Option<String>,
    session: bool,
    /// Without one the form of RFC 2069 is used.
    quality: Option<Quality>,
    userhash: bool,
}

impl DigestChallenge {
    /// Reads a challenge; nothing when it wants what we do not speak.
    pub(super) fn read(challenge: &Challenge) -> Option<Self> {
        let algorithm = challenge.parameter("algorithm");
        let name = algorithm.unwrap_or("MD5").to_ascii_uppercase();
        let (name, session) = match name.strip_suffix("-SESS") {
            Some(name) => (name, true),
            None => (name.as_str(), false),
        };
        let hash = match name {
            "MD5" => Hash::Md5,
            "SHA-256" => Hash::Sha256,
            "SHA-512-256" => Hash::Sha512_256,
            _ => return None,
        };
        let quality = match challenge.parameter("qop") {
            Some(offered) => {
                let offers = |name| offered.split(',').any(|qop| qop.trim().eq_ignore_ascii_case(name));
                match (offers("auth"), offers("auth-int")) {
                    (true, _) => Some(Quality::Auth),
                    (false, true) => Some(Quality::AuthInt),
                    (false, false) => return None,
                }
            }
            // Without qop there is no cnonce, and without a cnonce there is no session.
            None if session => return None,
            None => None,
        };
        let is_true = |name| challenge.parameter(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        Some(Self {
            realm: challenge.parameter("realm")?.to_owned(),
            nonce: challenge.parameter("nonce")?.to_owned(),
            opaque: challenge.parameter("opaque").map(str::to_owned),
            hash,
            algorithm: algorithm.map(str::to_owned),
            session,
            quality,
            stale: is_true("stale"),
            userhash: is_true("userhash"),
        })
    }

    /// The best of the Digest challenges in `offered`.
    pub(super) fn best(offered: &[Challenge]) -> Option<Self> {
        let digests = offered.iter().filter(|challenge| challenge.scheme.eq_ignore_ascii_case("digest"));
        // `max_by_key` takes the last of equals; the server's order is its preference.
        digests.rev().filter_map(Self::read).max_by_key(|challenge| challenge.hash)
    }
}

impl Quality {
    fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// The server answered with a proof, and it is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrongProof;

/// One secret proving itself to one realm, request after request.
pub(super) struct DigestSession {
    challenge: DigestChallenge,
    user: String,
    /// H(user:realm:password), the only form in which the password is kept here.
    user_hash_a1: Zeroizing<String>,
    /// H(A1): the same, or for a session that of the nonce it began with.
    a1: Zeroizing<String>,
    cnonce: String,
    /// How often the nonce has been used.
    uses: u32,
    /// The request target of the last proof, which the server's own proof is about.
    last_target: Option<String>,
}

impl DigestSession {
    /// Begins with `challenge`. `cnonce` is fresh and not to be foreseen.
    pub(super) fn new(challenge: DigestChallenge, user: &str, password: &str, cnonce: String) -> Self {
        let user_hash_a1 = Zeroizing::new(hash(challenge.hash, &[user, &challenge.realm, password]));
        let mut session = Self {
            a1: user_hash_a1.clone(),
            user_hash_a1,
            challenge,
            user: user.to_owned(),
            cnonce,
            uses: 0,
            last_target: None,
        };
        session.begin();
        session
    }

    /// Goes on with a nonce the server gave because the old one was stale. False when it is about
    /// another realm or algorithm, for which the kept hash is of no use.
    pub(super) fn renew(&mut self, challenge: DigestChallenge) -> bool {
        if challenge.realm != self.challenge.realm || challenge.hash != self.challenge.hash {
            return false;
        }
        self.challenge = challenge;
        self.begin();
        true
    }

    fn begin(&mut self) {
        self.uses = 0;
        self.a1 = if self.challenge.session {
            Zeroizing::new(self.hash(&[&self.user_hash_a1, &self.challenge.nonce, &self.cnonce]))
        } else {
            self.user_hash_a1.clone()
        };
    }

    /// Whether a proof for a request by `method` needs the hash of its body, which nobody has.
    pub(super) fn needs_a_body(&self, method: &str) -> bool {
        self.challenge.quality == Some(Quality::AuthInt) && METHODS_WITH_BODY.contains(&method)
    }

    /// The header value for one request; one with a body must not [need](Self::needs_a_body) it. Each
    /// call uses the nonce once more.
    pub(super) fn header(&mut self, method: &str, target: &str) -> Zeroizing<String> {
        self.uses = self.uses.checked_add(1).expect("an attempt makes fewer than 2^32 requests");
        self.last_target = Some(target.to_owned());
        let response = self.proof(method, target);

        let challenge = &self.challenge;
        let mut fields = Vec::new();
        if challenge.userhash {
            fields.push(format!("username=\"{}\"", self.hash(&[&self.user, &challenge.realm])));
        } else if self.user.is_ascii() {
            fields.push(format!("username={}", quoted(&self.user)));
        } else {
            fields.push(format!("username*=UTF-8''{}", percent_encoded(&self.user)));
        }
        fields.push(format!("realm={}", quoted(&challenge.realm)));
        fields.push(format!("nonce={}", quoted(&challenge.nonce)));
        fields.push(format!("uri={}", quoted(target)));
        if let Some(algorithm) = &challenge.algorithm {
            fields.push(format!("algorithm={algorithm}"));
        }
        if let Some(quality) = challenge.quality {
            let (name, cnonce) = (quality.name(), quoted(&self.cnonce));
            fields.push(format!("qop={name}, nc={}, cnonce={cnonce}", self.count()));
        }
        fields.push(format!("response=\"{response}\""));
        if let Some(opaque) = &challenge.opaque {
            fields.push(format!("opaque={}", quoted(opaque)));
        }
        if challenge.userhash {
            fields.push("userhash=true".to_owned());
        }
        Zeroizing::new(format!("Digest {}", fields.join(", ")))
    }

    /// Takes in the `Authentication-Info` of the answer to the last proof: checks the server's own
    /// proof when there is one (`true`), and goes on with its next nonce.
    pub(super) fn answered(&mut self, info: &str) -> Result<bool, WrongProof> {
        let info = challenge::parameters(info);
        let mut proved = false;
        if let Some(theirs) = challenge::value_of(&info, "rspauth")
            && let Some(target) = &self.last_target
            && self.challenge.quality != Some(Quality::AuthInt)
        {
            if !same_text(&self.proof("", target), &theirs.to_ascii_lowercase()) {
                return Err(WrongProof);
            }
            proved = true;
        }
        if let Some(next) = challenge::value_of(&info, "nextnonce").filter(|next| !next.is_empty()) {
            // The hash of a session stays that of the nonce it began with (RFC 7616 §3.4.2).
            self.challenge.nonce = next.to_owned();
            self.uses = 0;
        }
        Ok(proved)
    }

    /// The response to `method`, or with an empty one the server's proof.
    fn proof(&self, method: &str, target: &str) -> String {
        let a2 = match self.challenge.quality {
            Some(Quality::AuthInt) => self.hash(&[method, target, &self.hash(&[""])]),
            Some(Quality::Auth) | None => self.hash(&[method, target]),
        };
        match self.challenge.quality {
            Some(quality) => {
                let count = self.count();
                self.hash(&[&self.a1, &self.challenge.nonce, &count, &self.cnonce, quality.name(), &a2])
            }
            None => self.hash(&[&self.a1, &self.challenge.nonce, &a2]),
        }
    }

    fn count(&self) -> String {
        format!("{:08x}", self.uses)
    }

    fn hash(&self, parts: &[&str]) -> String {
        hash(self.challenge.hash, parts)
    }
}

/// The hash of `parts` joined by colons, in hexadecimal.
fn hash(function: Hash, parts: &[&str]) -> String {
    fn run<D: sha2::Digest>(parts: &[&str]) -> String {
        let mut hasher = D::new();
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                hasher.update(b":");
            }
            hasher.update(part.as_bytes());
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
    match function {
        Hash::Md5 => run::<Md5>(parts),
        Hash::Sha256 => run::<Sha256>(parts),
        Hash::Sha512_256 => run::<Sha512_256>(parts),
    }
}

/// Compares in a time that does not tell where two texts of one length differ.
fn same_text(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// RFC 8187's form of a text that quotes cannot carry.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
    const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

    fn asked(text: &str) -> Option<DigestChallenge> {
        DigestChallenge::best(&challenge::challenges([text]))
    }

    /// Mufasa's session for the challenge with these further parameters.
    fn mufasa(parameters: &str) -> DigestSession {
        let text = format!("Digest realm=\"http-auth@example.org\", nonce=\"{NONCE}\", {parameters}");
        DigestSession::new(asked(&text).unwrap(), "Mufasa", "Circle of Life", CNONCE.to_owned())
    }

    /// The value of the parameter `name` in a header of ours.
    fn part(header: &str, name: &str) -> Option<String> {
        let read = challenge::challenges([header]);
        read[0].parameter(name).map(str::to_owned)
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        for (parameters, expected) in [
            ("qop=\"auth\"", "8ca523f5e9506fed4657c9700eebdbec"),
            ("qop=\"auth, auth-int\", algorithm=MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "qop=\"auth\", algorithm=SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            ("qop=\"auth-int\", algorithm=MD5", "8804a53d3640a40a4f73cea12c5ba451"),
            (
                "qop=auth-int, algorithm=SHA-256",
                "8bdf6f15638e260831e905028de5450562816d093c9bfc5c13d3a46adcdde940",
            ),
            // The others were computed by another implementation of the formula.
            ("algorithm=MD5", "7b2cc3b30e75b4777ea31027084363fd"),
            ("qop=auth, algorithm=MD5-sess", "e783283f46242139c486a698fec7211d"),
            (
                "qop=auth, algorithm=SHA-256-sess",
                "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
            ),
        ] {
            let header = mufasa(parameters).header("GET", "/dir/index.html");
            assert_eq!(part(&header, "response").unwrap(), expected, "{parameters}");
        }
    }

    #[test]
    fn a_user_name_outside_ascii_is_hashed_or_encoded() {
        let text = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                    nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", charset=UTF-8";
        let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm";
        let response = "7a4e1192babbba02e91182d2895bfdbf7adafc6e48d4e517ca301974843d840c";
        let session = |text: &str| {
            DigestSession::new(asked(text).unwrap(), "Jäsøn Doe", "Secret, or not?", cnonce.to_owned())
                .header("GET", "/doe.json")
        };

        let hashed = session(&format!("{text}, userhash=true"));
        assert_eq!(part(&hashed, "response").unwrap(), response);
        assert_eq!(part(&hashed, "userhash").unwrap(), "true");
        assert_eq!(
            part(&hashed, "username").unwrap(),
            "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
        );

        let encoded = session(text);
        assert_eq!(part(&encoded, "response").unwrap(), response);
        assert_eq!(part(&encoded, "username*").unwrap(), "UTF-8''J%C3%A4s%C3%B8n%20Doe");
        assert_eq!(part(&encoded, "username"), None);
    }

    #[test]
    fn what_must_not_be_quoted_is_not() {
        let header = mufasa("qop=\"auth\", algorithm=SHA-256, opaque=\"a\\\"b\"").header("GET", "/x");
        for expected in ["algorithm=SHA-256,", "qop=auth,", "nc=00000001,", "opaque=\"a\\\"b\""] {
            assert!(header.contains(expected), "{expected} in {}", *header);
        }
        assert!(!mufasa("qop=auth").header("GET", "/x").contains("algorithm"));
    }

    #[test]
    fn a_nonce_is_counted_and_a_new_one_is_counted_from_the_start() {
        let mut session = mufasa("qop=auth");
        let count = |session: &mut DigestSession| part(&session.header("GET", "/"), "nc").unwrap();
        assert_eq!(count(&mut session), "00000001");
        assert_eq!(count(&mut session), "00000002");
        assert_eq!(session.answered("nextnonce=\"next\""), Ok(false));
        assert_eq!(count(&mut session), "00000001");
        assert_eq!(part(&session.header("GET", "/"), "nonce").unwrap(), "next");
        let stale = asked("Digest realm=\"http-auth@example.org\", nonce=n3, qop=auth, stale=true").unwrap();
        assert!(stale.stale);
        assert!(session.renew(stale));
        assert_eq!(count(&mut session), "00000001");
    }

    #[test]
    fn a_session_keeps_the_nonce_it_began_with() {
        for (algorithm, expected) in [
            ("MD5-sess", "024890dca8a922796bd6a8324bc748c2"),
            ("SHA-256-sess", "7cd72319fac9ebd5e69582b8298e4769d9f4c1633c2e2d06b914a9d3ca5a8e78"),
        ] {
            let mut session = mufasa(&format!("qop=auth, algorithm={algorithm}"));
            session.answered("nextnonce=\"next\"").unwrap();
            let header = session.header("GET", "/dir/index.html");
            assert_eq!(part(&header, "response").unwrap(), expected, "{algorithm}");
        }
    }

    #[test]
    fn the_servers_own_proof_is_checked() {
        for (algorithm, proof) in [
            ("MD5", "9b712497bc9f91499fbcca1dfc5f09a5"),
            ("SHA-256", "86d3b25618d41854ca5039a5d7e53ff6355d5134a9b1fb088a78ac3c462195a0"),
        ] {
            let answer = |info: &str| {
                let mut session = mufasa(&format!("qop=auth, algorithm={algorithm}"));
                session.header("GET", "/dir/index.html");
                session.answered(info)
            };
            assert_eq!(answer(&format!("rspauth=\"{proof}\", qop=auth")), Ok(true));
            assert_eq!(answer(&format!("rspauth=\"{}\"", proof.to_uppercase())), Ok(true));
            assert_eq!(answer(&format!("rspauth=\"{}\"", proof.replace('a', "b"))), Err(WrongProof));
            assert_eq!(answer("rspauth=\"\""), Err(WrongProof));
            assert_eq!(answer("qop=auth"), Ok(false));
        }
    }

    #[test]
    fn the_strongest_algorithm_that_is_spoken_is_taken() {
        for (offered, expected) in [
            ("Digest realm=a, nonce=1, algorithm=MD5, Digest realm=a, nonce=2, algorithm=SHA-256", Some("2")),
            ("Digest realm=a, nonce=1, algorithm=SHA-256, Digest realm=a, nonce=2, algorithm=MD5", Some("1")),
            ("Digest realm=a, nonce=1, qop=auth, Digest realm=b, nonce=2", Some("1")),
            ("Digest realm=a, nonce=1, algorithm=SHA-999, Digest realm=a, nonce=2", Some("2")),
            ("Digest realm=a, nonce=1, qop=auth-int", Some("1")),
            ("Digest realm=a, nonce=1, qop=\"auth-conf\"", None),
            ("Digest realm=a, nonce=1, algorithm=MD5-sess", None),
            ("Digest realm=a", None),
            ("Digest nonce=1", None),
        ] {
            assert_eq!(asked(offered).map(|challenge| challenge.nonce).as_deref(), expected, "{offered}");
        }
    }

    #[test]
    fn a_body_is_protected_only_where_there_is_none() {
        let session = mufasa("qop=auth-int");
        for (method, needs) in [("GET", false), ("HEAD", false), ("CONNECT", false), ("PUT", true)] {
            assert_eq!(session.needs_a_body(method), needs, "{method}");
        }
        assert!(!mufasa("qop=\"auth-int, auth\"").needs_a_body("PUT"));
        // A proof about the body of the answer is neither right nor wrong yet.
        let mut session = mufasa("qop=auth-int");
        assert!(session.header("GET", "/").contains("qop=auth-int, "));
        assert_eq!(session.answered("rspauth=\"00\", nextnonce=\"next\""), Ok(false));
        assert!(session.header("GET", "/").contains("nonce=\"next\""));
    }

    #[test]
    fn a_stale_challenge_of_another_realm_is_not_the_same_secret() {
        let other = asked("Digest realm=\"elsewhere\", nonce=n, qop=auth, stale=true").unwrap();
        assert!(!mufasa("qop=auth").renew(other));
    }
}
