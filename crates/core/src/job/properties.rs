//! What an owner can set on a job, and what the values may be.
//!
//! Credentials are apart: they can be set and not read.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::conditions::CostFlags;
use crate::credentials::AuthTarget;
use crate::http_options::{
    ClientCertificate, Header, HttpOptions, Method, PROXY_LIST_UNITS_MAX, ProxyEnvironment, ProxyUse,
    SERVICE_NAME_BYTES_MAX, SecurityFlags,
};
use crate::notify::{NotifyCommand, NotifyFlags, NotifyOptions};
use crate::pacing::rate::Rate;
use crate::refusal::Refusal;
use crate::remote_name::RemoteName;
use crate::transfer_options::TransferOptions;
use crate::units::Bytes;
use crate::windows_options::{ClassId, WindowsOptions};

/// `BG_JOB_PRIORITY`, `bits.md` §2.1; foreground comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    Foreground = 0,
    High = 1,
    Normal = 2,
    Low = 3,
}

impl Priority {
    pub const ALL: [Self; 4] = [Self::Foreground, Self::High, Self::Normal, Self::Low];

    /// The word for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Foreground => "foreground",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }

    /// The priority called `name`, in any letter case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.name().eq_ignore_ascii_case(name))
    }
}

/// What of the caller's environment a transfer needs; it comes with each job, since the service
/// was started from another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    /// Where the Kerberos configuration is (`KRB5_CONFIG`); the system's when absent.
    pub krb5_config: Option<String>,
    /// Where the owner's tickets are (`KRB5CCNAME`); the system's usual place when absent.
    pub krb5_ccname: Option<String>,
    pub proxies: ProxyEnvironment,
    /// The permission bits a new file must not have (the caller's umask).
    pub umask: Option<u32>,
}

/// All that an owner can set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Properties {
    pub display_name: String,
    pub description: String,
    pub priority: Priority,
    /// BITS's constant delay before each retry; without it retries begin after one second and
    /// back off to a minute (`bits.md` §13, complaint 6).
    pub minimum_retry_delay: Option<Duration>,
    /// How long errors may follow each other without a byte moving; zero makes each one fatal.
    pub no_progress_timeout: Duration,
    /// How long the job may be CONNECTING and TRANSFERRING in all; without it as long as the policy
    /// of the service says.
    pub maximum_download_time: Option<Duration>,
    /// Whether the service completes the job by itself as soon as all files are whole.
    pub complete_when_done: bool,
    pub windows: WindowsOptions,
    pub http: HttpOptions,
    pub transfer: TransferOptions,
    pub notify: NotifyOptions,
    pub environment: Environment,
}

/// One change to a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PropertyChange {
    DisplayName(String),
    Description(String),
    Priority(Priority),
    /// `None` goes back to the retries that back off.
    MinimumRetryDelay(Option<Duration>),
    NoProgressTimeout(Duration),
    /// `None` goes back to what the policy of the service says.
    MaximumDownloadTime(Option<Duration>),
    /// `BG_COPY_FILE`, one mask (`bits.md` §2.8); not from TRANSFERRED on.
    FileAclFlags(u32),
    /// `BG_JOB_ENABLE_PEERCACHING` and its like, one mask.
    PeerCachingFlags(u32),
    /// `BG_TOKEN`, one mask.
    HelperTokenFlags(u32),
    /// `NOTIFICATION_CLSID`; the null identifier clears it.
    NotificationClass(ClassId),
    CompleteWhenDone(bool),
    KeepGoing(bool),
    DynamicContent(bool),
    HighPerformance(bool),
    OnDemand(bool),
    /// The largest number there is means none.
    MaxDownloadSize(Bytes),
    /// `None` goes back to what the settings say for the priority. Takes effect at once.
    CostFlags(Option<CostFlags>),
    /// Bytes per second at most; `None`: no limit of its own.
    RateLimit(Option<Rate>),
    /// Another one than `GET` makes the job foreground for good and every error fatal (`bits.md`
    /// §1.8). Not to be changed once the job was resumed; see [`Job::set`](super::Job::set).
    HttpMethod(Method),
    /// All headers that are no secrets; replaces those before.
    Headers(Vec<Header>),
    /// There is no way back.
    MakeHeadersWriteOnly,
    SecurityFlags(SecurityFlags),
    /// `None` takes it away.
    ClientCertificate(Option<ClientCertificate>),
    Proxy(ProxyUse),
    /// Whose challenges the owner's stored credentials may answer: a proxy's, or nobody's.
    StoredCredentials(Option<AuthTarget>),
    NoNtlm(bool),
    /// `None` goes back to `HTTP/` and the host of the URL.
    ServiceName(Option<String>),
    NotifyFlags(NotifyFlags),
    /// `None` takes it away.
    NotifyCommand(Option<NotifyCommand>),
    /// `None` takes it away.
    Webhook(Option<RemoteName>),
    MinimumNotificationInterval(Duration),
}

