//! Reads what a server or proxy asks for: the values of `WWW-Authenticate` and
//! `Proxy-Authenticate` (RFC 9110 §11.6, `credentials.md` §2.1), and the bare parameter list of
//! `Authentication-Info`.
//!
//! A value may hold several challenges, and a comma may part challenges or parameters. What cannot
//! be understood is left out, and the rest is kept: one strange challenge must not hide a good one.
//! Nothing is decided here, and no token is decoded.

use bits_core::credentials::AuthScheme;

/// Bytes one header value may have. A Kerberos token goes up to 48 000 bytes, a third more in
/// base64; nothing honest is longer.
const VALUE_BYTES_MAX: usize = 66_000;
/// Challenges taken from one answer. Servers offer four or five.
const CHALLENGES_MAX: usize = 16;
/// Parameters taken from one challenge. Digest knows nine.
const PARAMETERS_MAX: usize = 32;

/// One way of proving oneself that the other side offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Challenge {
    /// The scheme's name as it was sent.
    pub(super) scheme: String,
    pub(super) content: Content,
}

/// What follows the scheme's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// Base64 text, as NTLM and Negotiate send it.
    Token(String),
    /// Names in lower case, values without their quotes.
    Parameters(Vec<(String, String)>),
}

impl Challenge {
    /// The scheme, if it is one we speak.
    pub(super) fn known(&self) -> Option<AuthScheme> {
        AuthScheme::named(&self.scheme)
    }

    /// The value of the parameter `name` (lower case).
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        match &self.content {
            Content::Parameters(parameters) => value_of(parameters, name),
            Content::Nothing | Content::Token(_) => None,
        }
    }

    /// The base64 text, if there is one. Some proxies put `token=` in front of it.
    pub(super) fn token(&self) -> Option<&str> {
        match &self.content {
            Content::Token(token) => Some(token),
            Content::Parameters(_) => self.parameter("token"),
            Content::Nothing => None,
        }
    }
}

/// The challenges in all header values of one answer, in the order they were sent.
pub(super) fn challenges<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for value in values {
        if value.len() <= VALUE_BYTES_MAX {
            Scanner::new(value).challenges(&mut found);
        }
    }
    found
}

/// The parameters of a header value that has no scheme, such as `Authentication-Info`.
pub(super) fn parameters(value: &str) -> Vec<(String, String)> {
    if value.len() > VALUE_BYTES_MAX { Vec::new() } else { Scanner::new(value).parameters() }
}

