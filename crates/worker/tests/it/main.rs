//! The worker through its link, against servers that are scripts: a broker that keeps records on
//! one side, raw bytes on the other.
#![allow(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod broker;
mod closing;
mod downloads;
mod files;
mod framing;
mod large;
mod origin;
mod proxies;
mod secure;
mod stopping;
mod third_party;
