//! The head of an answer: found, parsed and understood, with limits. No byte is read here.

use bits_core::transfer::{BodyLength, ResponseHead};
use bits_core::units::Bytes;

/// Bytes a head may have. The longest honest ones carry a Kerberos token, and a server's is short.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields a head may have.
const FIELDS_MAX: usize = 128;

/// A parsed head, and what it means for the connection.
#[derive(Debug)]
pub(super) struct ParsedHead {
    pub(super) head: ResponseHead,
    /// Whether the server will take another request on this connection after the body.
    pub(super) keeps_connection: bool,
}

/// Where the head ends in `bytes`, one beyond its empty line; `seen` bytes were looked at before.
pub(super) fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    let mut at = seen.saturating_sub(3);
    while let Some(found) = bytes[at..].iter().position(|byte| *byte == b'\n') {
        at += found + 1;
        match &bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Parses a head that is whole.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(super) fn parse(bytes: &[u8]) -> Result<ParsedHead, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    match response.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err("sent too many header fields"),
        Ok(httparse::Status::Partial) | Err(_) => return Err("sent something that is not HTTP"),
    }
    let status = response.code.filter(|status| (100..600).contains(status));
    let status = status.ok_or("sent a status that is none")?;
    let is_http_1_1 = response.version == Some(1);
    let fields: Vec<_> =
        response.headers.iter().map(|field| (field.name.to_owned(), text(field.value))).collect();
    let mut head = ResponseHead { status, body: BodyLength::UntilClose, fields };
    head.body = body_length(&head, is_http_1_1)?;

    let says = |option: &str| {
        let options = head.fields_called("connection").flat_map(|value| value.split(','));
        options.map(str::trim).any(|said| said.eq_ignore_ascii_case(option))
    };
    let keeps = if is_http_1_1 { !says("close") } else { says("keep-alive") };
    // A length beside chunks may come from somebody on the way who counts otherwise.
    let ambiguous = head.body == BodyLength::Chunked && head.field("content-length").is_some();
    let keeps_connection = keeps && head.body != BodyLength::UntilClose && !ambiguous;
    Ok(ParsedHead { head, keeps_connection })
}

/// What an answer of HTTP/2 says. Its body ends with its stream where it has no length.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub(super) fn of_message(status: u16, fields: &http::HeaderMap) -> Result<ParsedHead, &'static str> {
    if fields.len() > FIELDS_MAX {
        return Err("sent too many header fields");
    }
    if !(200..600).contains(&status) {
        return Err("sent a status that is none");
    }
    let fields = fields.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
    let mut head = ResponseHead { status, body: BodyLength::UntilClose, fields: fields.collect() };
    head.body = match body_length(&head, true)? {
        // As with the last chunk, the end is said.
        BodyLength::UntilClose => BodyLength::Chunked,
        known => known,
    };
    Ok(ParsedHead { head, keeps_connection: true })
}

/// How the end of the body is known (RFC 9112 §6.3).
fn body_length(head: &ResponseHead, is_http_1_1: bool) -> Result<BodyLength, &'static str> {
    if matches!(head.status, 100..=199 | 204 | 304) {
        return Ok(BodyLength::Exactly(Bytes::ZERO));
    }
    let mut codings = head.fields_called("transfer-encoding");
    if let Some(coding) = codings.next() {
        let is_chunked = coding.trim().eq_ignore_ascii_case("chunked") && codings.next().is_none();
        return match (is_chunked, is_http_1_1) {
            (true, true) => Ok(BodyLength::Chunked),
            _ => Err("sent a body in a transfer encoding that is not spoken here"),
        };
    }
    // One length sent twice, in two fields or in one, is still one length.
    let mut lengths = head.fields_called("content-length").flat_map(|value| value.split(',')).map(str::trim);
    let Some(first) = lengths.next() else { return Ok(BodyLength::UntilClose) };
    let digits = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    match first.parse::<u64>() {
        Ok(length) if digits && length <= LENGTH_MAX && lengths.all(|other| other == first) => {
            Ok(BodyLength::Exactly(Bytes(length)))
        }
        _ => Err("sent a length that is none"),
    }
}

