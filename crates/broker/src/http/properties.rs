//! The properties of a job on their way in: parsed, and what is secret of them sealed.

use std::time::Duration;

use bits_api::http_options::{AUTODETECT, ClientCertificate, NO_PROXY, OVERRIDE, PRECONFIG, Proxy};
use bits_api::job::{ChangeJob, Environment, NotifyCommand};
use bits_core::conditions::CostFlags;
use bits_core::credentials::{AuthTarget, SecretHeader, SecretSlot};
use bits_core::http_options::{
    self, GivenHeaders, Method, PROXY_LIST_UNITS_MAX, ProxyEnvironment, ProxyUse, SecurityFlags, one_proxy,
    proxy_list,
};
use bits_core::job::{self, JobId, Owner, Priority, PropertyChange};
use bits_core::notify::{self, NotifyFlags};
use bits_core::pacing::rate::Rate;
use bits_core::ports::SecretChange;
use bits_core::refusal::Refusal;
use bits_core::remote_name::{RemoteName, RemoteNameError, UserInfo};
use bits_core::secret::Secret;
use bits_core::units::Bytes;
use bits_core::windows_options::ClassId;

use crate::vault::{NewCredential, Vault};

/// What a body asks for.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What is stored and shown as it is.
    pub(super) changes: Vec<PropertyChange>,
    /// The headers that are secrets, when the headers are replaced.
    headers: Option<Vec<SecretHeader>>,
    /// Whether another certificate takes the place of the one before.
    is_certificate_new: bool,
    passphrase: Option<Secret>,
    /// An empty one takes it away.
    webhook_secret: Option<Secret>,
    /// Who signs in at the proxy, when its address said so.
    proxy_user: Option<UserInfo>,
    /// Whether a secret was there, also one that is not needed.
    brought_secret: bool,
}

