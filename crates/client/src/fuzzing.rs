//! Doors for the fuzz targets: bytes as a file or another program has them, and what must hold
//! whatever they are. Nobody else uses this; the corpora are replayed by the crate's tests.

use std::path::{Component, Path};

use bits_core::sources::MIRRORS_MAX;
use zeroize::Zeroizing;

use crate::metalink;
use crate::netrc::Netrc;
use crate::prompt::assuan;

/// A fuzz target: what must hold of these bytes is asserted.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus.
pub const TARGETS: [(&str, Target); 3] =
    [("netrc", netrc), ("assuan", assuan_lines), ("metalink", metalink_file)];

/// A netrc file.
pub fn netrc(bytes: &[u8]) {
    let Ok(netrc) = Netrc::parse(bytes) else { return };
    for user in [None, Some("anna")] {
        if let Some((login, password)) = netrc.lookup("files.example.test", user) {
            assert!(user.is_none_or(|user| user == login));
            // Nothing is made up: what is found was there, but for the escapes of quoted words.
            assert!(login.len() <= bytes.len() && password.expose().len() <= bytes.len());
        }
    }
}

/// A Metalink file.
pub fn metalink_file(bytes: &[u8]) {
    let Ok(files) = metalink::parse(bytes) else { return };
    assert!(!files.is_empty() && files.len() <= metalink::METALINK_FILES_MAX);
    let folder = Path::new("/folder");
    for metalink::MetalinkFile { name, urls, .. } in &files {
        let path = folder.join(name);
        let stays = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        assert!(stays && path.starts_with(folder) && path != folder, "{name:?} stays below its folder");
        assert!(!name.contains(char::is_control));
        assert!(!urls.is_empty() && urls.len() <= MIRRORS_MAX + 1);
        assert!(urls.iter().all(|url| url.local_path().is_none()), "nobody chooses among our files");
    }
}

/// What a pinentry answers to one command, line by line.
pub fn assuan_lines(bytes: &[u8]) {
    let mut answer = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(assuan::Reply::Data(data)) = assuan::parse(line) {
            let before = answer.len();
            if assuan::decode_onto(&mut answer, data).is_ok() {
                assert!(answer.len() - before <= data.len(), "it is decoded to no more than it was");
            }
            assert_eq!(answer.capacity(), bytes.len(), "it has never moved");
        }
    }
    // What we send of it is one line.
    let text = String::from_utf8_lossy(&answer);
    if let Some(line) = assuan::command("SETDESC", &text) {
        assert_eq!(line.find('\n'), Some(line.len() - 1));
        assert!(line.len() <= assuan::LINE_BYTES_MAX + 1);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_in_the_corpora_does_no_harm() {
        for (name, target) in TARGETS {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
            let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                let bytes = fs::read(&file).unwrap();
                (0..=bytes.len()).for_each(|end| target(&bytes[..end]));
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
