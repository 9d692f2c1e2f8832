//! The files of the repository: all below its root but what git and cargo keep there, and what
//! others wrote.

use std::fs;
use std::path::{Path, PathBuf};

/// A file that is text.
pub(crate) struct TextFile {
    /// From the root, with slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root").to_owned()
}

/// The text of one file.
#[track_caller]
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files that are text and whose name ends in `suffix`.
pub(crate) fn files(suffix: &str) -> Vec<TextFile> {
    let mut paths = Vec::new();
    collect(&root(), &mut paths);
    paths.sort();
    let root = root();
    let texts = paths.into_iter().filter_map(|path| {
        let name = path.strip_prefix(&root).expect("it was found there").to_str()?.to_owned();
        // What is no UTF-8 is no text of ours.
        let text = name.ends_with(suffix).then(|| fs::read_to_string(&path).ok())??;
        Some(TextFile { path: name, text })
    });
    texts.collect()
}

/// Folders that hold nothing of ours: our rules are not theirs.
const NOT_OURS: [&str; 3] = ["target", ".git", "third_party"];

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries {
        let entry = entry.expect("an entry can be read");
        let (name, kind) = (entry.file_name(), entry.file_type().expect("an entry has a type"));
        if kind.is_dir() {
            if !NOT_OURS.iter().any(|not_ours| name == *not_ours) {
                collect(&entry.path(), paths);
            }
        } else if kind.is_file() && name != ".git" {
            paths.push(entry.path());
        }
    }
}
