//! Programs talk to the OpenBITS service through this.
//!
//! [`Client::connect`] finds the service of the calling user, or starts it; then there is one
//! method for each operation of the service. [`JobHandle`] is one job as BITS's programs know it,
//! with its credential interface; [`prompt`] asks a person for them. [`blocking`] is the same for programs without async.
//!
//! Bodies and answers are the shapes of `bits-api`, here as [`api`]. No decision about jobs is
//! made here.

/// The page of the manual, whose examples are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust-api.md")]
struct RustApiByExample;

pub mod blocking;
mod certificates;
mod challenges;
mod client;
mod connect;
mod connection;
#[cfg(feature = "secret-service")]
mod desktop;
mod environment;
mod error;
mod events;
mod failure;
mod find;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod handle;
pub mod metalink;
pub mod netrc;
mod notifications;
pub mod prompt;
pub mod saved;
mod snapshot;
pub mod tickets;
mod transport;
mod wiped;

pub use bits_api as api;

pub use certificates::Registration;
pub use challenges::ChallengeStream;
pub use client::{Client, Scheme, new_job};
pub use connect::{ConnectOptions, service_program};
#[cfg(feature = "secret-service")]
pub use desktop::Desktop;
pub use environment::environment_of_this_process;
pub use error::{Error, Unreachable};
pub use events::EventStream;
pub use failure::{JobFailure, error_description};
pub use find::Found;
pub use handle::{AuthCredentials, JobCredentials, JobHandle, JobHttpOptions};
pub use notifications::{Callback, Notification, Notifications, NotifyRegistration, call};
pub use snapshot::Snapshot;
