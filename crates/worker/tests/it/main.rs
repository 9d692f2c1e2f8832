//! The worker through its link, against servers that are scripts: a broker that keeps records on
//! one side, raw bytes on the other.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod binding;
mod broker;
mod certificate_callback;
mod client_certificates;
mod closing;
mod content;
mod demand;
mod downloads;
mod exceptions;
mod files;
mod framing;
mod gathering;
mod headers;
mod large;
mod lending;
mod origin;
mod proxies;
mod secure;
mod stopping;
mod third_party;
