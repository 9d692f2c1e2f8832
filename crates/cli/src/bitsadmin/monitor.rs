//! `/monitor`: the list of jobs again and again, until Ctrl-C. On a terminal each takes the place of the one
//! before; elsewhere they follow each other.

use std::time::Duration;

use crate::exit::INTERRUPTED;
use crate::following::interrupts;
use crate::session::Session;

use super::calls::{jobs_of, listed};
use super::paper::Paper;
use super::trouble::{Trouble, Unable};

/// To the upper left corner of an empty screen.
const CLEAR: &str = "\x1b[H\x1b[2J";

pub(super) async fn run(
    all_users: bool,
    refresh_seconds: u64,
    session: &Session,
    paper: &Paper<'_>,
) -> Result<(), Trouble> {
    let paper = paper.unwrapped();
    let mut interrupts = interrupts().unable("monitor jobs")?;
    loop {
        let jobs = jobs_of(all_users, session, &paper).await.unable("list jobs")?;
        if paper.columns().is_some() {
            paper.terminal(CLEAR)?;
        }
        paper.line(&format!("MONITORING BACKGROUND COPY MANAGER({refresh_seconds} second refresh)"))?;
        paper.lines(&listed(&jobs))?;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(refresh_seconds)) => {}
            _ = interrupts.recv() => return Err(Trouble::told(INTERRUPTED)),
        }
    }
}
