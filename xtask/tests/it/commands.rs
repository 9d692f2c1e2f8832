//! The commands that the documents tell people to type: each program is there, and takes the flags
//! that are shown.

use bits_e2e::{Run, program};

use crate::documents::code_font;
use crate::tree::{files, read, root};

/// Where people are told to run scripts of ours, from the root.
const PAGES: &[&str] = &["README.md", "CONTRIBUTING.md"];

/// Commands of `bits` that have commands below them.
const GROUPS: &[&str] = &["credentials", "service", "config"];

#[test]
fn scripts_that_are_named_are_there() {
    let mut count = 0;
    for page in PAGES {
        for command in commands(&read(page)) {
            let words = command.split_whitespace().skip_while(|word| *word == "bash");
            let Some(script) = words.take(1).find(|word| word.contains('/')) else { continue };
            count += 1;
            assert!(root().join(script).is_file(), "{page}: {command}: {script} is not there");
        }
    }
    assert!(count >= 3, "only {count} scripts were found");
}

#[test]
fn commands_of_bits_exist_and_take_the_flags_that_are_shown() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files(".md") {
        let (text, page) = (page.text, page.path);
        for command in commands(&text).into_iter().chain(code_font(&text).map(str::to_owned)) {
            let mut words = command.split_whitespace();
            if words.next() != Some("bits") {
                continue;
            }
            let arguments: Vec<&str> = words.collect();
            if arguments.is_empty() {
                continue;
            }
            count += 1;
            let depth = if arguments.first().is_some_and(|word| GROUPS.contains(word)) { 2 } else { 1 };
            let help = Run::new(program("bits")).args(arguments.iter().take(depth)).arg("--help").finish();
            if help.code != Some(0) {
                wrong.push(format!("{page}: {command}: there is no such command"));
            }
            for flag in arguments.iter().filter(|word| word.starts_with("--")) {
                let has_flag = help.stdout.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                if !has_flag.into_iter().any(|word| word == *flag) {
                    wrong.push(format!("{page}: {command}: there is no {flag}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 10, "only {count} commands were found");
}

#[test]
fn the_same_rust_is_asked_for_everywhere() {
    let manifest: toml::Table = read("Cargo.toml").parse().expect("a manifest is TOML");
    let version = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version");
    for (file, says) in [
        ("tests/prepare.sh", format!("rust_version={version} ")),
        ("README.md", format!("cargo {version} or newer")),
        ("CONTRIBUTING.md", format!("cargo {version} or newer")),
        ("first-job", format!("cargo {version} or newer")),
    ] {
        assert!(read(file).contains(&says), "{file} does not say `{says}`");
    }
}

/// The commands in the shell examples of a page.
fn commands(page: &str) -> Vec<String> {
    let mut in_shell = false;
    let mut commands = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            in_shell = line == "```sh";
        } else if in_shell {
            let line = line.replace("$(", "\n").replace("&&", "\n").replace("||", "\n");
            let parts = line.split(['\n', ';', '|', '(', ')', '{', '}']);
            commands.extend(parts.map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()));
        }
    }
    commands
}
