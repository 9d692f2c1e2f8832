//! HTTP/1.1 over connections of our own, by proxies where there are to be some: one request after the
//! other, for one attempt.
//!
//! A connection is kept while requests go to one origin, since NTLM and Negotiate authenticate the
//! connection, and many small files need many answers. Whether to retry, follow or resume is not
//! decided here; only a kept connection that turns out to be closed is replaced, as nobody could
//! have known. HTTP/2 and ranges in parallel have their place here later.

mod blocking;
mod body;
mod chunked;
mod client;
mod connection;
mod dial;
mod direct;
mod head;
mod pool;
mod proofs;
mod request;
mod route;
mod settings;
mod tls;

pub(crate) use body::{Body, Received};
pub(crate) use client::{Client, FetchError, Response};
pub(crate) use direct::{Direct, Interrupt, Poured};
pub(crate) use pool::Pool;
pub(crate) use proofs::AttemptIdentity;
pub(crate) use request::OwnersWords;
pub use settings::UserAgentError;
pub(crate) use settings::{HttpSettings, Timeouts, UserAgent};
pub(crate) use tls::{TlsOptions, TlsTrust};
