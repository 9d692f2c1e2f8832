//! HTTP over connections of our own, by proxies where there are to be some: one request after the
//! other, for one attempt.
//!
//! A connection is kept while requests go to one origin, since NTLM and Negotiate authenticate the
//! connection, and many small files need many answers. Where a server speaks HTTP/2 and many files
//! come from far away, one connection is shared instead; HTTP/1.1 costs less for all else, and is all
//! that is spoken with proxies and without TLS. Whether to retry, follow or resume is not decided
//! here; only a kept connection that turns out to be closed is replaced, as nobody could have known,
//! and what a server says it has not looked at is asked again.

mod blocking;
mod body;
mod chunked;
mod client;
mod connection;
mod dial;
mod direct;
pub mod fuzzing;
mod head;
mod http2;
mod pool;
mod proofs;
mod protocols;
mod request;
mod route;
mod settings;
mod sharing;
mod slots;
mod tls;

pub(crate) use body::{Body, Received};
pub(crate) use client::{Client, FetchError, Response};
pub(crate) use direct::{Direct, Interrupt, Poured};
pub(crate) use pool::Pool;
pub(crate) use proofs::AttemptIdentity;
pub(crate) use request::OwnersWords;
pub use settings::{Http2, UserAgentError};
pub(crate) use settings::{HttpSettings, Timeouts, UserAgent};
pub(crate) use slots::{ConnectionLimits, Slot, Slots};
pub(crate) use tls::{TlsOptions, TlsTrust};
