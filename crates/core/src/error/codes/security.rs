//! The security packages' codes: `SEC_*`, `0x8009_03xx`, those of certificates, `CRYPT_*`, `0x8009_2xxx`, and the `NTSTATUS` values that logons
//! fail with (`credentials.md` §1.8).
//!
//! Only words: which of them a failed attempt ends in is for whoever speaks the scheme to say.

use super::{Heals::*, Row, table};

/// Ascending by number.
pub(super) const SECURITY: &[Row] = table! {
    0x0009_0312, SEC_I_CONTINUE_NEEDED, NotAnError:
        "Signing in has begun and goes on with the other side's answer.",
        "Nothing needs to be done.";
    0x0009_0313, SEC_I_COMPLETE_NEEDED, NotAnError:
        "Signing in is nearly done; the last message is still to be finished.",
        "Nothing needs to be done.";
    0x0009_0314, SEC_I_COMPLETE_AND_CONTINUE, NotAnError:
        "The message is to be finished, then signing in goes on with the other side's answer.",
        "Nothing needs to be done.";
    0x8009_000D, NTE_NO_KEY, Never:
        "The key that credentials are sealed with is not there, or another one is in its place.",
        "Put back the key that `bits service status` names, then run `bits service restart`.";
    0x8009_0300, SEC_E_INSUFFICIENT_MEMORY, ByTime:
        "There was not enough memory to sign in.",
        "Close what uses much memory, then run `bits resume JOB`.";
    0x8009_0301, SEC_E_INVALID_HANDLE, Never:
        "The program used an identity or a sign-in that does not exist any more.",
        "Please report it with the log that `bits service status` names.";
    0x8009_0302, SEC_E_UNSUPPORTED_FUNCTION, Never:
        "This kind of credential or of signing in is not supported.",
        "Use a user name and a password.";
    0x8009_0303, SEC_E_TARGET_UNKNOWN, Never:
        "The directory does not know the server by the name in the address.",
        "Use the server's full name, or ask its administrator to register the HTTP service under this one.";
    0x8009_0304, SEC_E_INTERNAL_ERROR, Never:
        "Signing in failed inside the security package.",
        "Look into the log that `bits service status` names.";
    0x8009_0305, SEC_E_SECPKG_NOT_FOUND, Never:
        "There is no such authentication package here.",
        "Use negotiate, ntlm, digest or basic as the scheme in `bits credentials set`.";
    0x8009_0308, SEC_E_INVALID_TOKEN, Never:
        "A message of signing in is damaged, or an identity was made of nothing.",
        "Give a user name and a password; if you did, tell the server's administrator.";
    0x8009_030C, SEC_E_LOGON_DENIED, Never:
        "User name or password was refused.",
        "Run `bits credentials set JOB --prompt`, then `bits resume JOB`; too many wrong passwords can lock the account.";
    0x8009_030D, SEC_E_UNKNOWN_CREDENTIALS, Never:
        "The credentials are of a form that cannot be used on this machine.",
        "Type the user name and password themselves, not a reference that Windows made.";
    0x8009_030E, SEC_E_NO_CREDENTIALS, ByTime:
        "There are no credentials to sign in with: no Kerberos ticket, or one that has expired.",
        "Run `kinit`, and the job goes on; or `bits credentials set JOB --prompt`, then `bits resume JOB`.";
    0x8009_030F, SEC_E_MESSAGE_ALTERED, Never:
        "A message was changed on its way.",
        "Do not trust this network until you know why; try from another one.";
    0x8009_0310, SEC_E_OUT_OF_SEQUENCE, Never:
        "Messages of signing in came in the wrong order.",
        "Run `bits resume JOB` once; if it comes back, suspect the proxy.";
    0x8009_0311, SEC_E_NO_AUTHENTICATING_AUTHORITY, ByTime:
        "No domain controller or KDC could be reached.",
        "Check the network (or VPN) and the KDC's entry in /etc/krb5.conf; the job tries again.";
    0x8009_0317, SEC_E_CONTEXT_EXPIRED, ByTime:
        "The sign-in has expired.",
        "Wait: the job signs in again with the next attempt.";
    0x8009_0320, SEC_E_INCOMPLETE_CREDENTIALS, Never:
        "A part of the credentials is missing.",
        "Give both user name and password with `bits credentials set JOB --prompt`.";
    0x8009_0322, SEC_E_WRONG_PRINCIPAL, Never:
        "The server is registered in the directory with another key or name.",
        "Tell the server's administrator that its service name and its keytab do not fit.";
    0x8009_0324, SEC_E_TIME_SKEW, ByTime:
        "The clocks of this machine and of the domain differ too much.",
        "Set the clock, for example by `timedatectl set-ntp true`.";
    0x8009_0338, SEC_E_MAX_REFERRALS_EXCEEDED, Never:
        "The search for the server went through too many domains.",
        "Use the server's full name, or name its realm in /etc/krb5.conf under [domain_realm].";
    0x8009_0340, SEC_E_KDC_INVALID_REQUEST, Never:
        "The KDC refused the request; a wrong password looks like this too.",
        "Check user name, realm and password with `bits credentials set JOB --prompt`.";
    0x8009_0341, SEC_E_KDC_UNABLE_TO_REFER, Never:
        "The KDC knows no domain that the server could be in.",
        "Use the server's full name, or name its realm in /etc/krb5.conf under [domain_realm].";
    0x8009_0342, SEC_E_KDC_UNKNOWN_ETYPE, Never:
        "This machine and the KDC have no encryption in common.",
        "Ask the domain's administrator to give the account AES keys; a new password often does.";
    0x8009_0343, SEC_E_UNSUPPORTED_PREAUTH, Never:
        "The KDC wants a proof that is not supported here, such as a smart card.",
        "Use an account that signs in by password.";
    0x8009_0346, SEC_E_BAD_BINDINGS, Never:
        "The server saw another TLS connection than the one signed in on; something sits in between.",
        "Go around a proxy that opens TLS, or ask the server's administrator about channel binding.";
    0x8009_0350, SEC_E_DOWNGRADE_DETECTED, Never:
        "Somebody tries to make signing in weaker than it has to be.",
        "Do not sign in from this network until you know why.";
    0x8009_035D, SEC_E_INVALID_PARAMETER, Never:
        "Something given for signing in is not valid.",
        "Check user name and scheme in `bits credentials set`.";
    0x8009_035F, SEC_E_POLICY_NLTM_ONLY, Never:
        "The policy allows NTLM only.",
        "Give `--scheme ntlm` to `bits credentials set JOB`.";
    0x8009_0363, SEC_E_MUTUAL_AUTH_FAILED, Never:
        "The server could not prove that it is the one it claims to be.",
        "Do not trust what this address sends until its administrator has explained it.";
    0x8009_2004, CRYPT_E_NOT_FOUND, Never:
        "There is no client certificate as it was named.",
        "Check the fingerprint or the subject, and the folder; then run `bits resume JOB`.";
    0xC000_000D, STATUS_INVALID_PARAMETER, Never:
        "Something given with the request is not valid.",
        "The message that came with the code names what, and what would be right.";
    0xC000_0064, STATUS_NO_SUCH_USER, Never:
        "There is no user of that name.",
        "Check the user name and its domain with `bits credentials set JOB --prompt`.";
    0xC000_006A, STATUS_WRONG_PASSWORD, Never:
        "The password is wrong.",
        "Set it again with `bits credentials set JOB --prompt`, then run `bits resume JOB`.";
    0xC000_006D, STATUS_LOGON_FAILURE, Never:
        "User name or password is wrong.",
        "Set them again with `bits credentials set JOB --prompt`, then run `bits resume JOB`.";
    0xC000_0071, STATUS_PASSWORD_EXPIRED, Never:
        "The password has expired.",
        "Change it (`kpasswd USER`), then set the new one with `bits credentials set JOB --prompt`.";
    0xC000_0072, STATUS_ACCOUNT_DISABLED, Never:
        "The account is disabled.",
        "Ask the domain's administrator; another password does not help.";
    0xC000_0224, STATUS_PASSWORD_MUST_CHANGE, Never:
        "The password must be changed before the first use.",
        "Change it (`kpasswd USER`), then set the new one with `bits credentials set JOB --prompt`.";
    0xC000_0234, STATUS_ACCOUNT_LOCKED_OUT, Never:
        "The account is locked, usually after too many wrong passwords.",
        "Wait or ask the domain's administrator; do not try passwords meanwhile.";
};
