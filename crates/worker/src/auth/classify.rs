//! What it means that authentication has failed (`credentials.md` §2.12), decided once: the code,
//! whether time may cure it, and whether another way may still be tried.
//!
//! Only meaning is here. How a failure is noticed is for the mechanisms, which read the KDC's own
//! error number, because the library below loses the difference.

use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::Code;

const HTTP_407: Code = Code(0x8019_0197);
const SEC_E_NO_AUTHENTICATING_AUTHORITY: Code = Code(0x8009_0311);
const SEC_E_NO_CREDENTIALS: Code = Code(0x8009_030E);
const SEC_E_TIME_SKEW: Code = Code(0x8009_0324);

/// The kinds of failure that call for different answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// The user name or password was refused, or the user is not known.
    Secret,
    /// The password has expired and must be changed elsewhere.
    Expired,
    /// The account is locked, disabled, or may not log on now.
    Account,
    /// The KDC does not know the service.
    Target,
    /// The server refused a ticket the KDC had just given out.
    TicketRefused,
    /// The clocks differ too much, and taking the KDC's time did not help.
    Skew,
    /// No KDC answers.
    NoAuthority,
    /// No KDC is known for the realm.
    NoKdcKnown,
    /// The domain in the user name is a short name that stands for no realm known here.
    UnknownDomain,
    /// The owner has no ticket that could be used now.
    NoTicket,
    /// This scheme cannot work here as things are set up.
    Config,
    /// The other side does not take part in this scheme after all.
    NotSpoken,
    /// The server could not prove that it is the one that was asked.
    Peer,
    /// The connection broke in the middle, again.
    Transport,
    /// Nothing that is offered can be answered with what the job holds.
    NoCandidate,
    /// The stored credential cannot be used for anything here.
    Credential,
}

impl FailureClass {
    /// Whether asking a person for other credentials can help. Where it cannot, asking would only
    /// bring an account closer to being locked.
    pub fn asks_for_credentials(self) -> bool {
        matches!(
            self,
            Self::Secret | Self::NoTicket | Self::NoCandidate | Self::Credential | Self::UnknownDomain
        )
    }

    /// Whether time may cure it.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::NoAuthority | Self::NoKdcKnown | Self::NoTicket | Self::Skew | Self::Transport)
    }

    /// The number it is known by when `target` was asking.
    pub fn code(self, target: AuthTarget) -> Code {
        match self {
            Self::NoAuthority | Self::NoKdcKnown => SEC_E_NO_AUTHENTICATING_AUTHORITY,
            Self::Skew => SEC_E_TIME_SKEW,
            Self::NoTicket => SEC_E_NO_CREDENTIALS,
            Self::Peer => Code::MUTUAL_AUTH_FAILED,
            Self::Transport => Code::CONNECTION_ABORTED,
            Self::Credential | Self::UnknownDomain => Code::UNKNOWN_CREDENTIALS,
            Self::Secret
            | Self::Expired
            | Self::Account
            | Self::Target
            | Self::TicketRefused
            | Self::Config
            | Self::NotSpoken
            | Self::NoCandidate => match target {
                AuthTarget::Server => Code::HTTP_UNAUTHORIZED,
                AuthTarget::Proxy => HTTP_407,
            },
        }
    }

    /// Whether the next scheme may be tried: only if the secret itself has not been refused, as
    /// every further try with a refused one can count as a failed logon.
    pub(super) fn leaves_the_secret_unjudged(self) -> bool {
        match self {
            Self::Target
            | Self::TicketRefused
            | Self::Skew
            | Self::NoAuthority
            | Self::NoKdcKnown
            | Self::UnknownDomain
            | Self::NoTicket
            | Self::Config
            | Self::NotSpoken => true,
            Self::Secret
            | Self::Expired
            | Self::Account
            | Self::Peer
            | Self::Transport
            | Self::NoCandidate
            | Self::Credential => false,
        }
    }

    /// Whether NTLM may take the place of Kerberos inside Negotiate (`credentials.md` §2.7).
    pub(super) fn lets_ntlm_stand_in(self) -> bool {
        matches!(
            self,
            Self::NoAuthority
                | Self::NoKdcKnown
                | Self::UnknownDomain
                | Self::Target
                | Self::Skew
                | Self::Config
        )
    }

    /// What it comes to when this was the reason to try something else, and that was refused. Where
    /// Kerberos cannot work at all the refusal is about the secret, and waiting would only have it
    /// tested again; elsewhere the first reason stays the reason.
    pub(super) fn after_a_refusal(self) -> Self {
        match self {
            Self::NoKdcKnown | Self::UnknownDomain | Self::NoTicket | Self::Config | Self::NoCandidate => {
                Self::Secret
            }
            other => other,
        }
    }
}

