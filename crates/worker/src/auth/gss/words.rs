//! What the GSSAPI library's numbers mean when it has a ticket to use and no password: its class, and
//! a sentence with what to do. The library's own sentences may name users and are notes at most.

use super::PROGRAM;
use super::talk::Broken;
use crate::auth::classify::{self, FailureClass, Fault};

/// The first number of Kerberos's own (RFC 4120 §7.5.9); those of MIT's library come after the 128th.
const KRB5_BASE: u32 = 0x96C7_3A00;
/// `GSS_S_NO_CRED`, `GSS_S_CREDENTIALS_EXPIRED` and `GSS_S_CONTEXT_EXPIRED`, in the bits of routine
/// errors.
const ROUTINE_ERROR: u32 = 0x00FF_0000;
const NO_CRED: u32 = 7 << 16;
const CREDENTIALS_EXPIRED: u32 = 11 << 16;
const CONTEXT_EXPIRED: u32 = 12 << 16;
/// `KRB_AP_ERR_TKT_EXPIRED`
const TICKET_EXPIRED: u32 = 32;
/// Characters of the cache's name, or of a sentence of the library's, that are repeated.
const SHOWN_MAX: usize = 300;

/// The status with which the library did not go on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl Refused {
    /// What it means when a ticket for `service` was wanted by those in `cache`.
    pub(super) fn fault(self, service: &str, cache: &str) -> Fault {
        let service = service.split('@').next().unwrap_or(service);
        if self.is_expiry() {
            return expired(cache);
        }
        let number = self.number();
        let (class, message) = match (self.major & ROUTINE_ERROR, number) {
            // KRB5_CC_BADNAME to KRB5_NO_TKT_SUPPLIED, KRB5_CC_TYPE_EXISTS to KRB5_CC_NOT_KTYPE
            (NO_CRED, _) | (_, Some(139..=143 | 191 | 193..=200)) => {
                (FailureClass::NoTicket, format!("there is no Kerberos ticket in {cache}; run kinit"))
            }
            // What proves the secret elsewhere proves here that the ticket is the KDC's own.
            (_, Some(6 | 24 | 31 | 33 | 41 | 44 | 45)) => (
                FailureClass::NoTicket,
                format!("the KDC does not take the Kerberos ticket in {cache}; run kinit"),
            ),
            (_, Some(7)) => (FailureClass::Target, format!("the KDC does not know the service {service}")),
            // KRB5_KDC_UNREACH
            (_, Some(156)) => {
                (FailureClass::NoAuthority, format!("no KDC answers that could give a ticket for {service}"))
            }
            // KRB5_REALM_UNKNOWN, KRB5_ERR_HOST_REALM_UNKNOWN, KRB5_REALM_CANT_RESOLVE
            (_, Some(154 | 217 | 220)) => {
                (FailureClass::NoKdcKnown, format!("no KDC is known that could give a ticket for {service}"))
            }
            // KRB5_CONFIG_CANTOPEN, KRB5_CONFIG_BADFORMAT, KRB5_CONFIG_NODEFREALM
            (_, Some(number @ (135 | 136 | 224))) => {
                let what = match number {
                    135 => "cannot be read",
                    136 => "is not written as it should be",
                    _ => "names no default realm",
                };
                (FailureClass::Config, format!("the configuration of Kerberos (krb5.conf) {what}"))
            }
            (_, Some(number @ ..128)) => {
                (classify::kdc_error_class(number), format!("the KDC {}", classify::kdc_error_words(number)))
            }
            (routine, number) => {
                let number = number.unwrap_or(self.minor);
                let routine = routine >> 16;
                (
                    FailureClass::Config,
                    format!("the Kerberos library could not make a proof (errors {routine} and {number})"),
                )
            }
        };
        Fault::new(class, message)
    }

    /// Whether a ticket is too old by now.
    pub(super) fn is_expiry(self) -> bool {
        let routine = self.major & ROUTINE_ERROR;
        matches!(routine, CREDENTIALS_EXPIRED | CONTEXT_EXPIRED) || self.number() == Some(TICKET_EXPIRED)
    }

    /// The number as Kerberos has it, if it is Kerberos's.
    fn number(self) -> Option<u32> {
        self.minor.checked_sub(KRB5_BASE).filter(|number| *number < 256)
    }
}

