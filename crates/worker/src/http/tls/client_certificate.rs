//! The certificate by which the owner shows a server who it is (`bits.md` §1.7, §6.8): PEM or PKCS#12
//! files, or a folder of such files.
//!
//! Looked up when an attempt first needs it, with the owner's rights. Whether it is still good is for
//! the server to say.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bits_core::error::Code;
use bits_core::http_options::ClientCertificate;
use bits_core::secret::Secret;
use p12_keystore::{KeyStore, Pkcs12ImportPolicy};
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::x509::{self, Certificate};

/// Bytes a file with certificate and key may have; a long chain has ten thousand.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Files of a folder that are looked at.
const FOLDER_FILES_MAX: usize = 1000;
/// How files with certificates are called in a folder.
const EXTENSIONS: [&str; 5] = ["pem", "crt", "cer", "p12", "pfx"];

/// Why there is no certificate to show.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(in crate::http) struct CertificateError {
    pub(in crate::http) code: Code,
    message: String,
}

impl CertificateError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn unreadable(path: &Path, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Code::FILE_NOT_FOUND,
            io::ErrorKind::PermissionDenied => Code::ACCESS_DENIED,
            _ => Code::CLIENT_KEY_UNUSABLE,
        };
        Self::new(code, format!("the client certificate in {} cannot be read: {error}", path.display()))
    }

    fn unusable(path: &Path, why: &str) -> Self {
        Self::new(
            Code::CLIENT_KEY_UNUSABLE,
            format!("the client certificate in {} cannot be used: {why}", path.display()),
        )
    }

    fn locked(path: &Path, passphrase: Option<&Secret>) -> Self {
        let why = match passphrase {
            Some(_) => "the passphrase does not open it",
            None => "it wants a passphrase, and the job has none",
        };
        Self::new(
            Code::WRONG_PASSPHRASE,
            format!("the key of the client certificate in {} cannot be read: {why}", path.display()),
        )
    }
}

/// The certificate that `which` means, with its key.
pub(super) fn load(
    which: &ClientCertificate,
    passphrase: Option<&Secret>,
) -> Result<CertifiedKey, CertificateError> {
    match which {
        ClientCertificate::File { path, key } => {
            open(Path::new(path), key.as_deref().map(Path::new), passphrase)
        }
        ClientCertificate::ById { folder, fingerprint } => {
            let is_it = |certificate: &CertificateDer<'_>| match fingerprint.len() {
                20 => Sha1::digest(certificate).as_slice() == fingerprint,
                _ => Sha256::digest(certificate).as_slice() == fingerprint,
            };
            let shown: String = fingerprint.iter().map(|byte| format!("{byte:02x}")).collect();
            find(Path::new(folder), &format!("the fingerprint {shown}"), passphrase, is_it)
        }
        ClientCertificate::ByName { folder, subject } => {
            let wanted = subject.to_lowercase();
            let is_it = |certificate: &CertificateDer<'_>| {
                let Some(read) = Certificate::read(certificate) else { return false };
                let mut values = read.subject_values();
                let as_encoded = values.join(", ").to_lowercase();
                values.reverse();
                let is_named =
                    as_encoded.contains(&wanted) || values.join(", ").to_lowercase().contains(&wanted);
                is_named && read.may_serve(x509::CLIENT_AUTH)
            };
            find(Path::new(folder), &format!("`{subject}` in its subject"), passphrase, is_it)
        }
    }
}

/// The first certificate in `folder`, by the names of the files, for which `is_it`.
fn find(
    folder: &Path,
    what: &str,
    passphrase: Option<&Secret>,
    is_it: impl Fn(&CertificateDer<'_>) -> bool,
) -> Result<CertifiedKey, CertificateError> {
    let entries = fs::read_dir(folder).map_err(|error| CertificateError::unreadable(folder, &error))?;
    let has_certificates = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|found| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(found)))
    };
    let paths = entries.take(FOLDER_FILES_MAX).filter_map(|entry| entry.ok()).map(|entry| entry.path());
    let mut paths: Vec<_> = paths.filter(has_certificates).collect();
    paths.sort();
    let mut locked = 0_u32;
    for path in &paths {
        let Ok(bytes) = read(path) else { continue };
        let found = match contents(path, &bytes, passphrase) {
            Ok(found) => found,
            Err(error) => {
                locked += u32::from(error.code == Code::WRONG_PASSPHRASE);
                continue;
            }
        };
        if found.chain.first().is_some_and(&is_it) {
            let beside = path.with_extension("key");
            let key = (!is_pkcs12(&bytes) && beside.is_file()).then_some(beside);
            return open(path, key.as_deref(), passphrase);
        }
    }
    let also = match locked {
        0 => String::new(),
        count => format!("; {count} files could not be opened without the right passphrase"),
    };
    Err(CertificateError::new(
        Code::CERTIFICATE_NOT_FOUND,
        format!("no client certificate with {what} is in {}{also}", folder.display()),
    ))
}

