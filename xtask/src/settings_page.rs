//! `docs/settings.md`, made from the service's table of settings.
//!
//! The service is a program, whose modules nobody can import, so the one file with the table is
//! compiled here a second time. It needs nothing else of the service.

use std::fmt::Write as _;

#[path = "../../crates/daemon/src/settings/keys.rs"]
pub mod keys;

use keys::{KEYS, Key, Kind, LIVE};

/// Where the page is, from the root of the repository.
pub const PATH: &str = "docs/settings.md";

const HEAD: &str = "\
<!-- Made by `cargo xtask settings` from crates/daemon/src/settings/keys.rs; not edited by hand. -->

# Settings

Settings are layers, and a later one overrules an earlier one:

1. what is built in,
2. `/etc/bits/config.toml`,
3. `/etc/bits/config.d/*.toml`, in the order of their names,
4. `$XDG_CONFIG_HOME/bits/config.toml` (`~/.config/bits/config.toml` where the variable is not set),
5. a variable of the service's environment: `BITS_` and the key in capitals, such as
   `BITS_LOG_LEVEL=debug`,
6. `bitsd --set KEY=VALUE`.

Each file is TOML with lines `key = value`. A key that does not exist, a value out of bounds and a
file that does not parse are errors that name the place; the service does not start on half of its
settings. It reads them when it starts, and those that are marked with \\* again when `bits service reload`
or the signal SIGHUP says so: they hold within a second, also for transfers that are going on. After a change
of others, `bits service restart`. What does not parse changes nothing.

`bits config explain` prints every setting in force, where it came from and what it overruled.
What belongs to one job (its priority, its time-outs) is not a setting but a property of the job,
set with `bits set`.

| Key | Built in | Must be | Meaning |
|---|---|---|---|
";

/// The page as it should be.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for key in KEYS {
        let star = if LIVE.contains(&key.name) { "\\*" } else { "" };
        writeln!(page, "| `{}`{star} | {} | {} | {} |", key.name, built_in(key), key.expected, key.meaning)
            .expect("a string takes all that is written");
    }
    page
}

fn built_in(key: &Key) -> String {
    match key.kind {
        Kind::Number { built_in, .. } => built_in.to_string(),
        Kind::Path
        | Kind::Text
        | Kind::AnyText
        | Kind::Level
        | Kind::Form
        | Kind::Switch
        | Kind::SwitchOrAuto
        | Kind::Choice(_)
        | Kind::NetworkCosts
        | Kind::NumberOrAuto { .. }
        | Kind::Rate
        | Kind::Timetable => match key.built_in_text() {
            "" => "(empty)".to_owned(),
            text => format!("`{text}`"),
        },
    }
}
