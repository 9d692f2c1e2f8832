//! Security flags in words, both ways.

use bits_core::http_options::SecurityFlags;

const WORDS: [(&str, u32); 8] = [
    ("check-revocation", SecurityFlags::CHECK_REVOCATION),
    ("ignore-certificate-name", SecurityFlags::IGNORE_CERTIFICATE_NAME),
    ("ignore-certificate-date", SecurityFlags::IGNORE_CERTIFICATE_DATE),
    ("ignore-unknown-authority", SecurityFlags::IGNORE_UNKNOWN_AUTHORITY),
    ("ignore-certificate-usage", SecurityFlags::IGNORE_CERTIFICATE_USAGE),
    ("redirect-report", SecurityFlags::REDIRECT_REPORT),
    ("redirect-disallow", SecurityFlags::REDIRECT_DISALLOW),
    ("redirect-https-to-http", SecurityFlags::REDIRECT_HTTPS_TO_HTTP),
];

/// The mask that `text` is: words with commas between, `none`, or a number as BITS prints it.
///
/// # Errors
/// A sentence that names what is wrong.
pub(crate) fn mask(text: &str) -> Result<u32, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    if let Some(number) = number {
        return Ok(number);
    }
    if text == "none" {
        return Ok(0);
    }
    text.split(',').try_fold(0, |mask, word| match WORDS.iter().find(|(known, _)| *known == word) {
        Some((_, flag)) => Ok(mask | flag),
        None => {
            let known = WORDS.map(|(word, _)| word).join(", ");
            Err(format!("`{word}` is no security flag; there are {known}"))
        }
    })
}

/// `mask` in words; what has none is shown as a number.
pub(crate) fn words(mask: u32) -> String {
    let named = WORDS.iter().filter(|(_, flag)| mask & flag != 0);
    let mut words: Vec<String> = named.clone().map(|(word, _)| (*word).to_owned()).collect();
    let rest = named.fold(mask, |rest, (_, flag)| rest & !flag);
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_words_or_a_number() {
        for (text, expected) in [
            ("none", Ok(0)),
            ("0x1E", Ok(0x1e)),
            ("3", Ok(3)),
            ("check-revocation,redirect-disallow", Ok(0x201)),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
        assert!(mask("insecure").expect_err("no word").contains("ignore-certificate-name"));
        assert_eq!(words(0x201), "check-revocation, redirect-disallow");
        assert_eq!(words(0x1002), "ignore-certificate-name, 0x1000");
    }
}
