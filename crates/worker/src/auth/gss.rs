//! Kerberos inside Negotiate from the tickets that the owner has already: implicit credentials
//! (`bits.md` §7.1, `credentials.md` §2.4).
//!
//! The system's GSSAPI library does it, in the program `bits-gss`: one for each exchange, with the
//! owner's `KRB5CCNAME` and `KRB5_CONFIG` for all its environment. What that library says is put into
//! words here, and what server and client say is wrapped as HTTP has it. Kerberos is all there is:
//! where it cannot be had, NTLM does not stand in, as there is no password to make it from. Nothing is
//! delegated.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use bits_gss::{Answer, Request};

use self::talk::Talk;
use self::words::Refused;
use super::binding::ChannelBinding;
use super::classify::{FailureClass, Fault};
use super::kerberos::{is_address, ticket_refused, unproved};
use super::krb5_conf::Krb5Conf;
use super::mechanism::{Incoming, Mechanism, PeerProof, Pending};
use super::spnego::{self, State};
use super::{KerberosEnvironment, ServiceName};

mod talk;
mod words;

/// Where the owner's tickets are, and how they are come by.
#[derive(Debug, Clone)]
pub(super) struct TicketCache {
    /// The program that uses them; `None` where it is not installed.
    program: Option<PathBuf>,
    /// The caller's `KRB5CCNAME`; `None` means the usual place.
    name: Option<String>,
    /// The caller's krb5.conf; none means the system's.
    krb5_files: Vec<PathBuf>,
}

impl TicketCache {
    /// The owner's own.
    pub(super) fn new(environment: &KerberosEnvironment) -> Self {
        Self {
            program: program_beside_this(),
            name: environment.ticket_cache.clone(),
            krb5_files: environment.krb5_files.clone(),
        }
    }

    fn command(&self) -> Result<Command, Fault> {
        let program = self.program.as_ref().ok_or_else(|| {
            let message = format!(
                "signing in by a Kerberos ticket is not available: {PROGRAM} is not beside the service's program"
            );
            Fault::new(FailureClass::Config, message)
        })?;
        let mut command = Command::new(program);
        // The service's own environment is that of whoever started it, perhaps days ago.
        command.env_clear().stdin(Stdio::piped()).stderr(Stdio::null()).current_dir("/");
        if let Some(name) = &self.name {
            command.env("KRB5CCNAME", name);
        }
        if !self.krb5_files.is_empty() {
            let mut files = OsString::new();
            for file in &self.krb5_files {
                if !files.is_empty() {
                    files.push(":");
                }
                files.push(file);
            }
            command.env("KRB5_CONFIG", files);
        }
        Ok(command)
    }
}

/// The program's name; it is installed beside the service's.
const PROGRAM: &str = "bits-gss";

/// Nothing but the same folder is looked at: in the `PATH` of whoever started the service anything may
/// be called so.
fn program_beside_this() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.parent()?.join(PROGRAM);
    bits_platform::program::is_program(&program).then_some(program)
}

/// The exchange of one connection.
pub(super) struct GssMechanism {
    host: String,
    /// Another name than the usual one of the host.
    service: Option<ServiceName>,
    cache: TicketCache,
    binding: Option<ChannelBinding>,
    /// Where the context is whose token has been sent.
    begun: Option<Talk>,
    notes: Vec<String>,
}

impl GssMechanism {
    pub(super) fn new(
        host: &str,
        service: Option<&ServiceName>,
        cache: TicketCache,
        binding: Option<ChannelBinding>,
    ) -> Self {
        Self {
            host: host.to_owned(),
            service: service.cloned(),
            cache,
            binding,
            begun: None,
            notes: Vec::new(),
        }
    }

