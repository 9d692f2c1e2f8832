//! The table of switches (`bits.md` §11): what each is called, what it takes, and what it asks for. Reading
//! is pure: nothing is looked up, nobody is asked.

mod getters;
mod jobs;
mod machine;
mod setters;

use std::ffi::OsString;

use crate::nearest::nearest;

use super::asked::{Asked, Manner};
use super::trouble::Trouble;
use super::words::{Fault, Words, switch_name};

/// A switch.
pub(super) struct Row {
    /// With a space in it, both words are switches.
    pub(super) name: &'static str,
    pub(super) takes: &'static str,
    pub(super) about: &'static str,
    pub(super) read: fn(&mut Words<'_>) -> Result<Asked, Fault>,
}

/// All switches, in the order in which the help has them.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    [jobs::ROWS, getters::ROWS, setters::ROWS, machine::ROWS].into_iter().flatten()
}

/// What was typed.
pub(super) struct Typed {
    pub(super) manner: Manner,
    pub(super) asked: Result<Asked, Trouble>,
}

/// Reads the words after the name of the program.
pub(super) fn read(words: &[OsString]) -> Typed {
    let mut manner = Manner::default();
    let texts: Option<Vec<String>> = words.iter().map(|word| word.to_str().map(str::to_owned)).collect();
    let Some(texts) = texts else {
        let fault = Fault::new("a word is no UTF-8 text");
        return Typed { manner, asked: Err(Trouble::of_words(fault, None)) };
    };
    let mut left = &texts[..];
    while let Some((first, rest)) = left.split_first() {
        match switch_name(first).map(str::to_ascii_lowercase).as_deref() {
            Some("rawreturn") => manner.is_raw = true,
            Some("wrap") => manner.wraps = Some(true),
            Some("nowrap") => manner.wraps = Some(false),
            _ => break,
        }
        left = rest;
    }
    Typed { manner, asked: asked(left) }
}

fn asked(words: &[String]) -> Result<Asked, Trouble> {
    let Some(first) = words.first() else {
        return Err(Trouble::without_words());
    };
    let Some((row, taken)) = row_of(words) else {
        // Some are two words, of which the first says what the second is about.
        let is_family = switch_name(first).is_some_and(|typed| {
            rows().any(|row| row.name.split_once(' ').is_some_and(|(family, _)| is_named(family, typed)))
        });
        let typed = words[..words.len().min(if is_family { 2 } else { 1 })].join(" ");
        let nearest = nearest(&typed.to_ascii_lowercase().replacen('-', "/", 1), rows().map(|row| row.name));
        let sentence = format!("`{typed}` is no switch of this tool; /help lists them");
        return Err(Trouble::of_words(Fault { nearest, ..Fault::new(sentence) }, None));
    };
    let mut left = Words::new(&words[taken..]);
    let asked = (row.read)(&mut left).and_then(|asked| match left.rest() {
        [] => Ok(asked),
        [more, ..] => Err(Fault::new(format!("`{more}` is too much"))),
    });
    asked.map_err(|fault| Trouble::of_words(fault, Some(row)))
}

/// The row that `words` begin with, and how many words its name takes.
fn row_of(words: &[String]) -> Option<(&'static Row, usize)> {
    let fits = |row: &Row| {
        let names: Vec<&str> = row.name.split(' ').collect();
        let typed = words.iter().map(|word| switch_name(word));
        let is_this = names.len() <= words.len()
            && names.iter().zip(typed).all(|(name, typed)| typed.is_some_and(|typed| is_named(name, typed)));
        is_this.then_some(names.len())
    };
    rows().find_map(|row| fits(row).map(|taken| (row, taken)))
}

/// Whether `typed` is the switch called `name`.
fn is_named(name: &str, typed: &str) -> bool {
    switch_name(name).is_some_and(|name| name.eq_ignore_ascii_case(typed))
}

#[cfg(test)]
mod tests;
