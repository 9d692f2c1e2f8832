//! Which way of proving oneself comes next (`credentials.md` §2.7): of those offered, those for
//! which a credential is stored, in the order of preference, without those that have failed.
//!
//! Pairs are exact: a secret stored for Negotiate does not answer a server that offers only NTLM.
//! Whether a failure lets the next one be tried at all is for `classify`.

use bits_core::credentials::{AuthScheme, Credential};

use super::challenge::Challenge;
use super::classify::FailureClass;
use super::digest::DigestChallenge;

/// A way of proving oneself. Negotiate has two inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Kerberos,
    NtlmInNegotiate,
    Ntlm,
    Digest,
    Basic,
}

impl Method {
    const BY_PREFERENCE: [Self; 5] =
        [Self::Kerberos, Self::NtlmInNegotiate, Self::Ntlm, Self::Digest, Self::Basic];

    /// The scheme it is spoken under.
    pub(super) fn scheme(self) -> AuthScheme {
        match self {
            Self::Kerberos | Self::NtlmInNegotiate => AuthScheme::Negotiate,
            Self::Ntlm => AuthScheme::Ntlm,
            Self::Digest => AuthScheme::Digest,
            Self::Basic => AuthScheme::Basic,
        }
    }

    /// What it is called in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kerberos => "Kerberos",
            Self::NtlmInNegotiate | Self::Ntlm => "NTLM",
            Self::Digest => "Digest",
            Self::Basic => "Basic",
        }
    }
}

/// What the choice depends on besides what is offered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circumstances<'a> {
    pub(super) credentials: &'a [Credential],
    pub(super) tls: bool,
    /// Whether anything may take the place of what has failed.
    pub(super) fall_back: bool,
    /// Whether NTLM may be used at all.
    pub(super) ntlm: bool,
    /// What has been tried, and how it failed.
    pub(super) failed: &'a [(Method, FailureClass)],
}

/// Why something that is offered is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassedOver {
    /// No credential is stored for it.
    NoCredential(AuthScheme),
    /// Its password would go over the wire readable by all.
    BasicWithoutTls,
    /// It asks for an algorithm or quality we do not speak.
    UnknownDigest,
    /// The policy forbids it.
    NtlmForbidden,
}

