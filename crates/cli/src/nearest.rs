//! The word somebody probably meant.

/// The one of `known` that is nearest to `typed`, if any is near.
pub(crate) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A mistake for every three characters is a slip; more is another word.
    let far = typed.chars().count().max(3) / 3;
    known
        .into_iter()
        .map(|word| (strsim::levenshtein(typed, word), word))
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let known = ["priority", "description", "display-name"];
        for (typed, expected) in [
            ("priorty", Some("priority")),
            ("Description", Some("description")),
            ("displayname", Some("display-name")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, known), expected, "{typed}");
        }
    }
}
