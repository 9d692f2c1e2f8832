//! Looks into what a server answers under `Negotiate` (RFC 4178, `credentials.md` §2.4) before the
//! library does: a refusal must be told from a bad token, and bare Kerberos and NTLM tokens, which
//! some servers send, have to be put into the wrapping the library expects.

use super::der;
use super::krb_message::{self, KrbError};

/// How far the server says it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Completed,
    Incomplete,
    Rejected,
}

/// A server's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer<'a> {
    /// Nothing when the token came without SPNEGO around it.
    pub(super) state: Option<State>,
    /// The token of the mechanism inside.
    pub(super) token: Option<&'a [u8]>,
}

/// The tag of a `NegTokenResp`.
const RESPONSE: u8 = der::field(1);
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.2.840.113554.1.2.2
const KERBEROS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02];
const NTLM_SIGNATURE: &[u8] = b"NTLMSSP\0";

/// Reads a token of the server; nothing when it is of no kind we know.
pub(super) fn answer(token: &[u8]) -> Option<Answer<'_>> {
    if token.starts_with(NTLM_SIGNATURE) || token.first() == Some(&der::application(0)) {
        return Some(Answer { state: None, token: Some(token) });
    }
    let fields = der::open(der::open(token, RESPONSE)?, der::SEQUENCE)?;
    let state = der::find(fields, der::field(0)).and_then(|field| der::open(field, der::ENUMERATED));
    Some(Answer {
        state: match state.map(der::number) {
            None => None,
            Some(Some(0)) => Some(State::Completed),
            // 3 asks for a check value at the end, and is no end.
            Some(Some(1 | 3)) => Some(State::Incomplete),
            Some(_) => Some(State::Rejected),
        },
        token: der::find(fields, der::field(2)).and_then(|field| der::open(field, der::OCTET_STRING)),
    })
}

/// The first token of an exchange in which Kerberos is all there is to choose: a `NegTokenInit` around
/// the bare `token`.
pub(super) fn kerberos_alone(token: &[u8]) -> Vec<u8> {
    let mechanisms = der::wrap(der::SEQUENCE, &der::wrap(der::OBJECT_IDENTIFIER, KERBEROS));
    let fields = [
        der::wrap(der::field(0), &mechanisms),
        der::wrap(der::field(2), &der::wrap(der::OCTET_STRING, token)),
    ];
    let init = der::wrap(der::field(0), &der::wrap(der::SEQUENCE, &fields.concat()));
    der::wrap(der::application(0), &[der::wrap(der::OBJECT_IDENTIFIER, SPNEGO), init].concat())
}

/// `token` as the library expects it: a bare one in a `NegTokenResp`, another as it is.
pub(super) fn wrapped(token: &[u8], state: State) -> Vec<u8> {
    match answer(token) {
        Some(Answer { state: None, token: Some(bare) }) if bare.len() == token.len() => {
            let state = if state == State::Completed { 0 } else { 1 };
            let fields = [
                der::wrap(der::field(0), &der::wrap(der::ENUMERATED, &[state])),
                der::wrap(der::field(2), &der::wrap(der::OCTET_STRING, bare)),
            ];
            der::wrap(RESPONSE, &der::wrap(der::SEQUENCE, &fields.concat()))
        }
        _ => token.to_vec(),
    }
}

/// The Kerberos error in a mechanism's token (RFC 4121 §4.1, token id 03 00).
pub(super) fn kerberos_error(token: &[u8]) -> Option<KrbError> {
    let framed = der::open(token, der::application(0))?;
    let (mechanism, message) = der::read(framed)?;
    if mechanism.tag != der::OBJECT_IDENTIFIER {
        return None;
    }
    krb_message::error(message.strip_prefix(&[0x03, 0x00])?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::krb_message::tests::krb_error;

    const REJECTED: [u8; 9] = [0xA1, 0x07, 0x30, 0x05, 0xA0, 0x03, 0x0A, 0x01, 0x02];

    #[test]
    fn a_refusal_is_known_as_one() {
        assert_eq!(answer(&REJECTED), Some(Answer { state: Some(State::Rejected), token: None }));
        let mut completed = REJECTED;
        completed[8] = 0;
        assert_eq!(answer(&completed), Some(Answer { state: Some(State::Completed), token: None }));
        assert_eq!(wrapped(&completed, State::Incomplete), completed);
    }

    #[test]
    fn a_bare_token_is_put_into_an_answer() {
        let kerberos = der::wrap(der::OBJECT_IDENTIFIER, KERBEROS);
        for bare in [b"NTLMSSP\0rest".to_vec(), der::wrap(der::application(0), &kerberos)] {
            assert_eq!(answer(&bare), Some(Answer { state: None, token: Some(&bare) }));
            let wrapped = wrapped(&bare, State::Incomplete);
            assert_eq!(answer(&wrapped), Some(Answer { state: Some(State::Incomplete), token: Some(&bare) }));
        }
    }

    #[test]
    fn a_kerberos_error_is_found_in_a_token() {
        let mechanism = der::wrap(der::OBJECT_IDENTIFIER, KERBEROS);
        let framed = [&mechanism[..], &[0x03, 0x00], &krb_error(37, None)].concat();
        let token = der::wrap(der::application(0), &framed);
        assert_eq!(kerberos_error(&token).map(|error| error.number), Some(37));
        assert_eq!(kerberos_error(&REJECTED), None);
    }

    #[test]
    fn kerberos_alone_offers_kerberos_alone() {
        let token = kerberos_alone(b"ticket");
        // Put together by hand from RFC 4178 §4.2.1.
        let expected = [
            &[0x60, 0x25, 0x06, 0x06][..],
            SPNEGO,
            &[0xA0, 0x1B, 0x30, 0x19, 0xA0, 0x0D, 0x30, 0x0B, 0x06, 0x09],
            KERBEROS,
            &[0xA2, 0x08, 0x04, 0x06],
            b"ticket",
        ];
        assert_eq!(token, expected.concat());
    }

    #[test]
    fn nonsense_is_no_answer() {
        for token in [&b""[..], b"x", &[0xA1, 0x80], &[0xA1, 0x02, 0x04, 0x00]] {
            assert_eq!(answer(token), None);
        }
    }
}
