//! NTLM version 2 (MS-NLMP, `credentials.md` §2.5), bare or inside Negotiate, by the library.
//!
//! Both messages carry the version field, without which one acceptor refuses them. A challenge
//! without target info is refused here: only impostors send one, and the answer to it would be
//! easier to attack.

use bits_core::secret::Secret;
use sspi::{
    AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialsBuffers, DataRepresentation, Negotiate,
    NegotiateConfig, Ntlm, SecurityBuffer, Sspi as _, SspiImpl,
};

use super::binding::ChannelBinding;
use super::classify::{FailureClass, Fault};
use super::identity::UserName;
use super::mechanism::{Incoming, Mechanism, PeerProof, Pending};
use super::spnego::{self, State};

/// A password that begins like this is a hash to the library, and never one that was typed.
const LIBRARY_HASH_PREFIX: &str = "$NTLM$:";

/// The exchange of one connection.
pub(super) struct NtlmMechanism {
    context: Context,
    host: String,
    binding: Option<ChannelBinding>,
    /// How many of our two messages have been made.
    made: u8,
}

enum Context {
    Bare(Box<Ntlm>, Option<AuthIdentityBuffers>),
    Wrapped(Box<Negotiate>, Option<CredentialsBuffers>, String),
}

impl NtlmMechanism {
    /// NTLM as a scheme of its own.
    pub(super) fn bare(
        host: &str,
        user: &UserName,
        password: &Secret,
        binding: Option<ChannelBinding>,
    ) -> Result<Self, Fault> {
        let identity = identity(user, password)?;
        let ntlm = Ntlm::with_config(sspi::ntlm::NtlmConfig::default());
        Ok(Self::new(host, Context::Bare(Box::new(ntlm), Some(identity)), binding))
    }

    /// NTLM as the only mechanism inside Negotiate.
    pub(super) fn in_negotiate(
        host: &str,
        principal: &str,
        user: &UserName,
        password: &Secret,
        binding: Option<ChannelBinding>,
    ) -> Result<Self, Fault> {
        let identity = CredentialsBuffers::AuthIdentity(identity(user, password)?);
        let config = NegotiateConfig::new(
            Box::new(sspi::ntlm::NtlmConfig::default()),
            Some("ntlm".to_owned()),
            String::new(),
        );
        let negotiate = Negotiate::new_client(config).map_err(|error| unusable(&error))?;
        let context = Context::Wrapped(Box::new(negotiate), Some(identity), principal.to_owned());
        Ok(Self::new(host, context, binding))
    }

    fn new(host: &str, context: Context, binding: Option<ChannelBinding>) -> Self {
        Self { context, host: host.to_owned(), binding, made: 0 }
    }

    fn next(&mut self, incoming: Incoming<'_>) -> Result<Vec<u8>, Fault> {
        let input = match incoming {
            Incoming::Begin => Vec::new(),
            Incoming::Token(_) if self.has_shown_proof() => return Err(self.refused()),
            Incoming::NoToken => return Err(self.refused()),
            Incoming::Token(token) => {
                let challenge = match &self.context {
                    Context::Bare(..) => token,
                    Context::Wrapped(..) => {
                        let answer = spnego::answer(token).ok_or_else(|| self.nonsense())?;
                        match answer.token {
                            Some(inner) if answer.state != Some(State::Rejected) => inner,
                            _ => return Err(self.refused()),
                        }
                    }
                };
                if !has_target_info(challenge) {
                    return Err(self.nonsense());
                }
                match &self.context {
                    Context::Bare(..) => token.to_vec(),
                    Context::Wrapped(..) => spnego::wrapped(token, State::Incomplete),
                }
            }
        };
        let token = self.context.run(input, self.binding.as_ref()).map_err(|error| match incoming {
            Incoming::Begin => unusable(&error),
            Incoming::Token(_) | Incoming::NoToken => self.nonsense(),
        })?;
        self.made += 1;
        Ok(token)
    }

