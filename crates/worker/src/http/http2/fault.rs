//! What it means when a stream, or its connection, ends before an answer or its body does.

use bits_core::transfer::{TransportError, TransportFault};
use h2::Reason;

use crate::http::connection::{ExchangeError, broken};

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Unanswered {
    /// The connection takes no request any more.
    NotAsked(h2::Error),
    Failed(h2::Error),
    /// What is wrong with the answer, as the end of a sentence.
    Invalid(&'static str),
}

impl Unanswered {
    /// Whether other requests would fare no better on this connection.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::NotAsked(_) => true,
            Self::Failed(error) => !error.is_reset(),
            Self::Invalid(_) => false,
        }
    }
}

/// What `unanswered` means for the request, and what may be done about it.
pub(super) fn exchange_error(unanswered: &Unanswered, authority: &str) -> ExchangeError {
    let (error, was_sent) = match unanswered {
        Unanswered::NotAsked(error) => (error, false),
        Unanswered::Failed(error) => (error, true),
        Unanswered::Invalid(why) => {
            return ExchangeError::new(TransportError {
                fault: TransportFault::InvalidAnswer,
                message: format!("{authority} {why}"),
            });
        }
    };
    let by_server = |reason| error.is_remote() && error.reason() == Some(reason);
    // Where the server goes away, the library says so for those requests alone that it has not looked
    // at; the others go on (RFC 9113 §6.8). One that has had too much is not asked again at once.
    let was_left_out = error.is_go_away() && error.is_remote() && !by_server(Reason::ENHANCE_YOUR_CALM);
    let was_refused = error.is_reset() && by_server(Reason::REFUSED_STREAM);
    ExchangeError {
        was_not_processed: !was_sent || was_left_out || was_refused,
        wants_http_1: by_server(Reason::HTTP_1_1_REQUIRED),
        nothing_came: error.is_io(),
        is_about_our_certificate: false,
        error: meaning(error, authority, TransportFault::InvalidAnswer),
    }
}

/// The request cannot be put in the words of HTTP/2.
pub(super) fn unsayable(authority: &str) -> ExchangeError {
    let error = TransportError {
        fault: TransportFault::InvalidAnswer,
        message: format!("{authority} cannot be asked for this by HTTP/2"),
    };
    ExchangeError { wants_http_1: true, ..ExchangeError::new(error) }
}

/// What `error` means in the middle of a body.
pub(super) fn of_body(error: &h2::Error, authority: &str) -> TransportError {
    if error.is_reset() && error.is_library() && error.reason() == Some(Reason::PROTOCOL_ERROR) {
        return TransportError {
            fault: TransportFault::Aborted,
            message: format!("{authority} sent a body of another length than it had said"),
        };
    }
    meaning(error, authority, TransportFault::InvalidAnswer)
}

fn meaning(error: &h2::Error, authority: &str, rules_broken: TransportFault) -> TransportError {
    if let Some(io) = error.get_io() {
        return broken(authority, io);
    }
    let why = error.reason().map_or_else(|| error.to_string(), |reason| reason.description().to_owned());
    let (fault, message) = if error.is_library() {
        (rules_broken, format!("{authority} breaks the rules of HTTP/2: {why}"))
    } else if error.is_go_away() {
        (TransportFault::Aborted, format!("{authority} ends the connection: {why}"))
    } else {
        (TransportFault::Aborted, format!("{authority} broke the answer off: {why}"))
    };
    TransportError { fault, message }
}