impl PropertyChange {
    /// Whether it is for the owner alone: headers (`bits.md` §7.2), and what runs as the owner or tells
    /// others of the job.
    pub(crate) fn is_for_owner_alone(&self) -> bool {
        matches!(
            self,
            Self::Headers(_) | Self::MakeHeadersWriteOnly | Self::NotifyCommand(_) | Self::Webhook(_)
        )
    }
}

/// UTF-16 units a display name may have (`bits.md` §4).
pub const DISPLAY_NAME_UNITS_MAX: usize = 256;
/// UTF-16 units a description may have (`bits.md` §4).
pub const DESCRIPTION_UNITS_MAX: usize = 1024;
/// Lower values are raised to this silently (`bits.md` §1.3).
pub const MINIMUM_RETRY_DELAY_FLOOR: Duration = Duration::from_secs(5);

/// 14 days (`bits.md` §5.1).
const NO_PROGRESS_TIMEOUT: Duration = Duration::from_secs(1_209_600);
/// Where the back-off of retries ends.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(60);
/// A server that asks for more patience than a day is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(86_400);

impl Properties {
    /// The properties of a new job called `display_name`.
    ///
    /// # Errors
    /// [`Refusal::InvalidArgument`] for an empty name, [`Refusal::StringTooLong`].
    pub fn named(display_name: String) -> Result<Self, Refusal> {
        let mut properties = Self {
            display_name: String::new(),
            description: String::new(),
            priority: Priority::Normal,
            minimum_retry_delay: None,
            no_progress_timeout: NO_PROGRESS_TIMEOUT,
            maximum_download_time: None,
            complete_when_done: false,
            windows: WindowsOptions::default(),
            http: HttpOptions::default(),
            transfer: TransferOptions::default(),
            notify: NotifyOptions::default(),
            environment: Environment::default(),
        };
        properties.set(PropertyChange::DisplayName(display_name))?;
        Ok(properties)
    }

    /// Makes one change.
    ///
    /// # Errors
    /// [`Refusal`] when the value cannot be, or not together with the others; nothing has changed then.
    pub fn set(&mut self, change: PropertyChange) -> Result<(), Refusal> {
        match change {
            PropertyChange::DisplayName(name) => {
                if name.trim().is_empty() {
                    return Err(Refusal::invalid("the display name", "is empty; give the job a name"));
                }
                self.display_name = fitting(name, "display name", DISPLAY_NAME_UNITS_MAX)?;
            }
            PropertyChange::Description(text) => {
                self.description = fitting(text, "description", DESCRIPTION_UNITS_MAX)?;
            }
            PropertyChange::Priority(priority) => {
                if !self.http.method.is_default() && priority != self.priority {
                    let method = self.http.method.as_str().into();
                    return Err(Refusal::NotWithCustomMethod { what: "priority", method });
                }
                self.priority = priority;
            }
            PropertyChange::MinimumRetryDelay(delay) => {
                self.minimum_retry_delay = delay.map(|delay| delay.max(MINIMUM_RETRY_DELAY_FLOOR));
            }
            PropertyChange::NoProgressTimeout(timeout) => self.no_progress_timeout = timeout,
            PropertyChange::MaximumDownloadTime(most) => self.maximum_download_time = most,
            PropertyChange::FileAclFlags(mask) => self.windows.set_file_acl_flags(mask)?,
            PropertyChange::PeerCachingFlags(mask) => self.windows.set_peer_caching_flags(mask)?,
            PropertyChange::HelperTokenFlags(mask) => self.windows.set_helper_token_flags(mask)?,
            PropertyChange::NotificationClass(class) => self.windows.notification_class = class,
            PropertyChange::CompleteWhenDone(yes) => self.complete_when_done = yes,
            PropertyChange::KeepGoing(yes) => self.transfer.keep_going = yes,
            PropertyChange::HighPerformance(yes) => self.transfer.high_performance = yes,
            PropertyChange::OnDemand(true) if !self.http.method.is_default() => {
                return Err(Refusal::OnDemandWithMethod { method: self.http.method.as_str().into() });
            }
            PropertyChange::OnDemand(true) if self.transfer.dynamic_content => {
                return Err(Refusal::OnDemandAndDynamic);
            }
            PropertyChange::DynamicContent(true) if self.transfer.on_demand => {
                return Err(Refusal::OnDemandAndDynamic);
            }
            PropertyChange::DynamicContent(yes) => self.transfer.dynamic_content = yes,
            PropertyChange::OnDemand(yes) => self.transfer.on_demand = yes,
            PropertyChange::MaxDownloadSize(Bytes::ZERO) => return Err(Refusal::MaxDownloadSizeZero),
            PropertyChange::MaxDownloadSize(size) => {
                self.transfer.max_download_size = (size != Bytes(u64::MAX)).then_some(size);
            }
            PropertyChange::CostFlags(flags) => self.transfer.cost_flags = flags,
            PropertyChange::RateLimit(limit) => self.transfer.rate_limit = limit,
            PropertyChange::HttpMethod(method) if self.transfer.on_demand && !method.is_default() => {
                return Err(Refusal::OnDemandWithMethod { method: method.as_str().into() });
            }
            PropertyChange::HttpMethod(method) => {
                if !method.is_default() {
                    self.priority = Priority::Foreground;
                }
                self.http.method = method;
            }
            PropertyChange::Headers(headers) => self.http.headers = headers,
            PropertyChange::MakeHeadersWriteOnly => self.http.headers_write_only = true,
            PropertyChange::SecurityFlags(flags) => self.http.security = flags,
            PropertyChange::ClientCertificate(certificate) => {
                certificate.as_ref().map_or(Ok(()), ClientCertificate::check)?;
                self.http.client_certificate = certificate;
            }
            PropertyChange::Proxy(proxy) => {
                check_proxy(&proxy)?;
                self.http.proxy = proxy;
            }
            PropertyChange::StoredCredentials(Some(AuthTarget::Server)) => {
                return Err(Refusal::StoredServerCredentials);
            }
            PropertyChange::StoredCredentials(target) => {
                self.http.stored_proxy_credentials = target.is_some()
            }
            PropertyChange::NoNtlm(yes) => self.http.no_ntlm = yes,
            PropertyChange::ServiceName(name) => {
                name.as_deref().map_or(Ok(()), check_service_name)?;
                self.http.service_name = name;
            }
            PropertyChange::NotifyFlags(flags) => self.notify.flags = flags,
            PropertyChange::NotifyCommand(command) => {
                command.as_ref().map_or(Ok(()), NotifyCommand::check)?;
                self.notify.command = command;
            }
            PropertyChange::Webhook(Some(url)) if url.local_path().is_some() => {
                return Err(Refusal::invalid(
                    "the URL of the webhook",
                    "is a file; write http:// or https://",
                ));
            }
            PropertyChange::Webhook(url) => self.notify.webhook = url,
            PropertyChange::MinimumNotificationInterval(interval) => {
                self.notify.minimum_interval = interval;
            }
        }
        Ok(())
    }

