//! What can be set about HTTP. Who sets it, and where, is not known here.

use std::time::Duration;

/// How long is waited for what. Each begins anew with each byte, address or request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timeouts {
    /// For each address of a host to take a connection, and for TLS to be agreed on.
    pub(crate) connect: Duration,
    /// For the head of an answer after the request was sent.
    pub(crate) response_head: Duration,
    /// For the next byte of a body.
    pub(crate) read_idle: Duration,
}

/// What is said of a server that sends nothing any more; with the setting that says for how long.
pub(super) fn silent(authority: &str, read_idle: Duration) -> String {
    format!("{authority} has stopped sending: nothing came for {read_idle:?} (idle_timeout)")
}

/// Whether HTTP/2 is spoken with servers that speak it over TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Http2 {
    /// Where many small files come from far away, and with servers that speak nothing else: all else
    /// costs less over HTTP/1.1.
    #[default]
    Auto,
    On,
    Off,
}

/// How requests are made.
#[derive(Debug, Clone)]
pub(crate) struct HttpSettings {
    pub(crate) timeouts: Timeouts,
    pub(crate) user_agent: UserAgent,
    pub(crate) http2: Http2,
}

/// What we call ourselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserAgent(String);

/// The text cannot be sent as a `User-Agent`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a user agent is 1 to {USER_AGENT_BYTES_MAX} printable ASCII characters")]
pub struct UserAgentError;

/// Longer ones are refused by servers before they are read.
const USER_AGENT_BYTES_MAX: usize = 1000;

impl UserAgent {
    /// Parses `text`.
    ///
    /// # Errors
    /// [`UserAgentError`] when it is empty, too long, or would break the head of a request.
    pub(crate) fn parse(text: &str) -> Result<Self, UserAgentError> {
        let text = text.trim();
        let fit = (1..=USER_AGENT_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if fit { Ok(Self(text.into())) } else { Err(UserAgentError) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for UserAgent {
    fn default() -> Self {
        Self(concat!("OpenBITS/", env!("CARGO_PKG_VERSION")).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_cannot_break_the_head_of_a_request() {
        assert_eq!(UserAgent::parse("Mine/1.0 (x)").unwrap().as_str(), "Mine/1.0 (x)");
        for bad in ["", " ", "a\r\nHost: evil", "a\u{7f}", "grüße"] {
            assert_eq!(UserAgent::parse(bad), Err(UserAgentError), "{bad:?}");
        }
    }
}
