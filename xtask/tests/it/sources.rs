//! How a source file is named, begins, and ends before it is too long; and what stands in none.

use crate::rust::{code, has_word};
use crate::tree::{TextFile, files};

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] =
    &["common", "helper", "helpers", "manager", "managers", "misc", "mod", "util", "utils"];

/// Beyond this a file hides a second noun.
const LINES_MAX: usize = 1000;

/// What stands in no source file, and what to do instead.
const NEVER_WRITTEN: &[(&str, &str)] = &[
    ("todo!", "say what is missing where it is offered, or leave it out"),
    ("unimplemented!", "say what is missing where it is offered, or leave it out"),
    ("dbg!", "a log line has a level and a reader"),
    ("#[ignore", "assert what is, with a note on what ought to be"),
    ("#[should_panic", "assert what is, with a note on what ought to be"),
];

#[test]
fn every_source_file_begins_with_what_it_is_for() {
    check(|file| !file.text.starts_with("//! "), "does not begin with `//! `");
}

#[test]
fn a_file_is_named_for_what_is_in_it() {
    let stem = |file: &TextFile| {
        let name = file.path.rsplit('/').next().expect("a path has a last part");
        name.trim_end_matches(".rs").to_owned()
    };
    check(|file| EMPTY_NAMES.contains(&stem(file).as_str()), "has a name that says nothing");
}

#[test]
fn no_file_is_so_long_that_it_hides_a_second_noun() {
    check(|file| file.text.lines().count() > LINES_MAX, "is longer than 1,000 lines");
}

#[test]
fn unsafe_is_written_in_platform_alone() {
    let at_home = |file: &TextFile| file.path.starts_with("crates/platform/");
    check(
        |file| !at_home(file) && has_word(&code(&file.text), "unsafe"),
        "is not platform's and has `unsafe`",
    );
    assert!(files(".rs").iter().any(|file| at_home(file) && has_word(&code(&file.text), "unsafe")));
}

#[test]
fn only_platform_looks_at_the_operating_system() {
    check(
        |file| !file.path.starts_with("crates/platform/") && has_word(&code(&file.text), "target_os"),
        "is not platform's and looks at `target_os`",
    );
}

#[test]
fn what_is_unfinished_or_switched_off_is_not_there() {
    for (pattern, instead) in NEVER_WRITTEN {
        let what = format!("has `{pattern}`: {instead}");
        check(|file| code(&file.text).contains(pattern), &what);
    }
}

#[track_caller]
fn check(is_wrong: impl Fn(&TextFile) -> bool, what: &str) {
    let sources = files(".rs");
    assert!(sources.len() > 50, "only {} source files were found", sources.len());
    let wrong: Vec<_> =
        sources.iter().filter(|file| is_wrong(file)).map(|file| format!("{} {what}", file.path)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
