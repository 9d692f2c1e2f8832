//! The commands that the documents tell people to type: each program is there, and takes the flags
//! that are shown.

use std::io::Write as _;

use bits_e2e::{Run, Service, program};
use clap::Command;
use clap::error::ErrorKind;
use xtask::command_page::command_line;

use crate::documents::code_font;
use crate::tree::{files, read, root};

/// Where people are told to run scripts of ours, from the root.
const PAGES: &[&str] = &["README.md", "CONTRIBUTING.md"];

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
    let root = command_line();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files(".md") {
        let (text, page) = (page.text, page.path);
        for command in commands(&text).into_iter().chain(code_font(&text).map(str::to_owned)) {
            let mut words = command.split_whitespace();
            if words.next() != Some("bits") {
                continue;
            }
            count += 1;
            let (found, rest) = descend(&root, words.collect());
            // What is in capitals stands for any.
            let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
            if let Some(word) = rest.first().filter(|word| found.has_subcommands() && is_name(word)) {
                wrong.push(format!("{page}: {command}: there is no command {word}"));
            }
            for flag in rest.iter().filter_map(|word| word.strip_prefix("--")).filter(|flag| !flag.is_empty())
            {
                let name = flag.split(['=', ',', '.']).next().expect("a text has a first part");
                if !found.get_arguments().any(|arg| arg.get_long() == Some(name)) {
                    wrong.push(format!("{page}: {command}: there is no --{name}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 100, "only {count} commands were found");
}

#[test]
fn examples_of_bits_are_understood() {
    let root = command_line();
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in files(".md") {
        // Three dots stand for what is left out.
        for command in commands(&page.text).into_iter().filter(|command| !command.contains('…')) {
            let words = words(&command);
            if words.first().is_none_or(|word| word != "bits") || words.len() == 1 {
                continue;
            }
            count += 1;
            if let Err(error) = root.clone().try_get_matches_from(words)
                && !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
            {
                wrong.push(format!("{}: {command}: {error}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "only {count} examples were found");
}

#[test]
fn every_command_has_a_page_for_man_and_is_completed_by_every_shell() {
    let world = Service::new();
    let folder = world.file("man");
    Run::new(program("bits")).arg("man").arg(&folder).finish().expect_code(0);
    let mut commands = vec!["bits".to_owned()];
    collect(&command_line(), "bits", &mut commands);
    let mut pages: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder was made")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    pages.sort();
    let mut wanted: Vec<String> = commands.iter().map(|name| name.replace(' ', "-") + ".1").collect();
    wanted.sort();
    assert_eq!(pages, wanted);
    for page in &pages {
        let text = std::fs::read_to_string(folder.join(page)).expect("text");
        let parts = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"];
        for part in parts.map(|part| format!("\n.SH {part}").replace("EXIT STATUS", "\"EXIT STATUS\"")) {
            assert!(text.contains(&part), "{page} has no {part}");
        }
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = Run::new(program("bits")).args(["completions", shell]).finish().expect_code(0).stdout;
        for name in commands.iter().flat_map(|name| name.split(' ')) {
            assert!(script.contains(name), "{shell} does not complete {name}");
        }
    }
    if !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|at| at.join("groff").exists())
    {
        let _ = writeln!(std::io::stderr(), "skipped: whether the pages are good roff: there is no groff");
        return;
    }
    for page in pages {
        let read = Run::new("groff").args(["-ww", "-man", "-Tutf8", "-z"]).arg(folder.join(page)).finish();
        assert_eq!((read.code, read.stderr.as_str()), (Some(0), ""), "{read}");
    }
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

/// The command that the first words name, and the words after these.
fn descend<'a, 'b>(command: &'a Command, words: Vec<&'b str>) -> (&'a Command, Vec<&'b str>) {
    match words.first().and_then(|word| command.find_subcommand(word)) {
        Some(below) => descend(below, words[1..].to_vec()),
        None => (command, words),
    }
}

/// All commands below `command`, as they are typed.
fn collect(command: &Command, name: &str, all: &mut Vec<String>) {
    for below in command.get_subcommands().filter(|each| each.get_name() != "help" && !each.is_hide_set()) {
        let name = format!("{name} {}", below.get_name());
        all.push(name.clone());
        collect(below, &name, all);
    }
}

/// The words of a command as a shell sees them, without what it does with them.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = command.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('#', None) if word.is_none() => break,
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', None) => word.get_or_insert_default().extend(rest.next()),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    // Where output goes is the shell's.
    let end = words.iter().position(|word| word.starts_with(['>', '<'])).unwrap_or(words.len());
    words.truncate(end);
    words
}
