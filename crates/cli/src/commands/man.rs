//! `bits man`: the same words as the help, as pages for `man`, one for each command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, line_break, roman};

use crate::arguments::{Arguments, Manual};
use crate::exit::Failure;
use crate::output::Output;

/// As in the README.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "Done. For get: the job is acknowledged and the files are in place."),
    ("1", "The job is in ERROR and stays in the queue, or what was asked for cannot be done here."),
    ("2", "Usage."),
    ("3", "The service cannot be reached or started."),
    ("4", "The service refused; its code and sentence are printed."),
    ("5", "You cancelled at the prompt."),
    ("6", "The time of --max-time is over; the job goes on."),
    ("7", "The job was cancelled or suspended by somebody else."),
    ("130", "Ctrl-C."),
];

const FILES: &[(&str, &str)] = &[
    (
        "$XDG_STATE_HOME/bits/",
        "Queue, sealed credentials, socket and log; ~/.local/state where it is not set.",
    ),
    (
        "$XDG_CONFIG_HOME/bits/config.toml",
        "Settings; ~/.config where it is not set. After /etc/bits/config.toml.",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("BITS_SOCKET", "The socket of the service. Then none is started."),
    ("http_proxy, https_proxy, all_proxy, no_proxy", "Go along with each job that is made."),
    ("KRB5CCNAME, KRB5_CONFIG", "The same."),
];

pub(super) fn run(manual: &Manual, output: &Output) -> Result<(), Failure> {
    let folder = &manual.folder;
    let cannot = |path: &Path, error: io::Error| Failure::System(format!("{}: {error}", path.display()));
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let mut count = 0;
    for page in pages(command) {
        let (path, written) = write_page(folder, page);
        written.map_err(|error| cannot(&path, error))?;
        count += 1;
    }
    output.say(&format!("{count} pages are in {}", folder.display()));
    Ok(())
}

/// The command and all below it.
fn pages(command: clap::Command) -> Vec<clap::Command> {
    let below = command.get_subcommands().filter(|each| !each.is_hide_set()).cloned().collect::<Vec<_>>();
    let mut all = vec![command];
    all.extend(below.into_iter().flat_map(pages));
    all
}

fn write_page(folder: &Path, command: clap::Command) -> (PathBuf, io::Result<()>) {
    let whole = command.get_display_name().unwrap_or_else(|| command.get_name()) == "bits";
    let usage = command.clone().render_usage().to_string();
    let has_below = command.get_subcommands().any(|each| !each.is_hide_set());
    let man = Man::new(command).manual("OpenBITS").source(concat!("OpenBITS ", env!("CARGO_PKG_VERSION")));
    let path = folder.join(man.get_filename());
    let render = || {
        let mut file = Vec::new();
        man.render_title(&mut file)?;
        man.render_name_section(&mut file)?;
        synopsis(&usage).to_writer(&mut file)?;
        man.render_description_section(&mut file)?;
        man.render_options_section(&mut file)?;
        if has_below {
            man.render_subcommands_section(&mut file)?;
        }
        let mut rest = Roff::new();
        list(&mut rest, "EXIT STATUS", EXIT_STATUS);
        if whole {
            list(&mut rest, "ENVIRONMENT", ENVIRONMENT);
            list(&mut rest, "FILES", FILES);
        } else {
            rest.control("SH", ["SEE ALSO"]).text([bold("bits"), roman("(1)")]);
        }
        rest.to_writer(&mut file)?;
        fs::write(&path, in_ascii(&String::from_utf8_lossy(&file)))
    };
    let written = render();
    (path, written)
}

/// Other characters by their number: what else they are depends on who reads the page.
fn in_ascii(page: &str) -> String {
    let escaped = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) };
    page.chars().map(escaped).collect()
}

/// As the help has it: each form on a line of its own.
fn synopsis(usage: &str) -> Roff {
    let mut roff = Roff::new();
    let forms = usage.trim_start_matches("Usage:").lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines: Vec<Inline> = Vec::new();
    for form in forms {
        if !lines.is_empty() {
            lines.push(line_break());
        }
        // The words to be typed as they are come first.
        let is_fixed = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
        let fixed: Vec<&str> = form.split(' ').take_while(is_fixed).collect();
        let fixed = fixed.join(" ");
        lines.push(bold(fixed.clone()));
        lines.push(italic(form[fixed.len()..].to_owned()));
    }
    roff.control("SH", ["SYNOPSIS"]).text(lines);
    roff
}

fn list(roff: &mut Roff, heading: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (word, meaning) in entries {
        roff.control("TP", []).text([bold(*word)]).text([roman(*meaning)]);
    }
}
