//! Texts that name proxies, without the user and password somebody may have put into them.
//!
//! What else is wrong with such a text is judged when the job runs (`bits.md` §6.7).

use alloc::string::String;
use alloc::vec::Vec;

use crate::remote_name::{UserInfo, percent_decode};
use crate::secret::Secret;

const NOT_TEXT: &str = "has a user name or password that is not readable text";
const TWO_USERS: &str = "has different users for its proxies; a job signs in at its proxies as one";
const SPACE: &str = "has a space in a user name or password; write it as %20";

/// A list of proxies with spaces between (`[<protocol>=][<protocol>://]server[:port]`), and who signs
/// in there.
///
/// # Errors
/// A sentence fragment that says what is wrong, and repeats nothing.
pub fn proxy_list(text: &str) -> Result<(String, Option<UserInfo>), &'static str> {
    let entries: Vec<&str> = text.split_whitespace().collect();
    let mut cleared = Vec::with_capacity(entries.len());
    let mut signed_in: Option<UserInfo> = None;
    for entry in &entries {
        let (entry, user_info) = one_proxy(entry)?;
        match (user_info, &signed_in) {
            (Some(other), Some(known)) if !known.is_same(&other) => return Err(TWO_USERS),
            (None, _) | (Some(_), Some(_)) => {}
            (user_info, None) => signed_in = user_info,
        }
        cleared.push(entry);
    }
    // A space that was not encoded cuts a password in two, and the first half has no `@`.
    if signed_in.is_some() && cleared.iter().any(|entry| has_odd_port(entry)) {
        return Err(SPACE);
    }
    Ok((cleared.join(" "), signed_in))
}

/// One proxy, as in an environment variable, and who signs in there.
///
/// # Errors
/// As [`proxy_list`].
pub fn one_proxy(text: &str) -> Result<(String, Option<UserInfo>), &'static str> {
    let Some(at) = text.rfind('@') else { return Ok((text.into(), None)) };
    let start = start_of_authority(&text[..at]);
    let (user, password) = text[start..at].split_once(':').unwrap_or((&text[start..at], ""));
    let user = percent_decode(user).ok_or(NOT_TEXT)?;
    let password = Secret::new(percent_decode(password).ok_or(NOT_TEXT)?);
    let cleared = [&text[..start], &text[at + 1..]].concat();
    // `@proxy` and `:@proxy` name nobody.
    let is_named = !user.is_empty();
    Ok((cleared, is_named.then_some(UserInfo { user, password })))
}

/// Where the user begins: after `<protocol>=` and `<protocol>://`, which a password can look like.
fn start_of_authority(text: &str) -> usize {
    let after = |start: usize, mark: &str| match text[start..].split_once(mark) {
        Some((word, _)) if is_word(word) => start + word.len() + mark.len(),
        _ => start,
    };
    after(after(0, "="), "://")
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn has_odd_port(entry: &str) -> bool {
    let authority = &entry[start_of_authority(entry)..];
    let authority = authority.split('/').next().unwrap_or_default();
    let port = match authority.rsplit_once(']') {
        Some((_, port)) => port.strip_prefix(':'),
        None => authority.split_once(':').map(|(_, port)| port),
    };
    port.is_some_and(|port| !port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The list, user and password.
    fn parts(text: &str) -> Result<(String, String, String), &'static str> {
        let (list, user_info) = proxy_list(text)?;
        let (user, password) =
            user_info.map_or_else(Default::default, |info| (info.user, info.password.expose().to_string()));
        Ok((list, user, password))
    }

    #[test]
    fn user_and_password_are_taken_out_of_a_list_of_proxies() {
        for (text, list, user, password) in [
            ("proxy:3128", "proxy:3128", "", ""),
            ("  http://a   [::1]:8080 ", "http://a [::1]:8080", "", ""),
            ("http://anna:p%40ss@proxy:3128/", "http://proxy:3128/", "anna", "p@ss"),
            ("anna:a@b:c@proxy", "proxy", "anna", "a@b:c"),
            ("https=http://anna:x@p1 http=anna:x@p2:1", "https=http://p1 http=p2:1", "anna", "x"),
            ("anna:p=w@proxy", "proxy", "anna", "p=w"),
            ("anna:p://w@proxy", "proxy", "anna", "p://w"),
            (r"http://DOM%5Canna@proxy", "http://proxy", r"DOM\anna", ""),
            ("http://@proxy", "http://proxy", "", ""),
        ] {
            let expected = (list.to_string(), user.to_string(), password.to_string());
            assert_eq!(parts(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_list_that_would_leave_half_a_password_behind_is_refused() {
        for (text, wrong) in [
            ("http://a:x@p1 http://b:x@p2", TWO_USERS),
            ("http://a:x@p1 http://a:y@p2", TWO_USERS),
            ("http://a:%FF@p1", NOT_TEXT),
            ("http://a:%4@p1", NOT_TEXT),
            ("http://anna:hunter 2@p1", SPACE),
            ("anna:hunter 2@p1:80", SPACE),
        ] {
            assert_eq!(parts(text), Err(wrong), "{text}");
        }
    }

    #[test]
    fn a_variable_names_one_proxy_whatever_is_in_its_password() {
        let (proxy, user_info) = one_proxy("http://anna:hunter 2@proxy:3128").expect("a proxy");
        let user_info = user_info.expect("somebody");
        assert_eq!(proxy, "http://proxy:3128");
        assert_eq!((user_info.user.as_str(), user_info.password.expose()), ("anna", "hunter 2"));
    }
}
