//! The words of fields that take one of few, for `openapi.json`.
//!
//! Only sets that are closed for programs are here: those of BITS, and what a request may say. What may
//! get further words in a later version, such as why a job waits, is a text.

use bits_core::conditions::NetworkCost;
use bits_core::credentials::{AuthScheme, AuthTarget};
use bits_core::error::ErrorContext;
use bits_core::file::ResumeBy;
use bits_core::job::{Priority, State};
use bits_core::notify::Happened;
use bits_core::ports::KeySource;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::export::{ALREADY_THERE, IMPORTED, WOULD_IMPORT};
use crate::http_options::{AUTODETECT, NO_PROXY, OVERRIDE, PRECONFIG};

pub(crate) fn states() -> Value {
    State::NAMES.to_vec().into()
}

pub(crate) fn priorities() -> Value {
    Priority::ALL.map(Priority::name).to_vec().into()
}

pub(crate) fn contexts() -> Value {
    ErrorContext::names().collect::<Vec<_>>().into()
}

pub(crate) fn targets() -> Value {
    AuthTarget::ALL.map(AuthTarget::name).to_vec().into()
}

pub(crate) fn schemes() -> Value {
    AuthScheme::BY_PREFERENCE.map(AuthScheme::name).to_vec().into()
}

/// A list of them.
pub(crate) fn list_of_schemes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "type": "string", "enum": schemes() } })
}

/// A new job's type; others than downloads are not built.
pub(crate) fn types() -> Value {
    vec!["download"].into()
}

pub(crate) fn stored_credentials_for() -> Value {
    vec![AuthTarget::Proxy.name()].into()
}

pub(crate) fn stored_credentials_to_be_for() -> Value {
    vec!["none", AuthTarget::Proxy.name()].into()
}

pub(crate) fn proxy_usages() -> Value {
    vec![PRECONFIG, NO_PROXY, OVERRIDE, AUTODETECT].into()
}

pub(crate) fn ways_to_resume() -> Value {
    ResumeBy::ALL.map(ResumeBy::name).to_vec().into()
}

pub(crate) fn source_origins() -> Value {
    vec!["original", "given", "link"].into()
}

pub(crate) fn happenings() -> Value {
    Happened::ALL.map(Happened::name).to_vec().into()
}

pub(crate) fn message_types() -> Value {
    vec!["job.transferred", "job.error"].into()
}

pub(crate) fn reasons_to_decline() -> Value {
    vec!["cancelled", "timed_out", "unable"].into()
}

pub(crate) fn outcomes_of_import() -> Value {
    vec![IMPORTED, ALREADY_THERE, WOULD_IMPORT].into()
}

pub(crate) fn key_sources() -> Value {
    KeySource::ALL.map(KeySource::name).to_vec().into()
}

pub(crate) fn networks() -> Value {
    vec!["up", "no_link", "no_address", "no_route"].into()
}

pub(crate) fn network_costs() -> Value {
    NetworkCost::ALL.map(NetworkCost::name).to_vec().into()
}

pub(crate) fn powers() -> Value {
    vec!["mains", "battery"].into()
}

pub(crate) fn attendances() -> Value {
    vec!["present", "away"].into()
}

/// The same where there may be none.
pub(crate) fn or_null(mut words: Value) -> Value {
    words.as_array_mut().expect("words are a list").push(Value::Null);
    words
}
