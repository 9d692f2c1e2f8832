//! Credentials on their way in. There is no way out: no answer has one.

use std::fmt;

use bits_core::secret::Secret;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The word in the path for all schemes that suit: Negotiate, NTLM, Digest and, on https, Basic.
pub const ANY_SCHEME: &str = "any";

/// A credential for one target. With nothing in both it is the implicit one, BITS's NULL and NULL: the
/// owner's Kerberos ticket, for `negotiate`, where a job waits for a ticket when there is none, or for
/// `any`, where it then goes on as if nothing were set.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetCredentials {
    /// `DOMAIN\user`, `user@realm` or bare.
    pub user: String,
    pub password: Password,
}

impl SetCredentials {
    /// The owner's Kerberos ticket.
    pub fn implicit() -> Self {
        Self { user: String::new(), password: Password(Secret::new(String::new())) }
    }
}

/// Whether there was something to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Removed {
    pub removed: bool,
}

/// A password as it crosses the socket; wiped when dropped.
#[derive(Debug, PartialEq, Eq)]
pub struct Password(pub Secret);

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Password;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a password as a string")
            }

            fn visit_str<E>(self, text: &str) -> Result<Password, E> {
                Ok(Password(Secret::new(text.to_owned())))
            }

            fn visit_string<E>(self, text: String) -> Result<Password, E> {
                Ok(Password(Secret::new(text)))
            }

            // Serde's own answer to a value of another kind repeats the value; a password given as
            // a number must not come back in an error.
            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Password, E> {
                Err(E::custom("a password is a string"))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Password, E> {
                Err(E::custom("a password is a string"))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Password, E> {
                Err(E::custom("a password is a string"))
            }
        }
        // Not `deserialize_str`: that would answer a number with its value before `Text` sees it.
        deserializer.deserialize_any(Text)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Password {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "writeOnly": true, "maxLength": 65536 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_about_a_body_never_repeats_the_password() {
        for body in [r#"{"user":"a","password":31337}"#, r#"{"user":"a","password":"31337","x":1}"#] {
            let error = serde_json::from_str::<SetCredentials>(body).expect_err("not a body");
            assert!(!error.to_string().contains("31337"), "{error}");
        }
        let good = r#"{"user":"a","password":"p\u00e4ss"}"#;
        let body: SetCredentials = serde_json::from_str(good).expect("a body");
        assert_eq!(body.password.0.expose(), "päss");
        assert!(!format!("{body:?}").contains("päss"));
    }
}