    async fn begin(&mut self) -> Result<Vec<u8>, Fault> {
        if self.service.is_none() && is_address(&self.host) {
            return Err(Fault::new(
                FailureClass::Config,
                format!("{} is an address, and Kerberos needs a host name", self.host),
            ));
        }
        let command = self.cache.command()?;
        let service = self.principal().await;
        let binding = self.binding.as_ref().map(|binding| binding.application_data().to_vec());
        let talk = Talk::begin(command);
        match talk.ask(Request::Begin { service: service.clone(), binding }).await {
            Ok(Answer::Token(token)) => {
                self.begun = Some(talk);
                Ok(spnego::kerberos_alone(&token))
            }
            Ok(Answer::Failed { major, minor, text }) => {
                // What has an `@` in it may name a user.
                if !text.contains('@') {
                    self.notes.push(format!("GSSAPI: {}", words::cleaned(&text)));
                }
                let refused = Refused { major, minor };
                Err(refused.fault(&service, &words::cache(self.cache.name.as_deref())))
            }
            // It was to prove itself, so there is more to be said.
            Ok(Answer::Established { .. }) => Err(words::broken_off(self.cache.name.as_deref())),
            Err(broken) => Err(words::broken(&broken, self.cache.name.as_deref())),
        }
    }

    /// The service as the library wants it. Its realm is looked up here: the library would also ask the
    /// DNS for another name of the host, and whoever answers could choose the service.
    async fn principal(&self) -> String {
        let (kind, host) = match &self.service {
            Some(service) => service.as_str().split_once('/').expect("a service name has a slash"),
            None => ("HTTP", self.host.trim_end_matches('.')),
        };
        let name = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
        let files = self.cache.krb5_files.clone();
        let realm = tokio::task::spawn_blocking(move || {
            Krb5Conf::load(&files).realm_of(&name).unwrap_or_default().to_owned()
        })
        .await
        .expect("reading krb5.conf neither panics nor is cancelled");
        match self.service {
            Some(_) => format!("{kind}/{host}@{realm}"),
            None => format!("{kind}/{}@{realm}", host.to_ascii_lowercase()),
        }
    }

    /// Has the library look at the token that came with success.
    async fn looked_at(&mut self, token: Option<&[u8]>) -> Result<PeerProof, Fault> {
        let (Some(token), Some(talk)) = (token, self.begun.take()) else {
            return Ok(PeerProof::Missing);
        };
        let proof = match spnego::answer(token) {
            None => return Err(unproved(&self.host)),
            Some(answer) if answer.state == Some(State::Rejected) => return Err(unproved(&self.host)),
            Some(answer) => match answer.token {
                None => return Ok(PeerProof::Missing),
                Some(proof) => proof.to_vec(),
            },
        };
        match talk.ask_to_look(Request::Token(proof)).await {
            Ok(Answer::Established { proved: true }) => Ok(PeerProof::Proved),
            // Between question and answer; the server is not to blame.
            Ok(Answer::Failed { major, minor, .. }) if (Refused { major, minor }).is_expiry() => {
                Err(words::expired(&words::cache(self.cache.name.as_deref())))
            }
            Ok(Answer::Established { proved: false } | Answer::Token(_) | Answer::Failed { .. }) | Err(_) => {
                Err(unproved(&self.host))
            }
        }
    }
}

impl Mechanism for GssMechanism {
    fn step<'a>(&'a mut self, incoming: Incoming<'a>) -> Pending<'a, Result<Vec<u8>, Fault>> {
        Box::pin(async move {
            let token = match incoming {
                Incoming::Begin => return self.begin().await,
                // One token is all there is to say. Another 401 is a refusal, whatever it holds.
                Incoming::Token(token) => Some(token),
                Incoming::NoToken => None,
            };
            Err(ticket_refused(&self.host, token, self.binding.is_some()))
        })
    }

    fn is_complete(&self) -> bool {
        self.begun.is_some()
    }

    fn accepted<'a>(&'a mut self, token: Option<&'a [u8]>) -> Pending<'a, Result<PeerProof, Fault>> {
        Box::pin(self.looked_at(token))
    }

    fn has_shown_proof(&self) -> bool {
        // A ticket proves its owner's secret to nobody.
        false
    }

    fn notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests;