impl Asked {
    /// Parses `body`.
    ///
    /// # Errors
    /// [`Refusal`] for a value that cannot be; what it was is told unless it may be a secret.
    pub(super) fn of(body: ChangeJob) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        let changes = &mut asked.changes;
        changes.extend(body.display_name.map(PropertyChange::DisplayName));
        changes.extend(body.description.map(PropertyChange::Description));
        if let Some(text) = body.priority {
            let priority = Priority::named(&text).ok_or_else(|| {
                let words = Priority::ALL.map(Priority::name).join(", ");
                Refusal::invalid(format!("the priority `{text}`"), format!("is none; there are {words}"))
            })?;
            changes.push(PropertyChange::Priority(priority));
        }
        changes.extend(body.minimum_retry_delay.map(|seconds| {
            PropertyChange::MinimumRetryDelay((seconds > 0).then(|| Duration::from_secs(seconds)))
        }));
        changes.extend(
            body.no_progress_timeout
                .map(|seconds| PropertyChange::NoProgressTimeout(Duration::from_secs(seconds))),
        );
        changes.extend(body.maximum_download_time.map(|seconds| {
            PropertyChange::MaximumDownloadTime((seconds > 0).then(|| Duration::from_secs(seconds)))
        }));
        changes.extend(body.file_acl_flags.map(PropertyChange::FileAclFlags));
        changes.extend(body.peer_caching_flags.map(PropertyChange::PeerCachingFlags));
        changes.extend(body.helper_token_flags.map(PropertyChange::HelperTokenFlags));
        if let Some(text) = body.notification_clsid {
            let class = ClassId::parse(&text).ok_or_else(|| {
                Refusal::invalid(format!("the class identifier `{text}`"), "is not of 32 hexadecimal digits")
            })?;
            changes.push(PropertyChange::NotificationClass(class));
        }
        changes.extend(body.complete_when_done.map(PropertyChange::CompleteWhenDone));
        changes.extend(body.keep_going.map(PropertyChange::KeepGoing));
        changes.extend(body.dynamic_content.map(PropertyChange::DynamicContent));
        changes.extend(body.high_performance.map(PropertyChange::HighPerformance));
        changes.extend(body.on_demand.map(PropertyChange::OnDemand));
        changes.extend(body.max_download_size.map(|size| PropertyChange::MaxDownloadSize(Bytes(size))));
        if let Some(mask) = body.cost_flags {
            let flags = (mask != 0).then(|| CostFlags::new(mask)).transpose();
            let flags = flags.map_err(|wrong| {
                Refusal::invalid(format!("the mask of cost flags {mask:#010x}"), wrong.to_string())
            })?;
            changes.push(PropertyChange::CostFlags(flags));
        }
        if let Some(bytes) = body.rate_limit {
            changes.push(PropertyChange::RateLimit(match bytes {
                0 => None,
                _ => Some(Rate::new(bytes).ok_or_else(|| {
                    let (least, most) = (Rate::LEAST, Rate::MOST);
                    let wrong =
                        format!("is none; it is {least} to {most} bytes per second, or 0 for no limit");
                    Refusal::invalid(format!("the rate limit {bytes}"), wrong)
                })?),
            }));
        }
        if let Some(text) = body.http_method {
            let method = Method::parse(&text)
                .map_err(|wrong| Refusal::invalid(format!("the HTTP method `{text}`"), wrong))?;
            changes.push(PropertyChange::HttpMethod(method));
        }
        if let Some(given) = body.custom_headers {
            // Which of them are secrets is told by their names; that is no certainty.
            asked.brought_secret = true;
            let given = given.into_iter().map(|header| (header.name, header.value.0));
            let headers = GivenHeaders::sort(given)?;
            changes.push(PropertyChange::Headers(headers.plain));
            asked.headers = Some(headers.secret);
        }
        match body.make_custom_headers_write_only {
            None => {}
            Some(true) => changes.push(PropertyChange::MakeHeadersWriteOnly),
            Some(false) => {
                let wrong = "cannot be made readable again; make_custom_headers_write_only is true alone";
                return Err(Refusal::invalid("the custom headers", wrong));
            }
        }
        if let Some(mask) = body.security_flags {
            let flags = SecurityFlags::from_mask(mask).map_err(|wrong| Refusal::NotImplemented {
                what: format!("the mask of security flags {mask:#06x}"),
                wrong,
            })?;
            changes.push(PropertyChange::SecurityFlags(flags));
        }
        if let Some(certificate) = body.client_certificate {
            changes.push(PropertyChange::ClientCertificate(client_certificate(certificate)?));
            asked.is_certificate_new = true;
        }
        asked.passphrase = body.client_certificate_passphrase.map(|passphrase| passphrase.0);
        asked.brought_secret |= asked.passphrase.is_some();
        if let Some(given) = body.proxy {
            let (proxy, user_info) = proxy(given)?;
            changes.push(PropertyChange::Proxy(proxy));
            asked.brought_secret |= user_info.is_some();
            asked.proxy_user = user_info;
        }
        if let Some(text) = body.use_stored_credentials {
            let target = match text.as_str() {
                "none" => None,
                _ => Some(AuthTarget::named(&text).ok_or(Refusal::InvalidAuthTarget { text })?),
            };
            changes.push(PropertyChange::StoredCredentials(target));
        }
        changes.extend(body.no_ntlm.map(PropertyChange::NoNtlm));
        changes.extend(
            body.service_name.map(|name| PropertyChange::ServiceName((!name.is_empty()).then_some(name))),
        );
        asked.take_notifications(body.notify_flags, body.notify_command, body.notify_webhook)?;
        asked.webhook_secret = body.notify_webhook_secret.map(|secret| secret.0);
        asked.brought_secret |= asked.webhook_secret.is_some();
        asked.changes.extend(
            body.minimum_notification_interval_ms.map(|millis| {
                PropertyChange::MinimumNotificationInterval(Duration::from_millis(millis.into()))
            }),
        );
        Ok(asked)
    }

    fn take_notifications(
        &mut self,
        flags: Option<u32>,
        command: Option<NotifyCommand>,
        webhook: Option<String>,
    ) -> Result<(), Refusal> {
        if let Some(mask) = flags {
            self.changes.push(PropertyChange::NotifyFlags(NotifyFlags::from_mask(mask)?));
        }
        if let Some(NotifyCommand { program, arguments }) = command {
            if program.is_empty() && !arguments.is_empty() {
                return Err(Refusal::invalid("the notification command", "has arguments and no program"));
            }
            let command = (!program.is_empty()).then_some(notify::NotifyCommand { program, arguments });
            self.changes.push(PropertyChange::NotifyCommand(command));
        }
        if let Some(text) = webhook {
            let url = match text.as_str() {
                "" => None,
                text => Some(webhook_url(text)?),
            };
            self.changes.push(PropertyChange::Webhook(url));
        }
        Ok(())
    }

    /// Parses what came along of the caller's environment. Who signs in at a proxy named there is
    /// taken over where the job `uses` it.
    ///
    /// # Errors
    /// As [`Asked::of`].
    pub(super) fn take_environment(
        &mut self,
        body: Environment,
        uses: bool,
    ) -> Result<job::Environment, Refusal> {
        const UMASK_MAX: u32 = 0o777;
        if let Some(umask) = body.umask.filter(|umask| *umask > UMASK_MAX) {
            return Err(Refusal::invalid(format!("the umask {umask}"), "is more than 0777"));
        }
        let paths = [("KRB5_CONFIG", &body.krb5_config), ("KRB5CCNAME", &body.krb5_ccname)];
        for (name, text) in paths {
            let is_wrong = |text: &String| text.len() > PATHS_BYTES_MAX || text.chars().any(char::is_control);
            if text.as_ref().is_some_and(is_wrong) {
                return Err(Refusal::invalid(name, "names no files"));
            }
        }
        let mut proxies = ProxyEnvironment::default();
        for (name, text, place) in [
            ("http_proxy", body.http_proxy, &mut proxies.http),
            ("https_proxy", body.https_proxy, &mut proxies.https),
            ("all_proxy", body.all_proxy, &mut proxies.all),
        ] {
            let Some(text) = text else { continue };
            check_text(name, &text)?;
            // What is no address of a proxy has nobody in it either.
            let (text, user_info) = one_proxy(&text).map_err(|wrong| Refusal::invalid(name, wrong))?;
            *place = Some(text);
            self.brought_secret |= user_info.is_some();
            match (user_info.filter(|_| uses), &self.proxy_user) {
                (Some(other), Some(known)) if !known.is_same(&other) => {
                    let wrong = "have different users; a job signs in at its proxies as one: \
                         name the proxy for this job";
                    return Err(Refusal::invalid("the proxies of the environment", wrong));
                }
                (None, _) | (Some(_), Some(_)) => {}
                (user_info, None) => self.proxy_user = user_info,
            }
        }
        let Environment { krb5_config, krb5_ccname, no_proxy, umask, .. } = body;
        no_proxy.as_deref().map_or(Ok(()), |text| check_text("no_proxy", text))?;
        proxies.none_for = no_proxy;
        Ok(job::Environment { krb5_config, krb5_ccname, proxies, umask })
    }

    /// Whether there was a secret in the body, as far as it was parsed here.
    pub(super) fn brought_secret(&self) -> bool {
        self.brought_secret
    }

    /// Seals what is secret, for `job` of `owner`.
    ///
    /// # Errors
    /// Those of [`Vault`].
    pub(super) fn seal(self, vault: &Vault, job: JobId, owner: Owner) -> Result<Vec<SecretChange>, Refusal> {
        let mut changes = Vec::new();
        if let Some(headers) = self.headers {
            changes.push(SecretChange::RemoveHeaders);
            for header in &headers {
                changes.push(SecretChange::Set(vault.seal_header(job, owner, header)?));
            }
        }
        match &self.passphrase {
            Some(passphrase) => {
                changes.push(SecretChange::Set(vault.seal_passphrase(job, owner, passphrase)?));
            }
            None if self.is_certificate_new => {
                changes.push(SecretChange::Remove(SecretSlot::CertificatePassphrase));
            }
            None => {}
        }
        match &self.webhook_secret {
            Some(none) if none.expose().is_empty() => changes.push(SecretChange::Remove(SecretSlot::Webhook)),
            Some(secret) => changes.push(SecretChange::Set(vault.seal_webhook(job, owner, secret)?)),
            None => {}
        }
        if let Some(UserInfo { user, password }) = &self.proxy_user {
            let new = NewCredential { target: AuthTarget::Proxy, scheme: None, user, password };
            changes.extend(vault.seal(job, owner, &new)?.into_iter().map(SecretChange::Set));
        }
        Ok(changes)
    }
}

