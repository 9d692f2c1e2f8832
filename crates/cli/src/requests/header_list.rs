//! Headers from the command line and from files.
//!
//! A value may be a secret: none is ever repeated in a message, and buffers are wiped.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bits_client::api::credentials::Password;
use bits_client::api::http_options::SetHeader;
use bits_core::http_options::{HEADERS_BYTES_MAX, HeaderName};
use bits_core::secret::Secret;
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::output::Output;

/// The headers that `texts` are: each `Name: value`, or `@FILE` with one in each line.
///
/// # Errors
/// [`Failure::Usage`].
pub(crate) fn headers(texts: &[String], output: &Output) -> Result<Vec<SetHeader>, Failure> {
    let mut headers = Vec::new();
    let mut is_secret_seen = false;
    for (place, text) in (1..).zip(texts) {
        if let Some(path) = text.strip_prefix('@') {
            headers.extend(from_file(Path::new(path), output)?);
        } else {
            let (header, is_secret) = header(text, &format!("header {place}"))?;
            is_secret_seen |= is_secret;
            headers.push(header);
        }
    }
    if is_secret_seen {
        output.warn(
            "others on this machine can read a secret on the command line; @FILE in its place keeps it to you",
        );
    }
    Ok(headers)
}

/// Bytes of a file of headers: what a job may have, and as much again of spaces and empty lines.
const FILE_BYTES_MAX: usize = 2 * HEADERS_BYTES_MAX;
/// Mode bits: group and others may read.
const READABLE_BY_OTHERS: u32 = 0o044;

fn from_file(path: &Path, output: &Output) -> Result<Vec<SetHeader>, Failure> {
    let wrong = |what: &str| Failure::Usage(format!("the file of headers {}: {what}", path.display()));
    let failed = |error: std::io::Error| wrong(&error.to_string());
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // Room for all of it from the start: growing would leave a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX + 1));
    let read = file.take(FILE_BYTES_MAX as u64 + 1).read_to_string(&mut text);
    if read.map_err(failed)? > FILE_BYTES_MAX {
        return Err(wrong("it is longer than the headers of a job can be"));
    }
    let mut headers = Vec::new();
    let mut is_secret_seen = false;
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (header, is_secret) = header(line, &format!("line {number} of {}", path.display()))?;
        is_secret_seen |= is_secret;
        headers.push(header);
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if is_secret_seen && metadata.is_file() && mode & READABLE_BY_OTHERS != 0 {
        let path = path.display();
        output.warn(&format!(
            "others can read the secret in {path} (mode {mode:04o}); `chmod 600` makes it private"
        ));
    }
    Ok(headers)
}

/// The header `text`, and whether its value is a secret.
fn header(text: &str, place: &str) -> Result<(SetHeader, bool), Failure> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(Failure::Usage(format!("{place} is none; write 'Name: value'")));
    };
    let known = HeaderName::parse(name.trim())
        .map_err(|wrong| Failure::Usage(format!("the name of {place} {wrong}")))?;
    let value = Password(Secret::new(value.trim().to_owned()));
    Ok((SetHeader { name: known.as_str().to_owned(), value }, known.is_secret()))
}
