//! What comes of a request in a simulated world, and what is held against whoever makes it.

use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::{Challenge, Code, ErrorContext, JobError};
use bits_core::file::FileIndex;
use bits_core::job::{Attempt, JobId};
use bits_core::remote_name::RemoteName;
use bits_core::transfer::{Fetch, ResponseHead, TransportError, TransportFault};

use super::mutations::Mutation;
use super::servers::{Body, Reply, ServerFault};
use super::worker::Floor;

/// In whose name a server is asked.
pub(super) struct Asker<'a> {
    pub(super) job: JobId,
    pub(super) attempt: Attempt,
    pub(super) file: FileIndex,
    /// Where its owner says that the file is.
    pub(super) remote_name: &'a RemoteName,
    pub(super) password: Option<&'a str>,
}

/// What comes of it.
pub(super) enum Answered {
    Head(ResponseHead, Body),
    /// This, when it was waited for long enough.
    Late(TransportError),
    Failed(TransportError),
    Refused(Box<JobError>),
}

impl Floor<'_> {
    /// Asks a server, for the file or for a part that comes beside the rest.
    pub(super) fn answer(&mut self, fetch: &Fetch, asker: &Asker<'_>, is_part: bool) -> Answered {
        let now = self.time();
        if self.network_gone {
            self.shared.faults_met += 1;
            let message = format!("{} is not reached", fetch.remote_name.authority());
            return Answered::Failed(TransportError { fault: TransportFault::NameNotResolved, message });
        }
        let shared = &mut *self.shared;
        shared.look_at_request(asker.job, asker.attempt);
        shared.judge.asked_at(asker.job, asker.file, &fetch.remote_name, shared.now);
        let password = asker.password.filter(|_| fetch.with_credentials);
        let is_elsewhere = fetch.remote_name != *asker.remote_name;
        let is_believed = match shared.mutation {
            Some(Mutation::TagNotCompared) => is_elsewhere,
            Some(Mutation::PartNotCompared) => is_part,
            _ => false,
        };
        let mut fetch = fetch.clone();
        // What a mirror would have to be asked with is lost on the way, and what it says is not looked at.
        let believed = fetch.range.as_mut().filter(|_| is_believed).and_then(|range| range.if_range.take());
        if shared.mutation == Some(Mutation::RangeWithoutValidator)
            && let Some(range) = &mut fetch.range
        {
            range.if_range = None;
        }
        let found = shared.resources.iter().position(|resource| resource.name == fetch.remote_name);
        let resource = &mut shared.resources[found.expect("every name is somewhere")];
        let (reply, fault) = resource.answer(&fetch, password, now, self.next_version, &mut shared.random);
        shared.faults_met += u64::from(fault != ServerFault::None);
        if shared.mutation == Some(Mutation::SecretInTheLog)
            && let Some(password) = password
        {
            tracing::debug!("asked with {password}");
        }
        match reply {
            Reply::Answer(mut head, body) => {
                if let Some(tag) = believed {
                    for (_, value) in head.fields.iter_mut().filter(|(name, _)| name == "ETag") {
                        value.clone_from(&tag);
                    }
                }
                Answered::Head(head, body)
            }
            Reply::Broken(error) if error.fault == TransportFault::TimedOut => Answered::Late(error),
            Reply::Broken(error) => Answered::Failed(error),
            Reply::Challenge { refused } => {
                let said = match password {
                    Some(password) if shared.mutation == Some(Mutation::SecretInAnError) => password,
                    _ => "the password",
                };
                let message = match refused {
                    true => format!("{} refuses {said}", fetch.remote_name.authority()),
                    false => format!("{} wants somebody to sign in", fetch.remote_name.authority()),
                };
                if let Some(password) = password {
                    shared.judge.tried(asker.job, password, self.epoch, shared.now);
                }
                Answered::Refused(Box::new(JobError {
                    code: Code::HTTP_UNAUTHORIZED,
                    context: ErrorContext::RemoteFile,
                    transient: refused && shared.mutation == Some(Mutation::RetryAfterRefusal),
                    message,
                    file: Some(asker.file),
                    challenge: Some(Challenge {
                        target: AuthTarget::Server,
                        host: fetch.remote_name.authority(),
                        realm: None,
                        schemes: vec![AuthScheme::Basic],
                        refused,
                    }),
                    retry_after_seconds: None,
                }))
            }
        }
    }
}