/// The owner's ticket is too old.
pub(super) fn expired(cache: &str) -> Fault {
    Fault::new(FailureClass::NoTicket, format!("the Kerberos ticket in {cache} has expired; run kinit"))
}

/// A cache's name for a sentence.
pub(super) fn cache(name: Option<&str>) -> String {
    name.map_or_else(|| "the usual ticket cache".to_owned(), cleaned)
}

/// `text` without what a terminal would not show, and cut.
pub(super) fn cleaned(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(SHOWN_MAX).collect()
}

/// The program gave no answer that could be used.
pub(super) fn broken(broken: &Broken, name: Option<&str>) -> Fault {
    match broken {
        Broken::NotStarted => Fault::new(
            FailureClass::Config,
            format!("signing in by a Kerberos ticket is not available: {PROGRAM} cannot be started"),
        ),
        Broken::TimedOut => {
            Fault::new(FailureClass::NoAuthority, "the KDCs gave no ticket in the time there was for it")
        }
        Broken::Ended => broken_off(name),
    }
}

/// The library broke down; MIT's 1.20 does over a cache that is none.
pub(super) fn broken_off(name: Option<&str>) -> Fault {
    let cache = cache(name);
    Fault::new(
        FailureClass::NoTicket,
        format!("the Kerberos library broke down over {cache}; if that is damaged, run kdestroy and kinit"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_class_and_says_what_to_do() {
        use FailureClass::*;
        const FAILURE: u32 = 13 << 16;
        for (major, number, class, says) in [
            (NO_CRED, 141, NoTicket, "there is no Kerberos ticket in FILE:/x; run kinit"),
            (FAILURE, 195, NoTicket, "there is no Kerberos ticket in FILE:/x; run kinit"),
            (FAILURE, 32, NoTicket, "the Kerberos ticket in FILE:/x has expired; run kinit"),
            (CONTEXT_EXPIRED, 0, NoTicket, "the Kerberos ticket in FILE:/x has expired; run kinit"),
            (CREDENTIALS_EXPIRED, 0, NoTicket, "the Kerberos ticket in FILE:/x has expired; run kinit"),
            (FAILURE, 31, NoTicket, "the KDC does not take the Kerberos ticket in FILE:/x; run kinit"),
            (FAILURE, 7, Target, "the KDC does not know the service HTTP/host.test"),
            (FAILURE, 156, NoAuthority, "no KDC answers that could give a ticket for HTTP/host.test"),
            (FAILURE, 154, NoKdcKnown, "no KDC is known that could give a ticket for HTTP/host.test"),
            (
                FAILURE,
                136,
                Config,
                "the configuration of Kerberos (krb5.conf) is not written as it should be",
            ),
            (FAILURE, 37, Skew, "the KDC finds our clock too far from its own, even with its own time used"),
            (FAILURE, 18, Account, "the KDC says that the account is locked or disabled"),
            (FAILURE, 134, Config, "the Kerberos library could not make a proof (errors 13 and 134)"),
        ] {
            let fault = Refused { major, minor: KRB5_BASE + number }.fault("HTTP/host.test@REALM", "FILE:/x");
            assert_eq!((fault.class, fault.message.as_str()), (class, says), "{major:#x} {number}");
        }
        let fault = Refused { major: FAILURE, minor: 5 }.fault("HTTP/host.test@", "FILE:/x");
        assert_eq!(fault.message, "the Kerberos library could not make a proof (errors 13 and 5)");
    }

    #[test]
    fn no_status_is_taken_for_a_refused_password() {
        for number in 0..256 {
            let fault = Refused { major: 13 << 16, minor: KRB5_BASE + number }.fault("HTTP/h@", "FILE:/x");
            assert_ne!(fault.class, FailureClass::Secret, "{number}");
        }
    }

    #[test]
    fn the_name_of_a_cache_cannot_command_a_terminal() {
        assert_eq!(cache(Some("FILE:/a\u{1b}[2Jb")), "FILE:/a[2Jb");
        assert_eq!(cache(None), "the usual ticket cache");
        assert_eq!(cache(Some(&"x".repeat(5000))).len(), SHOWN_MAX);
    }
}
