//! How the requests of a job are made, as BITS's programs say it (`IBackgroundCopyJobHttpOptions` to
//! `3`, `IBackgroundCopyJob::SetProxySettings`, `IBackgroundCopyJob5::SetProperty`).
//!
//! A change takes effect with the next attempt of the job.

use bits_api::credentials::Password;
use bits_api::http_options::{ClientCertificate, Proxy, SetHeader};
use bits_api::job::{ChangeJob, Job};
use bits_core::credentials::AuthTarget;
use bits_core::http_options::SecurityFlags;
use bits_core::secret::Secret;

use super::JobHandle;
use crate::error::Error;

/// How the requests of a job are made. What is set is in [`JobHandle::read`].
#[derive(Debug, Clone, Copy)]
pub struct JobHttpOptions<'a> {
    pub(super) job: &'a JobHandle,
}

impl JobHttpOptions<'_> {
    /// `SetCustomHeaders`: replaces all headers; none takes them away. `Authorization` and `Cookie`
    /// are secrets, of which only the names can be read again.
    ///
    /// # Errors
    /// [`Error`]; refused with `BG_E_STRING_TOO_LONG` beyond 16,383 bytes, and with `E_INVALIDARG`
    /// for a header that is the transfer's own, such as `Range`. So for all methods below.
    pub async fn set_custom_headers(
        &self,
        headers: impl IntoIterator<Item = (String, Secret)>,
    ) -> Result<Job, Error> {
        let headers = headers.into_iter();
        let headers = headers.map(|(name, value)| SetHeader { name, value: Password(value) }).collect();
        self.change(ChangeJob { custom_headers: Some(headers), ..ChangeJob::default() }).await
    }

    /// `MakeCustomHeadersWriteOnly`: from now on they can be replaced and not read. There is no way
    /// back.
    pub async fn make_custom_headers_write_only(&self) -> Result<Job, Error> {
        self.change(ChangeJob { make_custom_headers_write_only: Some(true), ..ChangeJob::default() }).await
    }

    /// `SetHttpMethod`. Another one than `GET` makes the job foreground for good and every error of
    /// it fatal; refused with `BG_E_READ_ONLY_PROPERTY_AFTER_RESUME` once the job was resumed.
    pub async fn set_http_method(&self, method: &str) -> Result<Job, Error> {
        self.change(ChangeJob { http_method: Some(method.to_owned()), ..ChangeJob::default() }).await
    }

    /// `SetSecurityFlags`.
    pub async fn set_security_flags(&self, flags: SecurityFlags) -> Result<Job, Error> {
        self.change(ChangeJob { security_flags: Some(flags.mask()), ..ChangeJob::default() }).await
    }

    /// `SetClientCertificateByID`, `SetClientCertificateByName`, `RemoveClientCertificate`
    /// ([`ClientCertificate::None`]); here also a file. The passphrase opens the key; the one of the
    /// certificate before is gone in any case.
    pub async fn set_client_certificate(
        &self,
        certificate: ClientCertificate,
        passphrase: Option<Secret>,
    ) -> Result<Job, Error> {
        let change = ChangeJob {
            client_certificate: Some(certificate),
            client_certificate_passphrase: passphrase.map(Password),
            ..ChangeJob::default()
        };
        self.change(change).await
    }

    /// `SetProxySettings`. A user and password in the list become credentials of the job. Refused
    /// with `BG_E_PROXY_LIST_TOO_LARGE` or `BG_E_PROXY_BYPASS_LIST_TOO_LARGE` beyond 4,000
    /// characters; the syntax is judged when the job runs.
    pub async fn set_proxy_settings(&self, proxy: Proxy) -> Result<Job, Error> {
        self.change(ChangeJob { proxy: Some(proxy), ..ChangeJob::default() }).await
    }

    /// `BITS_JOB_PROPERTY_USE_STORED_CREDENTIALS`: lets the owner's stored credentials answer a
    /// proxy. For the server refused with `BG_E_USE_STORED_CREDENTIALS_NOT_SUPPORTED`.
    pub async fn use_stored_credentials(&self, target: Option<AuthTarget>) -> Result<Job, Error> {
        let word = target.map_or("none", AuthTarget::name).to_owned();
        self.change(ChangeJob { use_stored_credentials: Some(word), ..ChangeJob::default() }).await
    }

    /// Whether NTLM is never used, neither as a scheme nor within Negotiate (SSPI: the package list
    /// `!ntlm`).
    pub async fn forbid_ntlm(&self, yes: bool) -> Result<Job, Error> {
        self.change(ChangeJob { no_ntlm: Some(yes), ..ChangeJob::default() }).await
    }

    /// The Kerberos name of the service (SSPI: `pszTargetName`); none goes back to `HTTP/` and the
    /// host of the URL.
    pub async fn set_service_name(&self, name: Option<&str>) -> Result<Job, Error> {
        let name = name.unwrap_or_default().to_owned();
        self.change(ChangeJob { service_name: Some(name), ..ChangeJob::default() }).await
    }

    async fn change(&self, change: ChangeJob) -> Result<Job, Error> {
        self.job.change(&change).await
    }
}