/// A failure as the one who noticed it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) class: FailureClass,
    /// One sentence without its full stop, naming the host, realm or KDC; never a secret.
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

/// Why an attempt could not prove who it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct AuthFailure {
    pub class: FailureClass,
    pub code: Code,
    /// Whether time may cure it.
    pub transient: bool,
    /// One sentence for a person. It names hosts, realms and KDCs, and never a secret or user name.
    pub message: String,
    /// The schemes that were offered and that we speak, in the order offered.
    pub offered: Vec<AuthScheme>,
    /// The realm the server named, for a prompt.
    pub realm: Option<String>,
    /// Whether a proof made from the secret was refused on the way, whatever the class: whoever
    /// tries again by itself must not let the same secret be tested again (`Policy::fall_back`).
    pub refused_proof: bool,
}

/// What the error number of a KDC means (RFC 4120 §7.5.9).
pub(super) fn kdc_error_class(number: u32) -> FailureClass {
    match number {
        // KDC_ERR_C_PRINCIPAL_UNKNOWN, KDC_ERR_PREAUTH_FAILED, KRB_AP_ERR_BAD_INTEGRITY
        6 | 24 | 31 => FailureClass::Secret,
        // KDC_ERR_KEY_EXPIRED
        23 => FailureClass::Expired,
        // KDC_ERR_NAME_EXP, KDC_ERR_POLICY, KDC_ERR_CLIENT_REVOKED, KDC_ERR_CLIENT_NOTYET
        1 | 12 | 18 | 21 => FailureClass::Account,
        // KDC_ERR_SERVICE_EXP, KDC_ERR_S_PRINCIPAL_UNKNOWN, KDC_ERR_SERVICE_REVOKED,
        // KDC_ERR_MUST_USE_USER2USER
        2 | 7 | 19 | 27 => FailureClass::Target,
        // KRB_AP_ERR_SKEW
        37 => FailureClass::Skew,
        // KDC_ERR_SVC_UNAVAILABLE, KRB_ERR_GENERIC
        29 | 60 => FailureClass::NoAuthority,
        _ => FailureClass::Config,
    }
}

/// What a server means that refuses a ticket with this error number, in brackets behind a sentence.
pub(super) fn server_error_words(number: u32) -> String {
    let words = match number {
        // KRB_AP_ERR_BAD_INTEGRITY, KRB_AP_ERR_MODIFIED, KRB_AP_ERR_BADKEYVER, KRB_AP_ERR_NOKEY
        31 | 41 | 44 | 45 => "its key is not the one the KDC has for it",
        // KRB_AP_ERR_TKT_EXPIRED, KRB_AP_ERR_TKT_NYV, KRB_AP_ERR_SKEW
        32 | 33 | 37 => "its clock is too far from the KDC's",
        34 => "it takes the request for a repeated one",
        35 => "it is not the service that the ticket is for",
        _ => return format!("Kerberos error {number}"),
    };
    format!("{words}: Kerberos error {number}")
}

