//! How an attempt goes on without a method that has failed, or ends, and the sentences about it.
//!
//! Whether a failure lets the next method be tried is for `classify`.

use super::{Authenticator, KerberosHere, Stage};
use crate::auth::classify::{AuthFailure, FailureClass, Fault};
use crate::auth::select::{Method, PassedOver};

impl Authenticator {
    /// Puts `method` aside and lets another be tried, unless its failure forbids that.
    pub(super) fn go_on_without(&mut self, method: Method, fault: Fault) -> Result<(), AuthFailure> {
        let is_optional = self.is_optional(method);
        if !fault.class.leaves_the_secret_unjudged() && !is_optional {
            return Err(self.give_up(method, fault));
        }
        self.notes.push(format!("{}: {}", method.name(), fault.message));
        self.failed.push((method, fault.class));
        let class = if is_optional { FailureClass::NoCandidate } else { fault.class };
        let fault = Fault { class, ..fault };
        if method == Method::Kerberos {
            self.kerberos = KerberosHere::Unknown;
        }
        match &self.reason {
            Some(reason) if reason.class != FailureClass::NotSpoken => {}
            _ => self.reason = Some(fault),
        }
        Ok(())
    }

    /// Whether `method` uses a ticket that was to be used if there is one. Where it cannot be, the job
    /// is where it would be had nobody thought of tickets: a credential less, and nothing to wait for.
    fn is_optional(&self, method: Method) -> bool {
        let mut ours = self.credentials.iter().filter(|credential| credential.scheme == method.scheme());
        ours.any(|credential| credential.is_implicit() && !credential.scheme_is_explicit)
    }

    /// Ends the attempt because of `fault` in `method`. When another method had failed before for
    /// the way things are set up, that is the reason given: what took its place may have been
    /// refused for the same cause, and "wrong password" would mislead.
    pub(super) fn give_up(&mut self, method: Method, fault: Fault) -> AuthFailure {
        self.refused_proof |= fault.class == FailureClass::Secret;
        let fault = match self.reason.take() {
            Some(reason)
                if fault.class == FailureClass::Secret && reason.class != FailureClass::NotSpoken =>
            {
                let (host, name) = (&self.origin.host, method.name());
                let message = format!("{}; {name} was tried instead, and {host} refused it", reason.message);
                Fault::new(reason.class.after_a_refusal(), message)
            }
            _ => fault,
        };
        let failure = self.failure(fault);
        self.end(failure)
    }

    /// Ends the attempt because nothing that is offered can be used.
    pub(super) fn nothing_left(&mut self, passed_over: &[PassedOver]) -> AuthFailure {
        let host = &self.origin.host;
        let mut parts = Vec::new();
        let class = match self.reason.take() {
            Some(reason) => {
                parts.push(reason.message);
                reason.class
            }
            None => FailureClass::NoCandidate,
        };
        let missing: Vec<_> = passed_over
            .iter()
            .filter_map(|reason| match reason {
                PassedOver::NoCredential(scheme) => Some(scheme.name()),
                PassedOver::BasicWithoutTls | PassedOver::UnknownDigest | PassedOver::NtlmForbidden => None,
            })
            .collect();
        if self.offered.is_empty() {
            parts.push(format!("{host} refused without offering a scheme that is spoken here"));
        } else if self.credentials.is_empty() {
            parts.push(format!("{host} asks for credentials ({}), and there are none", missing.join(", ")));
        } else if !missing.is_empty() && class == FailureClass::NoCandidate {
            parts.push(format!("{host} asks for {}, for which no credentials are set", missing.join(", ")));
        }
        if passed_over.contains(&PassedOver::UnknownDigest) {
            parts.push(format!("{host} asks for a kind of Digest that is not spoken here"));
        }
        if passed_over.contains(&PassedOver::NtlmForbidden) {
            parts.push(format!("NTLM is not allowed ({host})"));
        }
        if passed_over.contains(&PassedOver::BasicWithoutTls) {
            parts.push(format!("Basic is not used over plain http unless it is asked for by name ({host})"));
        }
        let failure = self.failure(Fault::new(class, parts.join("; ")));
        self.end(failure)
    }

    pub(super) fn failure(&self, fault: Fault) -> AuthFailure {
        AuthFailure {
            class: fault.class,
            code: fault.class.code(self.target),
            transient: fault.class.is_transient(),
            message: fault.message,
            offered: self.offered.clone(),
            realm: self.realm.clone(),
            refused_proof: self.refused_proof,
        }
    }

    pub(super) fn end(&mut self, failure: AuthFailure) -> AuthFailure {
        self.stage = Stage::Over(failure.clone());
        failure
    }

    pub(super) fn refused(&self, method: Method) -> Fault {
        let realm = self.realm.as_ref().map(|realm| format!(", realm \"{realm}\"")).unwrap_or_default();
        let (host, name) = (&self.origin.host, method.name());
        Fault::new(FailureClass::Secret, format!("{host} refused the user name or password ({name}{realm})"))
    }

    pub(super) fn unproved(&self, name: &str) -> Fault {
        let host = &self.origin.host;
        Fault::new(
            FailureClass::Peer,
            format!("{host} did not prove by {name} that it is the server that was asked"),
        )
    }
}
