//! What the product asks of its surroundings, in plain domain types.
//!
//! The core calls none of these; the floors above do, and `platform`, `store` and `worker` make
//! them real.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

/// Something that seals secrets before they are written down (`credentials.md` §4.1).
pub trait Seal: Send + Sync {
    /// Seals `plain` so that it opens again only together with the same `bound_to`: the job, its
    /// owner, target and scheme, so that a record copied to another place is worthless there.
    fn seal(&self, plain: &[u8], bound_to: &[u8]) -> Result<Vec<u8>, SealError>;

    /// Opens what [`Seal::seal`] made. `sealed` may be anything; it is foreign bytes.
    fn open(&self, sealed: &[u8], bound_to: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError>;

    /// Where the key is from, for a person.
    fn key_source(&self) -> &str;
}

/// Why a secret could not be sealed or opened. Never says anything about the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("a secret of {bytes} bytes cannot be sealed: {bytes_max} bytes are the most")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("a secret cannot be sealed: the system gives no random numbers")]
    NoRandomness,
    #[error("the sealed secret is not of a form that this version knows")]
    UnknownForm,
    #[error("the secret was sealed with another key than the one from {key_source}")]
    OtherKey { key_source: String },
    #[error("the sealed secret is damaged, or was sealed for another place")]
    DoesNotOpen,
}
