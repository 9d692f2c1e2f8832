//! How one file comes: what to ask of a server next, given what has come so far.
//!
//! [`DownloadPlan`] decides and does nothing: no socket, no file, no clock. The worker carries out
//! each [`Next`] and tells the plan what became of it. Bytes go past the plan, only their number
//! through it.
//!
//! Left to the worker: how a message is framed, who one is to a server, and on which connection.

mod content_range;
mod demand;
mod digest_fields;
mod download;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod head;
mod http_date;
mod links;
mod parts;
mod plan;
mod redirect;
mod sources;
#[cfg(test)]
mod tests;
mod validators;
mod version;

pub use demand::DemandPlan;
pub use download::{BodyEnd, DownloadPlan, Fetch, Found, Next, Outcome, RangeAsked, Rules};
pub use error::{TransportError, TransportFault, status_error, status_is_transient};
pub use head::{BodyLength, ResponseHead};
pub use parts::{PartAsked, PartEnd, PartId, PartPlan, PartsRules};
pub use plan::Plan;
pub(crate) use validators::is_resumable;

use crate::file::Served;
use crate::time::Timestamp;

/// A time as servers write it.
pub fn written_date(time: Timestamp) -> alloc::string::String {
    http_date::write(time)
}

/// When the server says that the version it sent was last changed.
pub fn last_modified(served: &Served) -> Option<Timestamp> {
    served.field("last-modified").and_then(http_date::parse)
}
