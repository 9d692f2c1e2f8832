//! Basic authentication (RFC 7617, `credentials.md` §2.2): the password itself, in base64.
//!
//! Whether it may be sent at all, over plain http for one, is decided in `select`. The text goes
//! out as UTF-8; a second try in Latin-1 would be a second try with a refused secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::classify::{FailureClass, Fault};

/// The header value that proves `user` with `password`.
pub(super) fn header(user: &str, password: &str) -> Result<Zeroizing<String>, Fault> {
    if user.contains(':') {
        return Err(Fault::new(FailureClass::Config, "Basic cannot carry a user name with a colon in it"));
    }
    if user.contains(char::is_control) || password.contains(char::is_control) {
        return Err(Fault::new(
            FailureClass::Config,
            "Basic cannot carry a user name or password with control characters in it",
        ));
    }
    // Room for all of it from the start: a string that grows leaves copies behind.
    let mut pair = Zeroizing::new(String::with_capacity(user.len() + 1 + password.len()));
    pair.push_str(user);
    pair.push(':');
    pair.push_str(password);

    const NAME: &str = "Basic ";
    // Straight into its place: what encodes to a string does so by way of a buffer on the stack,
    // where it stays.
    let mut header = Zeroizing::new(vec![0; NAME.len() + pair.len().div_ceil(3) * 4]);
    let (name, encoded) = header.split_at_mut(NAME.len());
    name.copy_from_slice(NAME.as_bytes());
    STANDARD.encode_slice(pair.as_bytes(), encoded).expect("there is room for four bytes for each three");
    let header = String::from_utf8(std::mem::take(&mut *header)).expect("base64 is text");
    Ok(Zeroizing::new(header))
}

/// Whether `target` lies in the folder of `accepted`, or deeper: there the same secret is expected
/// (RFC 7617 §2.2), elsewhere it waits to be asked for.
pub(super) fn covers(accepted: &str, target: &str) -> bool {
    target.starts_with(folder(accepted))
}

/// The part of a request target up to its last slash, without the query.
fn folder(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    &path[..path.rfind('/').map_or(0, |slash| slash + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7617_come_out() {
        for (user, password, expected) in [
            ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("test", "123£", "Basic dGVzdDoxMjPCow=="),
            ("DOMAIN\\user", "", "Basic RE9NQUlOXHVzZXI6"),
        ] {
            assert_eq!(*header(user, password).unwrap(), expected);
        }
    }

    #[test]
    fn what_basic_cannot_carry_is_refused_before_it_is_sent() {
        for (user, password) in [("a:b", "c"), ("a\r\nX: y", "c"), ("a", "c\0")] {
            assert_eq!(header(user, password).unwrap_err().class, FailureClass::Config);
        }
    }

    #[test]
    fn a_secret_is_sent_unasked_only_at_the_same_depth_and_below() {
        for (accepted, target, expected) in [
            ("/a/b/file", "/a/b/other?x=1", true),
            ("/a/b/file?y=/c/d", "/a/b/c/deeper", true),
            ("/a/b/file", "/a/bb", false),
            ("/a/b/file", "/a/", false),
            ("/file", "/anything", true),
        ] {
            assert_eq!(covers(accepted, target), expected, "{accepted} {target}");
        }
    }
}