    /// How long to wait after the `failures`-th transient error in a row (1 is the first).
    pub fn retry_delay(&self, failures: u32, retry_after_seconds: Option<u32>) -> Duration {
        let own = self.minimum_retry_delay.unwrap_or_else(|| {
            let doublings = failures.saturating_sub(1).min(6);
            Duration::from_secs(1 << doublings).min(RETRY_DELAY_MAX)
        });
        let asked = Duration::from_secs(retry_after_seconds.unwrap_or(0).into()).min(RETRY_AFTER_MAX);
        own.max(asked)
    }
}

/// Lengths alone: the syntax is judged when the job runs (`bits.md` §6.7).
fn check_proxy(proxy: &ProxyUse) -> Result<(), Refusal> {
    let ProxyUse::Override { list, bypass } = proxy else { return Ok(()) };
    let units = |text: &str| text.encode_utf16().count();
    match (units(list), units(bypass)) {
        (0, _) => Err(Refusal::invalid("the list of proxies", "is empty; name one, or use none")),
        (units, _) if units > PROXY_LIST_UNITS_MAX => Err(Refusal::ProxyListTooLarge { units }),
        (_, units) if units > PROXY_LIST_UNITS_MAX => Err(Refusal::ProxyBypassListTooLarge { units }),
        _ if list.chars().chain(bypass.chars()).any(char::is_control) => {
            Err(Refusal::invalid("the list of proxies", "has a control character"))
        }
        _ => Ok(()),
    }
}

fn check_service_name(name: &str) -> Result<(), Refusal> {
    match name.len() {
        1..=SERVICE_NAME_BYTES_MAX if name.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
        _ => Err(Refusal::invalid("the service name", "is none; write one such as HTTP/host.example.test")),
    }
}

