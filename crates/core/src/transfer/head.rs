//! The head of an answer, as far as a plan looks at it.
//!
//! How it was parsed, and how the body is framed on the wire, is the transport's affair.

use alloc::string::String;
use alloc::vec::Vec;

use crate::units::Bytes;

/// How the end of a body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// By its length, which was announced.
    Exactly(Bytes),
    /// By its last chunk.
    Chunked,
    /// By the end of the connection: whether all of it came cannot be known.
    UntilClose,
}

/// Status and fields of a final answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    pub status: u16,
    pub body: BodyLength,
    /// In the order sent; names in any letter case.
    pub fields: Vec<(String, String)>,
}

impl ResponseHead {
    /// The first field called `name`, in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All fields called `name`, in any letter case.
    pub fn fields_called<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The coding of the content, when it is not sent as it is.
    pub(super) fn content_coding(&self) -> Option<&str> {
        self.fields_called("content-encoding")
            .map(str::trim)
            .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
    }
}
