//! The system's errors by their Win32 numbers: plain (`1223`), and as `0x8007_0000 + n`
//! (`bits.md` §5.3 and §5.4, `credentials.md` §1.3 and §1.8).
//!
//! Errno is another numbering; whoever meets one maps it before a code is made of it.

use super::{Heals::*, Row, table};

/// `0x8007_0000`, the facility of the system's errors.
pub(super) const FACILITY: u32 = 0x8007_0000;

/// The system error that `code` carries, if it is of that facility.
pub(super) fn number(code: u32) -> Option<u16> {
    u16::try_from(code.checked_sub(FACILITY)?).ok()
}

/// `HRESULT`s of the system's facility that have a name other than the error's.
pub(super) const HRESULT_NAMES: &[(u32, &str)] =
    &[(0x8007_0005, "E_ACCESSDENIED"), (0x8007_000E, "E_OUTOFMEMORY"), (0x8007_0057, "E_INVALIDARG")];

/// Ascending by number.
pub(super) const SYSTEM: &[Row] = table! {
    2, ERROR_FILE_NOT_FOUND, Never:
        "There is no such file on this machine.",
        "Check the path; `bits show JOB` names it.";
    3, ERROR_PATH_NOT_FOUND, Never:
        "The folder that the file goes to does not exist.",
        "Make the folder, or give a path in one that exists, then run `bits resume JOB`.";
    4, ERROR_TOO_MANY_OPEN_FILES, ByTime:
        "The service has as many files open as the system allows.",
        "Wait for the next attempt; if it lasts, raise the limit of open files (`ulimit -n`).";
    5, ERROR_ACCESS_DENIED, Never:
        "You do not have the right to do this, to that file or to that job.",
        "Check who owns the file or its folder (`ls -l`), or whose job it is (`bits list`).";
    14, ERROR_OUTOFMEMORY, ByTime:
        "There was not enough memory.",
        "Close what uses much memory, then try again.";
    19, ERROR_WRITE_PROTECT, Never:
        "The file system that the file goes to is read-only.",
        "Have it mounted so that it can be written, then run `bits resume JOB`.";
    32, ERROR_SHARING_VIOLATION, Never:
        "Another program holds the file.",
        "End that program's work on the file, then run `bits resume JOB`.";
    50, ERROR_NOT_SUPPORTED, Never:
        "This cannot be done here.",
        "The message that came with the code says why.";
    80, ERROR_FILE_EXISTS, Never:
        "There is a file of that name already, and it was not to be replaced.",
        "Move the existing file away or choose another name.";
    86, ERROR_INVALID_PASSWORD, Never:
        "The passphrase does not open the key of the client certificate, or there is none.",
        "Give the right one with `bits set JOB client-certificate-password-file=FILE`, then run `bits resume JOB`.";
    87, ERROR_INVALID_PARAMETER, Never:
        "Something given with the request is not valid.",
        "The message that came with the code names what, and what would be right.";
    112, ERROR_DISK_FULL, ByTime:
        "The disk that the file goes to is full.",
        "Make room on it; the job tries again by itself, and `bits resume JOB` lets it try at once.";
    122, ERROR_INSUFFICIENT_BUFFER, Never:
        "A text is longer than there is room for.",
        "Give a shorter one: a user name has at most 513 characters at the prompt, a password 256.";
    123, ERROR_INVALID_NAME, Never:
        "This cannot be the name of a file.",
        "Choose another name for the destination.";
    223, ERROR_FILE_TOO_LARGE, Never:
        "The file is larger than its file system takes.",
        "Choose a destination on another file system.";
    1058, ERROR_SERVICE_DISABLED, Never:
        "The service is switched off.",
        "Switch it on, or start it by hand with `bits service start`.";
    1117, ERROR_IO_DEVICE, Never:
        "The disk reports an error.",
        "Look at the system's log (`dmesg`) and save what is on the disk, then run `bits resume JOB`.";
    1223, ERROR_CANCELLED, NotAnError:
        "The person who was asked for credentials cancelled.",
        "Run the command again if that was not meant.";
    1245, ERROR_NOT_LOGGED_ON, ByTime:
        "The owner of the job is not logged on.",
        "Log on, or let the service run without a session by `loginctl enable-linger`.";
    1295, ERROR_DISK_QUOTA_EXCEEDED, ByTime:
        "You have as much on the disk as its quota allows you.",
        "Delete what you do not need, or ask for more; the job tries again by itself.";
    1306, ERROR_REVISION_MISMATCH, Never:
        "The job has changed since it was last read.",
        "Read it again with `bits show JOB`, and repeat the change if it is still wanted.";
    1312, ERROR_NO_SUCH_LOGON_SESSION, Never:
        "Credentials are needed, but nobody can be asked: no terminal, no display, no askpass program.",
        "Run the command in a terminal, name a way to ask in `BITS_PROMPT`, or give `--password-file F`.";
    1315, ERROR_INVALID_ACCOUNT_NAME, Never:
        "This is not a user name in any known form.",
        "Write DOMAIN\\user, user@realm, or the bare name.";
    1326, ERROR_LOGON_FAILURE, Never:
        "User name or password is wrong.",
        "Set them again with `bits credentials set JOB --prompt`, then run `bits resume JOB`.";
    1364, ERROR_NO_SUCH_PACKAGE, Never:
        "There is no such authentication package.",
        "Use Negotiate, Kerberos, NTLM, Digest or Basic.";
    1460, ERROR_TIMEOUT, Never:
        "Nobody answered the question for credentials in time.",
        "Run the command again, with somebody there to answer.";
    1723, RPC_S_SERVER_TOO_BUSY, ByTime:
        "Too many programs, or one with too many connections, want something of the service.",
        "Close what holds connections to it without need (`lsof -U`), then try again.";
    1783, RPC_X_BAD_STUB_DATA, Never:
        "A text given with the request is longer than is allowed for it.",
        "Shorten it.";
    1815, ERROR_RESOURCE_LANG_NOT_FOUND, Never:
        "There are no words in the language that was asked for.",
        "Ask for English (0x409), or for none in particular (0).";
    12002, ERROR_WINHTTP_TIMEOUT, ByTime:
        "The server did not answer in time.",
        "Wait for the next attempt, or check network and proxy.";
    12005, ERROR_WINHTTP_INVALID_URL, Never:
        "The address is not a valid URL.",
        "Write it in full, as in https://host/path.";
    12007, ERROR_WINHTTP_NAME_NOT_RESOLVED, ByTime:
        "The name of the server could not be found in the DNS.",
        "Check the name in the address (`getent hosts NAME`) and your network.";
    12029, ERROR_WINHTTP_CANNOT_CONNECT, ByTime:
        "The server could not be reached.",
        "Wait for the next attempt, or check address, port, network and proxy.";
    12030, ERROR_WINHTTP_CONNECTION_ERROR, ByTime:
        "The connection to the server broke off.",
        "Wait: the job tries again and goes on where it was.";
    12037, ERROR_WINHTTP_SECURE_CERT_DATE_INVALID, Never:
        "The server's certificate has expired or is not valid yet.",
        "Check the clock of this machine (`date`); if it is right, the server's certificate must be renewed.";
    12038, ERROR_WINHTTP_SECURE_CERT_CN_INVALID, Never:
        "The server's certificate is for another name.",
        "Check the host in the address; it must be one that the certificate names.";
    12044, ERROR_WINHTTP_CLIENT_AUTH_CERT_NEEDED, Never:
        "The server wants a certificate from you.",
        "Run `bits set JOB client-certificate=FILE,KEY` with yours, then `bits resume JOB`.";
    12045, ERROR_WINHTTP_SECURE_INVALID_CA, Never:
        "Nobody whom this machine trusts has signed the server's certificate.",
        "If the server is yours, add its CA to the system's trust store (`update-ca-certificates`), or name it in the setting `extra_ca`.";
    12057, ERROR_WINHTTP_SECURE_CERT_REV_FAILED, Never:
        "Whether the server's certificate was revoked could not be found out.",
        "Check that the CA's revocation address can be reached from here.";
    12152, ERROR_WINHTTP_INVALID_SERVER_RESPONSE, ByTime:
        "The server's answer is not HTTP.",
        "Wait for the next attempt; if it comes back, check scheme and port of the address.";
    12157, ERROR_WINHTTP_SECURE_CHANNEL_ERROR, Never:
        "No secure connection could be agreed on with the server.",
        "Check that the server speaks TLS 1.2 or 1.3 on that port.";
    12170, ERROR_WINHTTP_SECURE_CERT_REVOKED, Never:
        "The server's certificate has been revoked.",
        "Do not use this server until it has a new certificate.";
    12175, ERROR_WINHTTP_SECURE_FAILURE, Never:
        "The server's certificate or its TLS is not in order.",
        "The message says what is wrong; it must be put right on the server or in this machine's trust store.";
    12180, ERROR_WINHTTP_AUTODETECTION_FAILED, Never:
        "The proxy could not be found automatically.",
        "Name the proxy, or choose none, then run `bits resume JOB`.";
    12186, ERROR_WINHTTP_CLIENT_CERT_NO_ACCESS_PRIVATE_KEY, Never:
        "The key of the client certificate cannot be read, or none is named.",
        "Name it with `bits set JOB client-certificate=FILE,KEY`, and check who may read it (`ls -l`).";
};
