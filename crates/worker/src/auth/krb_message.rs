//! The few fields of Kerberos messages (RFC 4120 §5) that we read ourselves as they pass by: for
//! which realm a request is, and what a KDC says in an error. The library that makes and
//! understands the messages tells neither.
//!
//! Two messages are changed in passing, both outside what is protected: a first request for a realm
//! the library would not ask, and a first answer the library does not expect.

use super::der;

const AS_REQUEST: u8 = der::application(10);
const AS_REPLY: u8 = der::application(11);
const TGS_REQUEST: u8 = der::application(12);
const TGS_REPLY: u8 = der::application(13);
const ERROR: u8 = der::application(30);

/// A KDC wants the secret to be proved first; the way every exchange begins.
pub(super) const KDC_ERR_PREAUTH_REQUIRED: u32 = 25;
/// The KDC has no time for us.
pub(super) const KDC_ERR_SVC_UNAVAILABLE: u32 = 29;
/// The answer does not fit a datagram.
pub(super) const KRB_ERR_RESPONSE_TOO_BIG: u32 = 52;
/// Our clock is too far off.
pub(super) const KRB_AP_ERR_SKEW: u32 = 37;
/// The KDC does not know the client.
pub(super) const KDC_ERR_C_PRINCIPAL_UNKNOWN: u32 = 6;
/// Another realm is in charge of the client.
pub(super) const KDC_ERR_WRONG_REALM: u32 = 68;

/// What is asked of a KDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    /// The first ticket, for which the secret is proved.
    Logon,
    /// A ticket for a service.
    Service,
}

/// Reads kind and realm of a request.
pub(super) fn request(message: &[u8]) -> Option<(RequestKind, String)> {
    let (outer, _) = der::read(message)?;
    let kind = match outer.tag {
        AS_REQUEST => RequestKind::Logon,
        TGS_REQUEST => RequestKind::Service,
        _ => return None,
    };
    let fields = der::open(outer.contents, der::SEQUENCE)?;
    let body = der::open(der::find(fields, der::field(4))?, der::SEQUENCE)?;
    let realm = der::open(der::find(body, der::field(2))?, der::GENERAL_STRING)?;
    Some((kind, text(realm)?))
}

/// The request for a first ticket, asked of `realm` instead. Nothing in such a request is protected
/// before the KDC answers; the time in it is encrypted by itself.
pub(super) fn logon_for_realm(message: &[u8], realm: &str) -> Option<Vec<u8>> {
    let realm = der::wrap(der::GENERAL_STRING, realm.as_bytes());
    let ticket_service = |name: &[u8]| -> Option<Vec<u8>> {
        let (kind, _) = der::read(der::open(name, der::SEQUENCE)?)?;
        let names = [der::wrap(der::GENERAL_STRING, b"krbtgt"), realm.clone()].concat();
        let names = der::wrap(der::field(1), &der::wrap(der::SEQUENCE, &names));
        Some(der::wrap(der::SEQUENCE, &[der::wrap(kind.tag, kind.contents), names].concat()))
    };
    let fields = der::open(der::open(message, AS_REQUEST)?, der::SEQUENCE)?;
    let fields = der::map(fields, |field| match field.tag {
        BODY => {
            let body = der::open(field.contents, der::SEQUENCE)?;
            let body = der::map(body, |field| match field.tag {
                BODY_REALM => Some(realm.clone()),
                BODY_SERVICE => ticket_service(field.contents),
                _ => Some(field.contents.to_vec()),
            })?;
            Some(der::wrap(der::SEQUENCE, &body))
        }
        _ => Some(field.contents.to_vec()),
    })?;
    Some(der::wrap(AS_REQUEST, &der::wrap(der::SEQUENCE, &fields)))
}

const BODY: u8 = der::field(4);
const BODY_REALM: u8 = der::field(2);
const BODY_SERVICE: u8 = der::field(3);

