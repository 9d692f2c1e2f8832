//! What keyboards send, in the one form in which servers compare it: NFC (`credentials.md` §3.3).
//!
//! Only typed text is composed. A password file's bytes are what its writer meant.

use std::borrow::Cow;

use bits_core::secret::Secret;
use icu_normalizer::ComposingNormalizerBorrowed;

/// `text` with every letter and its marks in one character where there is such a character.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// The same of a secret. Nearly always it is so already and stays where it is.
pub(super) fn composed_secret(secret: Secret) -> Secret {
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    if normalizer.is_normalized(secret.expose()) {
        return secret;
    }
    // Room beforehand, so that the text never moves and leaves a copy behind.
    let mut text = String::with_capacity(secret.expose().len() * COMPOSED_GROWTH_MAX);
    normalizer.normalize_to(secret.expose(), &mut text).expect("a string takes what is written to it");
    Secret::new(text)
}

/// By how much NFC can make UTF-8 text longer (Unicode Standard Annex 15).
const COMPOSED_GROWTH_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_composed_and_composed_text_stays() {
        for (typed, expected) in [
            ("plain", "plain"),
            ("Jürgen", "Jürgen"),
            ("Ju\u{308}rgen", "Jürgen"),
            ("", ""),
            // The one that grows most.
            ("\u{1D160}", "\u{1D158}\u{1D165}\u{1D16E}"),
        ] {
            assert_eq!(composed(typed), expected);
            assert_eq!(composed_secret(Secret::new(typed.to_owned())).expose(), expected);
        }
    }
}