/// The next method, or why there is none.
pub(super) fn next(offered: &[Challenge], now: Circumstances<'_>) -> Result<Method, Vec<PassedOver>> {
    let mut passed_over = Vec::new();
    if !now.fall_back && !now.failed.is_empty() {
        return Err(passed_over);
    }
    for method in Method::BY_PREFERENCE {
        let scheme = method.scheme();
        if !offered.iter().any(|challenge| challenge.known() == Some(scheme)) {
            continue;
        }
        let Some(credential) = now.credentials.iter().find(|credential| credential.scheme == scheme) else {
            let reason = PassedOver::NoCredential(scheme);
            if !passed_over.contains(&reason) {
                passed_over.push(reason);
            }
            continue;
        };
        if now.failed.iter().any(|(failed, _)| *failed == method) {
            continue;
        }
        match method {
            // There is no password to make NTLM from.
            Method::NtlmInNegotiate | Method::Ntlm if credential.is_implicit() => continue,
            Method::NtlmInNegotiate => {
                // Only in the place of Kerberos, and only for a reason that allows it.
                let kerberos = now.failed.iter().find(|(failed, _)| *failed == Method::Kerberos);
                if !kerberos.is_some_and(|(_, class)| class.lets_ntlm_stand_in()) {
                    continue;
                }
                if !now.ntlm {
                    passed_over.push(PassedOver::NtlmForbidden);
                    continue;
                }
            }
            Method::Ntlm if !now.ntlm => {
                if !passed_over.contains(&PassedOver::NtlmForbidden) {
                    passed_over.push(PassedOver::NtlmForbidden);
                }
                continue;
            }
            Method::Digest if DigestChallenge::best(offered).is_none() => {
                passed_over.push(PassedOver::UnknownDigest);
                continue;
            }
            Method::Basic if !now.tls && !credential.scheme_is_explicit => {
                passed_over.push(PassedOver::BasicWithoutTls);
                continue;
            }
            Method::Kerberos | Method::Ntlm | Method::Digest | Method::Basic => {}
        }
        return Ok(method);
    }
    Err(passed_over)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::challenge::challenges;
    use bits_core::credentials::AuthTarget;
    use bits_core::secret::Secret;

    fn stored(words: &str) -> Vec<Credential> {
        words
            .split_whitespace()
            .map(|word| Credential {
                target: AuthTarget::Server,
                scheme: AuthScheme::named(word.trim_end_matches(['!', '?'])).unwrap(),
                scheme_is_explicit: word.ends_with('!'),
                user: unless(word, "alice"),
                password: Secret::new(unless(word, "secret")),
            })
            .collect()
    }

    /// Nothing for `negotiate?`, which is implicit.
    fn unless(word: &str, text: &str) -> String {
        if word.contains('?') { String::new() } else { text.to_owned() }
    }

    const EVERYTHING: &str = "negotiate ntlm digest basic";
    const OFFERED: &str = "Basic realm=x, Digest realm=x, nonce=n, NTLM, Negotiate";

    #[test]
    fn the_most_preferred_that_is_offered_stored_and_untried_comes_next() {
        use FailureClass::*;
        use Method::*;
        /// Offered, stored, whether over TLS, what has failed; the method that comes next.
        type Row = (&'static str, &'static str, bool, &'static [(Method, FailureClass)], Option<Method>);
        let rows: &[Row] = &[
            (OFFERED, EVERYTHING, true, &[], Some(Kerberos)),
            (OFFERED, "ntlm digest basic", true, &[], Some(Ntlm)),
            (OFFERED, "digest basic", true, &[], Some(Digest)),
            (OFFERED, "basic", true, &[], Some(Basic)),
            // Pairs are exact.
            ("NTLM", "negotiate", true, &[], None),
            ("Negotiate", "ntlm", true, &[], None),
            ("Bearer, Newfangled realm=x", EVERYTHING, true, &[], None),
            // Basic in the clear only if it was asked for by name.
            ("Basic realm=x", "basic", false, &[], None),
            ("Basic realm=x", "basic!", false, &[], Some(Basic)),
            // NTLM takes the place of Kerberos for some reasons and not for others.
            (OFFERED, EVERYTHING, true, &[(Kerberos, NoAuthority)], Some(NtlmInNegotiate)),
            (OFFERED, EVERYTHING, true, &[(Kerberos, Target)], Some(NtlmInNegotiate)),
            (OFFERED, EVERYTHING, true, &[(Kerberos, TicketRefused)], Some(Ntlm)),
            (OFFERED, EVERYTHING, true, &[(Kerberos, NoAuthority), (NtlmInNegotiate, NotSpoken)], Some(Ntlm)),
            ("Negotiate", EVERYTHING, true, &[(Kerberos, NoAuthority), (NtlmInNegotiate, NotSpoken)], None),
            // A ticket is no password, of which NTLM could be made.
            ("Negotiate, NTLM", "negotiate?", true, &[], Some(Kerberos)),
            ("Negotiate, NTLM", "negotiate?", true, &[(Kerberos, NoAuthority)], None),
            ("NTLM", "ntlm?", true, &[], None),
            ("Negotiate, Basic", "negotiate? basic", true, &[(Kerberos, NoTicket)], Some(Basic)),
            // A Digest of a kind we do not speak leaves the next one.
            ("Digest realm=x, nonce=n, algorithm=X, Basic realm=x", EVERYTHING, true, &[], Some(Basic)),
        ];
        for &(offered, words, tls, failed, expected) in rows {
            let credentials = stored(words);
            let now = Circumstances { credentials: &credentials, tls, fall_back: true, ntlm: true, failed };
            let found = next(&challenges([offered]), now).ok();
            assert_eq!(found, expected, "{offered} / {words} / {failed:?}");
        }
    }

    #[test]
    fn nothing_takes_the_place_of_another_where_that_is_forbidden() {
        let credentials = stored(EVERYTHING);
        let failed = [(Method::Kerberos, FailureClass::NoAuthority)];
        let now = Circumstances {
            credentials: &credentials,
            tls: true,
            fall_back: false,
            ntlm: true,
            failed: &failed,
        };
        assert_eq!(next(&challenges([OFFERED]), now), Err(vec![]));
    }

    #[test]
    fn ntlm_is_used_in_no_form_where_it_is_forbidden() {
        let credentials = stored(EVERYTHING);
        let now = |failed| Circumstances {
            credentials: &credentials,
            tls: true,
            fall_back: true,
            ntlm: false,
            failed,
        };
        assert_eq!(next(&challenges(["NTLM"]), now(&[])), Err(vec![PassedOver::NtlmForbidden]));
        let failed = [(Method::Kerberos, FailureClass::NoAuthority)];
        assert_eq!(next(&challenges([OFFERED]), now(&failed)), Ok(Method::Digest));
        let both = challenges(["Negotiate, NTLM"]);
        assert_eq!(next(&both, now(&failed)), Err(vec![PassedOver::NtlmForbidden]));
    }

    #[test]
    fn what_is_passed_over_has_a_reason() {
        let credentials = stored("basic digest");
        let now =
            Circumstances { credentials: &credentials, tls: false, fall_back: true, ntlm: true, failed: &[] };
        let offered = challenges(["Negotiate, Digest realm=x, nonce=n, algorithm=X, Basic realm=x"]);
        assert_eq!(
            next(&offered, now),
            Err(vec![
                PassedOver::NoCredential(AuthScheme::Negotiate),
                PassedOver::UnknownDigest,
                PassedOver::BasicWithoutTls,
            ])
        );
    }
}
