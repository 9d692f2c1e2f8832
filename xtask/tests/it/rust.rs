//! Rust source without what is only text in it, for rules about words.

/// `source` with its comments and the insides of its literals blanked; lines stay lines.
pub(crate) fn code(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while !rest.is_empty() {
        let length = text_length(rest, code.chars().next_back());
        let (taken, left) = match length {
            Some(length) => rest.split_at(length),
            None => rest.split_at(rest.chars().next().map_or(0, char::len_utf8)),
        };
        if length.is_some() {
            code.extend(taken.chars().map(|c| if c == '\n' { c } else { ' ' }));
        } else {
            code.push_str(taken);
        }
        rest = left;
    }
    code
}

/// Whether `word` stands in `code` as a word of its own.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(place, _)| {
        !code[..place].ends_with(is_part) && !code[place + word.len()..].starts_with(is_part)
    })
}

/// How many bytes of comment or literal `rest` begins with, after the character `before`.
fn text_length(rest: &str, before: Option<char>) -> Option<usize> {
    let in_a_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    if rest.starts_with('"') {
        return Some(quoted(rest, '"'));
    }
    if !in_a_word && let Some(raw) = raw_string(rest) {
        return Some(raw);
    }
    if rest.starts_with('\'') {
        let mut characters = rest.chars().skip(1);
        let (first, second) = (characters.next()?, characters.next()?);
        // Anything else behind a quote is a lifetime.
        return (first == '\\' || second == '\'').then(|| quoted(rest, '\''));
    }
    None
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut place = 0;
    while place < rest.len() {
        if rest[place..].starts_with("/*") {
            (depth, place) = (depth + 1, place + 2);
        } else if rest[place..].starts_with("*/") {
            (depth, place) = (depth - 1, place + 2);
            if depth == 0 {
                break;
            }
        } else {
            place += rest[place..].chars().next().map_or(1, char::len_utf8);
        }
    }
    place
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (place, c) in rest.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if c == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside_length = inside.find(&end).map_or(inside.len(), |place| place + end.len());
    Some(rest.len() - inside.len() + inside_length)
}

#[test]
fn words_in_comments_and_literals_are_not_code() {
    for (source, is_code) in [
        ("unsafe { f() }", true),
        ("// unsafe", false),
        ("/* a /* unsafe */ unsafe */ safe", false),
        ("/* a */ unsafe {}", true),
        ("\"unsafe\"", false),
        ("\"\\\"\" ; unsafe {}", true),
        ("r#\"a \" unsafe\"# ;", false),
        ("br\"unsafe\"", false),
        ("'\"'; unsafe {} '\"'", true),
        ("'\\''; unsafe {}", true),
        ("fn f<'a>(x: &'a str) { unsafe {} }", true),
        ("#![deny(unsafe_code)]", false),
        ("for\"a\" unsafe", true),
    ] {
        assert_eq!(has_word(&code(source), "unsafe"), is_code, "{source}");
    }
}