/// A KDC that gave a ticket at once, without the secret being proved: its answer as the demand for
/// that proof which the library waits for, with the same hints about the key.
pub(super) fn demand_of_proof(ticket: &[u8], realm: &str) -> Option<Vec<u8>> {
    let fields = der::open(der::open(ticket, AS_REPLY)?, der::SEQUENCE)?;
    let hints = der::find(fields, der::field(2));
    let hints = hints.map_or_else(|| der::wrap(der::SEQUENCE, &[]), <[u8]>::to_vec);
    let field = |number, tag, contents: &[u8]| der::wrap(der::field(number), &der::wrap(tag, contents));
    let names = [der::wrap(der::GENERAL_STRING, b"krbtgt"), der::wrap(der::GENERAL_STRING, realm.as_bytes())];
    let service = [field(0, der::INTEGER, &[2]), field(1, der::SEQUENCE, &names.concat())].concat();
    let fields = [
        field(0, der::INTEGER, &[5]),
        field(1, der::INTEGER, &[30]),
        // The time is looked at in no error of this number.
        field(4, der::GENERALIZED_TIME, b"19700101000000Z"),
        field(5, der::INTEGER, &[0]),
        field(6, der::INTEGER, &[KDC_ERR_PREAUTH_REQUIRED as u8]),
        field(9, der::GENERAL_STRING, realm.as_bytes()),
        field(10, der::SEQUENCE, &service),
        field(12, der::OCTET_STRING, &hints),
    ];
    Some(der::wrap(ERROR, &der::wrap(der::SEQUENCE, &fields.concat())))
}

/// What a KDC answered, as far as it decides how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Ticket,
    Error(KrbError),
}

/// A KDC's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KrbError {
    pub(super) number: u32,
    /// The KDC's clock, in seconds since 1970.
    pub(super) server_time: Option<u64>,
    /// The realm of the client, which names another one to ask.
    pub(super) client_realm: Option<String>,
}

/// Reads the kind of a reply, and an error's contents.
pub(super) fn reply(message: &[u8]) -> Option<Reply> {
    match der::read(message)?.0.tag {
        AS_REPLY | TGS_REPLY => Some(Reply::Ticket),
        ERROR => error(message).map(Reply::Error),
        _ => None,
    }
}

/// Reads a KRB-ERROR.
pub(super) fn error(message: &[u8]) -> Option<KrbError> {
    let fields = der::open(der::open(message, ERROR)?, der::SEQUENCE)?;
    let inner = |number, tag| der::open(der::find(fields, der::field(number))?, tag);
    Some(KrbError {
        number: der::number(inner(6, der::INTEGER)?)?,
        server_time: inner(4, der::GENERALIZED_TIME).and_then(seconds_since_1970),
        client_realm: inner(7, der::GENERAL_STRING).and_then(text),
    })
}

/// A realm or name; Kerberos text that is not plain and short is none.
fn text(contents: &[u8]) -> Option<String> {
    /// Longer than a domain name can be.
    const REALM_BYTES_MAX: usize = 255;
    let text = str::from_utf8(contents).ok()?;
    let plain = !text.is_empty() && text.len() <= REALM_BYTES_MAX && !text.contains(char::is_control);
    plain.then(|| text.to_owned())
}

