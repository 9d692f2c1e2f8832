//! `bits error`: what a code means and what to do. Asks nobody.

use bits_core::error::Language;
use bits_core::error::codes::{self, Heals};
use serde_json::json;

use crate::arguments::ErrorCode;
use crate::exit::Failure;
use crate::output::Output;

pub(super) fn run(asked: &ErrorCode, output: &Output) -> Result<(), Failure> {
    let code = codes::parse(&asked.code).ok_or_else(|| {
        Failure::Usage(format!(
            "`{}` is no code; write one such as 0x80190194, 404, 1223 or BG_E_EMPTY",
            asked.code
        ))
    })?;
    let language = match &asked.language {
        Some(text) => named(text)?,
        None => of_this_person(&|name| std::env::var(name).ok()),
    };
    let Some(description) = language.describe(code) else {
        return Err(Failure::Usage(format!("nothing is known about the code {code}")));
    };
    if output.is_json() {
        return output.result_json(&json!({
            "code": description.code.to_string(),
            "name": description.name,
            "meaning": description.meaning,
            "advice": description.advice,
            "heals": description.heals.name(),
        }));
    }
    output.result(&format!("{} {}", description.code, description.name))?;
    output.result(&format!("  {}", description.meaning))?;
    output.result(&format!("  {}", description.advice))?;
    match description.heals {
        Heals::ByTime => output.result("  It may pass by itself: jobs that meet it are tried again."),
        Heals::Never | Heals::NotAnError => Ok(()),
    }
}

/// The language that `text` names, as a number or a locale.
fn named(text: &str) -> Result<Language, Failure> {
    let id = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    id.map_or_else(|| Language::of_locale(text), Language::of_id).map_err(|code| {
        Failure::Usage(format!("there are no words in the language `{text}` ({code}, {})", code.name()))
    })
}

/// The language of whoever sits there; English where nobody has translated for them.
fn of_this_person(variable: &dyn Fn(&str) -> Option<String>) -> Language {
    let set =
        ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|text| !text.is_empty());
    set.and_then(|locale| Language::of_locale(&locale).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_number_or_a_locale_and_an_unknown_one_is_named_with_its_code() {
        for text in ["0x409", "1033", "en", "en_GB.UTF-8", "0"] {
            assert_eq!(named(text).expect(text), Language::English);
        }
        for text in ["0x407", "1031", "de_DE"] {
            let Err(Failure::Usage(sentence)) = named(text) else { panic!("{text}") };
            assert!(sentence.contains(text) && sentence.contains("0x80070717"), "{sentence}");
        }
    }

    #[test]
    fn a_person_whose_language_is_not_spoken_is_told_in_english() {
        for (variables, expected) in [
            (&[("LC_ALL", "de_DE")][..], Language::English),
            (&[("LC_ALL", ""), ("LC_MESSAGES", "en_US"), ("LANG", "de")], Language::English),
            (&[], Language::English),
        ] {
            let variable = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(of_this_person(&variable), expected);
        }
    }
}
