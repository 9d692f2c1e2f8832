//! The address of a remote file, without the credentials somebody may have put into it.
//!
//! Which transport serves it is decided elsewhere; here is only what the text must be.

use alloc::string::{String, ToString};
use core::fmt;

use url::Url;

use crate::secret::Secret;

/// Bytes a URL may have. BITS's 2,200 characters are a policy value; presigned URLs are longer
/// (`bits.md` §13, complaint 18).
pub const REMOTE_NAME_BYTES_MAX: usize = 64 * 1024;

/// An `http` or `https` URL, or the `file` URL of a file on this machine; normalised, with neither
/// user info nor fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteName(Url);

impl fmt::Debug for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteName({})", self.0)
    }
}

impl fmt::Display for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells hosts apart where nothing but that is asked of them: two hosts have the same one by accident
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostTag(pub u64);

impl HostTag {
    /// Of no host; comes before all others.
    pub const NONE: Self = Self(0);
    /// Tags are not greater, so that every database can keep them.
    pub const MAX: Self = Self(i64::MAX as u64);

    /// The greatest tag of a host that is this machine; of others only an accident has such a small one.
    const LOCAL_MAX: u64 = 0xFFFF;

    /// FNV-1a over `authority`. It is written down with jobs and stays as it is.
    fn of(authority: &str) -> Self {
        let hash = authority.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
        });
        Self(hash >> 1)
    }

    /// Whether it is this machine itself, which is there without any network.
    pub fn is_local(self) -> bool {
        (1..=Self::LOCAL_MAX).contains(&self.0)
    }
}

/// Whether a host is reached by the loopback interface.
pub(crate) fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name.is_empty() || name == "localhost" || name.ends_with(".localhost")
        }
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    }
}

/// User name and password that stood in a URL (`bits.md` §2.7: accepted, discouraged).
#[derive(Debug)]
pub struct UserInfo {
    pub user: String,
    pub password: Secret,
}

impl UserInfo {
    /// Whether both are the same user with the same password.
    pub fn is_same(&self, other: &Self) -> bool {
        self.user == other.user && self.password == other.password
    }
}

/// Why a text is no remote name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteNameError {
    #[error("the URL is {bytes} bytes long; {REMOTE_NAME_BYTES_MAX} are the most")]
    TooLong { bytes: usize },
    #[error("`{text}` is not a URL ({reason}); write http:// or https://, a host and a path")]
    NotAUrl { text: String, reason: String },
    #[error("`{scheme}:` is not served; a remote name begins with http://, https:// or file:///")]
    Scheme { scheme: String },
    #[error("the file URL names the host {host}; only files of this machine can be copied")]
    FileHost { host: String },
    #[error("the file URL {wrong}; write the characters ?, # and % of a path as %3F, %23 and %25")]
    FilePath { wrong: &'static str },
    #[error("the user information in the URL is not readable text; give the user with --user instead")]
    UserInfo,
}

impl RemoteName {
    /// Parses `text` and takes the user info out of it. An absolute path stands for its `file` URL.
    ///
    /// # Errors
    /// [`RemoteNameError`], which never repeats a password.
    pub fn parse(text: &str) -> Result<(Self, Option<UserInfo>), RemoteNameError> {
        if text.len() > REMOTE_NAME_BYTES_MAX {
            return Err(RemoteNameError::TooLong { bytes: text.len() });
        }
        let of_path = text.starts_with('/').then(|| file_url(text));
        let mut url = Url::parse(of_path.as_deref().unwrap_or(text)).map_err(|error| {
            RemoteNameError::NotAUrl { text: without_user_info(text), reason: error.to_string() }
        })?;
        if url.scheme() == "file" {
            return Ok((Self::of_file(url)?, None));
        }
        if !matches!(url.scheme(), "http" | "https") {
            return Err(RemoteNameError::Scheme { scheme: url.scheme().into() });
        }
        let user_info = take_user_info(&mut url)?;
        url.set_fragment(None);
        Ok((Self(url), user_info))
    }

    fn of_file(url: Url) -> Result<Self, RemoteNameError> {
        match url.host_str() {
            None | Some("") => {}
            Some(host) => return Err(RemoteNameError::FileHost { host: host.into() }),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(RemoteNameError::FilePath { wrong: "has a query or a fragment" });
        }
        let name = Self(url);
        match name.local_path() {
            Some(path) if path.ends_with('/') => Err(RemoteNameError::FilePath { wrong: "names a folder" }),
            Some(_) => Ok(name),
            None => Err(RemoteNameError::FilePath { wrong: "has a path that is no text" }),
        }
    }

    /// Parses a text that an earlier [`RemoteName::parse`] gave.
    ///
    /// # Errors
    /// [`RemoteNameError`], also when there is user info in it: that was never stored.
    pub fn stored(text: &str) -> Result<Self, RemoteNameError> {
        match Self::parse(text)? {
            (name, None) => Ok(name),
            (_, Some(_)) => Err(RemoteNameError::UserInfo),
        }
    }