fn fitting(text: String, what: &'static str, units_max: usize) -> Result<String, Refusal> {
    let units = text.encode_utf16().count();
    if units > units_max {
        return Err(Refusal::StringTooLong { what, units, units_max });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use alloc::borrow::ToOwned;

    #[test]
    fn retries_come_after_one_two_four_and_at_last_sixty_seconds() {
        let properties = Properties::named("n".to_owned()).expect("a name");
        let delays: Vec<_> = (1..=9).map(|n| properties.retry_delay(n, None).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(properties.retry_delay(1, Some(90)).as_secs(), 90);
        assert_eq!(properties.retry_delay(1, Some(u32::MAX)).as_secs(), 86_400);
    }

    #[test]
    fn a_retry_delay_set_by_the_owner_stays_the_same_and_is_at_least_five_seconds() {
        let mut properties = Properties::named("n".to_owned()).expect("a name");
        for (asked, kept) in [(1, 5), (600, 600)] {
            let change = PropertyChange::MinimumRetryDelay(Some(Duration::from_secs(asked)));
            properties.set(change).expect("a delay");
            assert_eq!([1, 9].map(|n| properties.retry_delay(n, None).as_secs()), [kept, kept]);
        }
    }

    #[test]
    fn names_and_descriptions_have_limits_in_utf16_units() {
        let mut properties = Properties::named("n".to_owned()).expect("a name");
        assert!(Properties::named("🦀".repeat(128)).is_ok());
        assert!(matches!(
            Properties::named("🦀".repeat(129)),
            Err(Refusal::StringTooLong { units: 258, units_max: 256, .. })
        ));
        assert!(matches!(Properties::named(" ".to_owned()), Err(Refusal::InvalidArgument { .. })));
        let too_long = PropertyChange::Description("x".repeat(1025));
        assert!(properties.set(too_long).is_err());
        assert_eq!(properties.description, "", "a refused change changes nothing");
    }

    #[test]
    fn what_cannot_be_said_of_requests_is_refused_by_its_code() {
        let over = |list: &str, bypass: &str| {
            PropertyChange::Proxy(ProxyUse::Override { list: list.to_owned(), bypass: bypass.to_owned() })
        };
        let file = |path: &str| {
            PropertyChange::ClientCertificate(Some(ClientCertificate::File {
                path: path.to_owned(),
                key: None,
            }))
        };
        let by_name = |subject: &str| {
            let (folder, subject) = ("/c".to_owned(), subject.to_owned());
            PropertyChange::ClientCertificate(Some(ClientCertificate::ByName { folder, subject }))
        };
        let service = |name: &str| PropertyChange::ServiceName(Some(name.to_owned()));
        let (fits, long) = ("p".repeat(4000), "p".repeat(4001));
        for (change, expected) in [
            (over(&fits, &fits), None),
            (over(&long, ""), Some(Code::PROXY_LIST_TOO_LARGE)),
            (over("p", &long), Some(Code::PROXY_BYPASS_LIST_TOO_LARGE)),
            (over("", ""), Some(Code::INVALID_ARGUMENT)),
            (over("p\0", ""), Some(Code::INVALID_ARGUMENT)),
            (file("/c/me.pem"), None),
            (file("me.pem"), Some(Code::INVALID_ARGUMENT)),
            (file("/c\n"), Some(Code::INVALID_ARGUMENT)),
            (by_name(&"x".repeat(255)), None),
            (by_name(&"x".repeat(256)), Some(Code::INVALID_ARGUMENT)),
            (by_name(""), Some(Code::INVALID_ARGUMENT)),
            (service("HTTP/h.test@REALM"), None),
            (service("HTTP/h test"), Some(Code::INVALID_ARGUMENT)),
            (service(""), Some(Code::INVALID_ARGUMENT)),
            (PropertyChange::OnDemand(true), None),
            (PropertyChange::StoredCredentials(Some(AuthTarget::Proxy)), None),
            (
                PropertyChange::StoredCredentials(Some(AuthTarget::Server)),
                Some(Code::USE_STORED_CREDENTIALS_NOT_SUPPORTED),
            ),
        ] {
            let mut properties = Properties::named("n".to_owned()).expect("a name");
            let before = properties.clone();
            let refused = properties.set(change.clone()).err().map(|refusal| refusal.code());
            assert_eq!(refused, expected, "{change:?}");
            assert!(refused.is_none() || properties == before, "a refused change changes nothing");
        }
    }

    #[test]
    fn a_job_on_demand_has_neither_a_method_of_its_own_nor_dynamic_content() {
        let method = || PropertyChange::HttpMethod(Method::parse("REPORT").expect("a method"));
        let (on_demand, dynamic) = (PropertyChange::OnDemand(true), PropertyChange::DynamicContent(true));
        for (first, second, expected) in [
            (on_demand.clone(), method(), Code::NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD),
            (method(), on_demand.clone(), Code::NOT_SUPPORTED_WITH_CUSTOM_HTTP_METHOD),
            (on_demand.clone(), dynamic.clone(), Code::UNSUPPORTED_JOB_CONFIGURATION),
            (dynamic, on_demand, Code::UNSUPPORTED_JOB_CONFIGURATION),
        ] {
            let mut properties = Properties::named("n".to_owned()).expect("a name");
            properties.set(first).expect("alone it can be");
            let before = properties.clone();
            let refused = properties.set(second.clone()).expect_err("not together");
            assert_eq!((refused.code(), &properties), (expected, &before), "{second:?}");
        }
    }
}
