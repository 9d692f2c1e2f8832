//! The few fields of a certificate that we look at ourselves: its dates, what it may be used for, who
//! it is for, and where its revocations are published.
//!
//! Nothing is verified here; what is no certificate has no fields.

use std::time::Duration;

use rustls::pki_types::UnixTime;

use crate::auth::der::{self, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = der::GENERALIZED_TIME;
const SET: u8 = 0x31;
const UTF8_STRING: u8 = 0x0C;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
/// In an alternative of names: a URI.
const URI: u8 = 0x86;

/// 2.5.29.37
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1D, 0x25];
/// 2.5.29.31
const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1D, 0x1F];
/// 2.5.29.37.0
const ANY_USAGE: &[u8] = &[0x55, 0x1D, 0x25, 0x00];
/// 1.3.6.1.5.5.7.3.1 and .2
pub(super) const SERVER_AUTH: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
pub(super) const CLIENT_AUTH: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];

/// Reads all that is read of a certificate anywhere; for the fuzz target.
pub(in crate::http) fn look_at(bytes: &[u8]) {
    if let Some(read) = Certificate::read(bytes) {
        let _ = (read.subject_values(), read.revocation_urls());
        let _ = [SERVER_AUTH, CLIENT_AUTH].map(|purpose| read.may_serve(purpose));
    }
}

/// A certificate, as far as it is read.
#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub(super) not_before: UnixTime,
    pub(super) not_after: UnixTime,
    subject: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// Reads `bytes`, a certificate in DER.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = der::open(der::open(bytes, SEQUENCE)?, SEQUENCE)?;
        // The first version of certificates does not say that it is.
        if let Some((_, after)) = der::read(rest).filter(|(element, _)| element.tag == der::field(0)) {
            rest = after;
        }
        let mut next = || {
            let (element, after) = der::read(rest)?;
            rest = after;
            Some(element)
        };
        for _ in ["number", "algorithm", "issuer"] {
            next()?;
        }
        let dates = next()?.contents;
        let subject = next()?.contents;
        let (not_before, dates) = der::read(dates)?;
        let (not_after, _) = der::read(dates)?;
        // Its key.
        next()?;
        let extensions = der::find(rest, der::field(3)).and_then(|field| der::open(field, SEQUENCE));
        Some(Self { not_before: time(not_before)?, not_after: time(not_after)?, subject, extensions })
    }

    /// Whether it may be used for `purpose`: it says so, or says nothing.
    pub(super) fn may_serve(&self, purpose: &[u8]) -> bool {
        let Some(usages) = self.extension(EXTENDED_KEY_USAGE) else { return true };
        let Some(usages) = der::open(usages, SEQUENCE) else { return false };
        elements(usages).any(|usage| usage.contents == purpose || usage.contents == ANY_USAGE)
    }

    /// The values of its subject, in the order encoded.
    pub(super) fn subject_values(&self) -> Vec<String> {
        let attributes =
            elements(self.subject).filter(|set| set.tag == SET).flat_map(|set| elements(set.contents));
        let value = |attribute: der::Element<'_>| {
            let (_, rest) = der::read(attribute.contents)?;
            let (value, _) = der::read(rest)?;
            let is_text = [UTF8_STRING, PRINTABLE_STRING, IA5_STRING].contains(&value.tag);
            is_text.then(|| String::from_utf8_lossy(value.contents).into_owned())
        };
        attributes.filter_map(value).collect()
    }

    /// Where lists of revoked certificates are published, as URLs.
    pub(super) fn revocation_urls(&self) -> Vec<&'a str> {
        let Some(points) =
            self.extension(CRL_DISTRIBUTION_POINTS).and_then(|points| der::open(points, SEQUENCE))
        else {
            return Vec::new();
        };
        // A point has its name in field 0, and that its full name in field 0.
        let names = elements(points)
            .filter_map(|point| der::find(point.contents, der::field(0)))
            .filter_map(|name| der::find(name, der::field(0)));
        let urls = names.flat_map(elements).filter(|name| name.tag == URI);
        urls.filter_map(|url| std::str::from_utf8(url.contents).ok()).collect()
    }

    fn extension(&self, identifier: &[u8]) -> Option<&'a [u8]> {
        elements(self.extensions?).find_map(|extension| {
            let is_it = der::find(extension.contents, OBJECT_IDENTIFIER) == Some(identifier);
            is_it.then(|| der::find(extension.contents, OCTET_STRING)).flatten()
        })
    }
}

fn elements(mut contents: &[u8]) -> impl Iterator<Item = der::Element<'_>> {
    std::iter::from_fn(move || {
        let (element, rest) = der::read(contents)?;
        contents = rest;
        Some(element)
    })
}

/// A time as certificates write it: `YYMMDDHHMMSSZ` up to 2049, with four digits of the year beyond.
fn time(element: der::Element<'_>) -> Option<UnixTime> {
    let text = std::str::from_utf8(element.contents).ok()?.strip_suffix('Z')?;
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    if rest.len() != 10 || !rest.is_ascii() {
        return None;
    }
    let part = |at: usize| number(&rest[at..at + 2]);
    let (month, day) = (part(0)?, part(2)?);
    let seconds = part(4)? * 3600 + part(6)? * 60 + part(8)?;
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * 86_400 + seconds;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
}

fn number(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Counts from the first of March, so that the day that comes and goes is the last of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    fn certificate(name: &str) -> CertificateDer<'static> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/certificates/");
        CertificateDer::from_pem_file([folder, name].concat()).expect("a certificate of the tests")
    }

    #[test]
    fn dates_are_read_in_both_forms() {
        for (tag, text, expected) in [
            (UTC_TIME, "700101000000Z", Some(0)),
            (UTC_TIME, "261125140000Z", Some(1_795_615_200)),
            (UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (GENERALIZED_TIME, "20500101000000Z", Some(2_524_608_000)),
            (GENERALIZED_TIME, "20000229000000Z", Some(951_782_400)),
            (UTC_TIME, "500101000000Z", Some(0)),
            (UTC_TIME, "261325140000Z", None),
            (UTC_TIME, "2611251400Z", None),
            (UTC_TIME, "261125140000", None),
            (UTC_TIME, "26112514000üZ", None),
            (OCTET_STRING, "261125140000Z", None),
        ] {
            let found = time(der::Element { tag, contents: text.as_bytes() });
            assert_eq!(found.map(|time| time.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_fields_and_does_no_harm() {
        let whole = certificate("server.pem");
        for length in 0..whole.len() {
            assert!(Certificate::read(&whole[..length]).is_none(), "{length}");
        }
        for at in 0..whole.len() {
            let mut damaged = whole.to_vec();
            damaged[at] ^= 0x55;
            look_at(&damaged);
        }
    }

    #[test]
    fn a_certificate_says_who_it_is_for_and_until_when() {
        let whole = certificate("server.pem");
        let read = Certificate::read(&whole).expect("a certificate");
        assert_eq!(read.subject_values(), ["localhost"]);
        assert!(read.not_before.as_secs() < read.not_after.as_secs());
        assert!(read.may_serve(SERVER_AUTH));
        assert_eq!(read.revocation_urls(), Vec::<&str>::new());
    }
}
