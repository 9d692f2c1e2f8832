//! Who may do what to whose job.
//!
//! What a refusal or a change of owner brings with it is decided in the queue; here is only who may.

use alloc::string::ToString;

use crate::job::{Job, Owner};
use crate::refusal::Refusal;

/// Who is calling, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
}

/// Whom a service serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// One user, the one the service runs as. Nobody is an administrator of it.
    User(Owner),
    /// Every user of the machine; root is its administrator.
    Machine,
}

/// What somebody wants to do with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// See it, control it and change what is no secret.
    Manage,
    /// Set or remove credentials or headers, or see headers.
    Secrets,
    /// Become its owner.
    TakeOwnership,
}

/// Proof that somebody may do what is asked. Only the checks here make one.
#[derive(Debug)]
pub struct Allowed(());

impl Audience {
    /// Whether `caller` may speak to this service at all.
    ///
    /// # Errors
    /// [`Refusal::OtherUser`]; root is a user like any other to the service of a user.
    pub fn admit(self, caller: Caller) -> Result<Allowed, Refusal> {
        match self {
            Self::User(owner) if caller.uid != owner.0 => {
                Err(Refusal::OtherUser { owner: owner.0, caller: caller.uid })
            }
            Self::User(_) | Self::Machine => Ok(Allowed(())),
        }
    }

    /// Whether `caller` administers this service: no limit binds it, and it manages everybody's jobs.
    pub fn is_administrator(self, caller: Caller) -> bool {
        const ROOT: u32 = 0;
        self == Self::Machine && caller.uid == ROOT
    }

    /// Whether `caller` may see a list of everybody's jobs (`BG_JOB_ENUM_ALL_USERS`, `bits.md` §1.1).
    ///
    /// # Errors
    /// [`Refusal::EverybodysJobs`] for whoever administers nothing.
    pub fn may_list_everybodys(self, caller: Caller) -> Result<Allowed, Refusal> {
        if self.is_administrator(caller) { Ok(Allowed(())) } else { Err(Refusal::EverybodysJobs) }
    }

    /// Whether `caller` may do `act` to `job` (`bits.md` §7.2).
    ///
    /// # Errors
    /// [`Refusal::AccessDenied`] when the job is somebody else's, [`Refusal::OwnerOnly`] when not even
    /// an administrator may, [`Refusal::NotAnAdministrator`] when only one may.
    pub fn may(self, caller: Caller, act: Act, job: &Job) -> Result<Allowed, Refusal> {
        let is_owner = job.owner == Owner(caller.uid);
        let is_administrator = self.is_administrator(caller);
        match act {
            Act::Manage | Act::Secrets if is_owner => Ok(Allowed(())),
            Act::Manage | Act::TakeOwnership if is_administrator => Ok(Allowed(())),
            // Whoever asks for what it has is told so; it is no harm.
            Act::TakeOwnership if is_owner => Ok(Allowed(())),
            Act::TakeOwnership => Err(Refusal::NotAnAdministrator { what: job.id.to_string() }),
            Act::Secrets if is_administrator => Err(Refusal::OwnerOnly { what: job.id.to_string() }),
            Act::Manage | Act::Secrets => Err(Refusal::AccessDenied { what: job.id.to_string() }),
        }
    }
}

/// Whether `caller` owns `job`.
///
/// # Errors
/// [`Refusal::AccessDenied`] when the job is somebody else's.
pub fn check(caller: Caller, job: &Job) -> Result<Allowed, Refusal> {
    Audience::User(Owner(caller.uid)).may(caller, Act::Manage, job)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::job::{JobId, Properties};
    use crate::time::Timestamp;
    use alloc::borrow::ToOwned;

    const ROOT: u32 = 0;
    const ANNA: u32 = 1000;
    const BEN: u32 = 1001;

    #[test]
    fn a_users_service_admits_that_user_and_nobody_else_not_even_root() {
        let audience = Audience::User(Owner(1000));
        assert!(audience.admit(Caller { uid: 1000 }).is_ok());
        for uid in [0, 1001] {
            let refusal = audience.admit(Caller { uid }).expect_err("another user");
            assert_eq!(refusal.code(), Code::ACCESS_DENIED);
        }
    }

    #[test]
    fn everybodys_jobs_are_listed_for_an_administrator_alone() {
        for (audience, caller, expected) in [
            (Audience::Machine, ROOT, true),
            (Audience::Machine, ANNA, false),
            (Audience::User(Owner(ANNA)), ANNA, false),
            // Root is a user like any other to its own service.
            (Audience::User(Owner(ROOT)), ROOT, false),
        ] {
            let answer = audience.may_list_everybodys(Caller { uid: caller });
            let refused = answer.as_ref().err().map(Refusal::code);
            let code = (!expected).then_some(Code::ACCESS_DENIED);
            assert_eq!(refused, code, "{audience:?}: {caller}");
        }
    }

    /// `bits.md` §7.2, for the owners and administrators there can be.
    #[test]
    fn jobs_are_for_their_owner_and_administrators_and_secrets_for_the_owner_alone() {
        let machine = Audience::Machine;
        let (annas, roots) = (Audience::User(Owner(ANNA)), Audience::User(Owner(ROOT)));
        for (audience, owner, caller, [manage, secrets, take]) in [
            (machine, ANNA, ANNA, [true, true, true]),
            (machine, ANNA, BEN, [false, false, false]),
            (machine, ANNA, ROOT, [true, false, true]),
            (machine, ROOT, ROOT, [true, true, true]),
            (machine, ROOT, ANNA, [false, false, false]),
            // Nobody administers the service of a user; a job there that somebody else owned stays so.
            (annas, ANNA, ANNA, [true, true, true]),
            (annas, BEN, ANNA, [false, false, false]),
            (roots, ROOT, ROOT, [true, true, true]),
            (roots, ANNA, ROOT, [false, false, false]),
        ] {
            let properties = Properties::named("a job".to_owned()).expect("a name");
            let job = Job::new(JobId([1; 16]), Owner(owner), properties, Timestamp(0));
            for (act, expected) in
                [(Act::Manage, manage), (Act::Secrets, secrets), (Act::TakeOwnership, take)]
            {
                let answer = audience.may(Caller { uid: caller }, act, &job);
                assert_eq!(answer.is_ok(), expected, "{audience:?}: {caller} to a job of {owner}: {act:?}");
                if let Err(refusal) = answer {
                    assert_eq!(refusal.code(), Code::ACCESS_DENIED);
                }
            }
        }
    }
}