/// The value of the first parameter called `name` (lower case).
pub(super) fn value_of<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// A place in one header value.
#[derive(Clone, Copy)]
struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    fn new(value: &'a str) -> Self {
        Self { rest: value }
    }

    fn challenges(mut self, found: &mut Vec<Challenge>) {
        while found.len() < CHALLENGES_MAX {
            self.skip(|c| is_blank(c) || c == ',');
            let scheme = self.take_while(is_token);
            if scheme.is_empty() {
                // Not a scheme: go to the next comma, where another challenge may begin.
                self.skip(|c| c != ',');
                if self.rest.is_empty() {
                    return;
                }
                continue;
            }
            let content = if self.rest.starts_with(is_blank) { self.content() } else { Content::Nothing };
            found.push(Challenge { scheme: scheme.to_owned(), content });
        }
    }

    fn content(&mut self) -> Content {
        self.skip(is_blank);
        if let Some(token) = self.token68() {
            return Content::Token(token.to_owned());
        }
        let parameters = self.parameters();
        if parameters.is_empty() { Content::Nothing } else { Content::Parameters(parameters) }
    }

    /// Base64 text that ends where the challenge ends; `name=value` is none.
    fn token68(&mut self) -> Option<&'a str> {
        let mut ahead = *self;
        let body = ahead.take_while(is_token68).len();
        let padding = ahead.take_while(|c| c == '=').len();
        let token = &self.rest[..body + padding];
        ahead.skip(is_blank);
        if body == 0 || !(ahead.rest.is_empty() || ahead.rest.starts_with(',')) {
            return None;
        }
        *self = ahead;
        Some(token)
    }

    /// Parameters up to the end, or to the comma before another challenge.
    fn parameters(&mut self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        loop {
            let mut ahead = *self;
            ahead.skip(|c| is_blank(c) || c == ',');
            let name = ahead.take_while(is_token);
            ahead.skip(is_blank);
            if name.is_empty() || !ahead.rest.starts_with('=') {
                return parameters;
            }
            ahead.rest = &ahead.rest[1..];
            ahead.skip(is_blank);
            let value = if ahead.rest.starts_with('"') {
                ahead.quoted()
            } else {
                // More than a token is allowed, because nonces are seen without their quotes.
                Some(ahead.take_while(|c| c != ',' && !is_blank(c)).to_owned())
            };
            if let Some(value) = value.filter(|value| !value.contains(is_control))
                && parameters.len() < PARAMETERS_MAX
            {
                parameters.push((name.to_ascii_lowercase(), value));
            }
            *self = ahead;
        }
    }

    /// A quoted string without its quotes and escapes; nothing if it does not end.
    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        let mut characters = self.rest[1..].char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Some(text);
                }
                '\\' => text.push(characters.next()?.1),
                other => text.push(other),
            }
        }
        self.rest = "";
        None
    }

    fn skip(&mut self, matches: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(matches);
    }

    fn take_while(&mut self, matches: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !matches(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

fn is_control(c: char) -> bool {
    c.is_control() && c != '\t'
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn is_token68(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The challenges of `values` in a compact form: `scheme`, `scheme:token`, `scheme{a=b;c=d}`.
    fn read(values: &[&str]) -> String {
        let read: Vec<_> = challenges(values.iter().copied())
            .into_iter()
            .map(|challenge| match challenge.content {
                Content::Nothing => challenge.scheme,
                Content::Token(token) => format!("{}:{token}", challenge.scheme),
                Content::Parameters(parameters) => {
                    let list: Vec<_> = parameters.iter().map(|(n, v)| format!("{n}={v}")).collect();
                    format!("{}{{{}}}", challenge.scheme, list.join(";"))
                }
            })
            .collect();
        read.join(" ")
    }

    #[test]
    fn challenges_are_told_apart_however_they_are_joined() {
        for (values, expected) in [
            (&["Negotiate"] as &[&str], "Negotiate"),
            (&["Negotiate", "NTLM", "Basic realm=\"x\""], "Negotiate NTLM Basic{realm=x}"),
            (&["Negotiate, NTLM, Basic realm=\"x\""], "Negotiate NTLM Basic{realm=x}"),
            (&["NTLM TlRMTVNTUAAC=="], "NTLM:TlRMTVNTUAAC=="),
            (&["Negotiate oQcwBaADCgEC, Basic realm=x"], "Negotiate:oQcwBaADCgEC Basic{realm=x}"),
            (
                &["Digest realm=\"a, b\", nonce=\"n==\", NTLM TlRM="],
                "Digest{realm=a, b;nonce=n==} NTLM:TlRM=",
            ),
            (&["Digest realm = \"a\" , qop=\"auth,auth-int\""], "Digest{realm=a;qop=auth,auth-int}"),
            (&["Basic REALM=\"q\\\"\\\\\""], "Basic{realm=q\"\\}"),
            (&["Digest nonce=ab/+c==,stale=TRUE"], "Digest{nonce=ab/+c==;stale=TRUE}"),
            (&["Newfangled ~a.b_c-d+e/f==, Basic realm=\"\""], "Newfangled:~a.b_c-d+e/f== Basic{realm=}"),
            (&[", ,Basic realm=\"x\",,"], "Basic{realm=x}"),
        ] {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn what_cannot_be_understood_does_not_hide_what_can() {
        for (values, expected) in [
            (&["\"stray\", Negotiate"] as &[&str], "Negotiate"),
            (&["=, NTLM"], "NTLM"),
            (&["Basic realm=\"never closed, Negotiate", "NTLM"], "Basic NTLM"),
            (&["Basic realm=\"a\u{1}b\", charset=\"UTF-8\""], "Basic{charset=UTF-8}"),
            (&["Bäsic realm=x", "NTLM"], "B NTLM"),
            (&[""], ""),
        ] {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn an_answer_cannot_make_us_remember_much() {
        let many = "Basic realm=\"x\", ".repeat(1_000);
        assert_eq!(challenges([many.as_str()]).len(), CHALLENGES_MAX);

        let wide = format!("Digest {}", "a=\"b\", ".repeat(1_000));
        let Content::Parameters(parameters) = &challenges([wide.as_str()])[0].content else {
            panic!("a Digest challenge has parameters");
        };
        assert_eq!(parameters.len(), PARAMETERS_MAX);

        let long = format!("Negotiate {}", "A".repeat(VALUE_BYTES_MAX));
        assert_eq!(challenges([long.as_str()]), []);
    }

    #[test]
    fn no_text_makes_the_parser_panic_or_hang() {
        // Every string of up to six signs over the ones that mean something.
        let signs = ['a', ' ', ',', '=', '"', '\\', 'é'];
        let mut texts = vec![String::new()];
        for _ in 0..6 {
            texts =
                texts.iter().flat_map(|text| signs.iter().map(move |sign| format!("{text}{sign}"))).collect();
            for text in &texts {
                let _ = challenges([text.as_str()]);
                let _ = parameters(text);
            }
        }
    }

    #[test]
    fn a_token_that_a_proxy_decorates_is_one() {
        for (value, expected) in [
            ("Negotiate token=oQcwBaADCgEC", Some("oQcwBaADCgEC")),
            ("Negotiate token=\"oQc=\"", Some("oQc=")),
            ("Negotiate Token=oQ==, Basic realm=x", Some("oQ==")),
            ("Negotiate oQ==", Some("oQ==")),
            ("Negotiate tokens=oQ==", None),
        ] {
            assert_eq!(challenges([value])[0].token(), expected, "{value}");
        }
    }

    #[test]
    fn authentication_info_has_parameters_and_no_scheme() {
        let read = parameters("rspauth=\"abc\", cnonce=\"x=\", nc=00000001, qop=auth");
        assert_eq!(value_of(&read, "rspauth"), Some("abc"));
        assert_eq!(value_of(&read, "nc"), Some("00000001"));
        assert_eq!(value_of(&read, "nextnonce"), None);
    }
}
