//! An origin that misbehaves: it serves bytes that everybody can compute, and breaks the rules of
//! HTTP by path, one rule per path.
//!
//! [`UnkindOrigin::start`] is for tests; `cargo run -p bits-testkit --bin unkind-origin` is for a
//! person, with a page that lists every path. It keeps what it was asked and which contents it
//! served, so that a test can say what the right bytes are.
//!
//! It knows nothing of OpenBITS and judges nothing: any client can be tried with it. It is built for
//! small files and few clients, with a thread for each connection.
//!
//! Beside it, with the feature `sim`, there is [`sim`]: the whole service in a simulated world, which
//! is judged.

mod answer;
mod asked;
mod certificates;
mod connection;
mod content;
mod faults;
mod http2;
mod index_page;
mod ntlm;
mod origin;
pub mod power;
#[cfg(feature = "sim")]
pub mod sim;

pub use asked::Request;
pub use certificates::Certificate;
pub use content::Content;
pub use faults::{COMMON_PARAMETERS, Fault, faults};
pub use ntlm::ntlm_challenge;
pub use origin::UnkindOrigin;
