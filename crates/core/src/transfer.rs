//! How one file comes: what to ask of a server next, given what has come so far.
//!
//! [`DownloadPlan`] decides and does nothing: no socket, no file, no clock. The worker carries out
//! each [`Next`] and tells the plan what became of it. Bytes go past the plan, only their number
//! through it.
//!
//! Left to the worker: how a message is framed, who one is to a server, and on which connection.

mod content_range;
mod download;
mod error;
mod head;
mod http_date;
mod redirect;
#[cfg(test)]
mod tests;
mod validators;

pub use download::{BodyEnd, DownloadPlan, Fetch, Next, Outcome, RangeAsked};
pub use error::{TransportError, TransportFault, status_error, status_is_transient};
pub use head::{BodyLength, ResponseHead};