/// Bytes of a list of configuration files, or of the name of a ticket cache; more is a mistake.
const PATHS_BYTES_MAX: usize = 16 * 1024;

fn check_text(name: &str, text: &str) -> Result<(), Refusal> {
    if text.encode_utf16().count() > PROXY_LIST_UNITS_MAX || text.chars().any(char::is_control) {
        return Err(Refusal::invalid(name, "is too long, or has a control character"));
    }
    Ok(())
}

/// # Errors
/// [`Refusal::InvalidArgument`], which never repeats a password.
fn webhook_url(text: &str) -> Result<RemoteName, Refusal> {
    let what = "the URL of the webhook";
    let (url, user_info) = RemoteName::parse(text).map_err(|wrong| {
        let wrong = match wrong {
            RemoteNameError::Scheme { scheme } => {
                format!("begins with `{scheme}:`; write http:// or https://, a host and a path")
            }
            other => format!("is wrong: {other}"),
        };
        Refusal::invalid(what, wrong)
    })?;
    match user_info {
        None => Ok(url),
        Some(_) => Err(Refusal::invalid(what, "names a user; a webhook is known by its signature")),
    }
}

fn client_certificate(given: ClientCertificate) -> Result<Option<http_options::ClientCertificate>, Refusal> {
    use http_options::ClientCertificate as Known;
    Ok(match given {
        ClientCertificate::None => None,
        ClientCertificate::File { path, key } => Some(Known::File { path, key }),
        ClientCertificate::ById { folder, fingerprint } => {
            let fingerprint = hexadecimal(&fingerprint).ok_or_else(|| {
                Refusal::invalid(format!("the fingerprint `{fingerprint}`"), "is not of hexadecimal digits")
            })?;
            Some(Known::ById { folder, fingerprint })
        }
        ClientCertificate::ByName { folder, subject } => Some(Known::ByName { folder, subject }),
    })
}