fn open(
    path: &Path,
    key_path: Option<&Path>,
    passphrase: Option<&Secret>,
) -> Result<CertifiedKey, CertificateError> {
    let bytes = read(path)?;
    let Contents { chain, mut key } = contents(path, &bytes, passphrase)?;
    if chain.is_empty() {
        return Err(CertificateError::unusable(path, "no certificate is in it"));
    }
    if let Some(key_path) = key_path {
        key = key_in(key_path, &read(key_path)?, passphrase)?;
    }
    let mut key = key.ok_or_else(|| CertificateError::unusable(path, "no key is with it"))?;
    let signing = rustls::crypto::ring::sign::any_supported_type(&key);
    key.zeroize();
    let signing =
        signing.map_err(|_| CertificateError::unusable(path, "its key is of a kind that is not served"))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(_) => Err(CertificateError::unusable(path, "certificate and key do not belong together")),
    }
}

/// What is in a file.
struct Contents {
    chain: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
}

fn contents(path: &Path, bytes: &[u8], passphrase: Option<&Secret>) -> Result<Contents, CertificateError> {
    if is_pkcs12(bytes) {
        return pkcs12(path, bytes, passphrase);
    }
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
    let chain = chain.map_err(|error| CertificateError::unusable(path, &error.to_string()))?;
    Ok(Contents { chain, key: key_in(path, bytes, passphrase)? })
}

/// The key in a PEM file, if there is one.
fn key_in(
    path: &Path,
    bytes: &[u8],
    passphrase: Option<&Secret>,
) -> Result<Option<PrivateKeyDer<'static>>, CertificateError> {
    if let Some(sealed) = sealed_key(bytes) {
        let sealed = sealed.ok_or_else(|| CertificateError::unusable(path, "its key is damaged"))?;
        let sealed = EncryptedPrivateKeyInfoRef::try_from(sealed.as_slice())
            .map_err(|_| CertificateError::unusable(path, "its key is damaged"))?;
        let locked = || CertificateError::locked(path, passphrase);
        let opened = sealed.decrypt(passphrase.ok_or_else(locked)?.expose()).map_err(|_| locked())?;
        return Ok(Some(PrivatePkcs8KeyDer::from(opened.as_bytes().to_vec()).into()));
    }
    if holds(bytes, b"Proc-Type: 4,ENCRYPTED") {
        let why = "its key is encrypted in an old way; `openssl pkcs8 -topk8` writes it anew";
        return Err(CertificateError::unusable(path, why));
    }
    match PrivateKeyDer::from_pem_slice(bytes) {
        Ok(key) => Ok(Some(key)),
        Err(rustls::pki_types::pem::Error::NoItemsFound) => Ok(None),
        Err(error) => Err(CertificateError::unusable(path, &error.to_string())),
    }
}

/// The first encrypted key of a PEM file, decoded; `Some(None)` when it is damaged.
fn sealed_key(bytes: &[u8]) -> Option<Option<Zeroizing<Vec<u8>>>> {
    const BEGIN: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----";
    let text = std::str::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once(BEGIN)?;
    let Some((body, _)) = rest.split_once("-----END") else { return Some(None) };
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    Some(STANDARD.decode(body).ok().map(Zeroizing::new))
}

/// The library leaves its copies of the key to the allocator; ours are wiped.
fn pkcs12(path: &Path, bytes: &[u8], passphrase: Option<&Secret>) -> Result<Contents, CertificateError> {
    let opened =
        KeyStore::from_pkcs12(bytes, passphrase.map_or("", Secret::expose), Pkcs12ImportPolicy::Relaxed);
    let store = match opened {
        Ok(store) => store,
        Err(p12_keystore::error::Error::MacError(_) | p12_keystore::error::Error::Pkcs5Error(_)) => {
            return Err(CertificateError::locked(path, passphrase));
        }
        Err(error) => return Err(CertificateError::unusable(path, &error.to_string())),
    };
    let Some((_, chain)) = store.private_key_chain() else {
        return Err(CertificateError::unusable(path, "no certificate with its key is in it"));
    };
    Ok(Contents {
        chain: chain.certs().iter().map(|shown| CertificateDer::from(shown.as_der().to_vec())).collect(),
        key: Some(PrivatePkcs8KeyDer::from(chain.key().as_der().to_vec()).into()),
    })
}

/// PKCS#12 is DER, which begins with a sequence; PEM is text.
fn is_pkcs12(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x30)
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
    let failed = |error: io::Error| CertificateError::unreadable(path, &error);
    let metadata = fs::metadata(path).map_err(failed)?;
    // A pipe or a device could keep us waiting for ever.
    if !metadata.is_file() {
        return Err(CertificateError::unusable(path, "it is no file"));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(CertificateError::unusable(path, "the file is too large"));
    }
    fs::read(path).map(Zeroizing::new).map_err(failed)
}
