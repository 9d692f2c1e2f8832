//! Where a redirect leads, and whether one goes there (`bits.md` §6.5).

use alloc::format;
use alloc::string::String;

use super::error::shown;
use super::head::ResponseHead;
use crate::http_options::SecurityFlags;
use crate::remote_name::{RemoteName, RemoteNameError};

/// Redirects followed for one request; what most browsers and tools take. A loop ends here too.
pub(super) const REDIRECTS_MAX: u32 = 20;

/// Whether `status` sends one elsewhere with the same request.
pub(super) fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// What is wrong with a redirect where none is to be followed.
pub(super) fn not_followed(from: &RemoteName, to: &RemoteName) -> String {
    format!("{} redirects to {}, and this job follows no redirects", shown(from), shown(to))
}

/// Where `head`, the answer from `from`, leads.
///
/// # Errors
/// A sentence for a person.
pub(super) fn target(
    from: &RemoteName,
    head: &ResponseHead,
    followed: u32,
    flags: SecurityFlags,
) -> Result<RemoteName, String> {
    if followed >= REDIRECTS_MAX {
        return Err(format!(
            "{} leads to yet another address after {REDIRECTS_MAX} redirects; the server sends in circles",
            shown(from)
        ));
    }
    let Some(location) = head.field("location") else {
        return Err(format!(
            "{} answered with a redirect ({}) that does not say where",
            shown(from),
            head.status
        ));
    };
    let to = from.join(location).map_err(|error| match error {
        RemoteNameError::Scheme { scheme } => format!(
            "{} redirects to a `{scheme}:` address, which is refused; only http and https are followed",
            shown(from)
        ),
        RemoteNameError::NotAUrl { text, reason } => {
            format!("{} redirects to `{text}`, which is not a URL ({reason})", shown(from))
        }
        other => format!("{} redirects to an address that is none: {other}", shown(from)),
    })?;
    if from.is_tls() && !to.is_tls() && !flags.has(SecurityFlags::REDIRECT_HTTPS_TO_HTTP) {
        return Err(format!(
            "{} redirects from https to http ({}), which is refused; give that address if you trust it",
            shown(from),
            shown(&to)
        ));
    }
    Ok(to)
}
