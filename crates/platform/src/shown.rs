//! Texts of others, made fit to be shown on a terminal.
//!
//! A server's, a job's or a file's name may hold what moves the cursor, rewrites the line or turns
//! the direction of reading. None of it is needed to read the text.

use std::iter::Peekable;
use std::str::Chars;

/// `text` without control characters (C0, C1, DEL), escape sequences and characters that change
/// the direction of text. Line ends and tabs become spaces, so that words stay apart.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => shown.push(' '),
            '\u{1B}' => skip_escape(&mut rest),
            CSI => skip_parameters(&mut rest),
            DCS | SOS | OSC | PM | APC => skip_string(&mut rest),
            _ if character.is_control() || turns_direction(character) => {}
            _ => shown.push(character),
        }
    }
    shown
}

// The 8-bit forms of what begins an escape sequence (ECMA-48).
const DCS: char = '\u{90}';
const SOS: char = '\u{98}';
const CSI: char = '\u{9B}';
const ST: char = '\u{9C}';
const OSC: char = '\u{9D}';
const PM: char = '\u{9E}';
const APC: char = '\u{9F}';

/// After ESC.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.next_if(|next| matches!(next, ' '..='~')) {
        Some('[') => skip_parameters(rest),
        Some('P' | 'X' | ']' | '^' | '_') => skip_string(rest),
        // Intermediates, then one final character.
        Some(' '..='/') => {
            while rest.next_if(|next| matches!(next, ' '..='/')).is_some() {}
            rest.next_if(|next| matches!(next, '0'..='~'));
        }
        _ => {}
    }
}

/// After CSI: parameters and intermediates, then one final character.
fn skip_parameters(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| matches!(next, ' '..='?')).is_some() {}
    rest.next_if(|next| matches!(next, '@'..='~'));
}

/// After OSC and its like: up to ST or BEL. A terminal shows nothing of one without an end either.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(character) = rest.next() {
        match character {
            ST | '\u{07}' => return,
            '\u{1B}' if rest.next_if_eq(&'\\').is_some() => return,
            _ => {}
        }
    }
}

/// Unicode's explicit directional marks, embeddings, overrides and isolates (UAX #9).
fn turns_direction(character: char) -> bool {
    matches!(
        character,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_every_language_stays_as_it_is() {
        for text in ["", "report (1).pdf", "Grüße aus Köln", "日本語", "שלום", "👩‍🔧", "100 % ~[x]"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn nothing_that_acts_on_a_terminal_remains() {
        for (text, expected) in [
            ("a\nb\r\tc", "a b  c"),
            ("a\u{7}\u{8}\u{0}\u{7F}b", "ab"),
            ("\u{1B}[31;1mred\u{1B}[0m", "red"),
            ("\u{9B}2Jclear", "clear"),
            ("\u{1B}]0;title\u{7}x", "x"),
            ("\u{1B}]8;;http://evil\u{1B}\\link\u{1B}]8;;\u{1B}\\", "link"),
            ("\u{9D}title\u{9C}x", "x"),
            ("\u{1B}Pq#0\u{1B}\\x", "x"),
            ("\u{1B}(0lqk\u{1B}(B", "lqk"),
            ("\u{1B}c\u{1B}7x\u{1B}", "x"),
            ("\u{1B}\u{1B}[Ax", "x"),
            ("\u{1B}[", ""),
            ("\u{1B}]never ends", ""),
            ("\u{1B}[3é", "é"),
            ("exe.\u{202E}fdp\u{2066}x\u{2069}\u{200F}", "exe.fdpx"),
            ("a\u{85}b\u{9F}hidden", "ab"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }
}
