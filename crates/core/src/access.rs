//! Who may do what to whose job.

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
    /// One user, the one the service runs as.
    User(Owner),
}

/// Proof that somebody may do what is asked. Only the checks here make one.
#[derive(Debug)]
pub struct Allowed(());

impl Audience {
    /// Whether `caller` may speak to this service at all.
    ///
    /// # Errors
    /// [`Refusal::OtherUser`]; root is a user like any other.
    pub fn admit(self, caller: Caller) -> Result<Allowed, Refusal> {
        let Self::User(owner) = self;
        if caller.uid == owner.0 {
            Ok(Allowed(()))
        } else {
            Err(Refusal::OtherUser { owner: owner.0, caller: caller.uid })
        }
    }
}

/// Whether `caller` may see and change `job` (`bits.md` §7.2).
///
/// # Errors
/// [`Refusal::AccessDenied`] when the job is somebody else's.
pub fn check(caller: Caller, job: &Job) -> Result<Allowed, Refusal> {
    if job.owner == Owner(caller.uid) {
        Ok(Allowed(()))
    } else {
        Err(Refusal::AccessDenied { what: job.id.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_users_service_admits_that_user_and_nobody_else_not_even_root() {
        let audience = Audience::User(Owner(1000));
        assert!(audience.admit(Caller { uid: 1000 }).is_ok());
        for uid in [0, 1001] {
            let refusal = audience.admit(Caller { uid }).expect_err("another user");
            assert_eq!(refusal.code(), Code::ACCESS_DENIED);
        }
    }
}
