//! The list of `--input`: lines of `URL [PATH]`. Empty lines and those that begin with `#` say
//! nothing.

use std::io::Read;
use std::path::Path;

use crate::exit::Failure;
use crate::output::units::bytes;

/// One line of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListLine<'a> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) url: &'a str,
    pub(crate) path: Option<&'a str>,
}

/// Bytes a list may have: a hundred thousand long lines.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The text of the list in the file `path`, or of standard input where that is `-`.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be read or is too long.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let wrong = |what: String| Failure::Usage(format!("the list {}: {what}", path.display()));
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(LIST_BYTES_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LIST_BYTES_MAX + 1).read_to_string(&mut text))
    };
    match read {
        Err(error) => Err(wrong(error.to_string())),
        Ok(length) if length as u64 > LIST_BYTES_MAX => {
            Err(wrong(format!("it is longer than {}", bytes(LIST_BYTES_MAX))))
        }
        Ok(_) => Ok(text),
    }
}

/// The lines of `text` that name a file.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = ListLine<'_>> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let (url, path) = match line.split_once(char::is_whitespace) {
            Some((url, path)) => (url, Some(path.trim_start())),
            None => (line, None),
        };
        Some(ListLine { number: index + 1, url, path })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_url_and_perhaps_a_path_that_may_have_spaces() {
        let text =
            "# files\r\n\r\nhttp://h/a\n  http://h/b \t my file.txt  \n#http://h/c\nhttp://h/d#part x\n";
        let found: Vec<_> = lines(text).map(|line| (line.number, line.url, line.path)).collect();
        assert_eq!(
            found,
            [
                (3, "http://h/a", None),
                (4, "http://h/b", Some("my file.txt")),
                (6, "http://h/d#part", Some("x")),
            ]
        );
    }
}
