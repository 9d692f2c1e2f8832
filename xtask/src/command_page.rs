//! `docs/commands.md`, made from what the command line parses.
//!
//! It describes; whether an example parses is asked of the same [`command_line`].

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use crate::typed::arguments;

/// Where the page is, from the root of the repository.
pub const PATH: &str = "docs/commands.md";

const HEAD: &str = "\
<!-- Made by `cargo xtask manual` from crates/cli/src/arguments.rs; not edited by hand. -->

# Every command

What `bits` understands, command by command; `bits COMMAND --help` says the same, and `bits man DIR` writes
it as pages for `man`. JOB is a job's id, the beginning of one (four characters or more), or its name.

## Exit codes

| Code | Meaning |
|---|---|
| 0 | done; for `get`: the job is acknowledged and the files are in place |
| 1 | the job is in ERROR; the message says what, where, and what to do. It stays in the queue. Of `bits service doctor`: something is bad |
| 2 | usage: the words cannot be meant, or a file that they name cannot be used |
| 3 | the service cannot be reached or started |
| 4 | the service refused; its code and sentence are printed |
| 5 | you cancelled at the prompt |
| 6 | `--max-time` is over; the job goes on |
| 7 | the job was cancelled or suspended by somebody else |
| 130 | Ctrl-C |
";

/// The command line, as `clap` has it.
pub fn command_line() -> Command {
    let mut command = arguments::Arguments::command();
    command.build();
    command
}

/// The page as it should be.
pub fn page() -> String {
    let command = command_line();
    let mut page = HEAD.to_owned();
    page.push_str("\n## Flags of every command\n\n");
    table(&mut page, &command.get_arguments().filter(|arg| is_shown(arg)).collect::<Vec<_>>());
    for each in commands(&command) {
        describe(&mut page, &command, each, "bits");
    }
    page
}

fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|each| each.get_name() != "help" && !each.is_hide_set())
}

fn describe(page: &mut String, root: &Command, command: &Command, parent: &str) {
    let name = format!("{parent} {}", command.get_name());
    let level = "#".repeat(name.split(' ').count());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    add(page, format_args!("\n{level} {name}\n\n{}.\n", sentence(&about)));
    if commands(command).next().is_some() {
        for each in commands(command) {
            describe(page, root, each, &name);
        }
        return;
    }
    let usage = command.clone().render_usage().to_string();
    add(page, format_args!("\n```text\n"));
    for line in usage.trim_start_matches("Usage:").lines() {
        add(page, format_args!("{}\n", line.trim()));
    }
    page.push_str("```\n");
    let of_all =
        |arg: &Arg| root.get_arguments().any(|each| each.get_id() == arg.get_id() && each.is_global_set());
    let own: Vec<&Arg> = command.get_arguments().filter(|arg| is_shown(arg) && !of_all(arg)).collect();
    let mut headings: Vec<Option<&str>> = own.iter().map(|arg| arg.get_help_heading()).collect();
    headings.sort_by_key(Option::is_some);
    headings.dedup();
    let mut seen = Vec::new();
    for heading in headings {
        if seen.contains(&heading) {
            continue;
        }
        seen.push(heading);
        if let Some(heading) = heading {
            add(page, format_args!("\n{heading}:\n"));
        }
        page.push('\n');
        table(page, &own.iter().copied().filter(|arg| arg.get_help_heading() == heading).collect::<Vec<_>>());
    }
}

fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn table(page: &mut String, args: &[&Arg]) {
    page.push_str("| Word | Meaning |\n|---|---|\n");
    for arg in args {
        let values = values(arg);
        let mut words = Vec::new();
        words.extend(arg.get_short().map(|short| format!("`-{short}`")));
        words.extend(arg.get_long().map(|long| format!("`--{long}{values}`")));
        if words.is_empty() {
            words.push(format!("`{}`", values.trim()));
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let mut notes = Vec::new();
        let possible: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if arg.get_action().takes_values() && !possible.is_empty() {
            notes.push(format!("one of {}", possible.join(", ")));
        }
        if arg.get_action().takes_values() && !arg.get_default_values().is_empty() {
            let built_in: Vec<_> =
                arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
            notes.push(format!("`{}` where it is not given", built_in.join(" ")));
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        add(page, format_args!("| {} | {}{notes} |\n", cell(&words.join(", ")), cell(&help)));
    }
}

/// What follows the flag, or stands for itself.
fn values(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let names = arg.get_value_names().unwrap_or_default();
    let names: String = names.iter().map(|name| format!(" {name}")).collect();
    let several = arg.get_num_args().is_some_and(|count| count.max_values() > 1);
    if several { names + "…" } else { names }
}

/// Without the full stop, which not every text has.
fn sentence(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// As it may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a string takes all that is written");
}
