//! What a program is asked about the certificates of its job's servers, and its answers
//! (`SetServerCertificateValidationInterface`).
//!
//! Whoever reads the stream is the one who is asked, until another reads it or the registration is
//! removed. Each event has a name and a JSON body: `registered` with a [`Registered`] is the first,
//! `certificate` with a [`ServerCertificate`] asks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What names the registration, so that it can be removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registered {
    pub registration: String,
}

/// A certificate that is good as far as the system can tell. Nothing has been asked of its server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServerCertificate {
    /// Names the question in the answer; never used again.
    pub id: String,
    pub job: String,
    /// The index of the file that is to be asked for.
    pub file: u32,
    /// `host:port`.
    pub host: String,
    pub certificate: Der,
    /// What the server has sent beside it, in its order.
    pub chain: Vec<Der>,
}

/// A certificate in DER; base64 on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Der(pub Vec<u8>);

impl Serialize for Der {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Der {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Der {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Der".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A certificate in DER.",
            "type": "string",
            "contentEncoding": "base64"
        })
    }
}

/// Whether the certificate passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerCertificate {
    pub accepted: bool,
    /// Why not: the failure that the job shows, as `0x` and eight hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What is to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RemoveRegistration {
    /// Only if this is the one in force; without it whichever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration: Option<String>,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateEvent {
    Registered(Registered),
    Asked(Box<ServerCertificate>),
}

/// The name of [`CertificateEvent::Registered`] on the wire.
pub const REGISTERED: &str = "registered";
/// The name of [`CertificateEvent::Asked`] on the wire.
pub const CERTIFICATE: &str = "certificate";

impl CertificateEvent {
    /// Reads an event of the stream; none when it has a name of a later version.
    ///
    /// # Errors
    /// When the body is not what the name says.
    pub fn parse(name: &str, body: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(match name {
            REGISTERED => Some(Self::Registered(serde_json::from_str(body)?)),
            CERTIFICATE => Some(Self::Asked(serde_json::from_str(body)?)),
            _ => None,
        })
    }
}
