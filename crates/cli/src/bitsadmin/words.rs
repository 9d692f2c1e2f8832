//! The words after a switch, taken one by one, and what is wrong with one.

use bits_core::error::Code;

/// Why what was typed cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) sentence: String,
    /// A switch that may have been meant.
    pub(super) nearest: Option<&'static str>,
}

impl Fault {
    /// `E_INVALIDARG`.
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Self { code: Code::INVALID_ARGUMENT, sentence: sentence.into(), nearest: None }
    }

    /// `word` is none of `known`.
    pub(super) fn none_of(word: &str, known: &[&str]) -> Self {
        Self::new(format!("`{word}` is none of {}", known.join(", ")))
    }
}

/// What is left of the words.
#[derive(Debug)]
pub(super) struct Words<'a> {
    left: &'a [String],
}

impl<'a> Words<'a> {
    pub(super) fn new(words: &'a [String]) -> Self {
        Self { left: words }
    }

    /// The next word, which is `what`.
    pub(super) fn take(&mut self, what: &str) -> Result<&'a str, Fault> {
        let Some((first, rest)) = self.left.split_first() else {
            return Err(Fault::new(format!("{what} is missing")));
        };
        self.left = rest;
        Ok(first)
    }

    pub(super) fn job(&mut self) -> Result<String, Fault> {
        self.take("the job").map(str::to_owned)
    }

    /// The next word as it is.
    pub(super) fn text(&mut self, what: &str) -> Result<String, Fault> {
        self.take(what).map(str::to_owned)
    }

    /// The next word, where the switch can do without.
    pub(super) fn optional(&mut self) -> Option<&'a str> {
        self.take("").ok()
    }

    /// Whether the next word is the switch `name`, which is taken then.
    pub(super) fn switch(&mut self, name: &str) -> bool {
        let is_next = self.left.first().and_then(|word| switch_name(word));
        let is_next = is_next.is_some_and(|next| next.eq_ignore_ascii_case(name));
        if is_next {
            self.left = &self.left[1..];
        }
        is_next
    }

    pub(super) fn number(&mut self, what: &str) -> Result<u64, Fault> {
        let word = self.take(what)?;
        word.parse().map_err(|_| Fault::new(format!("{what}: `{word}` is no whole number")))
    }

    /// The number of a file in its job, from 0.
    pub(super) fn index(&mut self) -> Result<u32, Fault> {
        let number = self.number("the file index")?;
        u32::try_from(number).map_err(|_| Fault::new(format!("the file index: {number} is too much")))
    }

    /// One of `known`, in any letter case.
    pub(super) fn one_of<T: Copy>(&mut self, what: &str, known: &[(&str, T)]) -> Result<T, Fault> {
        let word = self.take(what)?;
        let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        found.map(|(_, value)| *value).ok_or_else(|| Fault::none_of(word, &names))
    }

    /// All that is left.
    pub(super) fn rest(&mut self) -> &'a [String] {
        std::mem::take(&mut self.left)
    }
}

/// The name of the switch that `word` is: after `/`, as that tool has it, `-` or `--`.
pub(super) fn switch_name(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix(['/', '-']));
    name.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_in_their_order_and_switches_in_any_letter_case() {
        let typed = ["/VERBOSE", "-x", "7", "High"].map(str::to_owned);
        let mut words = Words::new(&typed);
        assert!(!words.switch("x") && words.switch("verbose") && words.switch("x"));
        assert_eq!(words.number("it"), Ok(7));
        assert_eq!(words.one_of("it", &[("LOW", 1), ("HIGH", 2)]), Ok(2));
        assert_eq!(words.take("the URL"), Err(Fault::new("the URL is missing")));
        assert!(words.optional().is_none() && words.rest().is_empty());
    }
}