    /// The name a redirect's `location` means, seen from here.
    ///
    /// # Errors
    /// [`RemoteNameError`]. User info in a redirect is dropped: it is not the owner's.
    pub fn join(&self, location: &str) -> Result<Self, RemoteNameError> {
        if location.len() > REMOTE_NAME_BYTES_MAX {
            return Err(RemoteNameError::TooLong { bytes: location.len() });
        }
        let joined = self.0.join(location).map_err(|error| RemoteNameError::NotAUrl {
            text: without_user_info(location),
            reason: error.to_string(),
        })?;
        // Whoever answers over a network does not choose among our files.
        if !matches!(joined.scheme(), "http" | "https") {
            return Err(RemoteNameError::Scheme { scheme: joined.scheme().into() });
        }
        Self::parse(joined.as_str()).map(|(name, _)| name)
    }

    /// The path of a file on this machine, when it is one.
    pub fn local_path(&self) -> Option<String> {
        if self.0.scheme() != "file" {
            return None;
        }
        percent_decode(self.0.path()).filter(|path| path.starts_with('/') && !path.contains('\0'))
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub fn is_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host as the URL has it: lower case, IPv6 in brackets. Of a file the machine itself.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or("localhost")
    }

    /// The port; of a file none, which is 0.
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(0)
    }

    /// `host:port`, without the port where it is the scheme's own.
    pub fn authority(&self) -> String {
        match self.0.port() {
            Some(port) => alloc::format!("{}:{port}", self.host()),
            None => self.host().into(),
        }
    }

    /// The tag of its host and port.
    pub fn host_tag(&self) -> HostTag {
        let tag = HostTag::of(&self.authority());
        if self.is_local() { HostTag(tag.0 % HostTag::LOCAL_MAX + 1) } else { tag }
    }

    /// Whether it is on this machine, whatever network there is: a file, or a host that is reached by
    /// the loopback interface (`localhost` and names below it by RFC 6761 §6.3).
    pub fn is_local(&self) -> bool {
        self.0.host().is_none_or(|host| is_loopback(&host))
    }

    /// Path and query, as they are sent in a request line.
    pub fn request_target(&self) -> &str {
        &self.0[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Whether both have the same scheme, host and port.
    pub fn same_origin(&self, other: &Self) -> bool {
        // Asked for each request: without the copies that an `Origin` is made of.
        !self.0.cannot_be_a_base()
            && self.0.scheme() != "file"
            && self.0.scheme() == other.0.scheme()
            && self.0.host_str() == other.0.host_str()
            && self.0.port_or_known_default() == other.0.port_or_known_default()
    }

    /// The name for a local file that the last segment of the path suggests: decoded, and only
    /// if it can be one (`cli.md`: never `/`, NUL, control characters, `.` or `..`).
    pub fn suggested_file_name(&self) -> Option<String> {
        let last = self.0.path_segments()?.next_back()?;
        let name = percent_decode(last)?;
        let fit = !name.is_empty()
            && name != "."
            && name != ".."
            && name.len() <= FILE_NAME_BYTES_MAX
            && !name.chars().any(|c| c == '/' || c.is_control());
        fit.then_some(name)
    }
}

/// The URL of the file at the absolute `path`.
fn file_url(path: &str) -> String {
    let mut url = String::from("file://");
    for character in path.chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            '\\' => url.push_str("%5C"),
            // The parser would drop these.
            '\t' => url.push_str("%09"),
            '\n' => url.push_str("%0A"),
            '\r' => url.push_str("%0D"),
            ' ' => url.push_str("%20"),
            other => url.push(other),
        }
    }
    url
}

/// Bytes the name of one file may have on the file systems of Linux (`NAME_MAX`).
const FILE_NAME_BYTES_MAX: usize = 255;

fn take_user_info(url: &mut Url) -> Result<Option<UserInfo>, RemoteNameError> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let user = percent_decode(url.username()).ok_or(RemoteNameError::UserInfo)?;
    let password = percent_decode(url.password().unwrap_or_default()).ok_or(RemoteNameError::UserInfo)?;
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    assert!(cleared.is_ok(), "http and https URLs can lose their user info");
    Ok(Some(UserInfo { user, password: Secret::new(password) }))
}

/// `text` without what may be user information, for error messages. It is no URL, so nobody knows
/// where that would end: a password that was not encoded may have `/`, `?` or `#` in it, and there
/// may be another number of slashes before it. All goes that stands before the last `@`.
fn without_user_info(text: &str) -> String {
    const SHOWN_MAX: usize = 200;
    let shown: String = match text.rfind('@') {
        Some(at) => ["…", &text[at..]].concat(),
        None => text.into(),
    };
    match shown.char_indices().nth(SHOWN_MAX) {
        Some((at, _)) => [&shown[..at], "…"].concat(),
        None => shown,
    }
}

pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = alloc::vec::Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = core::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> RemoteName {
        RemoteName::parse(text).expect("a URL").0
    }

    #[test]
    fn this_machine_is_told_from_others_by_name_and_by_tag() {
        for (url, is_local) in [
            ("http://localhost/f", true),
            ("http://LOCALHOST.:8080/f", true),
            ("https://a.localhost/f", true),
            ("http://127.9.9.9/f", true),
            ("http://[::1]:81/f", true),
            ("http://[::ffff:127.0.0.1]/f", true),
            ("file:///srv/f", true),
            ("http://localhost.test/f", false),
            ("http://notlocalhost/f", false),
            ("http://10.0.0.1/f", false),
            ("http://[fe80::1]/f", false),
        ] {
            let name = name(url);
            assert_eq!((name.is_local(), name.host_tag().is_local()), (is_local, is_local), "{url}");
        }
        assert!(!HostTag::NONE.is_local() && !HostTag::MAX.is_local());
    }

    #[test]
    fn user_info_is_taken_out_of_a_url() {
        let (name, user_info) = RemoteName::parse("http://al%40ice:p%3Aw@h.test/f#part").expect("a URL");
        let user_info = user_info.expect("there was some");
        assert_eq!(name.as_str(), "http://h.test/f");
        assert_eq!((user_info.user.as_str(), user_info.password.expose()), ("al@ice", "p:w"));
    }

    #[test]
    fn an_error_never_repeats_user_info() {
        for text in [
            "http://alice:hunter2@[::/x",
            "http://alice:hunter2/or/3@h.test/x",
            "http://alice:hunter2#3@h.test/x",
            "http:/alice:hunter2@[::/x",
            "https:///alice:hunter2@[::/x",
            r"http:\\alice:hunter2@[::\x",
            "alice:hunter2@h.test/x",
            "alice:hunter2@h.test/x@y",
        ] {
            let Err(error) = RemoteName::parse(text) else { panic!("{text} is no URL") };
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_of_this_machine_is_named_by_its_url_or_its_path() {
        for (text, url, path) in [
            ("file:///etc/hosts", "file:///etc/hosts", "/etc/hosts"),
            ("file://localhost/a%20b", "file:///a%20b", "/a b"),
            (
                "/tmp/gr\u{fc}n 100%?#.txt ",
                "file:///tmp/gr%C3%BCn%20100%25%3F%23.txt%20",
                "/tmp/gr\u{fc}n 100%?#.txt ",
            ),
        ] {
            let name = name(text);
            assert_eq!((name.as_str(), name.local_path().as_deref()), (url, Some(path)), "{text}");
            assert_eq!(RemoteName::stored(url), Ok(name));
        }
        assert_eq!(name("http://h/f").local_path(), None);
        for text in
            ["file://h/f", "file:///a?b", "file:///a#b", "file:///a/", "/", "file:///%FF", "file:///a%00"]
        {
            assert!(RemoteName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_http_https_and_file_are_remote_names() {
        for text in ["ftp://h/f", "javascript:1"] {
            assert!(matches!(RemoteName::parse(text), Err(RemoteNameError::Scheme { .. })), "{text}");
        }
        assert!(matches!(RemoteName::parse("no url"), Err(RemoteNameError::NotAUrl { .. })));
        let long = ["http://h/", &"x".repeat(REMOTE_NAME_BYTES_MAX)].concat();
        assert!(matches!(RemoteName::parse(&long), Err(RemoteNameError::TooLong { .. })));
    }

    #[test]
    fn a_file_name_from_a_url_can_always_be_one() {
        for (url, expected) in [
            ("http://h/a/b%20c.txt?x=1", Some("b c.txt")),
            ("http://h/gr%C3%BC%C3%9Fe.txt", Some("grüße.txt")),
            ("http://h/", None),
            ("http://h/a/", None),
            ("http://h/..%2Fetc%2Fpasswd", None),
            ("http://h/a%00b", None),
            ("http://h/a%1B%5Bm", None),
            ("http://h/%FF", None),
        ] {
            assert_eq!(name(url).suggested_file_name().as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn a_redirect_is_resolved_against_where_it_came_from() {
        let from = name("https://h.test:8443/a/b");
        assert_eq!(from.join("../c?d").expect("a name").as_str(), "https://h.test:8443/c?d");
        assert_eq!(from.join("//u:p@other.test/x").expect("a name").as_str(), "https://other.test/x");
        assert!(matches!(from.join("file:///etc/passwd"), Err(RemoteNameError::Scheme { .. })));
        assert!(!from.same_origin(&name("https://h.test/a")));
    }
}
