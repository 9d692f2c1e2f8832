//! An answer that says why something was not done.

use serde::{Deserialize, Serialize};

/// Why a request was not carried out. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// `0x` and eight hexadecimal digits.
    pub code: String,
    /// Such as `BG_E_NOT_FOUND`.
    pub name: String,
    /// One sentence that names the thing.
    pub message: String,
    /// Names the request in the service's log.
    pub request: String,
}
