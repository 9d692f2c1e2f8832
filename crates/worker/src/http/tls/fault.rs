//! What failed TLS means, with a sentence for a person.

use bits_core::error::{Code, ErrorContext, JobError};
use bits_core::file::FileIndex;
use bits_core::transfer::{TransportError, TransportFault};
use rustls::{AlertDescription, CertificateError};

use super::TlsError;
use crate::http::client::FetchError;
use crate::http::connection::lack;

/// What `error`, met with `authority`, means.
pub(super) fn fault_of(error: &TlsError, authority: &str) -> FetchError {
    let fault = |fault, message| FetchError::Transport(TransportError { fault, message });
    let io = match error {
        TlsError::Handshake(io) => io,
        TlsError::ClientCertificate(error) => return refusal(error.code, error.to_string()),
        TlsError::Revocation(reason) => {
            return refusal(
                Code::REVOCATION_UNKNOWN,
                format!("whether the certificate of {authority} was revoked is not known: {reason}"),
            );
        }
        _ => {
            return fault(TransportFault::Tls, format!("TLS with {authority} is not possible: {error}"));
        }
    };
    if io.kind() == std::io::ErrorKind::TimedOut {
        return fault(TransportFault::TimedOut, io.to_string());
    }
    if let Some(lack) = lack(authority, io) {
        return FetchError::Transport(lack);
    }
    let Some(error) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return fault(
            TransportFault::Aborted,
            format!("the connection to {authority} broke while TLS was agreed on: {io}"),
        );
    };
    match error {
        rustls::Error::InvalidCertificate(why) => {
            let (kind, message) = certificate_fault(why, authority);
            fault(kind, message)
        }
        _ => fault(TransportFault::Tls, format!("TLS with {authority} is not possible: {error}")),
    }
}

/// Whether the server speaks nothing of what was offered (RFC 7301 §3.2).
pub(super) fn is_about_protocol(io: &std::io::Error) -> bool {
    let error = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(error, Some(rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
}

fn certificate_fault(why: &CertificateError, authority: &str) -> (TransportFault, String) {
    use CertificateError as E;
    match why {
        E::Expired | E::ExpiredContext { .. } => (
            TransportFault::CertificateDate,
            format!(
                "the certificate of {authority} has expired; if it has not, look at this machine's clock"
            ),
        ),
        E::NotValidYet | E::NotValidYetContext { .. } => (
            TransportFault::CertificateDate,
            format!("the certificate of {authority} is not valid yet; look at this machine's clock"),
        ),
        E::NotValidForName | E::NotValidForNameContext { .. } => (
            TransportFault::CertificateHostName,
            format!("the certificate that {authority} shows is for other names"),
        ),
        E::UnknownIssuer => (
            TransportFault::UnknownAuthority,
            format!(
                "nobody this machine trusts stands for the certificate of {authority}; if you trust its \
                 authority, add that to the certificates of the system"
            ),
        ),
        E::Revoked => {
            (TransportFault::CertificateRevoked, format!("the certificate of {authority} has been revoked"))
        }
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => (
            TransportFault::Tls,
            format!("the certificate of {authority} is not accepted: it is not made for servers"),
        ),
        E::BadSignature => (
            TransportFault::Tls,
            format!(
                "the certificate of {authority} is not accepted: it was not signed by the authority that \
                 it names"
            ),
        ),
        E::BadEncoding => {
            (TransportFault::Tls, format!("the certificate of {authority} is not accepted: it is malformed"))
        }
        other => (TransportFault::Tls, format!("the certificate of {authority} is not accepted: {other}")),
    }
}

/// Whether `error` is the other side's word that it does not go on, and about the certificate it was
/// shown or not shown, as far as can be told.
pub(in crate::http) fn is_about_our_certificate(error: &std::io::Error) -> bool {
    use AlertDescription as A;
    let error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::AlertReceived(alert)) = error else { return false };
    matches!(
        alert,
        A::CertificateRequired
            | A::NoCertificate
            | A::BadCertificate
            | A::UnsupportedCertificate
            | A::CertificateRevoked
            | A::CertificateExpired
            | A::CertificateUnknown
            | A::UnknownCA
            | A::AccessDenied
            | A::HandshakeFailure
    )
}

/// The server asked for a certificate and does not go on with what it got: `given`, or none.
/// `said` is how it said so.
pub(in crate::http) fn certificate_refused(authority: &str, given: bool, said: &str) -> FetchError {
    if given {
        let message =
            format!("{authority} does not accept the client certificate of the job ({said}): {REASONS}");
        return FetchError::Transport(TransportError { fault: TransportFault::Tls, message });
    }
    refusal(
        Code::CLIENT_CERTIFICATE_NEEDED,
        format!("{authority} wants a client certificate, and the job has none ({said})"),
    )
}

/// Why a server may not take a certificate, and what helps.
const REASONS: &str = "it may have expired or been revoked, or be from an authority that is not trusted there; \
     set another one, or ask whoever runs the server for one";

/// The server has looked at the job's certificate and answers with `status`, which is of `file`: many
/// servers end the handshake well and say only then what they think of it.
pub(in crate::http) fn certificate_not_taken(authority: &str, status: u16, file: FileIndex) -> FetchError {
    FetchError::Refused(Box::new(JobError {
        code: Code::http(status),
        context: ErrorContext::RemoteFile,
        transient: false,
        message: format!(
            "{authority} was shown the client certificate of the job and answered {status}; if that is because of \
             the certificate, {REASONS}"
        ),
        file: Some(file),
        challenge: None,
        retry_after_seconds: None,
    }))
}

fn refusal(code: Code, message: String) -> FetchError {
    FetchError::Refused(Box::new(JobError {
        code,
        context: ErrorContext::GeneralTransport,
        transient: false,
        message,
        file: None,
        challenge: None,
        retry_after_seconds: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_said_in_words() {
        for (why, expected) in [
            (CertificateError::BadSignature, "it was not signed by the authority that it names"),
            (CertificateError::BadEncoding, "it is malformed"),
        ] {
            let (fault, message) = certificate_fault(&why, "files.test");
            assert_eq!(fault, TransportFault::Tls);
            assert_eq!(message, format!("the certificate of files.test is not accepted: {expected}"));
        }
    }
}
