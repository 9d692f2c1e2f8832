//! Has the owner's program look at a server's certificate, before anything is said to the server.

use bits_core::file::FileIndex;
use bits_core::remote_name::RemoteName;

use super::FetchError;
use crate::certificates::CertificateCheck;
use crate::http::connection::Connection;
use crate::http::request;

/// Makes sure that the certificate shown on `connection`, which leads to the server of `name`, passes
/// where a program is to be asked.
pub(super) async fn pass(
    check: Option<&CertificateCheck>,
    connection: &Connection,
    name: &RemoteName,
    file: FileIndex,
) -> Result<(), FetchError> {
    let Some(check) = check.filter(|_| name.is_tls()) else { return Ok(()) };
    let authority = request::place_of(name);
    let verdict = check.ask(&authority, file, connection.certificates()).await;
    verdict.map_err(|rejection| FetchError::Refused(Box::new(rejection.error(&authority, file))))
}
