//! Doors for the fuzz targets: bytes as the other side sends them, and what must hold whatever they
//! are. Nobody else uses this; the corpora are replayed by the crate's tests.

use bits_core::secret::Secret;
use futures_util::FutureExt as _;

use super::binding::ChannelBinding;
use super::challenge::{self, Challenge, Content};
use super::digest::{DigestChallenge, DigestSession};
use super::identity::UserName;
use super::kerberos::recorded;
use super::mechanism::{Incoming, Mechanism as _, PeerProof};
use super::ntlm::NtlmMechanism;
use super::{dns, krb_message, krb5_conf, spnego};

/// A fuzz target: what must hold of these bytes is asserted.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 8] = [
    ("challenges", challenges),
    ("digest", digest),
    ("ntlm", ntlm),
    ("spnego", spnego),
    ("kdc", kdc),
    ("dns", dns),
    ("files", files),
    ("gss", gss),
];

/// The values of `WWW-Authenticate`, one a line.
pub fn challenges(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = challenge::challenges(text.lines());
    for challenge in &found {
        assert!(!challenge.scheme.is_empty());
        // What was read can be said again and reads the same.
        let said = said(challenge);
        assert_eq!(
            challenge::challenges([said.as_str()]).as_slice(),
            std::slice::from_ref(challenge),
            "{said}"
        );
    }
    challenge::parameters(&text);
}

/// A Digest challenge in the first line, and what comes with success in the others.
pub fn digest(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    let offered = challenge::challenges(lines.next());
    let Some(asked) = DigestChallenge::best(&offered) else { return };
    let realm = asked.realm.clone();
    let mut session = DigestSession::new(asked, "user", "secret", "cnonce".to_owned());
    for info in lines {
        let header = session.header("GET", "/");
        // A server's words cannot break out of their quotes.
        let ours = challenge::challenges([header.as_str()]);
        assert_eq!((ours.len(), ours[0].parameter("realm")), (1, Some(realm.as_str())), "{}", *header);
        // A tab may stand between quotes; nothing else may that is not to be seen.
        assert!(!header.contains(|c: char| c.is_control() && c != '\t'));
        let _ = session.answered(info);
    }
}

/// The answer to our first NTLM message, bare and inside Negotiate.
pub fn ntlm(bytes: &[u8]) {
    let (user, password) = (user(), Secret::new("secret".to_owned()));
    let bare = NtlmMechanism::bare("host.test", &user, &password, None);
    let wrapped = NtlmMechanism::in_negotiate("host.test", "HTTP/host.test", &user, &password, None);
    for mechanism in [bare, wrapped] {
        let mut mechanism = mechanism.expect("NTLM begins with any name");
        at_once(mechanism.step(Incoming::Begin)).expect("the first message depends on nothing");
        if at_once(mechanism.step(Incoming::Token(bytes))).is_ok() {
            assert!(mechanism.has_shown_proof());
        }
    }
}

/// A token of the server that comes with success, as Kerberos takes it.
pub fn spnego(bytes: &[u8]) {
    if let Some(token) = spnego::answer(bytes).and_then(|answer| answer.token) {
        let _ = spnego::kerberos_error(token);
    }
    let log_on = recorded::log_on(&[recorded::DEMAND, recorded::LOGON], &[recorded::SERVICE], None);
    let (mut mechanism, _) = at_once(log_on).expect("what a KDC gave is a ticket");
    // Without the service's key nobody can prove to have it.
    assert_ne!(at_once(mechanism.accepted(Some(bytes))), Ok(PeerProof::Proved));
}

/// What a KDC answers.
pub fn kdc(bytes: &[u8]) {
    let _ = krb_message::reply(bytes);
    let _ = krb_message::request(bytes);
    if let Some(demand) = krb_message::demand_of_proof(bytes, "EXAMPLE.TEST") {
        let error = krb_message::error(&demand).expect("what we make can be read");
        assert_eq!(error.number, krb_message::KDC_ERR_PREAUTH_REQUIRED);
    }
    if let Some(changed) = krb_message::logon_for_realm(bytes, "OTHER.TEST")
        && let Some((_, realm)) = krb_message::request(&changed)
    {
        assert_eq!(realm, "OTHER.TEST");
    }
    // In each place of a logon that would have succeeded.
    let _ = at_once(recorded::log_on(&[bytes, recorded::LOGON], &[recorded::SERVICE], None));
    let _ = at_once(recorded::log_on(&[recorded::DEMAND, bytes], &[recorded::SERVICE], None));
    let _ = at_once(recorded::log_on(&[recorded::DEMAND, recorded::LOGON], &[bytes], None));
}

/// The answer of a name server.
pub fn dns(bytes: &[u8]) {
    dns::read_any_answer(bytes);
}

/// A certificate, and a krb5.conf.
pub fn files(bytes: &[u8]) {
    if let Some(binding) = ChannelBinding::of_certificate(bytes) {
        assert!(binding.buffer().len() > 32);
    }
    krb5_conf::read_any(&String::from_utf8_lossy(bytes));
}

/// A message between us and the program that uses tickets, without its head: as either side hears it.
pub fn gss(bytes: &[u8]) {
    let behind_head = |frame: Vec<u8>| frame[bits_gss::HEAD_BYTES..].to_vec();
    let request = bits_gss::Request::read(bytes).map(|message| behind_head(message.to_frame()));
    let answer = bits_gss::Answer::read(bytes).map(|message| behind_head(message.to_frame()));
    // What was read can be said again, and it is a message of one side alone.
    assert!(request.as_ref().is_err() || answer.is_err());
    for said in [request, answer].into_iter().flatten() {
        assert_eq!(said, bytes);
    }
}

fn user() -> UserName {
    UserName::read("user@EXAMPLE.TEST").expect("the name is one")
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing is asked over the network")
}

/// A challenge in the words of a header.
fn said(challenge: &Challenge) -> String {
    let content = match &challenge.content {
        Content::Nothing => String::new(),
        Content::Token(token) => token.clone(),
        Content::Parameters(parameters) => {
            let quoted = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
            let said: Vec<_> = parameters.iter().map(|(n, v)| format!("{n}=\"{}\"", quoted(v))).collect();
            said.join(", ")
        }
    };
    format!("{} {content}", challenge.scheme)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The targets for which every beginning of a file is tried as well. The others derive keys from
    /// a password each time.
    const QUICK: [&str; 6] = ["challenges", "digest", "ntlm", "dns", "files", "gss"];

    #[test]
    fn what_is_in_the_corpora_does_no_harm() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                let bytes = fs::read(&file).unwrap();
                target(&bytes);
                let beginnings = if QUICK.contains(&name) { bytes.len() } else { 0 };
                (0..beginnings).for_each(|end| target(&bytes[..end]));
            }
        }
    }

    #[test]
    fn each_target_is_a_program() {
        let manifest =
            fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}