/// `YYYYMMDDHHMMSSZ`, the one form Kerberos uses, in seconds.
fn seconds_since_1970(time: &[u8]) -> Option<u64> {
    let digits = time.strip_suffix(b"Z")?;
    if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |range: core::ops::Range<usize>| {
        digits[range].iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    let (hour, minute, second) = (number(8..10), number(10..12), number(12..14));
    if year < 1970 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March, so that the day which is sometimes there is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1;
    /// Days from March of the year 0 to 1970, counted like that.
    const DAYS_TO_1970: u64 = 719_468;
    Some((days - DAYS_TO_1970) * 86_400 + hour * 3_600 + minute * 60 + second)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A KRB-ERROR as a KDC sends it.
    pub(in crate::auth) fn krb_error(number: u8, client_realm: Option<&str>) -> Vec<u8> {
        let field = |number, tag, contents: &[u8]| der::wrap(der::field(number), &der::wrap(tag, contents));
        let mut fields = vec![
            field(0, der::INTEGER, &[5]),
            field(1, der::INTEGER, &[30]),
            field(4, der::GENERALIZED_TIME, b"20261123065100Z"),
            field(5, der::INTEGER, &[0]),
            field(6, der::INTEGER, &[number]),
        ];
        fields.extend(client_realm.map(|realm| field(7, der::GENERAL_STRING, realm.as_bytes())));
        fields.push(field(9, der::GENERAL_STRING, b"EXAMPLE.TEST"));
        let name = [field(0, der::INTEGER, &[2]), field(1, der::SEQUENCE, &[])].concat();
        fields.push(field(10, der::SEQUENCE, &name));
        der::wrap(ERROR, &der::wrap(der::SEQUENCE, &fields.concat()))
    }

    #[test]
    fn an_error_gives_its_number_time_and_realm() {
        let message = krb_error(68, Some("OTHER.TEST"));
        let expected = KrbError {
            number: 68,
            server_time: Some(1_795_416_660),
            client_realm: Some("OTHER.TEST".to_owned()),
        };
        assert_eq!(reply(&message), Some(Reply::Error(expected)));
    }

    #[test]
    fn an_error_cut_short_anywhere_is_no_error() {
        let message = krb_error(24, None);
        for end in 0..message.len() {
            assert_eq!(error(&message[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_request_tells_for_which_realm_it_is() {
        let body = [
            der::wrap(der::field(0), &[]),
            der::wrap(der::field(2), &der::wrap(der::GENERAL_STRING, b"EXAMPLE.TEST")),
        ];
        let body = der::wrap(der::field(4), &der::wrap(der::SEQUENCE, &body.concat()));
        for (tag, kind) in [(AS_REQUEST, RequestKind::Logon), (TGS_REQUEST, RequestKind::Service)] {
            let message = der::wrap(tag, &der::wrap(der::SEQUENCE, &body));
            assert_eq!(request(&message), Some((kind, "EXAMPLE.TEST".to_owned())));
        }
        assert_eq!(request(&krb_error(6, None)), None);
    }

    #[test]
    fn a_first_request_can_be_asked_of_another_realm() {
        let text = |text: &[u8]| der::wrap(der::GENERAL_STRING, text);
        let request = |realm: &[u8]| {
            let names = der::wrap(der::SEQUENCE, &[text(b"krbtgt"), text(realm)].concat());
            let service =
                [der::wrap(der::field(0), &der::wrap(der::INTEGER, &[2])), der::wrap(der::field(1), &names)];
            let body = [
                der::wrap(der::field(0), &[1, 2, 3]),
                der::wrap(der::field(2), &text(realm)),
                der::wrap(der::field(3), &der::wrap(der::SEQUENCE, &service.concat())),
                der::wrap(der::field(7), &der::wrap(der::INTEGER, &[9])),
            ];
            let fields = [
                der::wrap(der::field(1), &der::wrap(der::INTEGER, &[5])),
                der::wrap(der::field(4), &der::wrap(der::SEQUENCE, &body.concat())),
            ];
            der::wrap(AS_REQUEST, &der::wrap(der::SEQUENCE, &fields.concat()))
        };
        let changed = logon_for_realm(&request(b"MAPPED.TEST"), "other.test");
        assert_eq!(changed, Some(request(b"other.test")));
        for end in 0..request(b"X").len() {
            assert_eq!(logon_for_realm(&request(b"X")[..end], "Y"), None, "{end}");
        }
    }

    #[test]
    fn a_ticket_that_came_unasked_becomes_a_demand_with_its_hints() {
        let hints = der::wrap(der::SEQUENCE, b"hints");
        let ticket = der::wrap(AS_REPLY, &der::wrap(der::SEQUENCE, &der::wrap(der::field(2), &hints)));
        let demand = demand_of_proof(&ticket, "EXAMPLE.TEST").unwrap();
        assert_eq!(error(&demand).unwrap().number, KDC_ERR_PREAUTH_REQUIRED);
        assert!(demand.ends_with(&der::wrap(der::field(12), &der::wrap(der::OCTET_STRING, &hints))));
        let bare = der::wrap(AS_REPLY, &der::wrap(der::SEQUENCE, &[]));
        assert!(demand_of_proof(&bare, "EXAMPLE.TEST").is_some());
        assert_eq!(demand_of_proof(&krb_error(6, None), "EXAMPLE.TEST"), None);
    }

    #[test]
    fn times_become_seconds() {
        for (time, expected) in [
            ("19700101000000Z", Some(0)),
            ("20000229120000Z", Some(951_825_600)),
            ("20261231235959Z", Some(1_798_761_599)),
            ("21000301000000Z", Some(4_107_542_400)),
            ("19691231235959Z", None),
            ("20260001000000Z", None),
            ("20260101000000", None),
            ("2026010100000:Z", None),
            ("", None),
        ] {
            assert_eq!(seconds_since_1970(time.as_bytes()), expected, "{time}");
        }
    }
}
