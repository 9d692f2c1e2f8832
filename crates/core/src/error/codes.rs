//! What every code means, in words: one table for `bits error`, for messages and for JSON names.
//!
//! This room only describes. Which code an event ends in is decided where the event is met, and
//! [`JobError::transient`](super::JobError::transient), not [`Heals`], says what a given job does.

mod bits;
mod http;
mod security;
mod system;
#[cfg(test)]
mod tests;

use alloc::borrow::Cow;
use alloc::format;

use super::Code;

/// What is known about a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub code: Code,
    /// The constant's name, as in `BG_E_EMPTY`.
    pub name: Cow<'static, str>,
    /// One sentence: what has happened.
    pub meaning: Cow<'static, str>,
    /// One sentence: what to do about it.
    pub advice: Cow<'static, str>,
    pub heals: Heals,
}

/// Whether waiting helps (`bits.md` §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heals {
    /// The job is tried again by itself: time may cure it, or somebody outside the job, who frees the
    /// disk or runs `kinit`.
    ByTime,
    /// Somebody has to do something first.
    Never,
    /// The number reports no failure.
    NotAnError,
}

impl Heals {
    /// The word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::ByTime => "by_time",
            Self::Never => "never",
            Self::NotAnError => "not_an_error",
        }
    }
}

/// Everything known about `code`, or `None` if nothing is.
///
/// A code without an entry is still described where its facility says what it is: any HTTP status
/// (`0x8019_xxxx`) and any error of the system (`0x8007_xxxx`). System errors are known both as
/// `0x8007_xxxx` and by their plain numbers, such as 1223.
pub fn describe(code: Code) -> Option<Description> {
    if let Some(row) = find(bits::GENERAL, code.0)
        .or_else(|| find(bits::BITS, code.0))
        .or_else(|| find(security::SECURITY, code.0))
    {
        return Some(row.describe(code));
    }
    if let Some(status) = http::status(code.0) {
        return Some(match find(http::HTTP, status.into()) {
            Some(row) => row.describe(code),
            None => unlisted_status(code, status),
        });
    }
    if let Some(number) = system::number(code.0) {
        return Some(match find(system::SYSTEM, number.into()) {
            Some(row) => Description { name: hresult_name(code, row.name).into(), ..row.describe(code) },
            None => unlisted_system_error(code, number),
        });
    }
    find(system::SYSTEM, code.0).map(|row| row.describe(code))
}

/// The code called `name`, in any letter case.
///
/// The name of a system error (`ERROR_DISK_FULL`) stands for its `0x8007_xxxx` form, which is the
/// one that jobs carry. Names made up by [`Code::name`] for codes that have none are understood.
pub fn named(name: &str) -> Option<Code> {
    let is_it = |known: &str| known.eq_ignore_ascii_case(name);
    let constant = |rows: &[Row]| rows.iter().find(|row| is_it(row.name)).map(|row| row.number);
    constant(bits::BITS)
        .or_else(|| constant(bits::GENERAL))
        .or_else(|| constant(security::SECURITY))
        .or_else(|| constant(system::SYSTEM).map(|number| system::FACILITY + number))
        .or_else(|| aliases().find(|(_, known)| is_it(known)).map(|(number, _)| number))
        .map(Code)
        .or_else(|| status_named(name))
        .or_else(|| after_prefix(name, HRESULT_PREFIX).and_then(hexadecimal))
}

/// The code that a person means by `text`.
///
/// | written | means |
/// |---|---|
/// | `0x80200003` | the code; one to eight digits, any letter case |
/// | `80200003` | exactly eight hex digits are a code as dialogs print it, without its `0x` |
/// | `-2145386493`, `2149580803` | the code as a decimal number, signed or not |
/// | `404` | an HTTP status: 300 to 599, and those below that have an entry here (100, 206 …) |
/// | `1223`, `5` | any other plain number: a system error by its Win32 number |
/// | `BG_E_EMPTY` | a name; see [`named`] |
pub fn parse(text: &str) -> Option<Code> {
    let text = text.trim();
    if let Some(digits) = after_prefix(text, "0x") {
        return hexadecimal(digits);
    }
    if text.len() == HEX_DIGITS_MAX && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return hexadecimal(text);
    }
    if let Ok(signed) = text.parse::<i32>()
        && signed < 0
    {
        return Some(Code(signed.cast_unsigned()));
    }
    match text.parse::<u32>() {
        Ok(status @ 300..=599) => Some(Code(http::FACILITY + status)),
        Ok(status) if find(http::HTTP, status).is_some() => Some(Code(http::FACILITY + status)),
        Ok(number) => Some(Code(number)),
        Err(_) => named(text),
    }
}

