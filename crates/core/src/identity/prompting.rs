//! Whether asking a person again can help.

use crate::error::Code;

/// Whether other credentials could cure the failure `code`. `SspiIsPromptingNeeded`.
///
/// Windows publishes no list; this is ours (`credentials.md` §1.8). What is not in it is not
/// cured by asking, such as a wrong clock, an unknown server or a locked account, and some of it
/// is made worse: every further password can lock an account.
pub fn is_prompting_needed(code: Code) -> bool {
    CURED_BY_OTHER_CREDENTIALS.contains(&code.0)
}

const CURED_BY_OTHER_CREDENTIALS: [u32; 11] = [
    0x8009_030C, // SEC_E_LOGON_DENIED
    0x8009_030D, // SEC_E_UNKNOWN_CREDENTIALS
    0x8009_030E, // SEC_E_NO_CREDENTIALS
    0x8009_0320, // SEC_E_INCOMPLETE_CREDENTIALS
    0xC000_0064, // STATUS_NO_SUCH_USER
    0xC000_006A, // STATUS_WRONG_PASSWORD
    0xC000_006D, // STATUS_LOGON_FAILURE
    0xC000_0071, // STATUS_PASSWORD_EXPIRED
    0xC000_0224, // STATUS_PASSWORD_MUST_CHANGE
    1326,        // ERROR_LOGON_FAILURE
    0x8007_052E, // the same, as an HRESULT
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::codes;

    #[test]
    fn a_person_is_asked_again_where_other_credentials_can_help() {
        for code in CURED_BY_OTHER_CREDENTIALS {
            assert!(is_prompting_needed(Code(code)), "{code:08X}");
            assert!(codes::describe(Code(code)).is_some(), "{code:08X} can be explained");
        }
    }

    #[test]
    fn nobody_is_asked_again_where_it_cannot_help_or_can_lock_the_account() {
        for (code, name) in [
            (0, "SEC_E_OK"),
            (0x8009_0324, "SEC_E_TIME_SKEW"),
            (0x8009_0311, "SEC_E_NO_AUTHENTICATING_AUTHORITY"),
            (0x8009_0303, "SEC_E_TARGET_UNKNOWN"),
            (0x8009_0346, "SEC_E_BAD_BINDINGS"),
            (0x8009_0308, "SEC_E_INVALID_TOKEN"),
            (0xC000_0072, "STATUS_ACCOUNT_DISABLED"),
            (0xC000_0234, "STATUS_ACCOUNT_LOCKED_OUT"),
            (1223, "ERROR_CANCELLED"),
            (u32::MAX, "no code"),
        ] {
            assert!(!is_prompting_needed(Code(code)), "{name}");
        }
    }
}