    fn refused(&self) -> Fault {
        if self.has_shown_proof() {
            // A wrong password, a locked account and an unknown domain all look like this, and so does
            // a binding that does not fit.
            let doubt = match &self.binding {
                Some(_) => "; if something in between opens the TLS connection, that may be the reason",
                None => "",
            };
            Fault::new(
                FailureClass::Secret,
                format!("{} refused the user name or password (NTLM){doubt}", self.host),
            )
        } else {
            Fault::new(FailureClass::NotSpoken, format!("{} does not accept NTLM", self.host))
        }
    }

    fn nonsense(&self) -> Fault {
        Fault::new(
            FailureClass::NotSpoken,
            format!("the NTLM challenge of {} cannot be answered safely", self.host),
        )
    }
}

impl Mechanism for NtlmMechanism {
    fn step<'a>(&'a mut self, incoming: Incoming<'a>) -> Pending<'a, Result<Vec<u8>, Fault>> {
        Box::pin(std::future::ready(self.next(incoming)))
    }

    fn is_complete(&self) -> bool {
        self.has_shown_proof()
    }

    fn accepted<'a>(&'a mut self, _: Option<&'a [u8]>) -> Pending<'a, Result<PeerProof, Fault>> {
        // A token that comes now says "completed" and proves nothing; the status decides.
        Box::pin(std::future::ready(Ok(PeerProof::NotPossible)))
    }

    fn has_shown_proof(&self) -> bool {
        self.made >= 2
    }
}

impl Context {
    /// One step of the library.
    fn run(&mut self, input: Vec<u8>, binding: Option<&ChannelBinding>) -> sspi::Result<Vec<u8>> {
        let mut input = vec![SecurityBuffer::new(input, BufferType::Token)];
        input.extend(
            binding.map(|binding| SecurityBuffer::new(binding.buffer(), BufferType::ChannelBindings)),
        );
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let flags = ClientRequestFlags::empty();
        match self {
            Self::Bare(ntlm, identity) => {
                let mut builder = ntlm
                    .initialize_security_context()
                    .with_credentials_handle(identity)
                    .with_context_requirements(flags)
                    .with_target_data_representation(DataRepresentation::Native)
                    .with_input(&mut input)
                    .with_output(&mut output);
                SspiImpl::initialize_security_context_impl(&mut **ntlm, &mut builder)?.resolve_to_result()?;
            }
            Self::Wrapped(negotiate, identity, principal) => {
                let mut builder = negotiate
                    .initialize_security_context()
                    .with_credentials_handle(identity)
                    .with_context_requirements(flags)
                    .with_target_data_representation(DataRepresentation::Native)
                    .with_target_name(principal)
                    .with_input(&mut input)
                    .with_output(&mut output);
                negotiate.initialize_security_context_impl(&mut builder)?.resolve_to_result()?;
            }
        }
        let [output] = output;
        Ok(output.buffer)
    }
}

fn identity(user: &UserName, password: &Secret) -> Result<AuthIdentityBuffers, Fault> {
    if password.expose().starts_with(LIBRARY_HASH_PREFIX) {
        return Err(Fault::new(
            FailureClass::Config,
            "NTLM cannot be used with a password that begins with $NTLM$:",
        ));
    }
    let (user, domain) = user.for_ntlm();
    Ok(AuthIdentityBuffers::from_utf8(user, domain, password.expose()))
}

/// The library could not begin. Its own text may hold names, so only the kind is told.
fn unusable(error: &sspi::Error) -> Fault {
    Fault::new(FailureClass::Config, format!("NTLM could not begin ({:?})", error.error_type))
}

/// Whether `message` is a challenge (type 2) with target info, which version 2 is computed over.
fn has_target_info(message: &[u8]) -> bool {
    let u16_at = |at: usize| message.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let u32_at = |at: usize| message.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let found = || -> Option<bool> {
        let (length, offset) = (usize::from(u16_at(40)?), u32_at(44)? as usize);
        let info = message.get(offset..offset.checked_add(length)?)?;
        // An end mark alone is no information.
        Some(message.starts_with(b"NTLMSSP\0") && u32_at(8)? == 2 && info.len() > 4)
    };
    found().unwrap_or(false)
}

#[cfg(test)]
mod tests;
