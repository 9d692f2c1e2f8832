//! Every parser of foreign bytes has a fuzz target, and every target a corpus that the tests replay.

use std::collections::BTreeSet;

use crate::tree::{files, read, root};

/// The rows of the table in docs/reliability.md: a target, and where its bytes are read.
fn documented() -> Vec<(String, Vec<String>)> {
    let page = read("docs/reliability.md");
    let (_, section) = page.split_once("\n### Fuzzing\n").expect("there is a section");
    let section = section.split("\n### ").next().unwrap_or_default();
    let in_backticks = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').collect();
            let name = in_backticks(cells[0]).pop().expect("a name");
            (name, in_backticks(cells.last().expect("a cell")))
        })
        .collect()
}

/// The names of what is in the folder `path`, without their endings.
fn stems(path: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let stem = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        path.file_stem().expect("a name").to_string_lossy().into_owned()
    };
    entries.map(stem).collect()
}

#[test]
fn every_target_is_documented_is_a_program_and_has_a_corpus_that_is_not_empty() {
    let documented: BTreeSet<String> = documented().into_iter().map(|(name, _)| name).collect();
    let manifest: toml::Table = read("fuzz/Cargo.toml").parse().expect("a manifest");
    let programs = manifest["bin"].as_array().expect("programs").iter();
    let programs: BTreeSet<String> =
        programs.map(|program| program["name"].as_str().expect("a name").to_owned()).collect();
    assert!(programs.len() >= 17, "{programs:?}");
    assert_eq!(stems("fuzz/fuzz_targets"), programs);
    assert_eq!(stems("fuzz/corpus"), programs);
    assert_eq!(documented, programs, "docs/reliability.md has a row for each");
    for name in &programs {
        let corpus = std::fs::read_dir(root().join("fuzz/corpus").join(name)).expect("a corpus");
        let sizes = corpus.map(|entry| entry.expect("an entry").metadata().expect("it can be read").len());
        assert!(sizes.filter(|size| *size > 0).count() > 0, "{name} has something to begin with");
    }
}

/// That a corpus is replayed is a test of the crate that the target is of; here it is seen that there is
/// one, and that it is for this target.
#[test]
fn every_corpus_is_replayed_by_a_test_of_its_crate() {
    let doors: Vec<_> = files(".rs").into_iter().filter(|file| file.path.ends_with("/fuzzing.rs")).collect();
    for name in stems("fuzz/fuzz_targets") {
        let target = read(&format!("fuzz/fuzz_targets/{name}.rs"));
        let call = target.split("fuzz_target!(|bytes: &[u8]| ").nth(1).expect("it calls a door");
        let (path, _) = call.split_once("(bytes)").expect("with the bytes");
        let (krate, function) =
            (path.split("::").next().expect("a crate"), path.rsplit("::").next().expect("a function"));
        let folder = format!("crates/{}/", krate.strip_prefix("bits_").expect("one of ours"));
        let replays = |text: &str| {
            let is_listed = text.contains(&format!("(\"{name}\", {function})"))
                || text.contains(&format!("fuzz/corpus/{name}\""));
            is_listed
                && text.contains(&format!("pub fn {function}(bytes: &[u8])"))
                && text.contains("#[test]")
        };
        let door = doors.iter().find(|file| file.path.starts_with(&folder) && replays(&file.text));
        assert!(door.is_some(), "{name}: no fuzzing.rs of {folder} replays its corpus");
    }
}

#[test]
fn what_is_said_to_be_read_by_a_target_is_there() {
    for (name, places) in documented() {
        assert!(!places.is_empty(), "{name} says where its bytes are read");
        for place in places {
            assert!(root().join(&place).is_file(), "{name}: {place} is not there");
        }
    }
}
