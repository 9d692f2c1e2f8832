//! `bits-gss`: signs in by the Kerberos tickets that its user has already, for one connection.
//!
//! It is started by the service with an environment of two variables at most, `KRB5CCNAME` and
//! `KRB5_CONFIG`, and ends with its standard input. Tickets are used and none is asked for by a
//! password; nothing is delegated.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use bits_gss::{Answer, HEAD_BYTES, Request, TOKEN_BYTES_MAX, frame_length};
use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::error::Error;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_KRB5_PRINCIPAL, OidSet};

fn main() -> ExitCode {
    if std::env::args_os().len() > 1 {
        eprintln!("bits-gss is a part of bitsd, which starts it; it takes no arguments");
        return ExitCode::from(2);
    }
    match serve(&mut io::stdin().lock(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bits-gss: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers until there is no further question.
fn serve(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut context = None;
    while let Some(request) = next(from)? {
        let answer = match request {
            Request::Begin { service, binding } => {
                Exchange::begin(&service, binding).map(|(begun, answer)| {
                    context = Some(begun);
                    answer
                })
            }
            Request::Token(token) => {
                let begun = context.as_mut().ok_or_else(|| invalid("a token came before the beginning"))?;
                begun.go_on(&token)
            }
        };
        let answer = answer.unwrap_or_else(|error| Answer::Failed {
            major: error.major.bits(),
            minor: error.minor,
            text: error.to_string(),
        });
        if matches!(&answer, Answer::Token(token) if token.len() > TOKEN_BYTES_MAX) {
            return Err(invalid("the token is too long"));
        }
        to.write_all(&answer.to_frame())?;
        to.flush()?;
    }
    Ok(())
}

fn next(from: &mut impl Read) -> io::Result<Option<Request>> {
    let mut head = [0; HEAD_BYTES];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut frame = vec![0; frame_length(head).map_err(io::Error::other)?];
    from.read_exact(&mut frame)?;
    Request::read(&frame).map(Some).map_err(io::Error::other)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// One context, and what it is tied to.
struct Exchange {
    context: ClientCtx,
    binding: Option<Vec<u8>>,
}

impl Exchange {
    fn begin(service: &str, binding: Option<Vec<u8>>) -> Result<(Self, Answer), Error> {
        // Kerberos alone: what else is installed, such as NTLM, has no part in this.
        let kerberos = OidSet::singleton(GSS_MECH_KRB5)?;
        let tickets = Cred::acquire(None, None, CredUsage::Initiate, Some(&kerberos))?;
        let service = Name::new(service.as_bytes(), Some(GSS_NT_KRB5_PRINCIPAL))?;
        let context =
            ClientCtx::new(Some(tickets), service, CtxFlags::GSS_C_MUTUAL_FLAG, Some(GSS_MECH_KRB5));
        let mut exchange = Self { context, binding };
        let answer = exchange.step(None)?;
        Ok((exchange, answer))
    }

    fn go_on(&mut self, token: &[u8]) -> Result<Answer, Error> {
        self.step(Some(token))
    }

    fn step(&mut self, token: Option<&[u8]>) -> Result<Answer, Error> {
        match self.context.step(token, self.binding.as_deref())? {
            Some(token) => Ok(Answer::Token(token.to_vec())),
            None => {
                let flags = self.context.flags()?;
                Ok(Answer::Established { proved: flags.contains(CtxFlags::GSS_C_MUTUAL_FLAG) })
            }
        }
    }
}
