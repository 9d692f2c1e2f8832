//! The mechanisms that prove a secret by an exchange of tokens, as the rest of the room sees them:
//! a token in, a token out, bound to one connection (`credentials.md` §2.4, §2.5).
//!
//! Which of them is used when is decided in `select`; who drives one owns the connection. Behind
//! this seam are the library's NTLM and Kerberos, the system's GSSAPI for tickets that are there
//! already, and in tests a script.

use std::pin::Pin;

use bits_core::credentials::Credential;

use super::ServiceName;
use super::binding::ChannelBinding;
use super::classify::Fault;
use super::gss::{GssMechanism, TicketCache};
use super::identity::UserName;
use super::kerberos::{KerberosMechanism, TicketSource};
use super::ntlm::NtlmMechanism;
use super::select::Method;

/// A step that may have to ask a KDC first.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What comes from the other side in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// Nothing yet: the exchange begins.
    Begin,
    /// A 401 or 407 with a token.
    Token(&'a [u8]),
    /// A 401 or 407 without one.
    NoToken,
}

/// What a server has shown of itself when it accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerProof {
    /// It has proved that it holds the service's key.
    Proved,
    /// It could have, and has not.
    Missing,
    /// The mechanism has no such proof.
    NotPossible,
}

/// One exchange with one server.
pub(super) trait Mechanism: Send {
    /// The next token to send, given what came. A refusal is a [`Fault`] that says of what.
    fn step<'a>(&'a mut self, incoming: Incoming<'a>) -> Pending<'a, Result<Vec<u8>, Fault>>;

    /// Whether all that is to be said has been said, so that an answer other than 401 is success.
    fn is_complete(&self) -> bool;

    /// Takes in the token that came with success, if any.
    fn accepted<'a>(&'a mut self, token: Option<&'a [u8]>) -> Pending<'a, Result<PeerProof, Fault>>;

    /// Whether a proof made from the secret has been given to the server.
    fn has_shown_proof(&self) -> bool;

    /// Whether a refusal may come from what was kept from before, so that one more try makes sense.
    fn may_begin_afresh(&self) -> bool {
        false
    }

    /// What the owner should know about how it went, since last asked.
    fn notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Makes mechanisms for one origin.
pub(super) trait Mechanisms: Send + Sync {
    /// A fresh exchange by `method`, one of those that exchange tokens.
    fn begin(
        &self,
        method: Method,
        credential: &Credential,
        aim: Aim<'_>,
    ) -> Result<Box<dyn Mechanism>, Fault>;
}

/// What a proof is made for, besides the host.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Aim<'a> {
    /// The service's name, where it is not the usual one of the host.
    pub(super) service: Option<&'a ServiceName>,
    pub(super) binding: Option<&'a ChannelBinding>,
}

/// The mechanisms of the libraries.
pub(super) struct Library {
    pub(super) host: String,
    pub(super) source: TicketSource,
    pub(super) cache: TicketCache,
}

impl Library {
    /// The service's name (`credentials.md` §2.4): the host of the URL, no port, no look-up.
    fn principal(&self, aim: Aim<'_>) -> String {
        match aim.service {
            Some(service) => service.as_str().to_owned(),
            None => format!("HTTP/{}", self.host.trim_end_matches('.').to_ascii_lowercase()),
        }
    }
}

impl Mechanisms for Library {
    fn begin(
        &self,
        method: Method,
        credential: &Credential,
        aim: Aim<'_>,
    ) -> Result<Box<dyn Mechanism>, Fault> {
        if credential.is_implicit() {
            let binding = aim.binding.cloned();
            return Ok(Box::new(GssMechanism::new(&self.host, aim.service, self.cache.clone(), binding)));
        }
        let user = UserName::read(&credential.user)?;
        let (host, password) = (self.host.as_str(), &credential.password);
        let (principal, binding) = (self.principal(aim), aim.binding.cloned());
        Ok(match method {
            Method::Kerberos => {
                let source = self.source.clone();
                Box::new(KerberosMechanism::new(host, &principal, user, password, source, binding))
            }
            Method::NtlmInNegotiate => {
                Box::new(NtlmMechanism::in_negotiate(host, &principal, &user, password, binding)?)
            }
            Method::Ntlm => Box::new(NtlmMechanism::bare(host, &user, password, binding)?),
            Method::Digest | Method::Basic => unreachable!("these exchange no tokens"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::KerberosEnvironment;

    #[test]
    fn a_service_is_named_after_the_host_in_the_url() {
        for (host, expected) in
            [("localhost", "HTTP/localhost"), ("WWW.Example.Test.", "HTTP/www.example.test")]
        {
            let cache = TicketCache::new(&KerberosEnvironment::default());
            let library = Library { host: host.to_owned(), source: TicketSource::default(), cache };
            assert_eq!(library.principal(Aim::default()), expected);
            let other: ServiceName = "HTTP/other.test".parse().unwrap();
            assert_eq!(library.principal(Aim { service: Some(&other), binding: None }), "HTTP/other.test");
        }
    }
}
