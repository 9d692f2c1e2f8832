//! HTTP statuses as codes: `BG_E_HTTP_ERROR_n` is `0x8019_0000 + n` (`bits.md` §12.2).
//!
//! Which of them time heals is one rule for all (`bits.md` §5.2), whether or not a status has
//! words of its own below.

use super::{Heals, Row, table};
use crate::transfer::status_is_transient;
use Heals::{ByTime, Never};

/// `0x8019_0000`, the facility of HTTP statuses.
pub(super) const FACILITY: u32 = 0x8019_0000;

/// The status that `code` carries, if it carries one. The facility also holds the numbers of
/// system events, which are no statuses.
pub(super) fn status(code: u32) -> Option<u16> {
    let low = u16::try_from(code.checked_sub(FACILITY)?).ok()?;
    (100..1000).contains(&low).then_some(low)
}

/// Whether a job that met this status may try again by itself (`bits.md` §5.2).
pub(super) fn heals(status: u16) -> Heals {
    if status_is_transient(status) { ByTime } else { Never }
}

/// Ascending by status. Those that BITS has no constant for, but people meet, are here too.
pub(super) const HTTP: &[Row] = table! {
    100, BG_E_HTTP_ERROR_100, ByTime:
        "The server said \"continue\" (100) where an answer was due.",
        "Wait for the next attempt; if it comes back, try another proxy or none.";
    101, BG_E_HTTP_ERROR_101, ByTime:
        "The server switched to another protocol (101) without being asked to.",
        "Wait for the next attempt; if it comes back, try another proxy or none.";
    200, BG_E_HTTP_ERROR_200, ByTime:
        "The server said \"all is well\" (200) where that is no answer to what was asked.",
        "Wait for the next attempt; if it comes back, check that the address names a file.";
    201, BG_E_HTTP_ERROR_201, ByTime:
        "The server said \"created\" (201) where file content was asked for.",
        "Check that the address names a file.";
    202, BG_E_HTTP_ERROR_202, ByTime:
        "The server has taken the request (202) but does not have the answer yet.",
        "Wait for the next attempt.";
    203, BG_E_HTTP_ERROR_203, ByTime:
        "A proxy answered with a changed copy (203) of the file.",
        "Try another way to the network, without that proxy.";
    204, BG_E_HTTP_ERROR_204, ByTime:
        "The server answered without any content (204).",
        "Check that the address names a file.";
    205, BG_E_HTTP_ERROR_205, ByTime:
        "The server asked to start the form again (205) where a file was asked for.",
        "Check that the address names a file.";
    206, BG_E_HTTP_ERROR_206, ByTime:
        "The server sent a part of the file (206) where that is no answer to what was asked.",
        "Wait for the next attempt; if it comes back, try another proxy or none.";
    300, BG_E_HTTP_ERROR_300, Never:
        "The server offers several addresses (300) and leaves the choice to you.",
        "Choose one of them and make a job for it.";
    301, BG_E_HTTP_ERROR_301, Never:
        "The file has moved for good (301), and the new address was not followed.",
        "Open the address in a browser and use the one it ends at.";
    302, BG_E_HTTP_ERROR_302, Never:
        "The file is elsewhere for now (302), and that address was not followed.",
        "Open the address in a browser and use the one it ends at.";
    303, BG_E_HTTP_ERROR_303, Never:
        "The answer is at another address (303), which was not followed.",
        "Open the address in a browser and use the one it ends at.";
    304, BG_E_HTTP_ERROR_304, Never:
        "The server said that nothing has changed (304), though it was not asked that.",
        "Run `bits resume JOB` once; if it comes back, tell the server's administrator.";
    305, BG_E_HTTP_ERROR_305, Never:
        "The server wants to be reached by a proxy that it names (305).",
        "Name that proxy for the job, or ask for another address of the file.";
    307, BG_E_HTTP_ERROR_307, Never:
        "The file is elsewhere for now (307), and that address was not followed.",
        "Open the address in a browser and use the one it ends at.";
    308, BG_E_HTTP_ERROR_308, Never:
        "The file has moved for good (308), and the new address was not followed.",
        "Open the address in a browser and use the one it ends at.";
    400, BG_E_HTTP_ERROR_400, Never:
        "The server could not make sense of the request (400).",
        "Check the address, letter by letter.";
    401, BG_E_HTTP_ERROR_401, Never:
        "The server wants to know who you are (401), and has no or the wrong credentials.",
        "Run `bits credentials set JOB --prompt`, then `bits resume JOB`.";
    402, BG_E_HTTP_ERROR_402, Never:
        "The server wants to be paid first (402).",
        "Look at the address in a browser.";
    403, BG_E_HTTP_ERROR_403, Never:
        "The server knows the file but does not give it to you (403).",
        "Check that the address has not expired and that your account has the right to the file.";
    404, BG_E_HTTP_ERROR_404, Never:
        "The server has no file at this address (404).",
        "Check the address, letter by letter; then make a new job with the right one.";
    405, BG_E_HTTP_ERROR_405, Never:
        "The server does not allow this kind of request at this address (405).",
        "Check that the address names a file, or, for an upload, a place that takes uploads.";
    406, BG_E_HTTP_ERROR_406, Never:
        "The server has the file in no form that was asked for (406).",
        "Look at the address in a browser.";
    407, BG_E_HTTP_ERROR_407, Never:
        "The proxy wants to know who you are (407), and has no or the wrong credentials.",
        "Run `bits credentials set JOB --target proxy --prompt`, then `bits resume JOB`.";
    408, BG_E_HTTP_ERROR_408, ByTime:
        "The server grew tired of waiting for the request (408).",
        "Wait for the next attempt.";
    409, BG_E_HTTP_ERROR_409, ByTime:
        "The request is in conflict with what the server is doing (409).",
        "Wait for the next attempt.";
    410, BG_E_HTTP_ERROR_410, Never:
        "The file was here once and is gone for good (410).",
        "Look for a newer address of the file.";
    411, BG_E_HTTP_ERROR_411, Never:
        "The server wants to know the length beforehand (411).",
        "Use another server or proxy; requests of the service do carry a length.";
    412, BG_E_HTTP_ERROR_412, Never:
        "A condition of the request did not hold (412): the file on the server is another one now.",
        "Run `bits resume JOB`; if it comes back, cancel the job and start a new one.";
    413, BG_E_HTTP_ERROR_413, Never:
        "What is sent is larger than the server accepts (413).",
        "Send a smaller file, or have the server's limit raised.";
    414, BG_E_HTTP_ERROR_414, Never:
        "The address is longer than the server accepts (414).",
        "Use a shorter address.";
    415, BG_E_HTTP_ERROR_415, Never:
        "The server does not take this type of content (415).",
        "Use another address or server; a download sends no content.";
    416, BG_E_HTTP_ERROR_416, Never:
        "The part that was asked for lies outside the file (416).",
        "Check the ranges; if you gave none, the file has become shorter and needs a new job.";
    417, BG_E_HTTP_ERROR_417, Never:
        "The server does not meet an expectation of the request (417).",
        "Use another server or proxy; the service asks for nothing special.";
    423, BG_E_HTTP_ERROR_423, Never:
        "The file is locked on the server (423).",
        "Run `bits resume JOB` when whoever works on it has finished.";
    429, BG_E_HTTP_ERROR_429, ByTime:
        "The server was asked too often (429).",
        "Wait for the next attempt, which comes when the server has said, if it has.";
    449, BG_E_HTTP_ERROR_449, Never:
        "The server wants something done first and the request repeated (449).",
        "Look at the address in a browser to see what it wants.";
    451, BG_E_HTTP_ERROR_451, Never:
        "The server may not give out the file for reasons of law (451).",
        "Look for another source of the file.";
    500, BG_E_HTTP_ERROR_500, ByTime:
        "Something broke inside the server (500).",
        "Wait for the next attempt; if it lasts, tell the server's administrator.";
    501, BG_E_HTTP_ERROR_501, Never:
        "The server cannot do what was asked (501).",
        "Use another server; for an upload, one that takes uploads.";
    502, BG_E_HTTP_ERROR_502, ByTime:
        "A gateway before the server got no sensible answer from it (502).",
        "Wait for the next attempt.";
    503, BG_E_HTTP_ERROR_503, ByTime:
        "The server is overloaded or being looked after (503).",
        "Wait for the next attempt.";
    504, BG_E_HTTP_ERROR_504, ByTime:
        "A gateway before the server waited for it in vain (504).",
        "Wait for the next attempt.";
    505, BG_E_HTTP_ERROR_505, Never:
        "The server does not speak this version of HTTP (505).",
        "Use another server or proxy.";
    507, BG_E_HTTP_ERROR_507, ByTime:
        "The server has no room left (507).",
        "Wait for the next attempt, or tell the server's administrator.";
    511, BG_E_HTTP_ERROR_511, ByTime:
        "The network wants you to sign in before it lets anything through (511).",
        "Open any page in a browser and sign in to the network; the job then goes on by itself.";
};
