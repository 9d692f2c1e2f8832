//! The host within the name of a target: a service principal name, a URL, or a bare host.
//!
//! Only the text is looked at. Nothing is resolved, and a host is not checked to be one.

use super::{IdentityError, units};

/// Characters the name of a target may have, in UTF-16 units (`credentials.md` §1.4).
pub const TARGET_UNITS_MAX: usize = 32_767;

/// The host that `target` names. `SspiGetTargetHostName`.
///
/// | target | host |
/// |---|---|
/// | `HTTP/files.example.test`, `HTTP/files.example.test:8080/name@REALM` | `files.example.test` |
/// | `HTTP@files.example.test` | `files.example.test` |
/// | `https://anna@files.example.test:8443/x?y` | `files.example.test` |
/// | `files.example.test`, `files.example.test:80` | `files.example.test` |
/// | `http://[2001:db8::1]:80/`, `HTTP/[2001:db8::1]`, `2001:db8::1` | `2001:db8::1` |
///
/// Letter case stays. A target without a host, or with a control character, is refused with
/// 0x8009035D, and so is one that is too long, with 122.
pub fn target_host_name(target: &str) -> Result<&str, IdentityError> {
    if units(target) > TARGET_UNITS_MAX {
        return Err(IdentityError::TooLong { what: "name of the target", units_max: TARGET_UNITS_MAX });
    }
    if target.chars().any(char::is_control) {
        return Err(IdentityError::NoTargetHost);
    }
    let host = without_port(host_and_port(target));
    if host.is_empty() { Err(IdentityError::NoTargetHost) } else { Ok(host) }
}

fn host_and_port(target: &str) -> &str {
    let up_to = |text: &'_ str, ends: &[char]| text.find(ends).unwrap_or(text.len());
    if let Some((_, rest)) = target.split_once("://") {
        let authority = &rest[..up_to(rest, &['/', '\\', '?', '#'])];
        return authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    }
    match target.split_once('/') {
        Some((_service, rest)) => &rest[..up_to(rest, &['/', '@'])],
        None => target.rsplit_once('@').map_or(target, |(_, host)| host),
    }
}

fn without_port(host: &str) -> &str {
    if let Some(bracketed) = host.strip_prefix('[') {
        return bracketed.split_once(']').map_or("", |(address, _)| address);
    }
    match host.split_once(':') {
        // More than one colon is an address of IPv6.
        Some((name, port)) if !port.contains(':') => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_host_is_found_in_principal_names_urls_and_bare_names() {
        for (target, host) in [
            ("HTTP/files.example.test", "files.example.test"),
            ("http/Files:8080", "Files"),
            ("HTTP/files.example.test:8080/name@REALM", "files.example.test"),
            ("ldap/dc1.example.test/example.test", "dc1.example.test"),
            ("HTTP/files.example.test@EXAMPLE.TEST", "files.example.test"),
            ("HTTP@files.example.test", "files.example.test"),
            ("https://files.example.test", "files.example.test"),
            ("https://anna:x@files.example.test:8443/a@b?c/d", "files.example.test"),
            ("http://files.example.test?x", "files.example.test"),
            ("http://[2001:db8::1]:80/", "2001:db8::1"),
            ("HTTP/[2001:db8::1]", "2001:db8::1"),
            ("[::1]:80", "::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("files.example.test:80", "files.example.test"),
            ("files", "files"),
        ] {
            assert_eq!(target_host_name(target), Ok(host), "{target}");
        }
    }

    #[test]
    fn a_target_without_a_host_is_refused() {
        for target in
            ["", "HTTP/", "HTTP/@REALM", "https://", "https:///x", "anna@", ":80", "[::1", "[]:80", "a\nb"]
        {
            let error = target_host_name(target).unwrap_err();
            assert_eq!(error.code(), Code(0x8009_035D), "{target:?}");
        }
        let long = "x".repeat(TARGET_UNITS_MAX + 1);
        assert_eq!(target_host_name(&long).unwrap_err().code(), Code(122));
        assert_eq!(target_host_name(&long[1..]), Ok(&long[1..]));
    }
}