/// The longest file a file system can count.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// Header values are ASCII; other bytes are kept as Latin-1, which HTTP once was, and mean nothing.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => value.iter().map(|byte| char::from(*byte)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_however_it_comes() {
        let head = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody";
        for seen in 0..24 {
            assert_eq!(end_of_head(head, seen), Some(25), "{seen}");
        }
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\na: b\n\n", 0), Some(22));
        assert_eq!(end_of_head(b"HTTP/1.1 200 OK\r\na: b\r\n\r", 0), None);
        assert_eq!(end_of_head(b"", 0), None);
    }

    #[test]
    fn the_end_of_a_body_is_known_in_one_way_or_the_answer_is_refused() {
        let exactly = |length| Ok((BodyLength::Exactly(Bytes(length)), true));
        for (head, expected) in [
            ("1.1 200 OK\r\nContent-Length: 5", exactly(5)),
            ("1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5", exactly(5)),
            ("1.1 200 OK\r\nContent-Length: 5, 5", exactly(5)),
            ("1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6", Err("sent a length that is none")),
            ("1.1 200 OK\r\nContent-Length: +5", Err("sent a length that is none")),
            ("1.1 200 OK\r\nContent-Length: 9223372036854775808", Err("sent a length that is none")),
            ("1.1 200 OK\r\nTransfer-Encoding: Chunked", Ok((BodyLength::Chunked, true))),
            (
                "1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5",
                Ok((BodyLength::Chunked, false)),
            ),
            (
                "1.1 200 OK\r\nTransfer-Encoding: gzip, chunked",
                Err("sent a body in a transfer encoding that is not spoken here"),
            ),
            (
                "1.0 200 OK\r\nTransfer-Encoding: chunked",
                Err("sent a body in a transfer encoding that is not spoken here"),
            ),
            ("1.1 200 OK", Ok((BodyLength::UntilClose, false))),
            ("1.1 204 No Content", exactly(0)),
            ("1.1 304 Not Modified\r\nContent-Length: 5", exactly(0)),
            (
                "1.1 200 OK\r\nContent-Length: 5\r\nConnection: x, Close",
                Ok((BodyLength::Exactly(Bytes(5)), false)),
            ),
            ("1.0 200 OK\r\nContent-Length: 5", Ok((BodyLength::Exactly(Bytes(5)), false))),
            ("1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive", exactly(5)),
            ("1.1 999 ?", Err("sent a status that is none")),
            ("2 200 OK", Err("sent something that is not HTTP")),
        ] {
            let found = parse(format!("HTTP/{head}\r\n\r\n").as_bytes());
            let found = found.map(|parsed| (parsed.head.body, parsed.keeps_connection));
            assert_eq!(found, expected, "{head:?}");
        }
    }

    #[test]
    fn a_body_of_http_2_ends_with_its_stream_or_where_it_is_said_to() {
        let of = |status, fields: &[(&'static str, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            of_message(status, &fields.collect()).map(|parsed| parsed.head.body)
        };
        let exactly = |length| Ok(BodyLength::Exactly(Bytes(length)));
        for (status, fields, expected) in [
            (200, &[("content-length", "5")][..], exactly(5)),
            (200, &[("content-length", "+5")], Err("sent a length that is none")),
            (200, &[], Ok(BodyLength::Chunked)),
            (304, &[("content-length", "5")], exactly(0)),
            (101, &[], Err("sent a status that is none")),
            (999, &[], Err("sent a status that is none")),
        ] {
            assert_eq!(of(status, fields), expected, "{status} {fields:?}");
        }
        let many = (0..=FIELDS_MAX).map(|number| {
            let name = http::HeaderName::from_bytes(format!("x-{number}").as_bytes()).expect("a name");
            (name, http::HeaderValue::from_static("1"))
        });
        assert_eq!(of_message(200, &many.collect()).err(), Some("sent too many header fields"));
    }

    #[test]
    fn too_many_fields_are_refused() {
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(FIELDS_MAX + 1));
        assert_eq!(parse(head.as_bytes()).err(), Some("sent too many header fields"));
    }
}
