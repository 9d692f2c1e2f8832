//! What can be seen of a client certificate before a job runs into it: that its files are there, and
//! have in them what they should.
//!
//! Nothing is parsed beyond the labels of PEM, and no key is opened: the service does that, and says what
//! else is wrong.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bits_client::api::http_options::ClientCertificate;
use zeroize::Zeroizing;

/// Bytes of a file that are looked at, as many as the service takes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What is wrong with what was named; each is a sentence for a person.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// It cannot serve.
    Unusable(String),
    /// It serves where a passphrase is given.
    Locked(String),
}

/// Looks at the files of `which`.
///
/// # Errors
/// [`Wrong`].
pub(crate) fn look_at(which: &ClientCertificate) -> Result<(), Wrong> {
    match which {
        ClientCertificate::None => Ok(()),
        ClientCertificate::ById { folder, .. } | ClientCertificate::ByName { folder, .. } => {
            match std::fs::read_dir(folder) {
                Ok(_) => Ok(()),
                Err(error) => Err(Wrong::Unusable(format!(
                    "the folder {folder} of client certificates cannot be read: {error}"
                ))),
            }
        }
        ClientCertificate::File { path, key } => {
            let bytes = read(path)?;
            if is_pkcs12(&bytes) && key.is_none() {
                return Ok(());
            }
            if !is_pkcs12(&bytes) && !holds(&bytes, "-----BEGIN CERTIFICATE-----") {
                return unusable(path, "no certificate is in it; it has to be PEM or PKCS#12");
            }
            match key {
                None => look_at_key(path, &bytes, "no key is with it; name its file behind a comma"),
                Some(key) => look_at_key(key, &read(key)?, "no key is in it"),
            }
        }
    }
}

fn look_at_key(path: &str, bytes: &[u8], missing: &str) -> Result<(), Wrong> {
    if holds(bytes, "Proc-Type: 4,ENCRYPTED") {
        return unusable(path, "its key is encrypted in an old way; `openssl pkcs8 -topk8` writes it anew");
    }
    if holds(bytes, "-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(Wrong::Locked(format!("the key of the client certificate in {path} wants a passphrase")));
    }
    match holds(bytes, "PRIVATE KEY-----") {
        true => Ok(()),
        false => unusable(path, missing),
    }
}

fn unusable(path: &str, why: &str) -> Result<(), Wrong> {
    Err(Wrong::Unusable(format!("the client certificate in {path} cannot be used: {why}")))
}

/// What is in the file. It may hold a key, so it is wiped.
fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Wrong> {
    let failed = |error| Wrong::Unusable(format!("the client certificate in {path} cannot be read: {error}"));
    // A pipe or a device could keep us waiting for ever.
    if !std::fs::metadata(Path::new(path)).map_err(failed)?.is_file() {
        return unusable(path, "it is no file").map(|()| Zeroizing::default());
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// PKCS#12 is DER, which begins with a sequence; PEM is text.
fn is_pkcs12(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

fn holds(bytes: &[u8], label: &str) -> bool {
    bytes.windows(label.len()).any(|window| window == label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    const LOCKED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n";
    const OLD: &str = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n";

    #[test]
    fn what_a_certificate_lacks_is_said_with_the_name_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
        let both = [CERTIFICATE, KEY].concat();
        let locked = [CERTIFICATE, LOCKED].concat();
        for (name, text) in [
            ("bare.pem", CERTIFICATE),
            ("both.pem", &both),
            ("locked.pem", &locked),
            ("key.pem", KEY),
            ("old.pem", OLD),
            ("text", "hello"),
            ("me.p12", "0\u{2}"),
        ] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        for (name, key, says) in [
            ("both.pem", None, "good"),
            ("bare.pem", Some("key.pem"), "good"),
            ("me.p12", None, "good"),
            ("bare.pem", None, "bare.pem cannot be used: no key is with it"),
            ("bare.pem", Some("text"), "text cannot be used: no key is in it"),
            ("bare.pem", Some("old.pem"), "old.pem cannot be used: its key is encrypted in an old way"),
            ("text", None, "text cannot be used: no certificate is in it"),
            ("none.pem", None, "none.pem cannot be read: No such file"),
            ("bare.pem", Some("none.key"), "none.key cannot be read: No such file"),
            ("", None, "cannot be used: it is no file"),
            ("locked.pem", None, "locked: the key of the client certificate in"),
        ] {
            let which = ClientCertificate::File { path: path(name), key: key.map(path) };
            let said = match look_at(&which) {
                Ok(()) => "good".to_owned(),
                Err(Wrong::Unusable(sentence)) => sentence,
                Err(Wrong::Locked(sentence)) => format!("locked: {sentence}"),
            };
            assert!(said.contains(says), "{name} {key:?}: {said}");
        }
        let by_name = |folder: String| ClientCertificate::ByName { folder, subject: "me".to_owned() };
        assert_eq!(look_at(&by_name(path(""))), Ok(()));
        assert!(matches!(look_at(&by_name(path("nowhere"))), Err(Wrong::Unusable(_))));
    }
}
