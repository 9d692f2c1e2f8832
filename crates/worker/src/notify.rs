//! Tells owners what has become of their jobs: by a command, or by a webhook.
//!
//! Whether, and how often, is decided elsewhere; here one try is made, with a limit to everything.

mod command;
mod webhook;

use std::time::Duration;

use bits_core::queue::Report;
use tokio_util::sync::CancellationToken;

use crate::attempt::Surroundings;
use crate::link::{Errand, Telling};

pub use webhook::signing_key;

/// What is allowed to commands, and what they are given.
#[derive(Debug, Clone)]
pub struct CommandSettings {
    /// After which a command that still runs is killed.
    pub time_limit: Duration,
    /// All that a command finds in its environment, apart from what is said of the job.
    pub environment: Vec<(String, std::ffi::OsString)>,
}

impl Default for CommandSettings {
    fn default() -> Self {
        Self { time_limit: Duration::from_secs(600), environment: Vec::new() }
    }
}

/// Makes one try. None when the service stops meanwhile: the next one tries again.
pub(crate) async fn tell(
    telling: Telling,
    around: &Surroundings,
    stop: &CancellationToken,
) -> Option<Report> {
    let Telling { job, number, errand } = telling;
    let outcome = match errand {
        Errand::Command { command, about } => {
            command::run(job, &command, &about, &around.commands, stop).await?
        }
        Errand::Webhook(letter) => tokio::select! {
            outcome = webhook::post(*letter, around) => outcome,
            () = stop.cancelled() => return None,
        },
    };
    Some(Report::Told { number, outcome })
}
