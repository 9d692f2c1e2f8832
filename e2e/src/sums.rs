//! SHA-256 of files, to compare what arrived with what was sent.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// How much of a file is in memory at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The SHA-256 of the file at `path`, in lower-case hex.
///
/// # Panics
/// When the file cannot be read.
#[track_caller]
pub fn sha256(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    let hash = hash(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hash.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a string takes what is written to it");
        hex
    })
}

fn hash(path: &Path) -> std::io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hash.finalize().into()),
            length => hash.update(&chunk[..length]),
        }
    }
}