/// The bytes `text` stands for; colons between them are how tools print fingerprints.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|character| character.to_digit(16))
        .collect::<Option<_>>()?;
    let bytes = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high << 4 | low).ok(),
        _ => None,
    });
    bytes.collect()
}

fn proxy(given: Proxy) -> Result<(ProxyUse, Option<UserInfo>), Refusal> {
    let Proxy { usage, list, bypass } = given;
    match (usage.as_str(), list) {
        (OVERRIDE, Some(list)) => {
            let (list, user_info) =
                proxy_list(&list).map_err(|wrong| Refusal::invalid("the list of proxies", wrong))?;
            Ok((ProxyUse::Override { list, bypass: bypass.unwrap_or_default() }, user_info))
        }
        (OVERRIDE, None) => Err(Refusal::invalid("the list of proxies", "is missing")),
        (PRECONFIG | NO_PROXY | AUTODETECT, list) if list.is_some() || bypass.is_some() => {
            let wrong = format!("takes no lists; `{OVERRIDE}` does");
            Err(Refusal::invalid(format!("the proxy usage `{usage}`"), wrong))
        }
        (PRECONFIG, _) => Ok((ProxyUse::Preconfigured, None)),
        (NO_PROXY, _) => Ok((ProxyUse::Direct, None)),
        (AUTODETECT, _) => Ok((ProxyUse::Autodetect, None)),
        _ => {
            let wrong = format!("is none; there are {PRECONFIG}, {NO_PROXY}, {OVERRIDE} and {AUTODETECT}");
            Err(Refusal::invalid(format!("the proxy usage `{usage}`"), wrong))
        }
    }
}
