//! The one type that holds a secret: wiped when dropped, never printed, never cloned by accident.

use alloc::string::String;
use core::fmt;

use zeroize::{Zeroize, Zeroizing};

/// A password or another text that must not be seen.
///
/// There is no `Display`, no `Clone`, and `Debug` prints a fixed word. [`Secret::expose`] is the
/// one way to read it, so every use can be found by searching for that name.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes `text`; the string it came in is the one that is wiped later.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself, to be handed on and not kept.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Another secret of the same text, for a second owner that wipes its own.
    pub fn duplicate(&self) -> Self {
        Self::new(String::clone(&self.0))
    }

    /// Overwrites the text now; afterwards it reads as empty.
    pub fn wipe(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    /// Takes the same time wherever two texts of one length differ.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |seen, (a, b)| seen | (a ^ b)) == 0
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_string())), "Secret(…)");
    }

    #[test]
    fn a_wiped_secret_reads_as_empty() {
        let mut secret = Secret::new("hunter2".to_string());
        secret.wipe();
        assert_eq!(secret.expose(), "");
    }
}
