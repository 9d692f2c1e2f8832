//! Mirrors of which a server tells: `Link: <URI>; rel=duplicate; pri=1` (RFC 6249 §3, RFC 8288).
//!
//! Foreign text, read with limits. A link that is not as it must be says nothing.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::head::ResponseHead;
use crate::remote_name::RemoteName;

/// Bytes of such a field that are looked at.
const FIELD_BYTES_MAX: usize = 16 * 1024;
/// Links that are looked at in one answer.
const LINKS_MAX: usize = 64;
/// The priority of a link that gives none: behind all others (RFC 6249 §3.1).
const LAST: u32 = 999_999;

/// Where else the answer from `from` says the same file is, the best place first. None is on plain
/// http when `from` is not.
pub(super) fn duplicates(from: &RemoteName, head: &ResponseHead) -> Vec<RemoteName> {
    let mut found: Vec<(u32, RemoteName)> = Vec::new();
    let fields = head.fields_called("link").filter(|field| field.len() <= FIELD_BYTES_MAX);
    for Link { target, parameters } in fields.flat_map(links).take(LINKS_MAX) {
        let value = |name: &str| {
            let mut named = parameters.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            named.next().map(|(_, value)| value.as_ref())
        };
        let relations = value("rel").unwrap_or_default();
        let is_duplicate =
            relations.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("duplicate"));
        // With an anchor it is said of another file.
        if !is_duplicate || value("anchor").is_some() {
            continue;
        }
        let priority = value("pri").and_then(|text| text.parse().ok()).unwrap_or(LAST);
        if let Ok(name) = from.join(target)
            && (name.is_tls() || !from.is_tls())
            && name != *from
            && !found.iter().any(|(_, known)| *known == name)
        {
            found.push((priority, name));
        }
    }
    found.sort_by_key(|(priority, _)| *priority);
    found.into_iter().map(|(_, name)| name).collect()
}

struct Link<'f> {
    target: &'f str,
    parameters: Vec<(&'f str, Cow<'f, str>)>,
}

/// The links of one field, up to the first that is none.
fn links(field: &str) -> impl Iterator<Item = Link<'_>> {
    let mut rest = field;
    core::iter::from_fn(move || {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (link, after) = link(rest)?;
        rest = after;
        Some(link)
    })
}

fn link(text: &str) -> Option<(Link<'_>, &str)> {
    let (target, mut rest) = text.strip_prefix('<')?.split_once('>')?;
    let mut parameters = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(after) = rest.strip_prefix(';') else { break };
        let after = after.trim_start_matches([' ', '\t']);
        let end = after.find(['=', ';', ',', ' ', '\t']).unwrap_or(after.len());
        let name = &after[..end];
        rest = after[end..].trim_start_matches([' ', '\t']);
        let Some(given) = rest.strip_prefix('=') else {
            parameters.push((name, Cow::Borrowed("")));
            continue;
        };
        let (value, after) = value(given.trim_start_matches([' ', '\t']))?;
        parameters.push((name, value));
        rest = after;
    }
    (rest.is_empty() || rest.starts_with(',')).then_some((Link { target, parameters }, rest))
}

/// A token, or a text in quotes, and what is behind it.
fn value(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..end]), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((Cow::Owned(value), &quoted[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::head::BodyLength;
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::string::ToString;

    fn found(from: &str, fields: &[&str]) -> Vec<String> {
        let fields = fields.iter().map(|value| ("Link".to_owned(), (*value).to_owned())).collect();
        let head = ResponseHead { status: 200, body: BodyLength::Chunked, fields };
        let from = RemoteName::stored(from).expect("a URL");
        duplicates(&from, &head).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn duplicates_come_by_their_priority_and_nothing_else_counts() {
        for (field, expected) in [
            ("<http://m.test/f>; rel=duplicate", &["http://m.test/f"][..]),
            ("<http://m.test/f>; rel=\"duplicate\"; pri=1; geo=gb; pref", &["http://m.test/f"]),
            (
                "<http://a.test/f>;rel=duplicate, <http://b.test/f>;rel=Duplicate;pri=2 , <http://c.test/f>; pri = 1; rel = duplicate",
                &["http://c.test/f", "http://b.test/f", "http://a.test/f"],
            ),
            ("</g,h;i>; rel=\"x duplicate\"", &["http://h.test/g,h;i"]),
            ("<http://m.test/f>; title=\"a, b; \\\" c\"; rel=duplicate", &["http://m.test/f"]),
            ("<http://m.test/f>; rel=describedby, <http://n.test/f>; rel=duplicate", &["http://n.test/f"]),
            ("<http://m.test/f>; rel=duplicate; anchor=\"#x\"", &[]),
            ("<http://m.test/f>; rel=\"duplicate", &[]),
            ("<http://h.test/f>; rel=duplicate", &[]),
            ("<ftp://m.test/f>; rel=duplicate", &[]),
            ("<file:///etc/passwd>; rel=duplicate", &[]),
            ("http://m.test/f; rel=duplicate", &[]),
            ("<http://m.test/f", &[]),
            ("", &[]),
        ] {
            assert_eq!(found("http://h.test/f", &[field]), expected, "{field}");
        }
        let both = ["<http://m.test/f>; rel=duplicate", "<http://m.test/f>; rel=duplicate; pri=1"];
        assert_eq!(found("http://h.test/f", &both), ["http://m.test/f"]);
    }

    #[test]
    fn no_link_leads_from_https_to_http() {
        let field = "<http://m.test/f>; rel=duplicate, <//n.test/f>; rel=duplicate";
        assert_eq!(found("https://h.test/f", &[field]), ["https://n.test/f"]);
    }

    #[test]
    fn what_is_too_long_or_too_many_is_not_looked_at() {
        let long = alloc::format!("<http://m.test/{}>; rel=duplicate", "x".repeat(FIELD_BYTES_MAX));
        assert_eq!(found("http://h.test/f", &[&long]), Vec::<String>::new());
        let many: String =
            (0..100).map(|number| alloc::format!("<http://m.test/{number}>; rel=duplicate,")).collect();
        assert_eq!(found("http://h.test/f", &[&many]).len(), LINKS_MAX);
    }
}