/// What the error number of a KDC says, as the end of a sentence that names the KDC.
pub(super) fn kdc_error_words(number: u32) -> String {
    match number {
        1 => "says that the account has expired".to_owned(),
        2 => "says that the service's account has expired".to_owned(),
        6 => "does not know this user".to_owned(),
        7 => "does not know the service".to_owned(),
        12 => "does not allow this logon by its policy".to_owned(),
        14 => "has no encryption type in common with us (AES is needed)".to_owned(),
        16 => "wants the password to be proved in a way that is not spoken here".to_owned(),
        18 => "says that the account is locked or disabled".to_owned(),
        19 => "says that the service's account is disabled".to_owned(),
        21 => "says that the account is not valid yet".to_owned(),
        23 => "says that the password has expired and must be changed first".to_owned(),
        24 | 31 => "refused the password".to_owned(),
        37 => "finds our clock too far from its own, even with its own time used".to_owned(),
        27 => "gives tickets for this service only from user to user".to_owned(),
        29 | 60 => format!("cannot serve us now (Kerberos error {number})"),
        68 => "does not serve this user and names no realm that does".to_owned(),
        other => format!("answered with Kerberos error {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kdc_error_has_its_class_code_and_consequences() {
        use FailureClass::*;
        // number, class, code, transient, next scheme?, NTLM inside Negotiate?, ask a person?
        for (number, class, code, transient, next, ntlm, ask) in [
            (6, Secret, 0x8019_0191, false, false, false, true),
            (24, Secret, 0x8019_0191, false, false, false, true),
            (31, Secret, 0x8019_0191, false, false, false, true),
            (23, Expired, 0x8019_0191, false, false, false, false),
            (18, Account, 0x8019_0191, false, false, false, false),
            (12, Account, 0x8019_0191, false, false, false, false),
            (1, Account, 0x8019_0191, false, false, false, false),
            (21, Account, 0x8019_0191, false, false, false, false),
            (2, Target, 0x8019_0191, false, true, true, false),
            (7, Target, 0x8019_0191, false, true, true, false),
            (19, Target, 0x8019_0191, false, true, true, false),
            (27, Target, 0x8019_0191, false, true, true, false),
            (16, Config, 0x8019_0191, false, true, true, false),
            (68, Config, 0x8019_0191, false, true, true, false),
            (37, Skew, 0x8009_0324, true, true, true, false),
            (14, Config, 0x8019_0191, false, true, true, false),
            (29, NoAuthority, 0x8009_0311, true, true, true, false),
            (60, NoAuthority, 0x8009_0311, true, true, true, false),
        ] {
            let found = kdc_error_class(number);
            assert_eq!(found, class, "{number}");
            assert_eq!(found.code(AuthTarget::Server), Code(code), "{number}");
            assert_eq!(found.is_transient(), transient, "{number}");
            assert_eq!(found.leaves_the_secret_unjudged(), next, "{number}");
            assert_eq!(found.lets_ntlm_stand_in(), ntlm, "{number}");
            assert_eq!(found.asks_for_credentials(), ask, "{number}");
            // Each has words of its own, that do not send a person to a table of numbers alone.
            assert!(!kdc_error_words(number).starts_with("answered with"), "{number}");
        }
    }

    #[test]
    fn a_server_that_refuses_a_ticket_is_put_into_words() {
        for (number, says) in [
            (37, "its clock is too far from the KDC's: Kerberos error 37"),
            (32, "clock"),
            (41, "its key is not the one the KDC has for it: Kerberos error 41"),
            (44, "its key"),
            (34, "repeated"),
            (35, "not the service"),
            (99, "Kerberos error 99"),
        ] {
            assert!(server_error_words(number).contains(says), "{number}");
        }
        assert_eq!(kdc_error_words(99), "answered with Kerberos error 99");
    }

    #[test]
    fn what_is_tried_again_heals_by_time_in_the_table_of_codes_too() {
        use FailureClass::*;
        use bits_core::error::codes::{Heals, describe};

        for class in [
            Secret,
            Expired,
            Account,
            Target,
            TicketRefused,
            Skew,
            NoAuthority,
            NoKdcKnown,
            UnknownDomain,
            NoTicket,
            Config,
            NotSpoken,
            Peer,
            Transport,
            NoCandidate,
            Credential,
        ] {
            for target in AuthTarget::ALL {
                let heals = describe(class.code(target)).map(|description| description.heals);
                let expected = if class.is_transient() { Heals::ByTime } else { Heals::Never };
                assert_eq!(heals, Some(expected), "{class:?}");
            }
        }
    }

    #[test]
    fn a_proxy_refuses_with_its_own_number() {
        assert_eq!(FailureClass::Secret.code(AuthTarget::Proxy), Code(0x8019_0197));
        assert_eq!(FailureClass::Peer.code(AuthTarget::Proxy), Code(0x8009_0363));
    }
}
