//! What is said before a question: who asks, for whom, and why.
//!
//! Places differ in how much they can show; what gives way, where not all has room, is decided
//! here. What a text must be escaped to, and how it is shown, is each place's business.

use bits_core::error::{Code, codes};
use bits_core::identity::Package;
use bits_platform::shown::shown;

use super::PromptRequest;

/// Lines to be shown, without control characters, in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Explanation {
    lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    says: Says,
    text: String,
}

/// Who says it. Foreign texts are marked, so that none of them can be taken for the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    We,
    /// A realm: in a line of ours, quoted.
    Server,
    /// Caption and message, from wherever the caller has them.
    Caller,
}

impl Explanation {
    /// Foreign texts come first, the target below them.
    pub(super) fn of(request: &PromptRequest) -> Self {
        let mut explanation = Self::default();
        explanation.add(Says::We, "OpenBITS asks for credentials.");
        for foreign in [&request.caption, &request.message].into_iter().flatten() {
            for line in foreign.lines() {
                explanation.add(Says::Caller, &format!("{FOREIGN_MARK}{line}"));
            }
        }
        explanation.add(Says::We, &format!("For:     {} ({})", request.target, request.package.name()));
        if let Some(realm) = &request.realm {
            let beginning: String = realm.chars().take(REALM_SHOWN_MAX).collect();
            explanation.add(Says::Server, &format!("Realm:   {:?}", shown(&beginning)));
        }
        if let Some(code) = request.refused {
            explanation
                .add(Says::We, &format!("Refused: {}", in_words(code, request.refused_because.as_deref())));
        }
        if let (true, Some(danger)) = (request.unencrypted, danger(request.package)) {
            explanation.add(Says::We, &format!("Warning: the connection is not encrypted; {danger}."));
        }
        explanation
    }

    /// The same with one more line of ours below.
    pub(super) fn with(&self, line: &str) -> Self {
        let mut more = self.clone();
        more.add(Says::We, line);
        more
    }

    fn add(&mut self, says: Says, text: &str) {
        self.lines.push(Line { says, text: shown(text) });
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// All in one line with single spaces, for places that have no more. The caller's texts have no mark there that
    /// would keep them apart, so they are left out.
    pub(super) fn in_one_line(&self) -> String {
        let lines = self.lines.iter().filter(|line| line.says != Says::Caller);
        lines.flat_map(|line| line.text.split_whitespace()).collect::<Vec<_>>().join(" ")
    }

    /// The lines that `room` has space for, where a character takes `space`. What we say has its
    /// place before all; what a server says comes next, and what the caller says gives way first.
    /// `None` where there is no room for what we say.
    pub(super) fn within(&self, room: usize, space: impl Fn(char) -> usize) -> Option<String> {
        let mut left = room;
        let mut kept: Vec<Option<String>> = vec![None; self.lines.len()];
        for says in [Says::We, Says::Server, Says::Caller] {
            for (line, kept) in self.lines.iter().zip(&mut kept).filter(|(line, _)| line.says == says) {
                // With the line end that keeps it apart from the line before.
                let text = cut(&line.text, left.saturating_sub(space('\n')), &space);
                if says == Says::We && text != line.text {
                    return None;
                }
                if !text.is_empty() {
                    left -= space('\n') + text.chars().map(&space).sum::<usize>();
                    *kept = Some(text);
                }
            }
        }
        Some(kept.into_iter().flatten().collect::<Vec<_>>().join("\n"))
    }
}

/// The beginning of `text` that fits into `room`, with a mark where the rest was.
pub(super) fn cut(text: &str, room: usize, space: impl Fn(char) -> usize) -> String {
    if text.chars().map(&space).sum::<usize>() <= room {
        return text.to_owned();
    }
    let Some(mut left) = room.checked_sub(space(CUT_MARK)) else { return String::new() };
    let fits = |character: &char| match left.checked_sub(space(*character)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let mut kept: String = text.chars().take_while(fits).collect();
    kept.push(CUT_MARK);
    kept
}

/// The code in words: what is known of this refusal, else what the code means in general.
fn in_words(code: Code, because: Option<&str>) -> String {
    let meaning = || codes::describe(code).map(|known| known.meaning.into_owned());
    let why = because.map(shown).or_else(meaning).map(|why| format!("{why} ")).unwrap_or_default();
    format!("{why}({}, {code})", code.name())
}

/// What can happen to credentials of `package` on a connection without TLS.
fn danger(package: Package) -> Option<&'static str> {
    match package {
        Package::Basic => Some("anybody on the way can read the password"),
        Package::Ntlm => Some("anybody on the way can use the sign-in and guess the password from it"),
        Package::Negotiate | Package::Kerberos | Package::Digest => None,
    }
}

/// Characters of a realm that are shown. A server may send more; that is no reason not to ask.
const REALM_SHOWN_MAX: usize = 256;
/// What foreign lines begin with.
const FOREIGN_MARK: &str = "  | ";
/// Where a text was cut.
const CUT_MARK: char = '…';

#[cfg(test)]
mod tests {
    use super::*;

    fn explanation() -> Explanation {
        Explanation::of(&PromptRequest {
            caption: Some("Caption".into()),
            message: Some("one\ntwo\nSocket=/tmp/x".into()),
            realm: Some("ä%ä".into()),
            ..PromptRequest::new("server https://a.test", Package::Basic)
        })
    }

    /// Bytes, with a percent sign as three.
    fn space(character: char) -> usize {
        if matches!(character, '%' | '\n') { 3 } else { character.len_utf8() }
    }

    #[test]
    fn what_we_say_has_room_before_all_and_the_caller_gives_way_first() {
        let ours = "OpenBITS asks for credentials.\nFor:     server https://a.test (Basic)";
        let room = ours.chars().map(space).sum::<usize>() + space('\n');
        for (more, expected) in [
            (0, Some(ours.to_owned())),
            (10, Some(format!("{ours}\nReal…"))),
            (20, Some(format!("{ours}\nRealm:   \"ä…"))),
            (21, Some(format!("{ours}\nRealm:   \"ä%ä\""))),
            (35, Some(format!("{ours}\nRealm:   \"ä%ä\"").replacen('\n', "\n  | Caption\n", 1))),
        ] {
            assert_eq!(explanation().within(room + more, space), expected, "{more} more");
        }
        assert_eq!(explanation().within(room - 1, space), None);
        assert_eq!(explanation().within(0, space), None);
        let all = explanation().lines().collect::<Vec<_>>().join("\n");
        assert_eq!(explanation().within(1000, space), Some(all));
    }

    #[test]
    fn whatever_is_cut_fits() {
        let text = "aä%\n日本語%%%";
        for room in 0..40 {
            let kept = cut(text, room, space);
            assert!(kept.chars().map(space).sum::<usize>() <= room, "{kept:?} in {room}");
            assert!(kept == text || kept.is_empty() || text.starts_with(kept.trim_end_matches(CUT_MARK)));
        }
    }

    #[test]
    fn in_one_line_there_is_nothing_of_the_caller_s() {
        assert_eq!(
            explanation().in_one_line(),
            "OpenBITS asks for credentials. For: server https://a.test (Basic) Realm: \"ä%ä\""
        );
    }
}
