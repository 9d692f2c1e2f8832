//! The command line of a notification: one text to that tool, a program and its arguments to the service.

use bits_client::api::job::NotifyCommand;

/// The command that `program` and `parameters` are. These begin with the name of the program, as all of a
/// command line does there (`bits.md` §1.4); where they do not, all of them are arguments.
pub(super) fn command(program: &str, parameters: &str) -> NotifyCommand {
    let mut arguments = words(parameters);
    let name = program.rsplit('/').next().unwrap_or(program);
    if arguments.first().is_some_and(|first| first == program || first == name) {
        arguments.remove(0);
    }
    NotifyCommand { program: program.to_owned(), arguments }
}

/// The command as one text that reads back as the same.
pub(super) fn text(command: &NotifyCommand) -> String {
    let quoted = |word: &String| match word.is_empty() || word.contains([' ', '\t', '"']) {
        true => format!("\"{}\"", word.replace('"', "\\\"")),
        false => word.clone(),
    };
    std::iter::once(&command.program).chain(&command.arguments).map(quoted).collect::<Vec<_>>().join(" ")
}

/// Words with spaces between; double quotes hold what has spaces in it, and a backslash makes one a letter.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), None::<String>, false);
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\\' if rest.next_if_eq(&'"').is_some() => word.get_or_insert_default().push('"'),
            '"' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\t' if !is_quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_words_and_begin_with_the_program_or_not() {
        for (parameters, arguments, shown) in [
            ("", &[][..], "/bin/say"),
            ("say it now", &["it", "now"], "/bin/say it now"),
            ("/bin/say it", &["it"], "/bin/say it"),
            ("it now", &["it", "now"], "/bin/say it now"),
            (r#"say "it is here" "" \"x"#, &["it is here", "", "\"x"], r#"/bin/say "it is here" "" "\"x""#),
            ("say $(id) *", &["$(id)", "*"], "/bin/say $(id) *"),
        ] {
            let command = command("/bin/say", parameters);
            assert_eq!(command.arguments, arguments, "{parameters}");
            assert_eq!(text(&command), shown);
        }
    }
}