impl Code {
    /// The constant's name, such as `BG_E_HTTP_ERROR_503`; `HRESULT_0x…` where there is none.
    pub fn name(self) -> Cow<'static, str> {
        match describe(self) {
            Some(description) => description.name,
            None => nameless(self).into(),
        }
    }
}

/// One line of a table. `number` is the whole code, except in the tables of HTTP statuses and of
/// system errors, where it is the status or the error's own number.
struct Row {
    number: u32,
    name: &'static str,
    heals: Heals,
    meaning: &'static str,
    advice: &'static str,
}

impl Row {
    fn describe(&self, code: Code) -> Description {
        Description {
            code,
            name: self.name.into(),
            meaning: self.meaning.into(),
            advice: self.advice.into(),
            heals: self.heals,
        }
    }
}

/// Writes a table as it reads best: number, name, healing, meaning, advice.
macro_rules! table {
    ($($number:literal, $name:ident, $heals:ident: $meaning:literal, $advice:literal;)*) => {
        &[$(Row {
            number: $number,
            name: stringify!($name),
            heals: $heals,
            meaning: $meaning,
            advice: $advice,
        }),*]
    };
}
use table;

fn find(rows: &'static [Row], number: u32) -> Option<&'static Row> {
    rows.binary_search_by_key(&number, |row| row.number).ok().map(|index| &rows[index])
}

/// Second names of codes: what other references and headers call them.
fn aliases() -> impl Iterator<Item = (u32, &'static str)> {
    const OTHERS: [(u32, &str); 3] =
        [(0, "SEC_E_OK"), (0, "ERROR_SUCCESS"), (0x8020_001D, "BG_E_FILE_CHANGED")];
    OTHERS.into_iter().chain(system::HRESULT_NAMES.iter().copied())
}

/// The name of a system error in its `0x8007_xxxx` form.
fn hresult_name(code: Code, name: &'static str) -> &'static str {
    system::HRESULT_NAMES.iter().find(|(number, _)| *number == code.0).map_or(name, |(_, own)| own)
}

const HTTP_PREFIX: &str = "BG_E_HTTP_ERROR_";

fn status_named(name: &str) -> Option<Code> {
    let digits = after_prefix(name, HTTP_PREFIX)?;
    let status: u16 = digits.parse().ok().filter(|_| digits.len() == 3)?;
    http::status(Code::http(status).0).map(Code::http)
}

fn unlisted_status(code: Code, status: u16) -> Description {
    let heals = http::heals(status);
    let advice = match heals {
        Heals::ByTime => "Wait for the next attempt; if it lasts, tell the server's administrator.",
        _ => "Check the address, and ask the server's administrator what the status stands for.",
    };
    Description {
        code,
        name: format!("{HTTP_PREFIX}{status}").into(),
        meaning: format!("The server answered with the HTTP status {status}.").into(),
        advice: advice.into(),
        heals,
    }
}

fn unlisted_system_error(code: Code, number: u16) -> Description {
    Description {
        code,
        name: nameless(code).into(),
        meaning: format!("The system reported its error number {number}.").into(),
        advice: "The message that came with the code says more; so does the log that \
                 `bits service status` names."
            .into(),
        heals: Heals::Never,
    }
}

const HRESULT_PREFIX: &str = "HRESULT_0x";

fn nameless(code: Code) -> alloc::string::String {
    format!("{HRESULT_PREFIX}{:08X}", code.0)
}

/// A code has 32 bits.
const HEX_DIGITS_MAX: usize = 8;

fn hexadecimal(digits: &str) -> Option<Code> {
    let fits = (1..=HEX_DIGITS_MAX).contains(&digits.len()) && !digits.starts_with('+');
    fits.then(|| u32::from_str_radix(digits, 16).ok()).flatten().map(Code)
}

/// What follows `prefix` in `text`, the prefix in any letter case.
fn after_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
