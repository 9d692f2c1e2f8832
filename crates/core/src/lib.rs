//! The domain of OpenBITS: what a job is, and every decision about jobs and files.
//!
//! Nothing here can open a file, read a clock, start a thread or wait: the crate is
//! `no_std`, time and randomness are arguments, and the floors above carry out what is
//! decided here.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod access;
pub mod certificates;
pub mod checksum;
pub mod conditions;
pub mod credentials;
pub mod demand;
pub mod error;
pub mod file;
pub mod http_options;
pub mod identity;
pub mod job;
pub mod notify;
pub mod pacing;
pub mod policy;
pub mod ports;
pub mod proxy;
pub mod queue;
pub mod ranges;
pub mod refusal;
pub mod remote_name;
pub mod secret;
pub mod sources;
pub mod time;
pub mod transfer;
pub mod transfer_options;
pub mod units;
pub mod windows_options;
